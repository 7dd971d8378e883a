//! COPY text: how values and nulls stand in it, and back.

use super::fitted::Fitted;
use super::hex::digit;

/// How text of a null looks in COPY.
pub(super) const COPY_NULL: &[u8] = b"\\N";

pub(super) fn copy_text(value: &Fitted<'_>, out: &mut Vec<u8>) {
    match value {
        Fitted::Null => out.extend_from_slice(COPY_NULL),
        Fitted::Int(number) => {
            out.extend_from_slice(itoa::Buffer::new().format(*number).as_bytes())
        }
        Fitted::UInt(number) => {
            out.extend_from_slice(itoa::Buffer::new().format(*number).as_bytes())
        }
        Fitted::Float(number) => {
            out.extend_from_slice(ryu::Buffer::new().format(*number).as_bytes())
        }
        Fitted::Text(text) => escape(text.as_bytes(), out),
        Fitted::Bytes(bytes) => copy_bytes(bytes, out),
        Fitted::OwnedBytes(bytes) => copy_bytes(bytes, out),
        Fitted::Scratch => {}
    }
}

/// A backslash is doubled on its way through COPY.
pub(super) fn copy_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"\\\\x");
    out.reserve(bytes.len() * 2);
    for byte in bytes {
        out.push(digit(byte >> 4));
        out.push(digit(byte & 15));
    }
}

/// Appends text as COPY reads it.
pub(crate) fn escape(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(at) = rest
        .iter()
        .position(|byte| matches!(byte, b'\\' | b'\n' | b'\r' | b'\t'))
    {
        let (plain, after) = rest.split_at(at);
        out.extend_from_slice(plain);
        let Some((&byte, after)) = after.split_first() else {
            return;
        };
        out.push(b'\\');
        out.push(match byte {
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            other => other,
        });
        rest = after;
    }
    out.extend_from_slice(rest);
}

/// The text behind what [`escape`] wrote; `None` is null.
pub(crate) fn unescape(copied: &[u8]) -> Option<Vec<u8>> {
    if copied == COPY_NULL {
        return None;
    }
    let mut text = Vec::with_capacity(copied.len());
    let mut bytes = copied.iter();
    while let Some(&byte) = bytes.next() {
        if byte != b'\\' {
            text.push(byte);
            continue;
        }
        match bytes.next() {
            Some(b'n') => text.push(b'\n'),
            Some(b'r') => text.push(b'\r'),
            Some(b't') => text.push(b'\t'),
            Some(&other) => text.push(other),
            None => {}
        }
    }
    Some(text)
}
