//! Reading little-endian bytes that may end anywhere.

/// Returns whether bytes are UTF-8; most are ASCII, which is said sooner.
#[inline]
pub(crate) fn is_utf8(bytes: &[u8]) -> bool {
    bytes.is_ascii() || std::str::from_utf8(bytes).is_ok()
}

/// A read position in bytes; every read says `None` instead of passing the end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
    len: usize,
}

macro_rules! fixed {
    ($($name:ident: $type:ty),* $(,)?) => {$(
        #[inline]
        pub(crate) fn $name(&mut self) -> Option<$type> {
            let (head, rest) = self.rest.split_first_chunk()?;
            self.rest = rest;
            Some(<$type>::from_le_bytes(*head))
        }
    )*};
}

impl<'a> Cursor<'a> {
    #[inline]
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            len: bytes.len(),
        }
    }

    fixed! { u8: u8, u16: u16, u32: u32, i8: i8, i16: i16, i32: i32, i64: i64, f32: f32, f64: f64 }

    /// Returns the next bytes.
    #[inline]
    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(head)
    }

    /// Returns bytes that a u32 length precedes.
    #[inline]
    pub(crate) fn sized(&mut self) -> Option<&'a [u8]> {
        let len = self.u32()?;
        self.take(usize::try_from(len).ok()?)
    }

    /// Returns how many bytes were read.
    #[inline]
    pub(crate) const fn at(&self) -> usize {
        self.len - self.rest.len()
    }

    /// Returns the bytes that are left.
    #[inline]
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }
}
