//! `FileStreamSource` and `FileStreamSink`: Kafka Connect's own file connectors, option for option.
//!
//! The source stores Kafka's offsets, `{"filename"}` → `{"position"}`, in bytes; Kafka's counts characters and resumes at
//! the wrong place after text that is not ASCII. The sink appends the text of each value and a newline, at least once,
//! and makes it durable before it reports progress. Standard input and output are not offered: a plugin shares the
//! host's, which belong to the person who runs it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::rc::Rc;

use linkspan_sdk::OffsetChange;
use linkspan_sdk::prelude::*;

use crate::decode::Lines;
use crate::encode::text;
use crate::error;
use crate::files::{Files, Share};
use crate::output::OutputError;
use crate::paths::Patterns;
use crate::reader::{Reader, Settings};
use crate::storage::Local;

/// Kafka's source has no limit; this one guards memory.
const LINE_BYTES_MAX: usize = 16 << 20;

/// Kafka's source looks again after a second.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Reads a file line by line and follows it, as Kafka Connect's FileStreamSource does.
#[derive(Debug, Clone, Options)]
pub(crate) struct StreamSourceOptions {
    /// The file to read.
    #[option(importance = "high")]
    pub(crate) file: Option<PathBuf>,
    /// The topic that the lines go to.
    #[option(importance = "high")]
    pub(crate) topic: TopicName,
    /// The most records in a batch.
    #[option(name = "batch.size", default = "2000", min = 1, importance = "low")]
    pub(crate) batch_size: u32,
}

/// Appends values to a file, as Kafka Connect's FileStreamSink does.
#[derive(Debug, Clone, Options)]
pub(crate) struct StreamSinkOptions {
    /// The file to append to.
    #[option(importance = "high")]
    pub(crate) file: Option<PathBuf>,
}

/// Kafka's connectors take standard input or output then, so a configuration without it is valid, only not here.
fn file_name(file: Option<PathBuf>, stream: &str) -> Result<String> {
    let Some(path) = file else {
        return Err(Error::config_invalid(format!(
            "`file` must be set: without it Kafka's connector takes {stream}, which here belongs to the host"
        )));
    };
    path.into_os_string()
        .into_string()
        .map_err(|_| Error::config_invalid("`file` must be UTF-8"))
}

/// What `FileStreamSource` does as a whole.
#[derive(Debug)]
pub(crate) struct StreamSourceConnector;

impl SourceConnector for StreamSourceConnector {
    type Options = StreamSourceOptions;

    /// Offsets are `{"position": N}` of `{"filename": …}`, as Kafka's class checks them.
    fn alter_offsets(_: &StreamSourceOptions, offsets: &[OffsetChange]) -> Result<bool> {
        for change in offsets {
            let Some(offset) = &change.offset else {
                continue;
            };
            if !change
                .partition
                .as_ref()
                .is_some_and(|partition| partition.contains_key("filename"))
            {
                return Err(Error::data_invalid(
                    "a source partition of FileStreamSource has the key `filename`",
                ));
            }
            let position = offset.get("position").and_then(serde_json::Value::as_i64);
            if offset.len() != 1 || position.is_none_or(|position| position < 0) {
                return Err(Error::data_invalid(
                    "an offset of FileStreamSource is {\"position\": N}, a whole number of bytes that is not negative",
                ));
            }
        }
        Ok(true)
    }
}

/// What `FileStreamSink` does as a whole: the host's offsets are all there are.
#[derive(Debug)]
pub(crate) struct StreamSinkConnector;

impl SinkConnector for StreamSinkConnector {
    type Options = StreamSinkOptions;

    fn alter_offsets(_: &StreamSinkOptions, _: &[OffsetChange]) -> Result<bool> {
        Ok(true)
    }
}

/// A task of `FileStreamSource`.
#[derive(Debug)]
pub(crate) struct StreamSource {
    reader: Reader,
}

impl SourceTask for StreamSource {
    type Options = StreamSourceOptions;

    async fn open(options: StreamSourceOptions, ctx: SourceContext) -> Result<Self> {
        let file = file_name(options.file, "standard input")?;
        let settings = Settings {
            line_bytes_max: LINE_BYTES_MAX,
            records_max: options.batch_size,
            poll_interval: POLL_INTERVAL,
            position_only: true,
            ..Settings::plain(options.topic)
        };
        let files = Files::matching(
            Rc::new(Local),
            Patterns::literal(vec![file]),
            (0, 1),
            Share::ByFamily,
        );
        let decoder = Box::new(Lines::TEXT);
        Ok(Self {
            reader: Reader::new(settings, ctx, files, decoder, None)?,
        })
    }

    async fn poll(&mut self, out: &mut BatchBuilder) -> Result<Poll> {
        self.reader.poll(out).await
    }
}

/// A task of `FileStreamSink`. Several may append to one file.
#[derive(Debug)]
pub(crate) struct StreamSink {
    path: PathBuf,
    file: File,
    buf: Vec<u8>,
    /// Bytes of the batch at hand that a failed write had brought to the file: the batch comes again, they are passed.
    written: usize,
    progress: Progress,
}

impl SinkTask for StreamSink {
    type Options = StreamSinkOptions;

    async fn open(options: StreamSinkOptions, _ctx: SinkContext) -> Result<Self> {
        let path = PathBuf::from(file_name(options.file, "standard output")?);
        let opened = OpenOptions::new().create(true).append(true).open(&path);
        let file = opened.map_err(|error| error::open_output(error, &path))?;
        Ok(Self {
            path,
            file,
            buf: Vec::new(),
            written: 0,
            progress: Progress::none(),
        })
    }

    async fn put(&mut self, records: Records<'_>, report: &mut Report) -> Result<Progress> {
        if records.len() == 0 {
            return self.sync();
        }
        let progress = records.progress();
        self.buf.clear();
        for record in records {
            let start = self.buf.len();
            match text(&record.value(), &mut self.buf) {
                Ok(()) => self.buf.push(b'\n'),
                Err(error) => {
                    self.buf.truncate(start);
                    report.reject(&record, error);
                }
            }
        }
        self.append()?;
        self.progress.merge(progress);
        Ok(Progress::none())
    }

    async fn flush(&mut self) -> Result<Progress> {
        self.sync()
    }
}

impl StreamSink {
    /// Appends the buffer; after a failure the next call goes on where this one stopped.
    fn append(&mut self) -> Result<()> {
        while let Some(rest) = self.buf.get(self.written..).filter(|rest| !rest.is_empty()) {
            // Not `write_all`, which does not tell how much it wrote before it failed. Append mode ignores the place.
            match self.file.write_at(rest, 0) {
                Ok(0) => {
                    return Err(self.failed(OutputError::Write {
                        source: io::ErrorKind::WriteZero.into(),
                    }));
                }
                Ok(n) => self.written += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(self.failed(OutputError::Write { source })),
            }
        }
        self.written = 0;
        Ok(())
    }

    fn sync(&mut self) -> Result<Progress> {
        if !self.progress.is_empty() {
            self.file
                .sync_data()
                .map_err(|source| self.failed(OutputError::Sync { source }))?;
        }
        Ok(self.progress.take())
    }

    fn failed(&self, error: OutputError) -> Error {
        error::output(error, &self.path)
    }
}
