//! Types of options that Rust has no type for.

use std::{fmt, path::Path};

/// A number of bytes, written as `1GiB`, `64KiB` or `10MB`; a plain number where the option's name ends in `.bytes`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(pub u64);

impl ByteSize {
    /// Returns the number as a `usize`, at most `usize::MAX`.
    #[must_use]
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }

    /// Returns the number.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, shift) in [("TiB", 40_u32), ("GiB", 30), ("MiB", 20), ("KiB", 10)] {
            let size = 1_u64 << shift;
            if self.0 >= size && self.0 % size == 0 {
                return write!(f, "{}{unit}", self.0 / size);
            }
        }
        write!(f, "{}B", self.0)
    }
}

/// A password, token or key. It is never shown: `Debug` prints [`Secret::HIDDEN`], and there is no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// What stands in a secret's place wherever something is shown. Plugins that take secrets out of texts write it, too.
    pub const HIDDEN: &str = "[hidden]";

    /// Takes a text as a secret.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the secret, for handing it to whoever needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::HIDDEN)
    }
}

/// One or several paths or globs: a JSON array of texts, or one path as it is (a comma is part of it).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PathList(pub Vec<String>);

impl PathList {
    /// Returns the texts, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Returns the paths, in order.
    pub fn paths(&self) -> impl ExactSizeIterator<Item = &Path> {
        self.0.iter().map(Path::new)
    }

    /// Returns how many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
