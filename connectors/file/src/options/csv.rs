//! How CSV is written and what its columns hold.

use std::collections::BTreeMap;

use linkspan_sdk::prelude::*;

use super::ascii;
use crate::column::{ColumnType, TYPE_WORDS};
use crate::decode::Dialect;
use crate::moment::Zone;

/// How CSV is written and what its columns hold.
#[derive(Debug, Clone, Options)]
pub(crate) struct CsvOptions {
    /// The character between two fields; `\t` is a tab. In `format: tsv` it is a tab unless set to another than `,`.
    #[option(default = ",", group = "csv")]
    pub(crate) delimiter: String,
    /// The character around a field that holds a delimiter or a newline. Empty: there is none, and a quote is a character like
    /// any other.
    #[option(default = "\"", group = "csv")]
    pub(crate) quote: String,
    /// A character that takes the meaning from the next one in a quoted field. Unset: a quote is doubled.
    #[option(group = "csv")]
    pub(crate) escape: Option<String>,
    /// A line that begins with this character is passed.
    #[option(group = "csv")]
    pub(crate) comment: Option<String>,
    /// In a quoted field, a quote that is neither doubled nor at the field's end is text. Without it such a record is bad.
    #[option(default = "false", group = "csv")]
    pub(crate) lazy_quotes: bool,
    /// Blanks around a field are no part of it; those inside of quotes are.
    #[option(default = "false", group = "csv")]
    pub(crate) trim: bool,
    /// How records end: `lf` (or CRLF), or `cr`, as old Macintosh files do.
    #[option(default = "lf", group = "csv")]
    pub(crate) line_end: LineEnd,
    /// When a row has fewer fields than there are columns: `fail`, or `pad` makes the missing ones null. Too many are always bad.
    #[option(default = "fail", group = "csv")]
    pub(crate) short_rows: ShortRows,
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
    /// Columns that `csv.types` does not name get a type by what the first rows of each file hold, kept with the file's position:
    /// `int64`, `float64`, `boolean`, `date`, `time`, `timestamp` or text.
    #[option(default = "false", group = "csv")]
    pub(crate) infer: bool,
    /// The most rows that are looked at to infer types; all of them lie in the first 64 KiB.
    #[option(default = "1000", min = 1, group = "csv")]
    pub(crate) infer_records: u32,
    /// The character before the fraction of a number.
    #[option(default = ".", group = "csv")]
    pub(crate) decimal_separator: String,
    /// The character between groups of three digits, which is passed.
    #[option(group = "csv")]
    pub(crate) group_separator: Option<String>,
    /// The zone of timestamps that have none: `UTC`, an offset such as `+09:00` or a name such as `Asia/Seoul`, which the
    /// system's zone database must know. Unset: such timestamps are refused.
    #[option(group = "csv")]
    pub(crate) timezone: Option<String>,
}

/// How records of CSV end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum LineEnd {
    Lf,
    Cr,
}

/// What a row with too few fields is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum ShortRows {
    Fail,
    Pad,
}

impl CsvOptions {
    pub(super) fn check(&self, problem: &mut impl FnMut(&str, String)) {
        let single = || "must be one ASCII character other than a line end".to_owned();
        let mut one = |option: &str, text: Option<&str>| {
            if text.is_some_and(|text| ascii(text).is_none()) {
                problem(option, single());
            }
        };
        one("csv.delimiter", Some(&self.delimiter));
        one("csv.escape", self.escape.as_deref());
        one("csv.comment", self.comment.as_deref());
        one(
            "csv.quote",
            Some(self.quote.as_str()).filter(|text| !text.is_empty()),
        );
        let delimiter = ascii(&self.delimiter);
        if delimiter.is_some() && delimiter == ascii(&self.quote) {
            problem(
                "csv.quote",
                "is the same character as `csv.delimiter`".to_owned(),
            );
        }
        if self.trim && matches!(delimiter, Some(b' ' | b'\t')) {
            problem(
                "csv.trim",
                "cannot be set where a blank is the delimiter".to_owned(),
            );
        }
        self.check_numbers(problem);
        self.check_columns(problem);
    }

    fn check_numbers(&self, problem: &mut impl FnMut(&str, String)) {
        let is_separator = |text: &str| {
            let mut chars = text.chars();
            chars
                .next()
                .is_some_and(|c| !c.is_ascii_alphanumeric() && c != '-')
                && chars.next().is_none()
        };
        if !is_separator(&self.decimal_separator) {
            problem(
                "csv.decimal.separator",
                "must be one character other than a letter or a digit".to_owned(),
            );
        }
        if let Some(group) = &self.group_separator
            && (!is_separator(group) || *group == self.decimal_separator)
        {
            problem(
                "csv.group.separator",
                "must be one character other than a letter, a digit or `csv.decimal.separator`"
                    .to_owned(),
            );
        }
    }

    fn check_columns(&self, problem: &mut impl FnMut(&str, String)) {
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
            quote: ascii(&self.quote),
            escape: self.escape.as_deref().and_then(ascii),
            comment: self.comment.as_deref().and_then(ascii),
            lazy: self.lazy_quotes,
            trim: self.trim,
            end: match self.line_end {
                LineEnd::Lf => b'\n',
                LineEnd::Cr => b'\r',
            },
        }
    }

    pub(crate) fn zone(&self) -> Option<Zone> {
        self.timezone.as_deref().and_then(|text| text.parse().ok())
    }
}
