//! The codecs of a batch, each behind the same two functions: one compressed stream, bounded output.
//!
//! What follows a stream is treated as Kafka treats it: ignored after gzip and lz4, an error after zstd, and
//! for snappy ignored when it is too short to be another block.

mod gzip;
mod lz4;
mod snappy;
mod xxh32;
mod zstandard;

use std::cell::RefCell;
use std::fmt;
use std::io::{self, Read as _};

use crate::error::Error;
use crate::header::codec_bits;

/// How many bytes one batch may decompress to unless the caller says otherwise.
pub const MAX_DECOMPRESSED_DEFAULT: usize = 64 << 20;

/// How the records of a batch are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Compression {
    #[default]
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl Compression {
    /// Returns the codec that the attributes of a batch name.
    ///
    /// # Errors
    /// [`Error::UnsupportedCompression`] for 5 to 7.
    pub fn from_attributes(attributes: i16) -> Result<Self, Error> {
        match codec_bits(attributes) {
            0 => Ok(Self::None),
            1 => Ok(Self::Gzip),
            2 => Ok(Self::Snappy),
            3 => Ok(Self::Lz4),
            4 => Ok(Self::Zstd),
            codec => Err(Error::UnsupportedCompression { codec }),
        }
    }

    /// Returns the bits of this codec in the attributes.
    #[must_use]
    pub fn attribute_bits(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
            Self::Zstd => 4,
        }
    }

    /// Returns the name that options and tools use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a stream was not decompressed.
#[derive(Debug)]
enum Fault {
    Corrupt(io::Error),
    TooLarge,
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Corrupt(error)
    }
}

fn corrupt(what: &'static str) -> Fault {
    Fault::Corrupt(io::Error::new(io::ErrorKind::InvalidData, what))
}

/// Replaces the content of `out` by the decompressed `payload`, which may have at most `limit` bytes.
pub(crate) fn decompress(
    codec: Compression,
    payload: &[u8],
    out: &mut Vec<u8>,
    limit: usize,
) -> Result<(), Error> {
    out.clear();
    let result = match codec {
        Compression::None => {
            out.extend_from_slice(payload);
            Ok(())
        }
        Compression::Gzip => gzip::decompress(payload, out, limit),
        Compression::Snappy => snappy::decompress(payload, out, limit),
        Compression::Lz4 => lz4::decompress(payload, out, limit),
        Compression::Zstd => zstandard::decompress(payload, out, limit),
    };
    result.map_err(|fault| match fault {
        Fault::Corrupt(source) => Error::Decompress { codec, source },
        Fault::TooLarge => Error::DecompressedTooLarge { codec, limit },
    })
}

/// Appends the compressed `records` to `out`.
fn compress(codec: Compression, records: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    match codec {
        Compression::None => {
            out.extend_from_slice(records);
            Ok(())
        }
        Compression::Gzip => gzip::compress(records, out),
        Compression::Snappy => snappy::compress(records, out),
        Compression::Lz4 => lz4::compress(records, out),
        Compression::Zstd => zstandard::compress(records, out),
    }
}

/// Returns `head` zeros and the compressed `records` behind them, in a buffer of just that length.
///
/// A codec wants room for the worst case, which is as long as the records are. That room is the thread's, used again and again:
/// taken anew for each batch and then cut, what is cut off lies between the batches that are kept, and nothing fits into it.
pub(crate) fn packed(codec: Compression, records: &[u8], head: usize) -> io::Result<Vec<u8>> {
    let place = |body: &[u8]| {
        let mut out = Vec::with_capacity(head + body.len());
        out.resize(head, 0);
        out.extend_from_slice(body);
        out
    };
    if codec == Compression::None {
        return Ok(place(records));
    }
    ROOM.with_borrow_mut(|room| {
        room.clear();
        compress(codec, records, room)?;
        let out = place(room);
        if room.capacity() > ROOM_KEPT_MAX {
            *room = Vec::new();
        }
        Ok(out)
    })
}

thread_local! {
    static ROOM: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A thread keeps at most so many bytes of room: a batch of the default limit, 1 MiB, fits twice.
const ROOM_KEPT_MAX: usize = 2 << 20;

/// Reads a stream to its end, at most `limit` bytes in all.
fn read_bounded(reader: impl io::Read, out: &mut Vec<u8>, limit: usize) -> Result<(), Fault> {
    let room = u64::try_from(limit.saturating_sub(out.len())).unwrap_or(u64::MAX);
    reader.take(room.saturating_add(1)).read_to_end(out)?;
    if out.len() > limit {
        Err(Fault::TooLarge)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
