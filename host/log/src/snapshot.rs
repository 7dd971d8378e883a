//! A snapshot: the key-value stores and the partitions' segments as of a checkpoint, in `meta-<20 digits>.snap`.
//!
//! A *base* holds everything, a *delta* only what changed since the file before it. A checkpoint names a base and the last
//! delta; the files between carry the numbers between. All numbers little-endian.
//!
//! ```text
//! file      magic u32 "LSSN" · version u16 (1) · flags u16 (1 = base) · seq u64 · section* · end section
//! section   kind u8 · reserved 3 (0) · len u32 · crc32c u32 (of the body, seeded with kind and len) · body
//! puts   1  { store u8 · flags u8 (1 = delete) · reserved u16 · key len u32 · value len u32 · key · value }*
//! parts  2  { topic id 16 · partition i32 · log start i64 · next i64
//!             · n u32 · { leader epoch i32 · start i64 }* · n u32 · { base i64 · next i64 · len u64 · max ts i64 }* }*
//! prods  3  idempotent producers, see `producers::record`; only partitions that are in a section 2 before it
//! clean  4  what compaction has done, see `compaction::state`; only partitions that are in a section 2 before it
//! end  255  number of sections before u32
//! ```
//!
//! Written whole and synced before a checkpoint slot names it; never changed. A crash before that leaves a file that no
//! slot names and the next checkpoint overwrites. A file that a slot names and that fails any check is damage: recovery refuses.

use std::collections::HashMap;
use std::io::IoSlice;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use linkspan_types::{PartitionId, TopicId};

use crate::backend::{KvPut, Store};
use crate::compaction::state::{self, Cleaning};
use crate::error::{Error, Result};
use crate::fs::{Fs, Open, read_file};
use crate::journal::frame::{u32_at, u64_at};
use crate::partition::PartitionKey;
use crate::producers::{Producers, record};

const MAGIC: u32 = u32::from_le_bytes(*b"LSSN");
const VERSION: u16 = 1;
/// A version number from here on is damage, not the future.
const VERSIONS_TO_COME: u16 = 1000;
const FLAG_BASE: u16 = 1;
const KIND_PUTS: u8 = 1;
const KIND_PARTITIONS: u8 = 2;
const KIND_PRODUCERS: u8 = 3;
const KIND_CLEANING: u8 = 4;
const KIND_END: u8 = 255;
/// A section is closed at about this size.
const SECTION_BYTES: usize = 1 << 20;
/// No snapshot is larger.
const FILE_BYTES_MAX: usize = 4 << 30;

/// A partition as a checkpoint knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Manifest {
    pub(crate) log_start: i64,
    /// The offset behind the last batch in segments.
    pub(crate) next: i64,
    pub(crate) epochs: Vec<(i32, i64)>,
    pub(crate) segments: Vec<SegmentRecord>,
    pub(crate) cleaning: Cleaning,
    pub(crate) producers: Producers,
}

/// A segment as a checkpoint knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentRecord {
    pub(crate) base: i64,
    pub(crate) next: i64,
    pub(crate) len: u64,
    pub(crate) max_timestamp: i64,
}

/// What one file holds.
#[derive(Debug, Default)]
pub(crate) struct Content {
    pub(crate) puts: Vec<KvPut>,
    pub(crate) partitions: Vec<(PartitionKey, Manifest)>,
}

/// Returns a file's name.
pub(crate) fn name(seq: u64) -> String {
    format!("meta-{seq:020}.snap")
}

/// Reads the number out of a file's name.
pub(crate) fn parse_name(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("meta-")?.strip_suffix(".snap")?;
    digits.parse().ok()
}

/// Returns a file's path.
pub(crate) fn path(dir: &Path, seq: u64) -> PathBuf {
    dir.join(name(seq))
}

/// Writes a snapshot, durable but for its name; returns its size.
pub(crate) fn write(
    fs: &dyn Fs,
    path: &Path,
    seq: u64,
    base: bool,
    content: &Content,
) -> Result<u64> {
    let bytes = encode(seq, base, content);
    let failed = |op, error| Error::io(op, path, error);
    let file = fs
        .open(path, Open::Create)
        .map_err(|e| failed("make snapshot", e))?;
    file.truncate(0).map_err(|e| failed("write snapshot", e))?;
    file.write_at(&[IoSlice::new(&bytes)], 0)
        .map_err(|e| failed("write snapshot", e))?;
    file.sync_data().map_err(|e| failed("sync snapshot", e))?;
    Ok(bytes.len() as u64)
}

fn encode(seq: u64, base: bool, content: &Content) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend_from_slice(&MAGIC.to_le_bytes());
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&(if base { FLAG_BASE } else { 0 }).to_le_bytes());
    out.extend_from_slice(&seq.to_le_bytes());
    let mut n_sections = 0_u32;
    let mut body = Vec::new();
    let mut section = |out: &mut Vec<u8>, kind: u8, body: &mut Vec<u8>, full_at: usize| {
        if body.len() > full_at {
            put_section(out, kind, body);
            body.clear();
            n_sections += 1;
        }
    };
    for put in &content.puts {
        encode_put(&mut body, put);
        section(&mut out, KIND_PUTS, &mut body, SECTION_BYTES);
    }
    section(&mut out, KIND_PUTS, &mut body, 0);
    for (key, manifest) in &content.partitions {
        encode_manifest(&mut body, key, manifest);
        section(&mut out, KIND_PARTITIONS, &mut body, SECTION_BYTES);
    }
    section(&mut out, KIND_PARTITIONS, &mut body, 0);
    for (key, manifest) in &content.partitions {
        if manifest.producers.iter().next().is_some() {
            record::encode(&mut body, key, &manifest.producers);
            section(&mut out, KIND_PRODUCERS, &mut body, SECTION_BYTES);
        }
    }
    section(&mut out, KIND_PRODUCERS, &mut body, 0);
    for (key, manifest) in &content.partitions {
        if manifest.cleaning != Cleaning::default() {
            state::encode(&mut body, key, &manifest.cleaning);
            section(&mut out, KIND_CLEANING, &mut body, SECTION_BYTES);
        }
    }
    section(&mut out, KIND_CLEANING, &mut body, 0);
    put_section(&mut out, KIND_END, &n_sections.to_le_bytes());
    out
}

fn put_section(out: &mut Vec<u8>, kind: u8, body: &[u8]) {
    let len = u32::try_from(body.len()).unwrap_or(u32::MAX);
    let start = out.len();
    out.extend_from_slice(&[kind, 0, 0, 0]);
    out.extend_from_slice(&len.to_le_bytes());
    let seed = crc32c::crc32c(out.get(start..).unwrap_or_default());
    out.extend_from_slice(&crc32c::crc32c_append(seed, body).to_le_bytes());
    out.extend_from_slice(body);
}

fn encode_put(out: &mut Vec<u8>, put: &KvPut) {
    let value = put.value.as_deref().unwrap_or_default();
    out.extend_from_slice(&[put.store.code(), u8::from(put.value.is_none()), 0, 0]);
    out.extend_from_slice(
        &u32::try_from(put.key.len())
            .unwrap_or(u32::MAX)
            .to_le_bytes(),
    );
    out.extend_from_slice(&u32::try_from(value.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(&put.key);
    out.extend_from_slice(value);
}

fn encode_manifest(out: &mut Vec<u8>, key: &PartitionKey, manifest: &Manifest) {
    out.extend_from_slice(&key.topic.0);
    out.extend_from_slice(&key.partition.0.to_le_bytes());
    out.extend_from_slice(&manifest.log_start.to_le_bytes());
    out.extend_from_slice(&manifest.next.to_le_bytes());
    out.extend_from_slice(
        &u32::try_from(manifest.epochs.len())
            .unwrap_or(u32::MAX)
            .to_le_bytes(),
    );
    for (epoch, start) in &manifest.epochs {
        out.extend_from_slice(&epoch.to_le_bytes());
        out.extend_from_slice(&start.to_le_bytes());
    }
    out.extend_from_slice(
        &u32::try_from(manifest.segments.len())
            .unwrap_or(u32::MAX)
            .to_le_bytes(),
    );
    for segment in &manifest.segments {
        out.extend_from_slice(&segment.base.to_le_bytes());
        out.extend_from_slice(&segment.next.to_le_bytes());
        out.extend_from_slice(&segment.len.to_le_bytes());
        out.extend_from_slice(&segment.max_timestamp.to_le_bytes());
    }
}

/// Reads and checks a snapshot.
pub(crate) fn read(fs: &dyn Fs, path: &Path, seq: u64, base: bool) -> Result<Content> {
    let bytes =
        read_file(fs, path, FILE_BYTES_MAX).map_err(|e| Error::io("read snapshot", path, e))?;
    decode(&bytes, seq, base).map_err(|fault| fault.into_error(path))
}

/// Why a snapshot cannot be used.
#[derive(Debug, PartialEq, Eq)]
struct Fault {
    offset: usize,
    what: String,
    /// The bytes are sound and written by a later version.
    later: bool,
}

impl Fault {
    fn later(offset: usize, what: String) -> Self {
        Self {
            offset,
            what,
            later: true,
        }
    }

    fn into_error(self, path: &Path) -> Error {
        let (path, offset, what) = (path.to_owned(), self.offset as u64, self.what);
        if self.later {
            Error::LaterVersion { path, offset, what }
        } else {
            Error::Damaged { path, offset, what }
        }
    }
}

impl From<(usize, &str)> for Fault {
    fn from((offset, what): (usize, &str)) -> Self {
        Self {
            offset,
            what: what.to_owned(),
            later: false,
        }
    }
}

fn decode(bytes: &[u8], seq: u64, base: bool) -> std::result::Result<Content, Fault> {
    let header = bytes.get(..16).ok_or((0, "the header is cut short"))?;
    if u32_at(header, 0) != Some(MAGIC) {
        return Err((0, "this is not a snapshot").into());
    }
    let word = |at: usize| {
        header
            .get(at..at + 2)
            .and_then(|b| b.try_into().ok())
            .map(u16::from_le_bytes)
    };
    match word(4) {
        Some(VERSION) => {}
        // Whether a later version still ends in checked sections is not known: only an unharmed start can say so.
        Some(version) if version > VERSION && version < VERSIONS_TO_COME => {
            let what =
                format!("the snapshot has version {version}, this build reads up to {VERSION}");
            return Err(Fault::later(4, what));
        }
        _ => return Err((4, "the snapshot's version makes no sense").into()),
    }
    if word(6).map(|flags| flags & FLAG_BASE != 0) != Some(base) || u64_at(header, 8) != Some(seq) {
        return Err((6, "the snapshot is not the one that the checkpoint names").into());
    }
    let mut content = Content::default();
    let mut at = 16;
    let mut n_sections = 0;
    loop {
        let (kind, body) =
            section_at(bytes, at).ok_or((at, "a section is cut short or fails its checksum"))?;
        let fault = (at, "a section with a good checksum does not make sense");
        match kind {
            KIND_PUTS => decode_puts(body, &mut content.puts).ok_or(fault)?,
            KIND_PARTITIONS => decode_manifests(body, &mut content.partitions).ok_or(fault)?,
            KIND_PRODUCERS => {
                let put = |manifest: &mut Manifest, producers| manifest.producers = producers;
                add(body, &mut content.partitions, record::decode, put).ok_or(fault)?;
            }
            KIND_CLEANING => {
                let put = |manifest: &mut Manifest, cleaning| manifest.cleaning = cleaning;
                add(body, &mut content.partitions, state::decode, put).ok_or(fault)?;
            }
            KIND_END if u32_at(body, 0) == Some(n_sections) => return Ok(content),
            KIND_END => return Err((at, "sections are missing").into()),
            other => {
                let what = format!("a section of kind {other} that this version does not know");
                return Err(Fault::later(at, what));
            }
        }
        n_sections += 1;
        at += 12 + body.len();
    }
}

fn section_at(bytes: &[u8], at: usize) -> Option<(u8, &[u8])> {
    let header = bytes.get(at..at + 12)?;
    let len = usize::try_from(u32_at(header, 4)?).ok()?;
    let body = bytes.get(at + 12..)?.get(..len)?;
    let crc = crc32c::crc32c_append(crc32c::crc32c(header.get(..8)?), body);
    (crc == u32_at(header, 8)?).then_some((*header.first()?, body))
}

fn decode_puts(mut body: &[u8], puts: &mut Vec<KvPut>) -> Option<()> {
    while !body.is_empty() {
        let (head, rest) = body.split_first_chunk::<12>()?;
        let [code, flags, ..] = *head;
        let (key, rest) = rest.split_at_checked(usize::try_from(u32_at(head, 4)?).ok()?)?;
        let (value, rest) = rest.split_at_checked(usize::try_from(u32_at(head, 8)?).ok()?)?;
        puts.push(KvPut {
            store: Store::from_code(code)?,
            key: Bytes::copy_from_slice(key),
            value: (flags == 0).then(|| Bytes::copy_from_slice(value)),
        });
        body = rest;
    }
    Some(())
}

/// Reads numbers off checked bytes.
pub(crate) struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    pub(crate) fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    pub(crate) fn i32(&mut self) -> Option<i32> {
        self.take().map(i32::from_le_bytes)
    }

    pub(crate) fn i64(&mut self) -> Option<i64> {
        self.take().map(i64::from_le_bytes)
    }

    /// Reads a count of items of `size` bytes that must all be there.
    pub(crate) fn count(&mut self, size: usize) -> Option<usize> {
        let n = usize::try_from(self.take().map(u32::from_le_bytes)?).ok()?;
        (n.checked_mul(size)? <= self.0.len()).then_some(n)
    }
}

fn decode_manifests(body: &[u8], partitions: &mut Vec<(PartitionKey, Manifest)>) -> Option<()> {
    let mut cursor = Cursor(body);
    while !cursor.0.is_empty() {
        let key = PartitionKey {
            topic: TopicId(cursor.take()?),
            partition: PartitionId(cursor.i32()?),
        };
        let mut manifest = Manifest {
            log_start: cursor.i64()?,
            next: cursor.i64()?,
            epochs: Vec::new(),
            segments: Vec::new(),
            cleaning: Cleaning::default(),
            producers: Producers::default(),
        };
        for _ in 0..cursor.count(12)? {
            manifest.epochs.push((cursor.i32()?, cursor.i64()?));
        }
        for _ in 0..cursor.count(32)? {
            manifest.segments.push(SegmentRecord {
                base: cursor.i64()?,
                next: cursor.i64()?,
                len: cursor.take().map(u64::from_le_bytes)?,
                max_timestamp: cursor.i64()?,
            });
        }
        partitions.push((key, manifest));
    }
    Some(())
}

/// Adds what a further section knows about partitions that were read before.
fn add<T>(
    body: &[u8],
    partitions: &mut [(PartitionKey, Manifest)],
    decode: impl Fn(&mut Cursor<'_>) -> Option<(PartitionKey, T)>,
    put: impl Fn(&mut Manifest, T),
) -> Option<()> {
    let places: HashMap<PartitionKey, usize> = partitions
        .iter()
        .enumerate()
        .map(|(at, (key, _))| (*key, at))
        .collect();
    let mut cursor = Cursor(body);
    while !cursor.0.is_empty() {
        let (key, value) = decode(&mut cursor)?;
        let (_, manifest) = partitions.get_mut(*places.get(&key)?)?;
        put(manifest, value);
    }
    Some(())
}
