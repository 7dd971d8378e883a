//! Reading what a source, or a transform, hands out.

#![expect(
    unsafe_code,
    reason = "text of a batch that was checked in full is not checked again"
)]

use super::{
    Limits, MAPPED, NO_SOURCE_PARTITION, PARTITION_BY_KEY,
    read::{Checker, Header, capacity, malformed, object, tail_unchecked, topics, truncated},
    record::{Data, Headers},
};
use crate::{cursor::Cursor, error::BatchError, schema::SchemaLookup};

/// A batch out of a source, checked in full: reading it again cannot fail.
#[derive(Debug, Clone)]
pub struct SourceBatch<'a> {
    header: Header,
    records: &'a [u8],
    topics: Vec<&'a str>,
    partitions: Vec<SourcePartition<'a>>,
}

/// A source partition that a batch names, with what becomes of its offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourcePartition<'a> {
    /// The partition, a JSON object.
    pub partition: &'a str,
    /// What the batch does to its offset.
    pub offset: OffsetChange<'a>,
}

/// What a batch does to the offset of a source partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffsetChange<'a> {
    /// The offset becomes this JSON object.
    Set(&'a str),
    /// The offset is deleted.
    Delete,
    /// Records name the partition, its offset stays.
    Unchanged,
}

/// A record out of a source.
#[derive(Debug, Clone)]
pub struct SourceRecord<'a> {
    /// The index into [`SourceBatch::topics`].
    pub topic: u16,
    /// The partition, [`PARTITION_BY_KEY`] where the key decides.
    pub partition: i32,
    /// The index into [`SourceBatch::source_partitions`], [`NO_SOURCE_PARTITION`] for none; in a mapped batch the index of the
    /// input record.
    pub source_partition: u32,
    /// Milliseconds since 1970, `None` where the source has no time.
    pub timestamp: Option<i64>,
    /// The key.
    pub key: Data<'a>,
    /// The value.
    pub value: Data<'a>,
    /// The headers.
    pub headers: Headers<'a>,
}

impl<'a> SourceBatch<'a> {
    /// Checks a batch out of a source in full: structure, bounds, UTF-8, indexes, rows against their schemas.
    ///
    /// # Errors
    /// Refuses the whole batch at its first fault. Never panics and never allocates more than a few times the input.
    pub fn parse_and_validate(
        bytes: &'a [u8],
        limits: &Limits,
        schemas: &dyn SchemaLookup,
    ) -> Result<Self, BatchError> {
        Self::parse(bytes, limits, schemas, None)
    }

    /// Checks a transform's answer to `n_inputs` records.
    ///
    /// # Errors
    /// As [`SourceBatch::parse_and_validate`]; the batch must be a mapped one.
    pub fn parse_mapped(
        bytes: &'a [u8],
        n_inputs: u32,
        limits: &Limits,
        schemas: &dyn SchemaLookup,
    ) -> Result<Self, BatchError> {
        Self::parse(bytes, limits, schemas, Some(n_inputs))
    }

    fn parse(
        bytes: &'a [u8],
        limits: &Limits,
        schemas: &dyn SchemaLookup,
        inputs: Option<u32>,
    ) -> Result<Self, BatchError> {
        let header = Header::read(bytes, limits)?;
        let mapped = header.flags & MAPPED != 0;
        if mapped != inputs.is_some() || (mapped && header.n_partitions != 0) {
            return Err(malformed(
                "the batch is mapped where it must not be, or not where it must",
                4,
            ));
        }
        let records = bytes
            .get(header.header_len..header.tables_at)
            .ok_or_else(|| truncated("the records", header.header_len))?;
        let sources = inputs.unwrap_or(header.n_partitions);
        check_records(
            records,
            &header,
            sources,
            &mut Checker::new(limits, Some(schemas)),
        )?;
        let tables = bytes.get(header.tables_at..).unwrap_or_default();
        let mut cursor = Cursor::new(tables);
        let topics = topics(&mut cursor, header.tables_at, header.n_topics)?;
        let partitions = source_partitions(&mut cursor, &header, limits)?;
        if !cursor.rest().is_empty() {
            return Err(malformed(
                "bytes follow the tables",
                header.tables_at + cursor.at(),
            ));
        }
        Ok(Self {
            header,
            records,
            topics,
            partitions,
        })
    }

    /// Returns the topics that records name by index.
    #[must_use]
    pub fn topics(&self) -> &[&'a str] {
        &self.topics
    }

    /// Returns the source partitions, each at most once.
    #[must_use]
    pub fn source_partitions(&self) -> &[SourcePartition<'a>] {
        &self.partitions
    }

    /// Returns the records in order.
    #[must_use]
    pub const fn records(&self) -> SourceRecords<'a> {
        SourceRecords {
            cursor: Cursor::new(self.records),
            left: self.header.n_records,
        }
    }

    /// Returns the number of records.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.header.n_records
    }

    /// Returns whether there is no record; offsets may still change.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.header.n_records == 0
    }

    /// Returns the header's flags.
    #[must_use]
    pub const fn flags(&self) -> u32 {
        self.header.flags
    }

    /// Returns how long an idle source wants to be left alone.
    #[must_use]
    pub const fn poll_after_ms(&self) -> u32 {
        self.header.poll_after_ms
    }
}

fn check_records(
    records: &[u8],
    header: &Header,
    sources: u32,
    checker: &mut Checker<'_>,
) -> Result<(), BatchError> {
    let mut cursor = Cursor::new(records);
    for record in 0..header.n_records {
        checker.record = record;
        let at = header.header_len + cursor.at();
        let bytes = cursor.sized().ok_or_else(|| truncated("a record", at))?;
        let mut fields = Cursor::new(bytes);
        let short = || truncated("a record", at);
        let topic = fields.u16().ok_or_else(short)?;
        let partition = fields.i32().ok_or_else(short)?;
        let source = fields.u32().ok_or_else(short)?;
        if u32::from(topic) >= header.n_topics {
            return Err(malformed("a record names a topic outside of the table", at));
        }
        if partition < PARTITION_BY_KEY {
            return Err(malformed("a record has a negative partition", at));
        }
        if source >= sources && (source != NO_SOURCE_PARTITION || header.flags & MAPPED != 0) {
            return Err(malformed(
                "a record names a source outside of the table",
                at,
            ));
        }
        checker.tail(fields, at)?;
    }
    if cursor.rest().is_empty() {
        Ok(())
    } else {
        Err(malformed(
            "bytes follow the records",
            header.header_len + cursor.at(),
        ))
    }
}

fn source_partitions<'a>(
    cursor: &mut Cursor<'a>,
    header: &Header,
    limits: &Limits,
) -> Result<Vec<SourcePartition<'a>>, BatchError> {
    // An entry has at least 7 bytes.
    let room = capacity(header.n_partitions, cursor.rest().len() / 7);
    let mut partitions = Vec::with_capacity(room);
    let mut seen = std::collections::HashSet::with_capacity(room);
    for _ in 0..header.n_partitions {
        let at = header.tables_at + cursor.at();
        let short = || truncated("the table of source partitions", at);
        let partition = object(cursor.sized().ok_or_else(short)?, at, limits)?;
        let offset = match cursor.u8().ok_or_else(short)? {
            0 => OffsetChange::Set(object(cursor.sized().ok_or_else(short)?, at, limits)?),
            1 => OffsetChange::Delete,
            2 => OffsetChange::Unchanged,
            _ => return Err(malformed("an offset has an unknown operation", at)),
        };
        if !seen.insert(partition) {
            return Err(malformed(
                "a source partition stands twice in the table",
                at,
            ));
        }
        partitions.push(SourcePartition { partition, offset });
    }
    Ok(partitions)
}

/// The records of a source batch.
#[derive(Debug, Clone)]
pub struct SourceRecords<'a> {
    cursor: Cursor<'a>,
    left: u32,
}

impl<'a> SourceRecords<'a> {
    #[inline]
    fn read(&mut self) -> Option<SourceRecord<'a>> {
        let mut fields = Cursor::new(self.cursor.sized()?);
        let topic = fields.u16()?;
        let partition = fields.i32()?;
        let source_partition = fields.u32()?;
        // SAFETY: a `SourceBatch` exists only after `check_records` accepted these bytes, which it borrows.
        let tail = unsafe { tail_unchecked(&mut fields) }?;
        Some(SourceRecord {
            topic,
            partition,
            source_partition,
            timestamp: tail.timestamp,
            key: tail.key,
            value: tail.value,
            headers: Headers::of(&tail),
        })
    }
}

impl<'a> Iterator for SourceRecords<'a> {
    type Item = SourceRecord<'a>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let record = self.read();
        debug_assert!(record.is_some(), "the batch was checked in full");
        record
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = usize::try_from(self.left).unwrap_or(usize::MAX);
        (left, Some(left))
    }
}

impl ExactSizeIterator for SourceRecords<'_> {}
