//! What commit number `seq` of a thread consists of: a pure function, so that anybody can tell a whole commit from half of one.
//!
//! ```text
//! value   0  thread u32 · seq u64 · partition u32 · index u16 · records of this partition u16
//!        20  filler, from the same numbers · crc32c u32 of everything before it          (little-endian)
//! ```

use anyhow::{Context as _, Result, ensure};
use linkspan_types::TopicName;
use linkspan_wire::{Batches, Compression, Record};

const HEAD: usize = 20;
/// One batch in so many is large enough to be written from its own memory instead of a copy.
const LARGE_ONE_IN: u64 = 48;

/// The topic that the load writes to.
///
/// # Errors
/// Never: the name is valid.
pub fn topic_name() -> Result<TopicName> {
    Ok(TopicName::try_new("load")?)
}

/// What one commit writes into one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The partition.
    pub partition: i32,
    /// How many records.
    pub records: u16,
    /// Bytes of each record's filler.
    pub filler: usize,
}

/// One commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Who writes it.
    pub thread: u32,
    /// Its number among this thread's commits.
    pub seq: u64,
    /// What it appends, one batch per partition.
    pub parts: Vec<Part>,
}

/// The start of a record's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) thread: u32,
    pub(crate) seq: u64,
    pub(crate) partition: u32,
    pub(crate) index: u16,
    pub(crate) records: u16,
}

impl Plan {
    /// Returns commit `seq` of `thread` over a topic of `partitions` partitions.
    #[must_use]
    pub fn new(thread: u32, seq: u64, partitions: i32) -> Self {
        let mut random = Mixer(u64::from(thread) << 40 | seq);
        let all = u64::from(partitions.unsigned_abs().max(1));
        let n_parts = 1 + random.below(all.min(3));
        let first = random.below(all);
        let parts = (0..n_parts).map(|n| {
            let records = u16::try_from(1 + random.below(8)).unwrap_or(1);
            let large = random.below(LARGE_ONE_IN) == 0;
            let filler = random.below(if large { 24_000 } else { 300 });
            Part {
                partition: i32::try_from((first + n) % all).unwrap_or_default(),
                records,
                filler: usize::try_from(filler).unwrap_or_default(),
            }
        });
        Self {
            thread,
            seq,
            parts: parts.collect(),
        }
    }

    /// Encodes the batch of one partition.
    ///
    /// # Errors
    /// The encoder's.
    pub fn batch(&self, part: &Part, compression: Compression) -> Result<Vec<u8>> {
        let mut builder = linkspan_wire::BatchBuilder::new(compression);
        for index in 0..part.records {
            let value = self.value(part, index);
            builder.push_plain(1_700_000_000_000, None, Some(&value))?;
        }
        Ok(builder.finish()?)
    }

    fn value(&self, part: &Part, index: u16) -> Vec<u8> {
        let mut value = Vec::with_capacity(HEAD + part.filler + 4);
        value.extend_from_slice(&self.thread.to_le_bytes());
        value.extend_from_slice(&self.seq.to_le_bytes());
        value.extend_from_slice(&part.partition.to_le_bytes());
        value.extend_from_slice(&index.to_le_bytes());
        value.extend_from_slice(&part.records.to_le_bytes());
        let fill = self.seq.to_le_bytes()[0] ^ index.to_le_bytes()[0];
        value.resize(HEAD + part.filler, fill);
        let crc = crc32c::crc32c(&value);
        value.extend_from_slice(&crc.to_le_bytes());
        value
    }
}

impl Stamp {
    fn read(value: &[u8]) -> Option<Self> {
        let (body, crc) = value.split_at_checked(value.len().checked_sub(4)?)?;
        (u32::from_le_bytes(crc.try_into().ok()?) == crc32c::crc32c(body)).then_some(())?;
        Some(Self {
            thread: u32::from_le_bytes(body.get(0..4)?.try_into().ok()?),
            seq: u64::from_le_bytes(body.get(4..12)?.try_into().ok()?),
            partition: u32::from_le_bytes(body.get(12..16)?.try_into().ok()?),
            index: u16::from_le_bytes(body.get(16..18)?.try_into().ok()?),
            records: u16::from_le_bytes(body.get(18..20)?.try_into().ok()?),
        })
    }
}

/// One batch as it was read back: whose it is and where it stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) thread: u32,
    pub(crate) seq: u64,
    pub(crate) base: i64,
    pub(crate) next: i64,
}

/// Reads stored bytes of one partition and checks each batch in itself.
pub(crate) fn read_batches(bytes: &[u8], partition: i32, partitions: i32) -> Result<Vec<Found>> {
    let mut scratch = Vec::new();
    Batches::verified(bytes)
        .map(|batch| {
            let batch = batch?;
            let records: Vec<Record<'_>> =
                batch.records(&mut scratch)?.collect::<Result<_, _>>()?;
            let header = batch.header();
            let stamps: Option<Vec<Stamp>> =
                records.iter().map(|r| Stamp::read(r.value?)).collect();
            let stamps = stamps.with_context(|| {
                format!(
                    "partition {partition}: a record at {} is not as it was written",
                    header.base_offset
                )
            })?;
            let first = stamps.first().context("an empty batch")?;
            let plan = Plan::new(first.thread, first.seq, partitions);
            let expected = plan.parts.iter().find(|part| part.partition == partition);
            let expected = expected.with_context(|| {
                format!("commit {first:?} was never meant for partition {partition}")
            })?;
            ensure!(
                usize::from(expected.records) == stamps.len(),
                "{first:?}: {} records of {}",
                stamps.len(),
                expected.records
            );
            for (index, (stamp, record)) in (0_u16..).zip(stamps.iter().zip(&records)) {
                let right = Stamp {
                    thread: first.thread,
                    seq: first.seq,
                    partition: partition.unsigned_abs(),
                    index,
                    records: expected.records,
                };
                ensure!(*stamp == right, "{stamp:?} where {right:?} belongs");
                ensure!(
                    record.offset == header.base_offset + i64::from(index),
                    "{stamp:?} has offset {}",
                    record.offset
                );
            }
            Ok(Found {
                thread: first.thread,
                seq: first.seq,
                base: header.base_offset,
                next: header.next_offset(),
            })
        })
        .collect()
}

/// A small generator of random numbers (SplitMix64).
struct Mixer(u64);

impl Mixer {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound.max(1)
    }
}
