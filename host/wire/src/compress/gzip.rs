//! gzip, read as Java's `GZIPInputStream` reads it: members may follow each other, what is no member is ignored.

use std::io::{self, Write as _};

use flate2::Compression as Level;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;

use super::{Fault, read_bounded};

/// Java looks for another member only if more than this follows the last one.
const TAIL_IGNORED: usize = 18;

pub(super) fn decompress(payload: &[u8], out: &mut Vec<u8>, limit: usize) -> Result<(), Fault> {
    let mut rest = payload;
    loop {
        let mut member = GzDecoder::new(rest);
        if member.header().is_none() && rest.len() < payload.len() {
            return Ok(());
        }
        read_bounded(&mut member, out, limit)?;
        rest = member.into_inner();
        if rest.len() <= TAIL_IGNORED {
            return Ok(());
        }
    }
}

pub(super) fn compress(records: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    let mut encoder = GzEncoder::new(out, Level::default());
    encoder.write_all(records)?;
    encoder.finish().map(|_| ())
}
