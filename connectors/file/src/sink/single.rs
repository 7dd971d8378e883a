//! One file that grows, cut to its recorded length at each start.
//!
//! ```text
//! assigned  cut the file to its recorded length        the position is committed before the first byte is written
//! put       encode, write what fills the buffer        nothing is reported yet
//! tick      write the rest, fsync, then report          all partitions get the same length, in one commit
//! ```
//!
//! # Invariants
//! - INV-F1: bytes behind the recorded length belong to records at or above the committed offsets, which come again.
//! - INV-F2: each report names all assigned partitions with one length, so any of them tells where the file stood.

use std::collections::BTreeMap;
use std::fs::File;
use std::rc::Rc;
use std::time::Instant;

use linkspan_sdk::prelude::*;
use linkspan_sdk::tracing;

use crate::charset::Charset as _;
use crate::decode::{Cut, Dialect, Splitter, valid_utf8};
use crate::encode::{Encoder, Refused};
use crate::encoding::{TextEncoding, TextLayer};
use crate::error;
use crate::options::{FileSinkOptions, SinkFormat};
use crate::output::{self, Output};
use crate::pack::{Packing, pack_whole};
use crate::recorded::{self, Recorded};
use crate::storage::Handle;
use crate::unpack::{self, Compression, UnpackLimit};
use crate::window::Window;

/// Records that wait to be packed as one piece; more are packed at once.
const PLAIN_BYTES_MAX: usize = 16 << 20;

/// A sink that gets records without a break still reports this often.
const SYNC_INTERVAL: Duration = Duration::from_secs(1);

/// The sink of one file.
#[derive(Debug)]
pub(super) struct SingleFile {
    options: FileSinkOptions,
    ctx: SinkContext,
    path: String,
    open: Option<Open>,
    /// The next offset of each assigned partition, all records below which are in `open`.
    next: BTreeMap<TopicPartition, i64>,
    /// The length in the last report, to which the committed offsets belong.
    reported: u64,
    synced_at: Instant,
    records: u64,
    /// Records came since the last report.
    news: bool,
}

/// The output while partitions are assigned.
#[derive(Debug)]
struct Open {
    output: Output<File>,
    encoder: Encoder,
    inode: u64,
    /// Records that are not packed yet, where output is packed.
    plain: Vec<u8>,
    /// How much of `plain` is of earlier batches.
    plain_mark: usize,
}

impl SingleFile {
    pub(super) fn new(options: FileSinkOptions, ctx: SinkContext) -> Self {
        let path = options.path_text();
        Self {
            options,
            ctx,
            path,
            open: None,
            next: BTreeMap::new(),
            reported: 0,
            synced_at: Instant::now(),
            records: 0,
            news: false,
        }
    }

    pub(super) fn assigned(&mut self, partitions: &[Assigned]) -> Result<Seeks> {
        if partitions.is_empty() {
            return Ok(Seeks::none());
        }
        if self.open.is_none() {
            let open = self.start(partitions)?;
            self.reported = open.output.synced();
            self.tell_host(self.reported);
            self.open = Some(open);
        }
        // Committed before the first write: a crash then finds a recorded length to cut to. Partitions that come later get
        // the length that the others have committed, not one that only the file has.
        let metadata = self.metadata();
        let mut seeks = Seeks::none();
        for assigned in partitions {
            let partition = assigned.topic_partition();
            seeks.commit(partition.clone(), assigned.next, metadata.as_str());
            self.next.insert(partition, assigned.next);
        }
        Ok(seeks)
    }

    pub(super) fn put(&mut self, records: Records<'_>, report: &mut Report) -> Result<Progress> {
        let empty = records.len() == 0;
        let done = match self.write(records, report) {
            Ok(done) => done,
            Err(error) => {
                self.undo(Vec::new());
                return Err(error);
            }
        };
        let before: Vec<_> = done
            .into_iter()
            .map(|(partition, next)| (partition.clone(), self.next.insert(partition, next)))
            .collect();
        self.news |= !before.is_empty();
        let holds = self.open.as_ref().map_or(0, |open| open.plain.len());
        if !empty && self.synced_at.elapsed() < SYNC_INTERVAL && holds < PLAIN_BYTES_MAX {
            return Ok(Progress::none());
        }
        let synced = self.sync();
        if synced.is_err() {
            self.undo(before);
        }
        synced
    }

    pub(super) fn flush(&mut self) -> Result<Progress> {
        self.sync()
    }

    pub(super) fn revoked(&mut self, partitions: &[TopicPartition]) {
        for partition in partitions {
            self.next.remove(partition);
        }
        if self.next.is_empty() {
            // Whoever gets the partitions next starts from the recorded length.
            self.open = None;
        }
    }

    /// Opens the file and cuts it to where the committed offsets say it stood.
    fn start(&self, partitions: &[Assigned]) -> Result<Open> {
        let path = &self.options.path;
        let (file, found, inode) =
            output::open(path).map_err(|error| error::open_output(error, path))?;
        let recorded = partitions
            .iter()
            .filter_map(|assigned| Recorded::parse(&assigned.metadata))
            .filter(|recorded| recorded.path == self.path)
            .max_by_key(|recorded| recorded.length);
        let start = recorded::start(recorded.as_ref(), found, inode, self.options.on_existing)
            .map_err(|unexpected| error::unexpected(&unexpected, path))?;
        if let Some(unexpected) = &start.overruled {
            tracing::warn!(
                path = self.path,
                length = start.length,
                "{unexpected}; `on.existing` says to go on"
            );
        } else if found > start.length {
            tracing::info!(
                path = self.path,
                length = start.length,
                cut = found - start.length,
                "cut what was not committed"
            );
        }
        let encoder = self.encoder(&file, start.length)?;
        let torn = start.overruled.is_some()
            && !output::ends_line(&file, start.length)
                .map_err(|error| error::open_output(error, path))?;
        let mut output =
            Output::at(file, start.length).map_err(|error| error::open_output(error, path))?;
        if torn && self.options.compression == Packing::None {
            output.buf().push(b'\n');
            output.sync().map_err(|error| error::output(error, path))?;
        }
        Ok(Open {
            output,
            encoder,
            inode,
            plain: Vec::new(),
            plain_mark: 0,
        })
    }

    fn encoder(&self, file: &File, length: u64) -> Result<Encoder> {
        let columns = if self.options.format == SinkFormat::Csv && length > 0 {
            Some(self.header(file)?)
        } else {
            None
        };
        Encoder::continued(&self.options, columns)
    }

    /// Reads the names of the columns of a file that is continued.
    fn header(&self, file: &File) -> Result<Vec<String>> {
        let failed = |error| error::io(error, "read the header of", &self.path);
        let encoding = self.options.text_encoding()?;
        let mut splitter = Splitter::new(Dialect {
            delimiter: self.options.delimiter(),
            ..Dialect::default()
        });
        let handle: Rc<dyn Handle> = Rc::new(file.try_clone().map_err(failed)?);
        let limit = UnpackLimit {
            bytes_max: u64::MAX,
        };
        let content = match self.options.compression {
            Packing::None => unpack::open(&handle, Compression::None, limit),
            Packing::Gzip | Packing::Zstd | Packing::Bz2 => {
                unpack::open(&handle, Compression::Auto, limit)
            }
        }
        .map_err(failed)?;
        let mut window = Window::default();
        loop {
            let last = window.fill(content.as_ref(), u64::MAX).map_err(failed)? == 0;
            let mut decoded = String::new();
            let text = match encoding {
                TextEncoding::Utf8 => valid_utf8(window.bytes(), last).0,
                other => {
                    // What is no text is no header either, and ends the search below.
                    TextLayer::new(other).decode(window.bytes(), last, &mut decoded);
                    decoded.as_str()
                }
            };
            match splitter.split(text, last) {
                Ok(Cut::Record(_)) => {
                    return Ok(splitter
                        .fields(text)
                        .map(std::borrow::Cow::into_owned)
                        .collect());
                }
                Ok(Cut::More) if !last => {}
                Ok(Cut::More | Cut::Blank(_)) | Err(_) => {
                    return Err(Error::conflict(format!(
                        "`{}` does not begin with a CSV header",
                        self.path
                    )));
                }
            }
        }
    }

    /// Takes a batch back, because it comes again: what it wrote, and where its partitions stood before.
    fn undo(&mut self, before: Vec<(TopicPartition, Option<i64>)>) {
        for (partition, next) in before {
            match next {
                Some(next) => self.next.insert(partition, next),
                None => self.next.remove(&partition),
            };
        }
        if let Some(open) = &mut self.open {
            open.output.undo();
            open.plain.truncate(open.plain_mark);
            if open.output.len() == 0 && open.plain.is_empty() {
                open.encoder.restart();
            }
        }
    }

    /// Encodes a batch, the buffer is written as it fills; returns the next offsets.
    fn write(
        &mut self,
        records: Records<'_>,
        report: &mut Report,
    ) -> Result<Vec<(TopicPartition, i64)>> {
        let packing = self.options.compression;
        let Some(Open {
            output,
            encoder,
            plain,
            plain_mark,
            ..
        }) = &mut self.open
        else {
            let nothing = records.len() == 0;
            return if nothing {
                Ok(Vec::new())
            } else {
                Err(Error::internal("records came before partitions"))
            };
        };
        output.begin();
        *plain_mark = plain.len();
        // The partition of the records at hand and its next offset; noted when another one follows.
        let mut run: Option<(&str, i32, i64)> = None;
        let mut done: Vec<(&str, i32, i64)> = Vec::new();
        let mut written = 0;
        for record in records {
            let (topic, partition) = (record.original_topic(), record.partition());
            match &mut run {
                Some((of, at, next)) if *at == partition && *of == topic => {
                    *next = record.offset() + 1
                }
                _ => done.extend(run.replace((topic, partition, record.offset() + 1))),
            }
            let buf = match packing {
                Packing::None => output.buf(),
                Packing::Gzip | Packing::Zstd | Packing::Bz2 => &mut *plain,
            };
            let start = buf.len();
            match encoder.encode(&record.value(), buf) {
                Ok(()) => written += 1,
                Err(Refused::Record(error)) => {
                    buf.truncate(start);
                    report.reject(&record, error);
                }
                Err(Refused::File(error)) => return Err(error.context(format!("`{}`", self.path))),
            }
            output
                .spill()
                .map_err(|error| error::output(error, &self.options.path))?;
        }
        done.extend(run);
        self.records += written;
        let named = |(topic, partition, next)| {
            Ok((
                TopicPartition::new(TopicName::try_new(topic)?, partition),
                next,
            ))
        };
        done.into_iter().map(named).collect()
    }

    /// Makes all that was accepted durable, then reports it.
    fn sync(&mut self) -> Result<Progress> {
        self.synced_at = Instant::now();
        let Some(open) = &mut self.open else {
            return Ok(Progress::none());
        };
        if !open.plain.is_empty() {
            pack_whole(self.options.compression, &open.plain, open.output.buf())
                .map_err(|error| error::write_draft(error, &self.options.path))?;
            open.plain.clear();
            open.plain_mark = 0;
        }
        if !self.news && open.output.synced() == open.output.len() {
            return Ok(Progress::none());
        }
        let length = open
            .output
            .sync()
            .and_then(|length| {
                output::check_name(&self.options.path, open.inode, length)?;
                Ok(length)
            })
            .map_err(|error| {
                let error = error::output(error, &self.options.path);
                match self.options.compression {
                    Packing::None => error,
                    // Several batches are in one packed piece: only a new start from the recorded length takes it back.
                    Packing::Gzip | Packing::Zstd | Packing::Bz2 => Error::internal(error.chain()),
                }
            })?;
        self.news = false;
        self.reported = length;
        let metadata = self.metadata();
        let mut progress = Progress::none();
        for (partition, next) in &self.next {
            progress.set(partition.clone(), *next, metadata.as_str());
        }
        self.tell_host(length);
        Ok(progress)
    }

    /// Names the file to the host, for the summary of the run.
    fn tell_host(&self, length: u64) {
        if let Err(error) = self
            .ctx
            .report_file(&self.options.path, length, self.records)
        {
            // Only the summary of the run misses it.
            tracing::debug!(%error, "the host took no file report");
        }
    }

    fn metadata(&self) -> String {
        self.open.as_ref().map_or_else(String::new, |open| {
            Recorded {
                path: self.path.clone(),
                length: self.reported,
                inode: open.inode,
            }
            .to_metadata()
        })
    }
}
