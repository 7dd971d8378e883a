//! Finding what is special in text, eight bytes at a time.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Marks the high bit of bytes that are a quote, a backslash or a control character. The lowest mark is exact: marks above it may be
/// borrowed.
#[inline]
const fn special(word: u64) -> u64 {
    const fn zero(word: u64) -> u64 {
        word.wrapping_sub(ONES) & !word
    }
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    let quote = zero(word ^ (ONES * b'"' as u64));
    let backslash = zero(word ^ (ONES * b'\\' as u64));
    (control | quote | backslash) & HIGH
}

#[inline]
const fn is_special(byte: u8) -> bool {
    byte < b' ' || byte == b'"' || byte == b'\\'
}

/// Returns the place of the first quote, backslash or control character.
#[inline]
pub(super) fn find_special(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(chunk) = text.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let marks = special(u64::from_le_bytes(*chunk));
        if marks != 0 {
            // At most 64: it fits.
            return Some(at + (marks.trailing_zeros() / 8) as usize);
        }
        at += 8;
    }
    let tail = text.get(at..).unwrap_or_default();
    tail.iter()
        .position(|byte| is_special(*byte))
        .map(|found| at + found)
}

/// Returns whether text is ASCII that needs no escape: it is JSON as it stands, and UTF-8 without a look.
#[inline]
pub(super) fn is_plain_ascii(text: &[u8]) -> bool {
    let mut found = 0;
    let mut chunks = text.chunks_exact(8);
    for chunk in &mut chunks {
        if let Some(chunk) = chunk.first_chunk::<8>() {
            let word = u64::from_le_bytes(*chunk);
            found |= special(word) | (word & HIGH);
        }
    }
    let mut tail = false;
    for byte in chunks.remainder() {
        tail |= is_special(*byte) | (*byte >= 0x80);
    }
    found == 0 && !tail
}
