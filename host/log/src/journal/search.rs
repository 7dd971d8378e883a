//! Finding frames in a journal file: right behind the last one, at the next group, or anywhere behind a place that is unreadable.
//!
//! The last kind looks at every eighth byte. A torn commit may hold what looks like frame headers (a copy of a journal is
//! a fine payload), and summing up to 24 MiB for each would take hours. So a header must be plausible before its checksum is
//! computed, and once as many bytes as the file has were summed for nothing, checksums come from prefix sums instead:
//! CRC-32C is linear, so the sum of a range follows from the sums of two prefixes.

use super::frame::{self, ALIGN, Frame, GROUP_ALIGN, HEADER_LEN};

/// A prefix sum is kept for every so many bytes.
const STEP: usize = 512;

/// Reads the frame that begins right here or at the next group.
pub(crate) fn frame_near(bytes: &[u8], at: usize, seed: u32) -> Option<(usize, Frame<'_>)> {
    let here = frame::align(at, ALIGN);
    let group = frame::align(at, GROUP_ALIGN);
    [here, group]
        .into_iter()
        .find_map(|at| Frame::read(bytes.get(at..)?, seed).map(|frame| (at, frame)))
}

/// Finds the next good frame at or behind `from`.
pub(crate) fn search(bytes: &[u8], from: usize, seed: u32) -> Option<(usize, Frame<'_>)> {
    Search::new(bytes, seed).next(from)
}

/// A search with its memory of what was summed.
#[derive(Debug)]
struct Search<'a> {
    bytes: &'a [u8],
    seed: u32,
    /// Bytes whose checksum was computed for nothing.
    wasted: usize,
    /// The checksum of the first `n * STEP` bytes; made when it pays.
    prefixes: Vec<u32>,
}

impl<'a> Search<'a> {
    fn new(bytes: &'a [u8], seed: u32) -> Self {
        Self {
            bytes,
            seed,
            wasted: 0,
            prefixes: Vec::new(),
        }
    }

    fn next(&mut self, from: usize) -> Option<(usize, Frame<'a>)> {
        let mut at = frame::align(from, ALIGN);
        let magic = frame::MAGIC.to_le_bytes();
        while let Some(rest) = self.bytes.get(at..) {
            if rest.len() < HEADER_LEN {
                return None;
            }
            if rest.starts_with(&magic)
                && let Some(len) = frame::plausible_len(rest)
                && let Some(frame) = self.check(at, len)
            {
                return Some((at, frame));
            }
            at += ALIGN;
        }
        None
    }

    fn check(&mut self, at: usize, len: usize) -> Option<Frame<'a>> {
        let rest = self.bytes.get(at..)?;
        if self.wasted > self.bytes.len() {
            let (from, to) = (at + frame::CRC_FROM, at + len);
            let crc =
                crc32c::crc32c_combine(self.seed ^ self.prefix(from)?, self.prefix(to)?, to - from);
            if Some(crc) != frame::u32_at(rest, frame::CRC_AT) {
                return None;
            }
        }
        let frame = Frame::read(rest, self.seed);
        if frame.is_none() {
            self.wasted += len;
        }
        frame
    }

    /// Returns the checksum of the first `n` bytes.
    fn prefix(&mut self, n: usize) -> Option<u32> {
        if self.prefixes.is_empty() {
            let mut crc = 0;
            self.prefixes.push(crc);
            for chunk in self.bytes.chunks_exact(STEP) {
                crc = crc32c::crc32c_append(crc, chunk);
                self.prefixes.push(crc);
            }
        }
        let whole = n / STEP;
        let crc = self.prefixes.get(whole)?;
        Some(crc32c::crc32c_append(
            *crc,
            self.bytes.get(whole * STEP..n)?,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: u32 = 0x1234_5678;

    fn header(len: usize, lsn: u64, seed: u32, body: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        frame::put_header(&mut out, u32::try_from(len).unwrap(), 0, lsn, 0);
        out.extend_from_slice(body);
        let crc = crc32c::crc32c_append(seed, &out[frame::CRC_FROM..]);
        frame::set_crc(&mut out, 0, crc);
        out
    }

    /// `n` headers at every 32nd byte, each of which claims everything behind it.
    fn imitations(n: usize) -> Vec<u8> {
        (0..n)
            .flat_map(|index| header((n - index) * HEADER_LEN, 7, 0, &[]))
            .collect()
    }

    #[test]
    fn imitated_headers_cost_a_bounded_number_of_summed_bytes_and_hide_nothing() {
        let mut bytes = imitations(20_000);
        let real_at = bytes.len();
        bytes.extend(header(HEADER_LEN, 9, SEED, &[]));
        let mut search = Search::new(&bytes, SEED);
        let (at, frame) = search.next(0).unwrap();
        assert_eq!((at, frame.lsn), (real_at, 9));
        // Without prefix sums this is 20,000 times 320 KB, more than 6 GB.
        assert!(search.wasted <= bytes.len() * 3, "{} bytes", search.wasted);
    }

    #[test]
    fn prefix_sums_agree_with_plain_ones() {
        let bytes: Vec<u8> = (0..5000_u32)
            .map(|n| u8::try_from(n * n % 251).unwrap())
            .collect();
        let mut search = Search::new(&bytes, SEED);
        for (from, to) in [(0, 5000), (12, 13), (511, 512), (512, 1024), (700, 4999)] {
            let combined = crc32c::crc32c_combine(
                SEED ^ search.prefix(from).unwrap(),
                search.prefix(to).unwrap(),
                to - from,
            );
            assert_eq!(
                combined,
                crc32c::crc32c_append(SEED, &bytes[from..to]),
                "{from}..{to}"
            );
        }
    }

    #[test]
    fn a_header_that_cannot_be_is_not_summed() {
        for (len, n_entries, lsn, durable) in [
            (31, 0, 9, 0),
            (1000, 0, 9, 0),
            (64, 5, 9, 0),
            (64, 0, 0, 0),
            (64, 0, 9, 9),
        ] {
            let mut bytes = Vec::new();
            frame::put_header(&mut bytes, len, n_entries, lsn, durable);
            bytes.resize(200, 0);
            let mut search = Search::new(&bytes, SEED);
            assert!(search.next(0).is_none());
            assert_eq!(search.wasted, 0, "{len} {n_entries} {lsn} {durable}");
        }
    }
}
