//! Reading what a sink, or a transform, takes in.

#![expect(
    unsafe_code,
    reason = "text of a batch that was checked in full is not checked again"
)]

use super::{
    Limits,
    read::{Checker, Header, capacity, malformed, tail_unchecked, topics, truncated},
    record::{Data, Headers},
};
use crate::{cursor::Cursor, error::BatchError};

/// A batch into a sink. Its structure and texts were checked; rows are checked as they are read.
#[derive(Debug, Clone)]
pub struct SinkBatch<'a> {
    header: Header,
    records: &'a [u8],
    groups: Vec<Group<'a>>,
}

/// Records of one topic partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group<'a> {
    /// The topic that the records have now; a transform may have changed it.
    pub topic: &'a str,
    /// The topic that they were read from.
    pub original_topic: &'a str,
    /// The id of the topic that they were read from.
    pub topic_id: [u8; 16],
    /// The partition that they were read from.
    pub partition: i32,
    /// The leader epoch of their batch.
    pub leader_epoch: i32,
    /// The offset that deltas add to.
    pub base_offset: i64,
    /// 0 create time, 1 log append time.
    pub timestamp_type: u8,
    /// The number of records.
    pub n_records: u32,
}

/// A record into a sink, with its coordinates.
#[derive(Debug, Clone)]
pub struct SinkRecord<'a> {
    /// The index of its group in the batch.
    pub group: u32,
    /// Its index in the group.
    pub index: u32,
    /// The topic that it has now.
    pub topic: &'a str,
    /// The topic that it was read from.
    pub original_topic: &'a str,
    /// The id of the topic that it was read from.
    pub topic_id: [u8; 16],
    /// The partition that it was read from.
    pub partition: i32,
    /// The leader epoch of its batch.
    pub leader_epoch: i32,
    /// The offset that it was read from.
    pub offset: i64,
    /// Milliseconds since 1970.
    pub timestamp: Option<i64>,
    /// 0 create time, 1 log append time.
    pub timestamp_type: u8,
    /// The key.
    pub key: Data<'a>,
    /// The value.
    pub value: Data<'a>,
    /// The headers.
    pub headers: Headers<'a>,
}

impl<'a> SinkBatch<'a> {
    /// Checks a batch into a sink: structure, bounds, UTF-8, indexes.
    ///
    /// # Errors
    /// Refuses the whole batch at its first fault. Never panics and never allocates more than a few times the input.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BatchError> {
        let limits = Limits::DEFAULT;
        let header = Header::read(bytes, &limits)?;
        let records = bytes
            .get(header.header_len..header.tables_at)
            .ok_or_else(|| truncated("the records", header.header_len))?;
        let tables = bytes.get(header.tables_at..).unwrap_or_default();
        let mut cursor = Cursor::new(tables);
        let topics = topics(&mut cursor, header.tables_at, header.n_topics)?;
        let groups = groups(&mut cursor, &header, &topics)?;
        if !cursor.rest().is_empty() {
            return Err(malformed(
                "bytes follow the tables",
                header.tables_at + cursor.at(),
            ));
        }
        check_records(records, &header, &groups, &limits)?;
        Ok(Self {
            header,
            records,
            groups,
        })
    }

    /// Returns the groups.
    #[must_use]
    pub fn groups(&self) -> &[Group<'a>] {
        &self.groups
    }

    /// Returns the records, group after group.
    #[must_use]
    pub fn records(&self) -> SinkRecords<'_, 'a> {
        SinkRecords {
            cursor: Cursor::new(self.records),
            groups: &self.groups,
            group: 0,
            index: 0,
            left: self.header.n_records,
        }
    }

    /// Returns the number of records.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.header.n_records
    }

    /// Returns whether there is no record.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.header.n_records == 0
    }

    /// Returns the header's flags.
    #[must_use]
    pub const fn flags(&self) -> u32 {
        self.header.flags
    }
}

fn groups<'a>(
    cursor: &mut Cursor<'a>,
    header: &Header,
    topics: &[&'a str],
) -> Result<Vec<Group<'a>>, BatchError> {
    const GROUP_LEN: usize = 2 + 2 + 16 + 4 + 4 + 8 + 1 + 4;
    let mut groups = Vec::with_capacity(capacity(
        header.n_partitions,
        cursor.rest().len() / GROUP_LEN,
    ));
    let mut total = 0_u64;
    for _ in 0..header.n_partitions {
        let at = header.tables_at + cursor.at();
        let group = group(cursor, topics).ok_or_else(|| truncated("the table of groups", at))?;
        let group = group.map_err(|what| malformed(what, at))?;
        total += u64::from(group.n_records);
        groups.push(group);
    }
    if total == u64::from(header.n_records) {
        Ok(groups)
    } else {
        Err(malformed(
            "the groups do not add up to the number of records",
            header.tables_at,
        ))
    }
}

/// Reads a group; `None` where the bytes end.
fn group<'a>(
    cursor: &mut Cursor<'a>,
    topics: &[&'a str],
) -> Option<Result<Group<'a>, &'static str>> {
    let topic = cursor.u16()?;
    let original_topic = cursor.u16()?;
    let topic_id: [u8; 16] = cursor.take(16)?.try_into().ok()?;
    let partition = cursor.i32()?;
    let leader_epoch = cursor.i32()?;
    let base_offset = cursor.i64()?;
    let timestamp_type = cursor.u8()?;
    let n_records = cursor.u32()?;
    let (Some(topic), Some(original_topic)) = (
        topics.get(usize::from(topic)),
        topics.get(usize::from(original_topic)),
    ) else {
        return Some(Err("a group names a topic outside of the table"));
    };
    Some(Ok(Group {
        topic,
        original_topic,
        topic_id,
        partition,
        leader_epoch,
        base_offset,
        timestamp_type,
        n_records,
    }))
}

fn check_records(
    records: &[u8],
    header: &Header,
    groups: &[Group<'_>],
    limits: &Limits,
) -> Result<(), BatchError> {
    let mut cursor = Cursor::new(records);
    let mut checker = Checker::new(limits, None);
    for group in groups {
        for _ in 0..group.n_records {
            let at = header.header_len + cursor.at();
            let bytes = cursor.sized().ok_or_else(|| truncated("a record", at))?;
            let mut fields = Cursor::new(bytes);
            let delta = fields.u32().ok_or_else(|| truncated("a record", at))?;
            if group.base_offset.checked_add(i64::from(delta)).is_none() {
                return Err(malformed("an offset passes the range of offsets", at));
            }
            checker.tail(fields, at)?;
            checker.record += 1;
        }
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

/// The records of a sink batch.
#[derive(Debug, Clone)]
pub struct SinkRecords<'b, 'a> {
    cursor: Cursor<'a>,
    groups: &'b [Group<'a>],
    group: usize,
    index: u32,
    left: u32,
}

impl<'a> SinkRecords<'_, 'a> {
    #[inline]
    fn read(&mut self) -> Option<SinkRecord<'a>> {
        let mut group = self.groups.get(self.group)?;
        while self.index >= group.n_records {
            self.group += 1;
            self.index = 0;
            group = self.groups.get(self.group)?;
        }
        let mut fields = Cursor::new(self.cursor.sized()?);
        let delta = fields.u32()?;
        // SAFETY: a `SinkBatch` exists only after `check_records` accepted these bytes, which it borrows.
        let tail = unsafe { tail_unchecked(&mut fields) }?;
        let index = self.index;
        self.index += 1;
        Some(SinkRecord {
            group: u32::try_from(self.group).ok()?,
            index,
            topic: group.topic,
            original_topic: group.original_topic,
            topic_id: group.topic_id,
            partition: group.partition,
            leader_epoch: group.leader_epoch,
            offset: group.base_offset.checked_add(i64::from(delta))?,
            timestamp: tail.timestamp,
            timestamp_type: group.timestamp_type,
            key: tail.key,
            value: tail.value,
            headers: Headers::of(&tail),
        })
    }
}

impl<'a> Iterator for SinkRecords<'_, 'a> {
    type Item = SinkRecord<'a>;

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

impl ExactSizeIterator for SinkRecords<'_, '_> {}
