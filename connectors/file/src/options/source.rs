//! Options of `file-source`.

use std::path::PathBuf;

use linkspan_sdk::prelude::*;

use super::{
    ControlOptions, CopybookOptions, CsvOptions, FixedOptions, UserDefined, encoding, share,
    unknown_encoding,
};
use crate::decode::steps;
use crate::encoding::TextEncoding;
use crate::paths::Order;
use crate::reader::OnReplaced;
use crate::spool::OnDuplicate;
use crate::unpack::Compression;

/// Reads files record by record, follows them as they grow, or takes them from a spool folder one after the other.
#[derive(Debug, Clone, Options)]
#[options(validate = "FileSourceOptions::check")]
pub(crate) struct FileSourceOptions {
    /// A file, a glob such as `data/*.csv` or `in/**/*.txt`, or a list of both. The matches of a glob are read in `order`, a
    /// list in its own order. New matches are picked up while the source follows.
    #[option(importance = "high")]
    pub(crate) path: PathList,
    /// Globs of files to leave out: of names (`*.tmp`), or of whole paths where they hold a `/`.
    #[option(default = "[]")]
    pub(crate) exclude: Vec<String>,
    /// The topic that the records go to.
    #[option(importance = "high")]
    pub(crate) topic: TopicName,
    /// `lines`: each line is a record, as text. `csv`, `tsv`: each row is a record with a field for each column. `jsonl`: each
    /// line is JSON. `json`: the elements of an array. `xml`: the elements at `xml.path`. `fixed`: records of fields at fixed bytes,
    /// as `fixed.layout` says. `copybook`: records that a COBOL copybook describes.
    #[option(default = "lines", importance = "high")]
    pub(crate) format: SourceFormat,
    /// `tail`: files grow, and are read as far as there are whole records. `spool`: a file is complete when it is there, is read
    /// once to its end, and then put away.
    #[option(default = "tail", importance = "high")]
    pub(crate) mode: Mode,
    /// How files are packed: `auto` looks at the first bytes of each.
    #[option(default = "auto")]
    pub(crate) compression: Compression,
    /// The most bytes that one packed file may unpack to. It guards the log's disk against archive bombs.
    #[option(default = "64GiB", min = 1)]
    pub(crate) max_unpacked_bytes: ByteSize,
    #[option(nest = "csv")]
    pub(crate) csv: CsvOptions,
    /// Where the array of records is in a `json` file, as a JSON pointer such as `/data/items`. Unset: the file is one array, or
    /// one JSON value after the other.
    #[option(default = "")]
    pub(crate) json_path: String,
    /// The elements that are records in an `xml` file, such as `/catalog/book`; `*` is any name.
    #[option(default = "")]
    pub(crate) xml_path: String,
    /// A regular expression: in `lines`, a record begins with a line that matches, and goes on to the next one that does.
    pub(crate) multiline_start_pattern: Option<String>,
    /// When nothing came for so long, the last record of a growing file is taken for whole.
    #[option(default = "1s")]
    pub(crate) multiline_timeout: Duration,
    /// Lines at the start of each file that are passed, before the header of a CSV file.
    #[option(default = "0")]
    pub(crate) skip_header_lines: u32,
    /// Lines at the end of each file that are passed.
    #[option(default = "0", max = 1000)]
    pub(crate) skip_footer_lines: u32,
    /// Gives each record the headers `file.name` and `file.position`, the byte it begins at.
    #[option(default = "false")]
    pub(crate) record_headers: bool,
    /// The longest line or CSV record; a longer one is an error that names its place. It guards memory.
    #[option(default = "1MiB", min = 1, max = 16_777_216)]
    pub(crate) max_line_bytes: ByteSize,
    /// In which order the matches of a glob are read: `name`, `mtime` (oldest first), `size` (smallest first).
    #[option(default = "name")]
    pub(crate) order: Order,
    /// Where a growing file that was never read begins: at its `beginning`, or at the `end` it has when the source starts.
    #[option(default = "beginning")]
    pub(crate) read_from: ReadFrom,
    /// When a file was cut or replaced since it was read: `fail`, `restart` reads it from its start, `skip` leaves it
    /// alone.
    #[option(default = "fail")]
    pub(crate) on_replaced: OnReplaced,
    /// When a spooled file holds the same bytes as one that was read before under another name: `fail`, `skip` puts it away
    /// unread, `again` reads it. Unset: `fail` in `mode: spool`, and not looked at in `mode: tail`.
    pub(crate) on_duplicate: Option<OnDuplicate>,
    /// When a `--once` job finds no file for an entry of `path`: `fail` or `ok`. A source that follows waits for it.
    #[option(default = "fail")]
    pub(crate) on_no_input: OnNoInput,
    /// How long a renamed file is still read after nothing came any more, before the new file of its name begins.
    #[option(default = "5s")]
    pub(crate) rotate_wait: Duration,
    /// A spooled file is read when a file of its name with this ending is there too: `.done` for `x.csv.done`.
    #[option(default = "")]
    pub(crate) done_marker: String,
    /// A spooled file is read when it was not written to for so long.
    #[option(default = "0s")]
    pub(crate) min_file_age: Duration,
    /// A spooled file is read when so many looks, `poll.interval` apart, found it with one size and time.
    #[option(default = "0", max = 1000)]
    pub(crate) stable_size_checks: u32,
    /// What is done with a spooled file once its records are durable: `none`, `delete`, `move` to `finished.path`, or
    /// `move_by_date` to a folder `2013-01-31` in it.
    #[option(default = "none")]
    pub(crate) cleanup: Cleanup,
    /// The folder for files that were read.
    pub(crate) finished_path: Option<PathBuf>,
    /// The folder for spooled files that cannot be read, each with a file `.error.txt` that says why; the next file is read then,
    /// and a job fails at its end. Unset: the first such file fails the task.
    pub(crate) error_path: Option<PathBuf>,
    /// How long it is remembered that a spooled file was read which is gone since.
    #[option(default = "30d")]
    pub(crate) history: Duration,
    /// The encoding of the files, by its label: `utf-8`, `utf-16`, `euc-kr` (CP949), `euc-kr-strict`, `shift_jis`, EBCDIC
    /// `cp037`, `cp933`, and so on; see the README.
    #[option(default = "utf-8")]
    pub(crate) encoding: String,
    /// CP949's rows C9 and FE, which it leaves to its users: `fail` makes a record with them a bad one, `private_use` reads them as
    /// U+E000 to U+E0BB.
    #[option(default = "fail")]
    pub(crate) encoding_user_defined: UserDefined,
    #[option(nest = "fixed")]
    pub(crate) fixed: FixedOptions,
    #[option(nest = "copybook")]
    pub(crate) copybook: CopybookOptions,
    #[option(nest = "control")]
    pub(crate) control: ControlOptions,
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
    Tsv,
    Jsonl,
    Json,
    Xml,
    Fixed,
    Copybook,
}

/// Whether files grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum Mode {
    Tail,
    Spool,
}

/// What a job does without input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum OnNoInput {
    Fail,
    Ok,
}

/// Where a growing file begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum ReadFrom {
    Beginning,
    End,
}

/// Where a spooled file goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum Cleanup {
    None,
    Delete,
    Move,
    MoveByDate,
}

impl FileSourceOptions {
    fn check(&self) -> Vec<ConfigProblem> {
        let mut problems = Vec::new();
        let mut problem =
            |option: &str, message: String| problems.push(ConfigProblem::new(option, message));
        if self.path.is_empty() {
            problem("path", "names no file".to_owned());
        }
        for (option, patterns) in [("path", &self.path.0), ("exclude", &self.exclude)] {
            for pattern in patterns {
                if let Err(error) = glob::Pattern::new(pattern) {
                    problem(option, format!("`{pattern}` is not a glob: {error}"));
                }
            }
        }
        match self.text_encoding() {
            Some(encoding) => self.check_legacy(encoding, &mut problem),
            None => problem("encoding", unknown_encoding(&self.encoding)),
        }
        if share(&self.file_share).is_none() {
            problem("file.share", "is not `index/count`".to_owned());
        }
        if self.poll_interval.is_zero() {
            problem("poll.interval", "must be longer than nothing".to_owned());
        }
        self.check_format(&mut problem);
        self.check_spool(&mut problem);
        problems
    }

    fn check_format(&self, problem: &mut impl FnMut(&str, String)) {
        match self.format {
            SourceFormat::Csv | SourceFormat::Tsv => self.csv.check(problem),
            SourceFormat::Xml if steps(&self.xml_path).is_empty() => problem(
                "xml.path",
                "must name the elements that are records, such as `/catalog/book`".to_owned(),
            ),
            SourceFormat::Json
                if !self.json_path.is_empty() && !self.json_path.starts_with('/') =>
            {
                problem(
                    "json.path",
                    format!(
                        "`{}` is not a JSON pointer: it begins with `/`",
                        self.json_path
                    ),
                );
            }
            SourceFormat::Lines
            | SourceFormat::Jsonl
            | SourceFormat::Json
            | SourceFormat::Xml
            | SourceFormat::Fixed
            | SourceFormat::Copybook => {}
        }
        if let Some(pattern) = &self.multiline_start_pattern {
            if self.format != SourceFormat::Lines {
                problem(
                    "multiline.start.pattern",
                    "joins lines of `format: lines` only".to_owned(),
                );
            }
            if let Err(error) = fancy_regex::Regex::new(pattern) {
                problem(
                    "multiline.start.pattern",
                    format!("is not a regular expression: {error}"),
                );
            }
        }
    }

    /// Returns the encoding, `None` for an unknown label.
    pub(crate) fn text_encoding(&self) -> Option<TextEncoding> {
        encoding(&self.encoding, self.encoding_user_defined)
    }

    fn check_legacy(&self, encoding: TextEncoding, problem: &mut impl FnMut(&str, String)) {
        match self.format {
            SourceFormat::Fixed => self.fixed.check(encoding, problem),
            SourceFormat::Copybook => self.copybook.check(encoding, problem),
            _ => {}
        }
        let control = self.control.control(problem);
        match self.format {
            SourceFormat::Fixed => self.fixed.check_control(&control, encoding, problem),
            SourceFormat::Copybook => {}
            _ if control.is_set() => problem(
                "control.count",
                "control totals are for `format: fixed` and `copybook`".to_owned(),
            ),
            _ => {}
        }
    }

    fn check_spool(&self, problem: &mut impl FnMut(&str, String)) {
        let moves = matches!(self.cleanup, Cleanup::Move | Cleanup::MoveByDate);
        if moves && self.finished_path.is_none() {
            problem(
                "finished.path",
                "must be set, since `cleanup` moves files there".to_owned(),
            );
        }
        if self.mode == Mode::Spool {
            if self.read_from == ReadFrom::End {
                problem(
                    "read.from",
                    "is for `mode: tail`; a spooled file is read from its start".to_owned(),
                );
            }
            return;
        }
        let only_spool = [
            ("on.duplicate", self.on_duplicate.is_some()),
            ("done.marker", !self.done_marker.is_empty()),
            ("min.file.age", !self.min_file_age.is_zero()),
            ("stable.size.checks", self.stable_size_checks > 0),
            ("cleanup", self.cleanup != Cleanup::None),
            ("error.path", self.error_path.is_some()),
        ];
        for (option, _) in only_spool.iter().filter(|(_, set)| *set) {
            problem(option, "needs `mode: spool`".to_owned());
        }
    }
}
