//! snappy in the framing of xerial's Java library, which Kafka's clients write; a bare snappy block is read too.
//!
//! ```text
//! 82 "SNAPPY" 00, i32 version, i32 lowest compatible version, then per block: i32 length, snappy block
//! ```

use std::io;

use snap::raw::{Decoder, Encoder, decompress_len};

use super::{Fault, corrupt};

const MAGIC: [u8; 8] = *b"\x82SNAPPY\0";
const HEADER_LEN: usize = 16;
/// What xerial's writer cuts its input into.
const BLOCK_LEN: usize = 32 << 10;

pub(super) fn decompress(payload: &[u8], out: &mut Vec<u8>, limit: usize) -> Result<(), Fault> {
    if payload.is_empty() {
        return Err(corrupt("stream is empty"));
    }
    let Some(mut rest) = after_header(payload)? else {
        return block(payload, out, limit);
    };
    // Fewer than four bytes are no length: the reader takes them for the end.
    while let Some((length, tail)) = rest.split_first_chunk::<4>() {
        if *length == MAGIC_HEAD {
            // Concatenated streams are legal; half a header is damage, another one is the end.
            if rest.len() < HEADER_LEN {
                return Err(corrupt("stream header passes the end"));
            }
            let Some(next) = after_header(rest)? else {
                return Ok(());
            };
            rest = next;
            continue;
        }
        let len = usize::try_from(i32::from_be_bytes(*length))
            .map_err(|_| corrupt("block length is negative"))?;
        let (bytes, next) = tail
            .split_at_checked(len)
            .ok_or_else(|| corrupt("block passes the end"))?;
        block(bytes, out, limit)?;
        rest = next;
    }
    Ok(())
}

const MAGIC_HEAD: [u8; 4] = [0x82, b'S', b'N', b'A'];

/// Returns what follows the stream header; `None` if there is no such header.
fn after_header(bytes: &[u8]) -> Result<Option<&[u8]>, Fault> {
    let Some((header, rest)) = bytes.split_first_chunk::<HEADER_LEN>() else {
        return Ok(None);
    };
    let Some(versions) = header.strip_prefix(&MAGIC) else {
        return Ok(None);
    };
    let version = versions
        .first_chunk::<4>()
        .map_or(0, |bytes| i32::from_be_bytes(*bytes));
    if version < 1 {
        return Err(corrupt("stream version is below 1"));
    }
    Ok(Some(rest))
}

fn block(bytes: &[u8], out: &mut Vec<u8>, limit: usize) -> Result<(), Fault> {
    let len = decompress_len(bytes).map_err(io::Error::from)?;
    let start = out.len();
    if len > limit.saturating_sub(start) {
        return Err(Fault::TooLarge);
    }
    out.resize(start + len, 0);
    let place = out.get_mut(start..).unwrap_or_default();
    Decoder::new()
        .decompress(bytes, place)
        .map_err(io::Error::from)?;
    Ok(())
}

pub(super) fn compress(records: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&1i32.to_be_bytes());
    out.extend_from_slice(&1i32.to_be_bytes());
    let mut encoder = Encoder::new();
    for chunk in records.chunks(BLOCK_LEN) {
        let bytes = encoder.compress_vec(chunk).map_err(io::Error::from)?;
        let len = i32::try_from(bytes.len()).map_err(io::Error::other)?;
        out.extend_from_slice(&len.to_be_bytes());
        out.extend_from_slice(&bytes);
    }
    Ok(())
}
