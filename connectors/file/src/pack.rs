//! Packing what a sink writes.

use std::io::{self, Write};

use linkspan_sdk::prelude::*;

/// How output is packed: `compression`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum Packing {
    None,
    Gzip,
    Zstd,
    Bz2,
}

/// One packed stream: bytes go in, packed bytes come out at the end of the inner buffer.
pub(crate) enum Packer {
    None(Vec<u8>),
    Gzip(flate2::write::GzEncoder<Vec<u8>>),
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
    Bz2(bzip2::write::BzEncoder<Vec<u8>>),
}

impl std::fmt::Debug for Packer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None(_) => "Packer::None",
            Self::Gzip(_) => "Packer::Gzip",
            Self::Zstd(_) => "Packer::Zstd",
            Self::Bz2(_) => "Packer::Bz2",
        })
    }
}

impl Packer {
    pub(crate) fn new(packing: Packing) -> io::Result<Self> {
        Ok(match packing {
            Packing::None => Self::None(Vec::new()),
            // Without a time in its header: the same records make the same bytes.
            Packing::Gzip => Self::Gzip(flate2::write::GzEncoder::new(
                Vec::new(),
                flate2::Compression::default(),
            )),
            Packing::Zstd => Self::Zstd(zstd::stream::write::Encoder::new(Vec::new(), 0)?),
            Packing::Bz2 => Self::Bz2(bzip2::write::BzEncoder::new(
                Vec::new(),
                bzip2::Compression::default(),
            )),
        })
    }

    /// Takes bytes in and returns what is packed so far, to be taken away.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> io::Result<&mut Vec<u8>> {
        Ok(match self {
            Self::None(out) => {
                out.extend_from_slice(bytes);
                out
            }
            Self::Gzip(encoder) => {
                encoder.write_all(bytes)?;
                encoder.get_mut()
            }
            Self::Zstd(encoder) => {
                encoder.write_all(bytes)?;
                encoder.get_mut()
            }
            Self::Bz2(encoder) => {
                encoder.write_all(bytes)?;
                encoder.get_mut()
            }
        })
    }

    /// Ends the stream and returns the rest of it.
    pub(crate) fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Self::None(out) => Ok(out),
            Self::Gzip(encoder) => encoder.finish(),
            Self::Zstd(encoder) => encoder.finish(),
            Self::Bz2(encoder) => encoder.finish(),
        }
    }
}

/// Appends bytes as a whole stream: readers take several one after the other for one.
pub(crate) fn pack_whole(packing: Packing, bytes: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    let mut packer = Packer::new(packing)?;
    packer.push(bytes)?;
    out.extend_from_slice(&packer.finish()?);
    Ok(())
}
