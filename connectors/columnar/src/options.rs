//! Options of `columnar-source` and `columnar-sink`.

use std::path::PathBuf;

use linkspan_sdk::prelude::*;

/// Reads the rows of Parquet and Avro files.
#[derive(Debug, Clone, Options)]
#[options(validate = "ColumnarSourceOptions::check")]
pub(crate) struct ColumnarSourceOptions {
    /// A file, a glob such as `in/*.parquet`, or a list of both; read in the order of their names. A file is complete when it is
    /// there.
    #[option(importance = "high")]
    pub(crate) path: PathList,
    /// The topic that the rows go to.
    #[option(importance = "high")]
    pub(crate) topic: TopicName,
    /// `auto` tells the format by the first bytes of each file; or `parquet`, `avro`.
    #[option(default = "auto", importance = "high")]
    pub(crate) format: SourceFormat,
    /// When a `--once` job finds no file for an entry of `path`: `fail` or `ok`. A source that follows waits for it.
    #[option(default = "fail")]
    pub(crate) on_no_input: OnNoInput,
    /// How often new files are looked for.
    #[option(default = "1s")]
    pub(crate) poll_interval: Duration,
    /// Which share of the files this task reads, as `index/count`. Set by the connector.
    #[option(default = "0/1", importance = "low")]
    pub(crate) file_share: String,
}

/// Writes rows to Parquet and Avro files.
#[derive(Debug, Clone, Options)]
#[options(validate = "ColumnarSinkOptions::check")]
pub(crate) struct ColumnarSinkOptions {
    /// The folder to write to. Files are called `TOPIC/PARTITION-START_OFFSET.parquet`, or `.avro`.
    #[option(importance = "high")]
    pub(crate) path: PathBuf,
    /// `parquet` or `avro`.
    #[option(default = "parquet", importance = "high")]
    pub(crate) format: SinkFormat,
    /// How pages and blocks are packed: `none`, `snappy` or `zstd`.
    #[option(default = "snappy")]
    pub(crate) compression: Packing,
    /// The most rows in one file.
    #[option(default = "1000000", min = 1)]
    pub(crate) roll_records: u64,
    /// How long after its first row a file is finished, by the clock on the wall.
    #[option(default = "60s")]
    pub(crate) roll_interval: Duration,
    /// The most rows in one row group of a Parquet file, which are in memory while it is written.
    #[option(default = "50000", min = 1)]
    pub(crate) row_group_records: u32,
}

/// What files are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum SourceFormat {
    Auto,
    Parquet,
    Avro,
}

/// What files are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum SinkFormat {
    Parquet,
    Avro,
}

/// What a job does without input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum OnNoInput {
    Fail,
    Ok,
}

/// How output is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum Packing {
    None,
    Snappy,
    Zstd,
}

impl ColumnarSourceOptions {
    fn check(&self) -> Vec<ConfigProblem> {
        let mut problems = Vec::new();
        if self.path.is_empty() {
            problems.push(ConfigProblem::new("path", "names no file"));
        }
        for pattern in self.path.iter() {
            if let Err(error) = glob::Pattern::new(pattern) {
                problems.push(ConfigProblem::new(
                    "path",
                    format!("`{pattern}` is not a glob: {error}"),
                ));
            }
        }
        if share(&self.file_share).is_none() {
            problems.push(ConfigProblem::new("file.share", "is not `index/count`"));
        }
        if self.poll_interval.is_zero() {
            problems.push(ConfigProblem::new(
                "poll.interval",
                "must be longer than nothing",
            ));
        }
        problems
    }
}

impl ColumnarSinkOptions {
    fn check(&self) -> Vec<ConfigProblem> {
        let mut problems = Vec::new();
        if self.path.as_os_str().is_empty() {
            problems.push(ConfigProblem::new("path", "names no folder"));
        }
        problems
    }
}

/// Reads `index/count`.
pub(crate) fn share(text: &str) -> Option<(u64, u64)> {
    let (index, count) = text.split_once('/')?;
    let (index, count) = (index.parse().ok()?, count.parse().ok()?);
    (index < count).then_some((index, count))
}
