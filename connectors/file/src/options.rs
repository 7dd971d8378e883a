//! Options of `file-source` and `file-sink`, and what is wrong with them before a file is touched.

use std::collections::BTreeMap;

use linkspan_sdk::prelude::*;

use crate::column::{ColumnType, TYPE_WORDS};
use crate::csv::Dialect;
use crate::moment::Zone;
use crate::reader::OnReplaced;
use crate::recorded::OnExisting;

/// Reads files line by line or as CSV and follows them as they grow.
#[derive(Debug, Clone, Options)]
#[options(validate = "FileSourceOptions::check")]
pub(crate) struct FileSourceOptions {
    /// A file, a glob such as `data/*.csv`, or a list of both. The matches of a glob are read in the order of their
    /// names, a list in its own order. New matches are picked up while the source follows.
    #[option(importance = "high")]
    pub(crate) path: PathList,
    /// The topic that the records go to.
    #[option(importance = "high")]
    pub(crate) topic: TopicName,
    /// `lines`: each line is a record, as text. `csv`: each row is a record with a field for each column.
    #[option(default = "lines", importance = "high")]
    pub(crate) format: SourceFormat,
    #[option(nest = "csv")]
    pub(crate) csv: CsvOptions,
    /// The longest line or CSV record; a longer one is an error that names its place. It guards memory.
    #[option(default = "1MiB", min = 1, max = 16_777_216)]
    pub(crate) max_line_bytes: ByteSize,
    /// When a file was cut or replaced since it was read: `fail`, `restart` reads it from its start, `skip` leaves it
    /// alone.
    #[option(default = "fail")]
    pub(crate) on_replaced: OnReplaced,
    /// When a `--once` job finds no file for an entry of `path`: `fail` or `ok`. A source that follows waits for it.
    #[option(default = "fail")]
    pub(crate) on_no_input: OnNoInput,
    /// The encoding of the files. Only `utf-8` so far.
    #[option(default = "utf-8")]
    pub(crate) encoding: String,
    /// How often grown and new files are looked for.
    #[option(default = "1s")]
    pub(crate) poll_interval: Duration,
    /// The most records in a batch.
    #[option(default = "100000", min = 1)]
    pub(crate) batch_records: u32,
    /// The most bytes in a batch.
    #[option(default = "4MiB", min = 1)]
    pub(crate) batch_bytes: ByteSize,
    /// Which share of the files this task reads, as `index/count`. Set by the connector.
    #[option(default = "0/1", importance = "low")]
    pub(crate) file_share: String,
}

/// How a file is cut into records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum SourceFormat {
    Lines,
    Csv,
}

/// What a job does without input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum OnNoInput {
    Fail,
    Ok,
}

/// How records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum SinkFormat {
    Lines,
    Jsonl,
    Csv,
}

/// How CSV is written and what its columns hold.
#[derive(Debug, Clone, Options)]
pub(crate) struct CsvOptions {
    /// The character between two fields; `\t` is a tab.
    #[option(default = ",", group = "csv")]
    pub(crate) delimiter: String,
    /// The character around a field that holds a delimiter or a newline.
    #[option(default = "\"", group = "csv")]
    pub(crate) quote: String,
    /// A character that takes the meaning from the next one in a quoted field. Unset: a quote is doubled.
    #[option(group = "csv")]
    pub(crate) escape: Option<String>,
    /// The first record of each file names its columns.
    #[option(default = "true", group = "csv")]
    pub(crate) header: bool,
    /// Names for the columns of files without a header. Unset: `column1`, `column2`, …
    #[option(default = "[]", group = "csv")]
    pub(crate) columns: Vec<String>,
    /// Texts that stand for null, in quotes or not.
    #[option(default = "[\"\"]", group = "csv")]
    pub(crate) null_values: Vec<String>,
    /// Column name to type: `int8`, `int16`, `int32`, `int64`, `float32`, `float64`, `boolean`, `string`, `bytes` (base64),
    /// `decimal(precision,scale)`, `date`, `time`, `timestamp` (RFC 3339). Columns not named here are text.
    #[option(default = "{}", group = "csv")]
    pub(crate) types: BTreeMap<String, String>,
    /// The zone of timestamps that have none: `UTC`, an offset such as `+09:00` or a name such as `Asia/Seoul`, which the
    /// system's zone database must know. Unset: such timestamps are refused.
    #[option(group = "csv")]
    pub(crate) timezone: Option<String>,
}

/// Writes records to one file, exactly once.
#[derive(Debug, Clone, Options)]
#[options(validate = "FileSinkOptions::check")]
pub(crate) struct FileSinkOptions {
    /// The file to write; its folder is created.
    #[option(importance = "high")]
    pub(crate) path: std::path::PathBuf,
    /// `lines`: the value and a newline. `jsonl`: the value as one line of JSON. `csv`: a header, then a record for each
    /// row; the values must be rows.
    #[option(default = "lines", importance = "high")]
    pub(crate) format: SinkFormat,
    /// When the file holds bytes that this connector has no record of, or lacks bytes that it has: `fail`, `append`
    /// writes behind what is there, `truncate` empties it.
    #[option(default = "fail")]
    pub(crate) on_existing: OnExisting,
    /// The character between two fields of `csv`; `\t` is a tab.
    #[option(default = ",", group = "csv")]
    pub(crate) csv_delimiter: String,
}

impl FileSourceOptions {
    fn check(&self) -> Vec<ConfigProblem> {
        let mut problems = Vec::new();
        let mut problem =
            |option: &str, message: String| problems.push(ConfigProblem::new(option, message));
        if self.path.is_empty() {
            problem("path", "names no file".to_owned());
        }
        for pattern in self.path.iter() {
            if let Err(error) = glob::Pattern::new(pattern) {
                problem("path", format!("`{pattern}` is not a glob: {error}"));
            }
        }
        let encoding = self.encoding.to_ascii_lowercase();
        if encoding != "utf-8" && encoding != "utf8" {
            problem(
                "encoding",
                format!("`{}` is not supported yet, only `utf-8` is", self.encoding),
            );
        }
        if share(&self.file_share).is_none() {
            problem("file.share", "is not `index/count`".to_owned());
        }
        if self.poll_interval.is_zero() {
            problem("poll.interval", "must be longer than nothing".to_owned());
        }
        if self.format == SourceFormat::Csv {
            self.csv.check(&mut problem);
        }
        problems
    }
}

impl CsvOptions {
    fn check(&self, problem: &mut impl FnMut(&str, String)) {
        let single = "must be one ASCII character other than a line end".to_owned();
        if ascii(&self.delimiter).is_none() {
            problem("csv.delimiter", single.clone());
        }
        if ascii(&self.quote).is_none() {
            problem("csv.quote", single.clone());
        }
        if self
            .escape
            .as_deref()
            .is_some_and(|text| ascii(text).is_none())
        {
            problem("csv.escape", single);
        }
        if ascii(&self.delimiter) == ascii(&self.quote) {
            problem(
                "csv.quote",
                "is the same character as `csv.delimiter`".to_owned(),
            );
        }
        for (column, word) in &self.types {
            if word.parse::<ColumnType>().is_err() {
                problem(
                    "csv.types",
                    format!(
                        "column `{column}` has the unknown type `{word}`; the types are {TYPE_WORDS}"
                    ),
                );
            }
        }
        if self
            .timezone
            .as_deref()
            .is_some_and(|text| text.parse::<Zone>().is_err())
        {
            problem("csv.timezone", "is neither `UTC`, nor an offset such as `+09:00`, nor a name that this system's zone database knows".to_owned());
        }
        if self.header && !self.columns.is_empty() {
            problem(
                "csv.columns",
                "names the columns of files without a header; set `csv.header: false`".to_owned(),
            );
        }
    }

    /// Returns the dialect; defaults stand in for what `check` refused.
    pub(crate) fn dialect(&self) -> Dialect {
        let default = Dialect::default();
        Dialect {
            delimiter: ascii(&self.delimiter).unwrap_or(default.delimiter),
            quote: ascii(&self.quote).unwrap_or(default.quote),
            escape: self.escape.as_deref().and_then(ascii),
        }
    }

    pub(crate) fn zone(&self) -> Option<Zone> {
        self.timezone.as_deref().and_then(|text| text.parse().ok())
    }
}

impl FileSinkOptions {
    fn check(&self) -> Vec<ConfigProblem> {
        let mut problems = Vec::new();
        if self.path.file_name().is_none() {
            problems.push(ConfigProblem::new("path", "names no file"));
        }
        if self
            .path
            .to_str()
            .is_none_or(|path| path.len() > PATH_BYTES_MAX)
        {
            problems.push(ConfigProblem::new(
                "path",
                format!("must be UTF-8 of at most {PATH_BYTES_MAX} bytes, so that the position can be stored"),
            ));
        }
        if ascii(&self.csv_delimiter).is_none_or(|byte| byte == b'"') {
            problems.push(ConfigProblem::new(
                "csv.delimiter",
                "must be one ASCII character other than a quote or a line end",
            ));
        }
        problems
    }

    pub(crate) fn delimiter(&self) -> u8 {
        ascii(&self.csv_delimiter).unwrap_or(b',')
    }
}

/// Leaves room in the 4096 bytes of metadata for the other members and for JSON escapes.
const PATH_BYTES_MAX: usize = 1900;

/// Reads `index/count`.
pub(crate) fn share(text: &str) -> Option<(u64, u64)> {
    let (index, count) = text.split_once('/')?;
    let (index, count) = (index.parse().ok()?, count.parse().ok()?);
    (index < count).then_some((index, count))
}

/// Reads one ASCII character; a backslash and `t` are a tab.
fn ascii(text: &str) -> Option<u8> {
    match text.as_bytes() {
        b"\\t" => Some(b'\t'),
        &[byte] if byte.is_ascii() && byte != b'\n' && byte != b'\r' => Some(byte),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{FileSinkOptions, FileSourceOptions, Options};

    fn check<O: Options>(config: &[(&str, &str)], expected: &[&str]) {
        let config = config
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        let problems = O::from_config(&config).err().unwrap_or_default();
        let mut options: Vec<_> = problems
            .iter()
            .map(|problem| problem.option.as_str())
            .collect();
        options.sort_unstable();
        assert_eq!(options, expected, "{config:?}: {problems:?}");
    }

    #[test]
    fn source_options_are_all_checked_at_once() {
        check::<FileSourceOptions>(&[("path", "a.txt"), ("topic", "t")], &[]);
        check::<FileSourceOptions>(&[("path", "[\"a.txt\",\"b*.txt\"]"), ("topic", "t")], &[]);
        check::<FileSourceOptions>(&[], &["path", "topic"]);
        check::<FileSourceOptions>(
            &[
                ("path", "a[.txt"),
                ("topic", "t"),
                ("encoding", "euc-kr"),
                ("file.share", "2/2"),
            ],
            &["encoding", "file.share", "path"],
        );
        check::<FileSourceOptions>(
            &[("path", "a"), ("topic", "t"), ("format", "xml")],
            &["format"],
        );
        check::<FileSourceOptions>(
            &[("path", "a"), ("topic", "t"), ("max.line.bytes", "17MiB")],
            &["max.line.bytes"],
        );
    }

    #[test]
    fn csv_options_are_checked() {
        let base = [("path", "a"), ("topic", "t"), ("format", "csv")];
        let with = |more: &[(&'static str, &'static str)]| [&base, more].concat();
        check::<FileSourceOptions>(
            &with(&[
                ("csv.types", r#"{"a":"int32","b":"decimal(9,2)"}"#),
                ("csv.delimiter", "\\t"),
            ]),
            &[],
        );
        check::<FileSourceOptions>(&with(&[("csv.types", r#"{"a":"int"}"#)]), &["csv.types"]);
        check::<FileSourceOptions>(
            &with(&[("csv.timezone", "Mars/Olympus")]),
            &["csv.timezone"],
        );
        check::<FileSourceOptions>(&with(&[("csv.timezone", "+09:00")]), &[]);
        check::<FileSourceOptions>(
            &with(&[("csv.delimiter", ";;"), ("csv.escape", "é")]),
            &["csv.delimiter", "csv.escape"],
        );
        check::<FileSourceOptions>(&with(&[("csv.quote", ",")]), &["csv.quote"]);
        check::<FileSourceOptions>(&with(&[("csv.columns", "a,b")]), &["csv.columns"]);
    }

    #[test]
    fn sink_options_are_checked() {
        check::<FileSinkOptions>(&[("path", "out/o.txt")], &[]);
        check::<FileSinkOptions>(&[("path", "..")], &["path"]);
        check::<FileSinkOptions>(&[("path", "o"), ("on.existing", "ask")], &["on.existing"]);
        check::<FileSinkOptions>(
            &[("path", "o"), ("csv.delimiter", "\"")],
            &["csv.delimiter"],
        );
    }
}
