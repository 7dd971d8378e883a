//! Options of `file-sink`.

use linkspan_sdk::prelude::*;

use super::{CopybookOptions, FixedOptions, UserDefined, ascii, encoding, unknown_encoding};
use crate::copybook::encoder::CopybookEncoder;
use crate::copybook::frame::RecordFormat;
use crate::encoding::TextEncoding;
use crate::fixed::encoder::{FixedEncoder, OnUnmappable};
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
    Fixed,
    Copybook,
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
    /// `fixed`: records of fields at fixed bytes, as `fixed.layout` says. `copybook`: records that a COBOL copybook describes.
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
    /// The encoding of the file, by its label, as in `file-source`.
    #[option(default = "utf-8")]
    pub(crate) encoding: String,
    /// CP949's rows C9 and FE, which it leaves to its users: `private_use` writes U+E000 to U+E0BB there, `fail` has no code for
    /// them.
    #[option(default = "fail")]
    pub(crate) encoding_user_defined: UserDefined,
    /// When the encoding has no code for a character: `fail` fails the task, `dlq` makes the record a bad one, `replace(?)` writes
    /// that byte instead.
    #[option(default = "fail")]
    pub(crate) on_unmappable: OnUnmappable,
    #[option(nest = "fixed")]
    pub(crate) fixed: FixedOptions,
    #[option(nest = "copybook")]
    pub(crate) copybook: CopybookOptions,
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
        self.check_legacy(&mut |option, message| {
            problems.push(ConfigProblem::new(option, message))
        });
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

    /// Returns the encoding of the file.
    pub(crate) fn text_encoding(&self) -> Result<TextEncoding> {
        encoding(&self.encoding, self.encoding_user_defined)
            .ok_or_else(|| Error::config_invalid(unknown_encoding(&self.encoding)))
    }

    pub(crate) fn fixed_encoder(&self, encoding: TextEncoding) -> Result<FixedEncoder> {
        let layout = self.fixed.layout(encoding).map_err(|wrong| {
            Error::config_invalid(format!("`fixed.layout`: {}", wrong.join("; ")))
        })?;
        let ctx = self.fixed.context(encoding, self.on_unmappable.fallback());
        let end = self.fixed.record_end;
        Ok(FixedEncoder::new(
            layout,
            end,
            ctx,
            self.fixed.type_column.clone(),
            self.on_unmappable,
        ))
    }

    pub(crate) fn copybook_encoder(&self, encoding: TextEncoding) -> Result<CopybookEncoder> {
        let plan = self.copybook.plan(encoding).map_err(|wrong| {
            let list = wrong
                .iter()
                .map(|(option, wrong)| format!("`{option}`: {wrong}"));
            Error::config_invalid(list.collect::<Vec<_>>().join("; "))
        })?;
        let len = self
            .copybook
            .record_length
            .and_then(|len| usize::try_from(len).ok());
        Ok(CopybookEncoder::new(
            plan,
            self.copybook.frames(),
            len,
            self.on_unmappable,
        ))
    }

    fn check_legacy(&self, problem: &mut impl FnMut(&str, String)) {
        let Some(encoding) = encoding(&self.encoding, self.encoding_user_defined) else {
            return problem("encoding", unknown_encoding(&self.encoding));
        };
        match self.format {
            SinkFormat::Fixed => self.fixed.check(encoding, problem),
            SinkFormat::Copybook => {
                self.copybook.check(encoding, problem);
                if self.copybook.record_format == RecordFormat::Bdw {
                    problem(
                        "copybook.record.format",
                        "`bdw` is for reading; records are written as `fixed`, `rdw` or `lines`"
                            .to_owned(),
                    );
                }
            }
            SinkFormat::Json | SinkFormat::Xml | SinkFormat::Raw
                if encoding != TextEncoding::Utf8 =>
            {
                problem("encoding", "must be `utf-8` in this format".to_owned());
            }
            SinkFormat::Lines
            | SinkFormat::Jsonl
            | SinkFormat::Csv
            | SinkFormat::Json
            | SinkFormat::Xml
            | SinkFormat::Raw => {}
        }
    }

    pub(crate) fn delimiter(&self) -> u8 {
        ascii(&self.csv_delimiter).unwrap_or(b',')
    }
}

/// Leaves room in the 4096 bytes of metadata for the other members and for JSON escapes.
const PATH_BYTES_MAX: usize = 1900;
