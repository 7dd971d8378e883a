//! UTF-16 in both byte orders.

use super::Undecodable;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Little,
    Big,
    /// As the mark at the start says; little without one, as Windows writes it. Written little, without one.
    Marked,
}

impl Order {
    /// Returns the order of a file that begins with these bytes, and the length of its mark.
    pub(crate) fn settle(self, start: &[u8]) -> (Self, usize) {
        match (self, start) {
            (Self::Marked | Self::Little, [0xff, 0xfe, ..]) => (Self::Little, 2),
            (Self::Marked | Self::Big, [0xfe, 0xff, ..]) => (Self::Big, 2),
            (Self::Marked, _) => (Self::Little, 0),
            (order, _) => (order, 0),
        }
    }

    pub(crate) fn unit(self, pair: [u8; 2]) -> u16 {
        match self {
            Self::Big => u16::from_be_bytes(pair),
            Self::Little | Self::Marked => u16::from_le_bytes(pair),
        }
    }

    pub(crate) fn decode(self, bytes: &[u8], out: &mut String) -> Result<(), Undecodable> {
        let whole = bytes.len() & !1;
        let units = bytes.chunks_exact(2).map(|pair| match *pair {
            [a, b] => self.unit([a, b]),
            _ => 0,
        });
        let mut at = 0;
        for character in char::decode_utf16(units) {
            match character {
                Ok(character) => {
                    at += character.len_utf16() * 2;
                    out.push(character);
                }
                Err(_) => return Err(Undecodable { at, len: 2 }),
            }
        }
        if whole == bytes.len() {
            Ok(())
        } else {
            Err(Undecodable { at: whole, len: 1 })
        }
    }

    pub(crate) fn encode(self, text: &str, out: &mut Vec<u8>) {
        for unit in text.encode_utf16() {
            out.extend_from_slice(&match self {
                Self::Big => unit.to_be_bytes(),
                Self::Little | Self::Marked => unit.to_le_bytes(),
            });
        }
    }
}
