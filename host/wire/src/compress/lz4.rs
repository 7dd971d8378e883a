//! The LZ4 frame format, within Kafka's limits: independent blocks, no dictionary, one frame.
//!
//! ```text
//! u32 magic, u8 flags, u8 block size, [u64 content size], u8 header checksum,
//! per block: u32 length (high bit = stored plain), bytes, [u32 checksum]; u32 0; [u32 content checksum]
//! ```
//! All little-endian. The frame is parsed here and not by a library so that the same frames are refused as in Kafka,
//! and that the output bound holds before a block is unpacked.
//! As in Kafka the content checksum is not compared; the checksum of the batch covers the same bytes.

use std::io;

use lz4_flex::block;

use super::xxh32::xxh32;
use super::{Fault, corrupt};

const MAGIC: [u8; 4] = 0x184d_2204u32.to_le_bytes();
const STORED: u32 = 1 << 31;

const FLAG_RESERVED: u8 = 0x03;
const FLAG_CONTENT_CHECKSUM: u8 = 0x04;
const FLAG_CONTENT_SIZE: u8 = 0x08;
const FLAG_BLOCK_CHECKSUM: u8 = 0x10;
const FLAG_INDEPENDENT: u8 = 0x20;
const VERSION: u8 = 1;

/// What Java clients write: version 1, independent blocks, of 64 KiB.
const WRITE_FLAGS: u8 = VERSION << 6 | FLAG_INDEPENDENT;
const WRITE_BLOCK_SIZE: u8 = 4 << 4;
const WRITE_BLOCK_LEN: usize = 64 << 10;

pub(super) fn decompress(payload: &[u8], out: &mut Vec<u8>, limit: usize) -> Result<(), Fault> {
    let mut rest = payload;
    let frame = Frame::read(&mut rest)?;
    loop {
        let word = u32::from_le_bytes(take(&mut rest)?);
        let len = usize::try_from(word & !STORED).map_err(|_| corrupt("block is too long"))?;
        if len == 0 {
            if frame.flags & FLAG_CONTENT_CHECKSUM != 0 {
                take::<4>(&mut rest)?;
            }
            return Ok(());
        }
        if len > frame.block_max {
            return Err(corrupt("block is longer than its frame allows"));
        }
        let (bytes, tail) = rest
            .split_at_checked(len)
            .ok_or_else(|| corrupt("block passes the end"))?;
        rest = tail;
        if frame.flags & FLAG_BLOCK_CHECKSUM != 0 {
            let stored = u32::from_le_bytes(take(&mut rest)?);
            if stored != xxh32(bytes) {
                return Err(corrupt("block checksum is wrong"));
            }
        }
        unpack(bytes, word & STORED != 0, frame.block_max, out, limit)?;
    }
}

fn unpack(
    bytes: &[u8],
    stored: bool,
    block_max: usize,
    out: &mut Vec<u8>,
    limit: usize,
) -> Result<(), Fault> {
    let start = out.len();
    let room = limit.saturating_sub(start);
    if stored {
        if bytes.len() > room {
            return Err(Fault::TooLarge);
        }
        out.extend_from_slice(bytes);
        return Ok(());
    }
    out.resize(start + block_max.min(room), 0);
    let place = out.get_mut(start..).unwrap_or_default();
    match block::decompress_into(bytes, place) {
        Ok(len) => {
            out.truncate(start + len);
            Ok(())
        }
        Err(block::DecompressError::OutputTooSmall { .. }) if room < block_max => {
            Err(Fault::TooLarge)
        }
        Err(error) => Err(io::Error::new(io::ErrorKind::InvalidData, error).into()),
    }
}

struct Frame {
    flags: u8,
    block_max: usize,
}

impl Frame {
    fn read(rest: &mut &[u8]) -> Result<Self, Fault> {
        if take::<4>(rest)? != MAGIC {
            return Err(corrupt("stream is no lz4 frame"));
        }
        let descriptor = *rest;
        let [flags, size] = take::<2>(rest)?;
        if flags >> 6 != VERSION {
            return Err(corrupt("frame version is not 1"));
        }
        if flags & FLAG_RESERVED != 0 || size & 0x8f != 0 {
            return Err(corrupt("reserved bits of the frame header are set"));
        }
        if flags & FLAG_INDEPENDENT == 0 {
            return Err(corrupt("frame has dependent blocks"));
        }
        let power = u32::from(size >> 4);
        if !(4..=7).contains(&power) {
            return Err(corrupt("frame has an unknown block size"));
        }
        let mut len = 2;
        if flags & FLAG_CONTENT_SIZE != 0 {
            take::<8>(rest)?;
            len += 8;
        }
        let [check] = take::<1>(rest)?;
        if check != header_check(descriptor.get(..len).unwrap_or_default()) {
            return Err(corrupt("frame header checksum is wrong"));
        }
        Ok(Self {
            flags,
            block_max: 1 << (8 + 2 * power),
        })
    }
}

fn header_check(descriptor: &[u8]) -> u8 {
    let [_, check, _, _] = xxh32(descriptor).to_le_bytes();
    check
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Fault> {
    let (head, tail) = rest
        .split_first_chunk::<N>()
        .ok_or_else(|| corrupt("stream ends too early"))?;
    *rest = tail;
    Ok(*head)
}

pub(super) fn compress(records: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    out.extend_from_slice(&MAGIC);
    let descriptor = [WRITE_FLAGS, WRITE_BLOCK_SIZE];
    out.extend_from_slice(&descriptor);
    out.push(header_check(&descriptor));
    for chunk in records.chunks(WRITE_BLOCK_LEN) {
        let at = out.len();
        let start = at + 4;
        out.resize(start + block::get_maximum_output_size(chunk.len()), 0);
        let place = out.get_mut(start..).unwrap_or_default();
        let len = block::compress_into(chunk, place).map_err(io::Error::other)?;
        out.truncate(start + len);
        let mut word = u32::try_from(len).map_err(io::Error::other)?;
        if len >= chunk.len() {
            out.truncate(start);
            out.extend_from_slice(chunk);
            word = STORED | u32::try_from(chunk.len()).map_err(io::Error::other)?;
        }
        if let Some(place) = out.get_mut(at..start) {
            place.copy_from_slice(&word.to_le_bytes());
        }
    }
    out.extend_from_slice(&0u32.to_le_bytes());
    Ok(())
}
