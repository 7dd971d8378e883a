//! Encoding records into a batch.
//!
//! Records are written behind a 61 byte hole in the one buffer that becomes the batch, so an uncompressed batch is never copied.

use crate::batch::seal;
use crate::compress::{self, Compression};
use crate::error::Error;
use crate::header::{BatchHeader, HEADER_LEN, LOG_OVERHEAD, MAGIC};
use crate::varint;

/// The length field is an `i32`.
const BATCH_MAX: usize = i32::MAX as usize + LOG_OVERHEAD;
/// Collects records and encodes them as one batch; reusable.
///
/// The batch has base offset 0, leader epoch -1, no producer and create time; the log and [`crate::set_producer`] change that.
#[derive(Debug)]
pub struct BatchBuilder {
    compression: Compression,
    /// Hole and records so far; empty or at least as long as the hole.
    buf: Vec<u8>,
    /// The encoded headers of the record being pushed.
    headers: Vec<u8>,
    count: i32,
    base_timestamp: i64,
    max_timestamp: i64,
}

/// Batches below this length give back the room that they do not use; a larger one is not copied for it.
const SMALL: usize = 4 << 10;

impl BatchBuilder {
    /// Starts an empty batch.
    #[must_use]
    pub fn new(compression: Compression) -> Self {
        Self {
            compression,
            buf: vec![0; HEADER_LEN],
            headers: Vec::new(),
            count: 0,
            base_timestamp: -1,
            max_timestamp: -1,
        }
    }

    /// Forgets all records and keeps the memory.
    pub fn reset(&mut self) {
        self.buf.clear();
        self.buf.resize(HEADER_LEN, 0);
        self.count = 0;
        self.base_timestamp = -1;
        self.max_timestamp = -1;
    }

    /// Makes room for `bytes` more bytes of records.
    pub fn reserve(&mut self, bytes: usize) {
        self.buf.reserve(bytes);
    }

    /// Takes a buffer that is no longer needed, such as a finished batch after it was stored, and uses its memory for the next batch.
    ///
    /// Does nothing while records are collected or when the buffer is smaller than the present one.
    pub fn recycle(&mut self, buffer: Vec<u8>) {
        if self.is_empty() && buffer.capacity() > self.buf.capacity() {
            self.buf = buffer;
            self.reset();
        }
    }

    /// Appends a record without headers.
    ///
    /// # Errors
    /// [`Error::TooLarge`] if the batch would pass 2 GiB; it is then unchanged.
    #[inline]
    pub fn push_plain(
        &mut self,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<(), Error> {
        self.append(timestamp, key, value, 0, &[])
    }

    /// Appends a record; header order and duplicates are kept.
    ///
    /// # Errors
    /// [`Error::TooLarge`] if the batch would pass 2 GiB; it is then unchanged.
    pub fn push<N, V>(
        &mut self,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: impl IntoIterator<Item = (N, Option<V>)>,
    ) -> Result<(), Error>
    where
        N: AsRef<[u8]>,
        V: AsRef<[u8]>,
    {
        let mut encoded = std::mem::take(&mut self.headers);
        encoded.clear();
        let result = encode_headers(&mut encoded, headers)
            .and_then(|count| self.append(timestamp, key, value, count, &encoded));
        self.headers = encoded;
        result
    }

    #[inline(always)]
    fn append(
        &mut self,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        header_count: i32,
        headers: &[u8],
    ) -> Result<(), Error> {
        let timestamp_delta = timestamp.wrapping_sub(if self.count == 0 {
            timestamp
        } else {
            self.base_timestamp
        });
        let key_len = field_len(key)?;
        let value_len = field_len(value)?;
        let timestamp_delta = Number::new(varint::zigzag_64(timestamp_delta));
        let offset_delta = Number::new(u64::from(varint::zigzag_32(self.count)));
        let key_len = Number::new(u64::from(varint::zigzag_32(key_len)));
        let value_len = Number::new(u64::from(varint::zigzag_32(value_len)));
        let header_count = Number::new(u64::from(varint::zigzag_32(header_count)));
        let key = key.unwrap_or_default();
        let value = value.unwrap_or_default();

        let body = 1
            + (timestamp_delta.len + offset_delta.len + key_len.len + key.len())
            + (value_len.len + value.len() + header_count.len + headers.len());
        let room = body + varint::MAX_LEN_32 + size_of::<u128>();
        let body = i32::try_from(body).map_err(|_| too_large())?;
        if self.buf.len() + room > BATCH_MAX || self.count == i32::MAX {
            return Err(too_large());
        }

        self.buf.reserve(room);
        let body = Number::new(u64::from(varint::zigzag_32(body)));
        let attributes = Number { word: 0, len: 1 };
        body.then(attributes)
            .then(timestamp_delta)
            .put(&mut self.buf);
        offset_delta.then(key_len).put(&mut self.buf);
        self.buf.extend_from_slice(key);
        value_len.put(&mut self.buf);
        self.buf.extend_from_slice(value);
        header_count.put(&mut self.buf);
        if !headers.is_empty() {
            self.buf.extend_from_slice(headers);
        }

        if self.count == 0 {
            self.base_timestamp = timestamp;
        }
        self.max_timestamp = self.max_timestamp.max(timestamp);
        self.count += 1;
        Ok(())
    }

    /// Returns how many records were pushed.
    #[must_use]
    pub fn record_count(&self) -> i32 {
        self.count
    }

    /// Returns the bytes of the batch so far, before compression.
    #[must_use]
    pub fn estimated_bytes(&self) -> usize {
        self.buf.len()
    }

    /// Tells whether no record was pushed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns the encoded batch and starts the next one.
    ///
    /// # Errors
    /// [`Error::EmptyBatch`] without records; [`Error::Compress`] or [`Error::TooLarge`] if compression fails, the records are then gone.
    pub fn finish(&mut self) -> Result<Vec<u8>, Error> {
        if self.count == 0 {
            return Err(Error::EmptyBatch);
        }
        let batch = self.encode();
        self.reset();
        batch
    }

    fn encode(&mut self) -> Result<Vec<u8>, Error> {
        let mut batch = match self.compression {
            Compression::None => {
                // The next batch is likely as long as this one.
                let next = Vec::with_capacity(self.buf.len());
                let mut batch = std::mem::replace(&mut self.buf, next);
                // A small one is kept as it is, and twice the room of thousands of them is memory.
                if batch.len() < SMALL {
                    batch.shrink_to_fit();
                }
                batch
            }
            codec => {
                let records = self.buf.get(HEADER_LEN..).unwrap_or_default();
                compress::packed(codec, records, HEADER_LEN)
                    .map_err(|source| Error::Compress { codec, source })?
            }
        };
        let batch_len = i32::try_from(batch.len() - LOG_OVERHEAD).map_err(|_| too_large())?;
        let header = BatchHeader {
            base_offset: 0,
            batch_len,
            leader_epoch: -1,
            magic: MAGIC,
            crc: 0,
            attributes: self.compression.attribute_bits(),
            last_offset_delta: self.count - 1,
            base_timestamp: self.base_timestamp,
            max_timestamp: self.max_timestamp,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            record_count: self.count,
        };
        if let Some(place) = batch.first_chunk_mut::<HEADER_LEN>() {
            *place = header.to_bytes();
        }
        seal(&mut batch);
        Ok(batch)
    }
}

/// Up to 16 encoded bytes in a register, first byte lowest.
#[derive(Clone, Copy)]
struct Number {
    word: u128,
    len: usize,
}

impl Number {
    #[inline(always)]
    fn new(raw: u64) -> Self {
        let (word, len) = varint::encode(raw);
        Self { word, len }
    }

    /// Appends `next`; both together fit the 16 bytes wherever this is called.
    #[inline(always)]
    fn then(self, next: Self) -> Self {
        debug_assert!(self.len + next.len <= 16, "two numbers pass one register");
        Self {
            word: self.word | next.word << (8 * self.len),
            len: self.len + next.len,
        }
    }

    /// Appends the bytes to `buf`: a store of fixed size and a shorter length cost less than a copy of `len` bytes.
    #[inline(always)]
    fn put(self, buf: &mut Vec<u8>) {
        let end = buf.len() + self.len;
        buf.extend_from_slice(&self.word.to_le_bytes());
        buf.truncate(end);
    }
}

fn encode_headers<N, V>(
    out: &mut Vec<u8>,
    headers: impl IntoIterator<Item = (N, Option<V>)>,
) -> Result<i32, Error>
where
    N: AsRef<[u8]>,
    V: AsRef<[u8]>,
{
    let mut count = 0i32;
    for (name, value) in headers {
        let (name, value) = (name.as_ref(), value.as_ref().map(AsRef::as_ref));
        varint::write_i32(out, field_len(Some(name))?);
        out.extend_from_slice(name);
        varint::write_i32(out, field_len(value)?);
        out.extend_from_slice(value.unwrap_or_default());
        count = count.checked_add(1).ok_or_else(too_large)?;
    }
    Ok(count)
}

#[inline]
fn field_len(field: Option<&[u8]>) -> Result<i32, Error> {
    field.map_or(Ok(-1), |bytes| {
        i32::try_from(bytes.len()).map_err(|_| too_large())
    })
}

fn too_large() -> Error {
    Error::TooLarge { limit: BATCH_MAX }
}
