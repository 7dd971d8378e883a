//! Options of `file-sink`.

use linkspan_sdk::prelude::*;

use super::ascii;
use crate::moment::Zone;
use crate::pack::Packing;
use crate::recorded::OnExisting;
use crate::sink::Template;

/// How records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum SinkFormat {
    Lines,
    Jsonl,
    Csv,
    Json,
    Xml,
    Raw,
}

/// Writes records to one file that grows, or to many that are finished, exactly once.
#[derive(Debug, Clone, Options)]
#[options(validate = "FileSinkOptions::check")]
pub(crate) struct FileSinkOptions {
    /// The file to write; its folder is created. With `{partition}` and `{start_offset}` in it, many files, each with the records
    /// of one partition: `{topic}`, `{partition:05}`, `{start_offset:020}`, `{timestamp:%Y-%m-%d}` (of the record),
    /// `{field:NAME}` (of the value).
    #[option(importance = "high")]
    pub(crate) path: std::path::PathBuf,
    /// `lines`: the value and a newline. `jsonl`: the value as one line of JSON. `csv`: a header, then a record for each
    /// row; the values must be rows. `raw`: the value's bytes and nothing else. `json`, an array, and `xml` are for many files.
    #[option(default = "lines", importance = "high")]
    pub(crate) format: SinkFormat,
    /// When the file holds bytes that this connector has no record of, or lacks bytes that it has: `fail`, `append`
    /// writes behind what is there, `truncate` empties it.
    #[option(default = "fail")]
    pub(crate) on_existing: OnExisting,
    /// The character between two fields of `csv`; `\t` is a tab.
    #[option(default = ",", group = "csv")]
    pub(crate) csv_delimiter: String,
    /// How output is packed. One file that grows becomes a chain of packed pieces, which every program reads as one.
    #[option(default = "none")]
    pub(crate) compression: Packing,
    /// The zone of `{timestamp:…}`: `UTC`, an offset such as `+09:00` or a name such as `Asia/Seoul`.
    #[option(default = "UTC")]
    pub(crate) timezone: String,
    /// Of many files: the most records in one.
    #[option(default = "100000", min = 1)]
    pub(crate) roll_records: u64,
    /// Of many files: about the most bytes in one, packed.
    #[option(default = "128MiB", min = 1)]
    pub(crate) roll_bytes: ByteSize,
    /// Of many files: how long after its first record one is finished, by the clock on the wall.
    #[option(default = "60s")]
    pub(crate) roll_interval: Duration,
    /// Of many files: the most that are open at once; when there are more, all are finished.
    #[option(default = "512", min = 1)]
    pub(crate) max_open_files: u32,
    /// Of many files: what a file's name ends with while it is written.
    #[option(default = ".inprogress")]
    pub(crate) temp_suffix: String,
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
        if self.timezone.parse::<Zone>().is_err() {
            problems.push(ConfigProblem::new(
                "timezone",
                "is neither `UTC`, nor an offset such as `+09:00`, nor a name that this system's zone database knows",
            ));
        }
        if self.temp_suffix.is_empty() || self.temp_suffix.contains('/') {
            problems.push(ConfigProblem::new(
                "temp.suffix",
                "must be the end of a name",
            ));
        }
        if self.is_template() {
            if let Err(error) = Template::parse(&self.path_text()) {
                problems.push(ConfigProblem::new("path", error.to_string()));
            }
            if self.on_existing == OnExisting::Append {
                problems.push(ConfigProblem::new(
                    "on.existing",
                    "`append` is for one file that grows; of many, each is written whole",
                ));
            }
        } else if matches!(self.format, SinkFormat::Json | SinkFormat::Xml) {
            problems.push(ConfigProblem::new(
                "format",
                "a file of this format has an end, so it cannot grow: give a `path` with `{partition}` and `{start_offset}`, or take `jsonl`",
            ));
        }
        problems
    }

    /// Says whether `path` names many files.
    pub(crate) fn is_template(&self) -> bool {
        Template::is_one(&self.path_text())
    }

    pub(crate) fn path_text(&self) -> String {
        self.path.to_string_lossy().into_owned()
    }

    pub(crate) fn zone(&self) -> Zone {
        self.timezone.parse().unwrap_or(Zone::Offset(0))
    }

    pub(crate) fn delimiter(&self) -> u8 {
        ascii(&self.csv_delimiter).unwrap_or(b',')
    }
}

/// Leaves room in the 4096 bytes of metadata for the other members and for JSON escapes.
const PATH_BYTES_MAX: usize = 1900;
