//! Finding batches in a buffer.
//!
//! A buffer is read from its start; what follows the last whole batch decides how reading ends:
//!
//! ```text
//! what stands at the position                       result
//! nothing                                           end
//! up to 17 bytes, or a length beyond the buffer     end, is_truncated(): a torn tail, or the next read brings the rest
//! a length below 14 (zeros of a preallocated file)  Error::Length                            bad-framing
//! a length below 49                                 Error::HeaderTooShort                    bad-checksum
//! a checksum that does not match                    Error::Checksum (verified only)          bad-checksum
//! another magic with a matching checksum            Error::UnsupportedMagic                  bad-header
//! ```
//!
//! These are the rules of Kafka's file reader, with one difference: formats 0, 1 and those above 2 are refused.

use crate::compress::{self, Compression, MAX_DECOMPRESSED_DEFAULT};
use crate::error::Error;
use crate::header::{
    ATTRIBUTES_AT, BatchHeader, CRC_AT, HEADER_LEN, LENGTH_MIN, LOG_OVERHEAD, MAGIC, MAGIC_AT,
};
use crate::record::Records;

/// A tail this short ends a buffer silently, whatever it holds.
const TAIL_MAX: usize = 17;

/// One whole batch, borrowed, whose frame and header were checked.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    header: BatchHeader,
    bytes: &'a [u8],
}

impl<'a> Batch<'a> {
    /// Reads `bytes` as exactly one batch; the checksum is not computed.
    ///
    /// # Errors
    /// [`Error::Truncated`] or [`Error::TrailingBytes`] if it is not exactly one, else as [`Batches`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let Some(framed) = frame(bytes)? else {
            return Err(Error::Truncated {
                needed: declared_size(bytes).unwrap_or(HEADER_LEN),
                available: bytes.len(),
            });
        };
        let spare = bytes.len() - framed.len();
        if spare > 0 {
            return Err(Error::TrailingBytes { spare });
        }
        Self::from_frame(framed)
    }

    fn from_frame(bytes: &'a [u8]) -> Result<Self, Error> {
        let magic = bytes.get(MAGIC_AT).map_or(0, |&byte| byte.cast_signed());
        if magic < MAGIC {
            return Err(refuse_legacy(bytes, magic));
        }
        let Some(header) = BatchHeader::read(bytes) else {
            return Err(Error::HeaderTooShort { size: bytes.len() });
        };
        let batch = Self { header, bytes };
        if magic > MAGIC {
            // Magic lies outside the checksum: only an intact batch is one of another format.
            batch.verify_crc()?;
            return Err(Error::UnsupportedMagic { magic });
        }
        Ok(batch)
    }

    /// Returns the header.
    #[must_use]
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// Returns all bytes of the batch, header included.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Compares the stored checksum with the bytes.
    ///
    /// # Errors
    /// [`Error::Checksum`] if they differ.
    pub fn verify_crc(&self) -> Result<(), Error> {
        let computed = crc32c::crc32c(self.bytes.get(ATTRIBUTES_AT..).unwrap_or_default());
        let stored = self.header.crc;
        if stored == computed {
            Ok(())
        } else {
            Err(Error::Checksum { stored, computed })
        }
    }

    /// Returns the records; compressed ones are unpacked into `scratch`, which is overwritten.
    ///
    /// # Errors
    /// As [`Self::records_bounded`] with [`MAX_DECOMPRESSED_DEFAULT`].
    pub fn records<'s>(&self, scratch: &'s mut Vec<u8>) -> Result<Records<'s>, Error>
    where
        'a: 's,
    {
        self.records_bounded(scratch, MAX_DECOMPRESSED_DEFAULT)
    }

    /// Returns the records, of at most `max_decompressed` bytes after decompression.
    ///
    /// # Errors
    /// An error of class `BadRecords` for a bad count, codec or compressed stream, or for bytes in a batch that says it has no records;
    /// damage inside a record is found when the iterator gets there.
    pub fn records_bounded<'s>(
        &self,
        scratch: &'s mut Vec<u8>,
        max_decompressed: usize,
    ) -> Result<Records<'s>, Error>
    where
        'a: 's,
    {
        if let Some(records) = self.plain_records()? {
            return Ok(records);
        }
        let codec = self.header.compression()?;
        compress::decompress(codec, self.payload(), scratch, max_decompressed)?;
        Records::new(&self.header, scratch)
    }

    /// Returns the records of an uncompressed batch, borrowed from its bytes; `None` for a compressed one.
    ///
    /// # Errors
    /// As [`Self::records_bounded`].
    pub fn plain_records(&self) -> Result<Option<Records<'a>>, Error> {
        match self.header.compression()? {
            Compression::None => Records::new(&self.header, self.payload()).map(Some),
            Compression::Gzip | Compression::Snappy | Compression::Lz4 | Compression::Zstd => {
                Ok(None)
            }
        }
    }

    fn payload(&self) -> &'a [u8] {
        self.bytes.get(HEADER_LEN..).unwrap_or_default()
    }
}

/// The batches of a buffer, in order; ends after the first error.
#[derive(Debug, Clone)]
pub struct Batches<'a> {
    buf: &'a [u8],
    position: usize,
    verify: bool,
    failed: bool,
}

impl<'a> Batches<'a> {
    /// Checks frames and headers only.
    #[must_use]
    pub fn new(buf: &'a [u8]) -> Self {
        Self {
            buf,
            position: 0,
            verify: false,
            failed: false,
        }
    }

    /// Checks frames, headers and checksums.
    #[must_use]
    pub fn verified(buf: &'a [u8]) -> Self {
        Self {
            verify: true,
            ..Self::new(buf)
        }
    }

    /// Returns where the next batch starts: behind all batches returned so far, also after an error.
    #[must_use]
    pub fn position(&self) -> usize {
        self.position
    }

    /// Tells, once the iterator has ended without an error, whether bytes of an unfinished batch are left.
    #[must_use]
    pub fn is_truncated(&self) -> bool {
        !self.failed && self.position < self.buf.len()
    }

    /// Returns how many bytes the batch at [`Self::position`] needs, as far as its length field can be read.
    ///
    /// A reader that got `None` from a torn buffer asks this to size its next read.
    #[must_use]
    pub fn needed(&self) -> Option<usize> {
        declared_size(self.buf.get(self.position..)?)
    }

    fn step(&mut self) -> Result<Option<Batch<'a>>, Error> {
        let rest = self.buf.get(self.position..).unwrap_or_default();
        let Some(bytes) = frame(rest)? else {
            return Ok(None);
        };
        let batch = Batch::from_frame(bytes)?;
        if self.verify {
            batch.verify_crc()?;
        }
        self.position += bytes.len();
        Ok(Some(batch))
    }
}

impl<'a> Iterator for Batches<'a> {
    type Item = Result<Batch<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let step = self.step();
        self.failed = step.is_err();
        step.transpose()
    }
}

/// Cuts the first batch off `rest`; `None` if it is not whole.
fn frame(rest: &[u8]) -> Result<Option<&[u8]>, Error> {
    if rest.len() <= TAIL_MAX {
        return Ok(None);
    }
    let Some(length) = length_field(rest) else {
        return Ok(None);
    };
    if length < LENGTH_MIN {
        return Err(Error::Length { length });
    }
    Ok(declared_size(rest).and_then(|size| rest.get(..size)))
}

fn length_field(rest: &[u8]) -> Option<i32> {
    let (_, after_offset) = rest.split_at_checked(8)?;
    after_offset
        .first_chunk::<4>()
        .map(|bytes| i32::from_be_bytes(*bytes))
}

fn declared_size(rest: &[u8]) -> Option<usize> {
    let length = usize::try_from(length_field(rest)?).ok()?;
    length.checked_add(LOG_OVERHEAD)
}

/// Names what is wrong with a batch that says it is of format 0 or 1.
///
/// Those carry a CRC-32 from their magic to their end. If it does not match, this is no old message but damage.
fn refuse_legacy(bytes: &[u8], magic: i8) -> Error {
    let stored = bytes
        .get(LOG_OVERHEAD..)
        .and_then(|rest| rest.first_chunk::<4>())
        .map_or(0, |stored| u32::from_be_bytes(*stored));
    let mut crc = flate2::Crc::new();
    crc.update(bytes.get(MAGIC_AT..).unwrap_or_default());
    let computed = crc.sum();
    if stored == computed {
        Error::UnsupportedMagic { magic }
    } else {
        Error::Checksum { stored, computed }
    }
}

/// Computes and stores the checksum of a whole batch.
pub(crate) fn seal(batch: &mut [u8]) {
    let crc = crc32c::crc32c(batch.get(ATTRIBUTES_AT..).unwrap_or_default());
    if let Some(place) = batch.get_mut(CRC_AT..ATTRIBUTES_AT) {
        place.copy_from_slice(&crc.to_be_bytes());
    }
}
