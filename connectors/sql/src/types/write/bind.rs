//! Tagged values to bind: written and read back.

use super::fitted::Fitted;

/// A value to bind.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Bound<'a> {
    Null,
    Int(i64),
    UInt(u64),
    Float(f64),
    Text(&'a str),
    Bytes(&'a [u8]),
}

pub(super) fn bind(value: &Fitted<'_>, out: &mut Vec<u8>) {
    let mut sized = |tag: u8, bytes: &[u8]| {
        out.push(tag);
        // A record is far below 4 GiB.
        out.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
        out.extend_from_slice(bytes);
    };
    match value {
        Fitted::Text(text) => sized(3, text.as_bytes()),
        Fitted::Bytes(bytes) => sized(4, bytes),
        Fitted::OwnedBytes(bytes) => sized(4, bytes),
        Fitted::Null => out.push(0),
        Fitted::Int(number) => {
            out.push(1);
            out.extend_from_slice(&number.to_le_bytes());
        }
        Fitted::Float(number) => {
            out.push(2);
            out.extend_from_slice(&number.to_le_bytes());
        }
        Fitted::UInt(number) => {
            out.push(5);
            out.extend_from_slice(&number.to_le_bytes());
        }
        Fitted::Scratch => {}
    }
}

/// Reads what was written to bind.
pub(crate) fn bound(cell: &[u8]) -> Bound<'_> {
    let Some((&tag, rest)) = cell.split_first() else {
        return Bound::Null;
    };
    let word = rest.first_chunk::<8>().copied().unwrap_or_default();
    let payload = rest.get(4..).unwrap_or_default();
    match tag {
        1 => Bound::Int(i64::from_le_bytes(word)),
        2 => Bound::Float(f64::from_le_bytes(word)),
        3 => Bound::Text(std::str::from_utf8(payload).unwrap_or_default()),
        4 => Bound::Bytes(payload),
        5 => Bound::UInt(u64::from_le_bytes(word)),
        _ => Bound::Null,
    }
}
