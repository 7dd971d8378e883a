//! EBCDIC: four Latin code pages, and the two Korean ones with double-byte text between shift-out and shift-in.
//!
//! The tables are what glibc's `iconv` answers, see `tables/generate.py`.
//!
//! ```text
//! C8 C5 D3 D3 D6 0E D0 65 8A 82 0F      HELLO, SO, two syllables, SI
//! ```
//!
//! A file's line ends are 15 (NL) or 25 (LF).

use std::sync::OnceLock;

use super::double::DoubleByte;
use super::{Fallback, Undecodable, Unmappable};

const SHIFT_OUT: u8 = 0x0e;
const SHIFT_IN: u8 = 0x0f;
/// The bytes that end a line.
pub(crate) const LINE_ENDS: [u8; 2] = [0x15, 0x25];
/// Characters of single bytes, as u16, at the start of a table.
const SINGLE_BYTES: usize = 512;

/// A code page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Page {
    Cp037,
    Cp500,
    Cp1047,
    Cp1140,
    /// Korean, KS X 1001.
    Cp933,
    /// Korean with all 11,172 syllables.
    Cp1364,
}

#[derive(Debug)]
struct Table {
    characters: [Option<char>; 256],
    /// By character, for those below 256; the others are few and searched.
    low: [Option<u8>; 256],
    high: Vec<(char, u8)>,
    double: Option<DoubleByte>,
}

impl Page {
    /// Finds the page of `cp037`, `ibm037`, `ibm-037`, `037`, and so on.
    pub(crate) fn for_label(label: &str) -> Option<Self> {
        let number = ["cp", "ibm-", "ibm", "ccsid"]
            .iter()
            .find_map(|prefix| label.strip_prefix(prefix))
            .unwrap_or(label);
        Some(match number {
            "037" | "37" => Self::Cp037,
            "500" => Self::Cp500,
            "1047" => Self::Cp1047,
            "1140" => Self::Cp1140,
            "933" => Self::Cp933,
            "1364" => Self::Cp1364,
            _ => return None,
        })
    }

    fn table(self) -> &'static Table {
        static TABLES: [OnceLock<Table>; 6] = [const { OnceLock::new() }; 6];
        let (index, bytes): (usize, &'static [u8]) = match self {
            Self::Cp037 => (0, include_bytes!("../../tables/cp037.tab")),
            Self::Cp500 => (1, include_bytes!("../../tables/cp500.tab")),
            Self::Cp1047 => (2, include_bytes!("../../tables/cp1047.tab")),
            Self::Cp1140 => (3, include_bytes!("../../tables/cp1140.tab")),
            Self::Cp933 => (4, include_bytes!("../../tables/cp933.tab")),
            Self::Cp1364 => (5, include_bytes!("../../tables/cp1364.tab")),
        };
        let [first, ..] = &TABLES;
        TABLES
            .get(index)
            .unwrap_or(first)
            .get_or_init(|| Table::read(bytes))
    }

    /// Whether text may hold double-byte parts.
    pub(crate) fn has_double(self) -> bool {
        self.table().double.is_some()
    }

    pub(crate) fn decode(self, bytes: &[u8], out: &mut String) -> Result<(), Undecodable> {
        let table = self.table();
        out.reserve(bytes.len());
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            if byte == SHIFT_OUT && table.double.is_some() {
                let inside = bytes.get(at + 1..).unwrap_or_default();
                let len = inside
                    .chunks(2)
                    .take_while(|pair| pair.first() != Some(&SHIFT_IN))
                    .count()
                    * 2;
                if len >= inside.len() {
                    // It never shifts back in.
                    return Err(Undecodable {
                        at,
                        len: bytes.len() - at,
                    });
                }
                let double = inside.get(..len).unwrap_or_default();
                self.decode_double(double, out).map_err(|bad| Undecodable {
                    at: bad.at + at + 1,
                    ..bad
                })?;
                at += len + 2;
                continue;
            }
            match table.characters.get(usize::from(byte)).copied().flatten() {
                Some(character) => out.push(character),
                None => return Err(Undecodable { at, len: 1 }),
            }
            at += 1;
        }
        Ok(())
    }

    /// Decodes double-byte text without shifts, as a `PIC G` or `PIC N` field holds it.
    pub(crate) fn decode_double(self, bytes: &[u8], out: &mut String) -> Result<(), Undecodable> {
        let double = self.table().double.as_ref();
        for (index, pair) in bytes.chunks(2).enumerate() {
            let character = match *pair {
                [lead, trail] => double.and_then(|double| double.character(lead, trail)),
                _ => None,
            };
            match character {
                Some(character) => out.push(character),
                None => {
                    return Err(Undecodable {
                        at: index * 2,
                        len: pair.len(),
                    });
                }
            }
        }
        Ok(())
    }

    pub(crate) fn encode(
        self,
        text: &str,
        fallback: Fallback,
        out: &mut Vec<u8>,
    ) -> Result<u64, Unmappable> {
        let table = self.table();
        let (mut shifted, mut replaced) = (false, 0);
        for character in text.chars() {
            let double = match table.byte(character) {
                Some(byte) => Err(byte),
                None => match table
                    .double
                    .as_ref()
                    .and_then(|double| double.code(character))
                {
                    Some(code) => Ok(code),
                    None => match fallback {
                        Fallback::Refuse => return Err(Unmappable { character }),
                        Fallback::Byte(byte) => {
                            replaced += 1;
                            Err(byte)
                        }
                    },
                },
            };
            if double.is_ok() != shifted {
                out.push(if shifted { SHIFT_IN } else { SHIFT_OUT });
                shifted = !shifted;
            }
            match double {
                Ok(code) => out.extend_from_slice(&code),
                Err(byte) => out.push(byte),
            }
        }
        if shifted {
            out.push(SHIFT_IN);
        }
        Ok(replaced)
    }

    /// Encodes double-byte text without shifts; `false`: a character has no double-byte code.
    pub(crate) fn encode_double(self, text: &str, out: &mut Vec<u8>) -> Result<(), Unmappable> {
        let double = self.table().double.as_ref();
        for character in text.chars() {
            // The wide form of ASCII is what such a field means by it.
            let wide = match character {
                ' ' => '\u{3000}',
                '!'..='~' => char::from_u32(u32::from(character) + 0xfee0).unwrap_or(character),
                other => other,
            };
            let code =
                double.and_then(|double| double.code(character).or_else(|| double.code(wide)));
            out.extend_from_slice(&code.ok_or(Unmappable { character })?);
        }
        Ok(())
    }
}

impl Table {
    fn read(bytes: &[u8]) -> Self {
        let words = |bytes: &'_ [u8]| -> Vec<u16> {
            bytes
                .chunks_exact(2)
                .map(|pair| match *pair {
                    [a, b] => u16::from_le_bytes([a, b]),
                    _ => u16::MAX,
                })
                .collect()
        };
        let (single, pairs) = bytes.split_at_checked(SINGLE_BYTES).unwrap_or((bytes, &[]));
        let mut table = Self {
            characters: [None; 256],
            low: [None; 256],
            high: Vec::new(),
            double: None,
        };
        for (byte, word) in (0..=u8::MAX).zip(words(single)) {
            let Some(character) = char::from_u32(u32::from(word)).filter(|_| word != u16::MAX)
            else {
                continue;
            };
            if let Some(slot) = table.characters.get_mut(usize::from(byte)) {
                *slot = Some(character);
            }
            match table.low.get_mut(usize::from(word)) {
                Some(slot) => *slot = Some(byte),
                None => table.high.push((character, byte)),
            }
        }
        if !pairs.is_empty() {
            let words = words(pairs);
            let pairs = words.chunks_exact(2).filter_map(|pair| match *pair {
                [code, character] => Some((code, character)),
                _ => None,
            });
            table.double = Some(DoubleByte::new(pairs));
        }
        table
    }

    #[inline]
    fn byte(&self, character: char) -> Option<u8> {
        match self.low.get(u32::from(character) as usize) {
            Some(byte) => *byte,
            None => self
                .high
                .iter()
                .find(|(known, _)| *known == character)
                .map(|(_, byte)| *byte),
        }
    }
}
