//! A table of double-byte codes: code to character and back, both by position.

/// Code or character that the table does not have.
const NONE: u16 = 0xffff;

/// Both directions, 128 KiB each; made once for each encoding that is used.
#[derive(Debug)]
pub(crate) struct DoubleByte {
    characters: Box<[u16]>,
    codes: Box<[u16]>,
}

impl DoubleByte {
    /// Makes the table of pairs {code, character}; the first code of a character is the one that is written.
    pub(crate) fn new(pairs: impl IntoIterator<Item = (u16, u16)>) -> Self {
        let mut table = Self {
            characters: vec![NONE; 1 << 16].into_boxed_slice(),
            codes: vec![NONE; 1 << 16].into_boxed_slice(),
        };
        for (code, character) in pairs {
            if let Some(slot) = table.characters.get_mut(usize::from(code)) {
                *slot = character;
            }
            if let Some(slot) = table.codes.get_mut(usize::from(character))
                && *slot == NONE
            {
                *slot = code;
            }
        }
        table
    }

    /// Returns the character of a code.
    #[inline]
    pub(crate) fn character(&self, lead: u8, trail: u8) -> Option<char> {
        let code = u16::from_be_bytes([lead, trail]);
        let found = *self.characters.get(usize::from(code))?;
        (found != NONE).then(|| char::from_u32(u32::from(found)))?
    }

    /// Returns the code of a character.
    #[inline]
    pub(crate) fn code(&self, character: char) -> Option<[u8; 2]> {
        let index = u16::try_from(u32::from(character)).ok()?;
        let found = *self.codes.get(usize::from(index))?;
        (found != NONE).then_some(found.to_be_bytes())
    }
}
