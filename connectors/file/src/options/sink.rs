//! Options of `file-sink`.

use linkspan_sdk::prelude::*;

use super::ascii;
use crate::recorded::OnExisting;

/// How records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum SinkFormat {
    Lines,
    Jsonl,
    Csv,
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
