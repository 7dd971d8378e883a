//! EUC-KR and its superset CP949 (UHC), with the two rows that CP949 leaves to its users.
//!
//! ```text
//! 00–7F                 ASCII
//! A1–FE A1–FE           KS X 1001; all that `euc-kr-strict` knows
//! 81–C6 41–…            the 8,822 syllables that UHC adds
//! C9 A1–FE, FE A1–FE    user-defined: U+E000–E05D and U+E05E–E0BB, by option; no character otherwise
//! ```
//!
//! The table is that of the web's standard, taken from `encoding_rs` when it is first used.

use std::sync::OnceLock;

use super::Undecodable;
use super::double::DoubleByte;

/// Codes in a row, A1 to FE.
const ROW: u32 = 94;
/// The first character of the private use area.
const PRIVATE_USE: u32 = 0xe000;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Korean {
    /// KS X 1001 only: no syllable that UHC adds.
    pub(crate) strict: bool,
    /// The user-defined rows are the private use area.
    pub(crate) user_defined: bool,
}

fn table() -> &'static DoubleByte {
    static TABLE: OnceLock<DoubleByte> = OnceLock::new();
    TABLE.get_or_init(|| {
        let codes =
            (0x81..=0xfe_u8).flat_map(|lead| (0x41..=0xfe_u8).map(move |trail| [lead, trail]));
        DoubleByte::new(codes.filter_map(|code| {
            let text =
                encoding_rs::EUC_KR.decode_without_bom_handling_and_without_replacement(&code)?;
            let mut characters = text.chars();
            let (Some(character), None) = (characters.next(), characters.next()) else {
                return None;
            };
            let character = u16::try_from(u32::from(character)).ok()?;
            Some((u16::from_be_bytes(code), character))
        }))
    })
}

impl Korean {
    pub(crate) fn decode(self, bytes: &[u8], out: &mut String) -> Result<(), Undecodable> {
        let table = table();
        out.reserve(bytes.len());
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let plain = rest.iter().take_while(|byte| byte.is_ascii()).count();
            if plain > 0 {
                let ascii = rest.get(..plain).unwrap_or_default();
                out.push_str(std::str::from_utf8(ascii).unwrap_or_default());
                at += plain;
                continue;
            }
            match rest {
                &[lead, trail, ..] => match self.character(table, lead, trail) {
                    Some(character) => {
                        out.push(character);
                        at += 2;
                    }
                    // An ASCII byte behind a stray lead byte is a character of its own.
                    None => {
                        let len = if trail.is_ascii() { 1 } else { 2 };
                        return Err(Undecodable { at, len });
                    }
                },
                _ => return Err(Undecodable { at, len: 1 }),
            }
        }
        Ok(())
    }

    /// Appends the code of a character; `false`: there is none.
    #[inline]
    pub(crate) fn encode(self, character: char, out: &mut Vec<u8>) -> bool {
        if let Some(byte) = u8::try_from(character).ok().filter(u8::is_ascii) {
            out.push(byte);
            return true;
        }
        let code = self.user_code(character).or_else(|| {
            let code = table().code(character)?;
            (!self.strict || is_ks_x_1001(code)).then_some(code)
        });
        if let Some(code) = code {
            out.extend_from_slice(&code);
        }
        code.is_some()
    }

    #[inline]
    fn character(self, table: &DoubleByte, lead: u8, trail: u8) -> Option<char> {
        if self.strict && !is_ks_x_1001([lead, trail]) {
            return None;
        }
        table
            .character(lead, trail)
            .or_else(|| self.user_character(lead, trail))
    }

    fn user_character(self, lead: u8, trail: u8) -> Option<char> {
        let row = match lead {
            0xc9 => 0,
            0xfe => 1,
            _ => return None,
        };
        let cell = trail.checked_sub(0xa1).filter(|_| trail <= 0xfe)?;
        self.user_defined
            .then(|| char::from_u32(PRIVATE_USE + row * ROW + u32::from(cell)))?
    }

    fn user_code(self, character: char) -> Option<[u8; 2]> {
        let index = u32::from(character)
            .checked_sub(PRIVATE_USE)
            .filter(|index| self.user_defined && *index < 2 * ROW)?;
        let lead = if index < ROW { 0xc9 } else { 0xfe };
        let cell = u8::try_from(index % ROW).ok()?;
        Some([lead, 0xa1 + cell])
    }
}

fn is_ks_x_1001(code: [u8; 2]) -> bool {
    code.iter().all(|byte| (0xa1..=0xfe).contains(byte))
}
