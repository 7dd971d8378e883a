//! Options of fixed-width and copybook files, of encodings and of control totals.

use std::collections::BTreeMap;
use std::path::PathBuf;

use linkspan_sdk::prelude::*;

use crate::control::Control;
use crate::copybook::frame::{Frames, RecordFormat};
use crate::copybook::parse;
use crate::copybook::plan::{Plan, Settings};
use crate::encoding::{Fallback, LABELS, TextEncoding};
use crate::fixed::encoder::OnUnmappable;
use crate::fixed::field::Context;
use crate::fixed::layout::{Layout, RecordEnd};
use crate::fixed::number::Sign;
use crate::moment::Zone;

/// The JSON text of a map whose values are maps and lists themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct JsonMap(pub(crate) String);

impl OptionValue for JsonMap {
    const KIND: &'static str = "map";

    fn parse(_name: &str, text: &str) -> Result<Self, String> {
        let parsed: Result<serde_json::Map<String, serde_json::Value>, _> =
            serde_json::from_str(text);
        parsed
            .map(|_| Self(text.to_owned()))
            .map_err(|_| "a map".to_owned())
    }
}

impl OptionValue for OnUnmappable {
    const KIND: &'static str = "string";

    fn parse(_name: &str, text: &str) -> Result<Self, String> {
        let wrong =
            || "`fail`, `dlq` or `replace(BYTE)`, the byte as a character or as 0x3F".to_owned();
        match text.trim() {
            "fail" => Ok(Self::Fail),
            "dlq" => Ok(Self::Dlq),
            other => {
                let inner = other
                    .strip_prefix("replace(")
                    .and_then(|rest| rest.strip_suffix(')'));
                let inner = inner.ok_or_else(wrong)?;
                if let Some(digits) = inner.strip_prefix("0x") {
                    return u8::from_str_radix(digits, 16)
                        .map(Self::Replace)
                        .map_err(|_| wrong());
                }
                match inner.as_bytes() {
                    &[byte] if byte.is_ascii() => Ok(Self::Replace(byte)),
                    _ => Err(wrong()),
                }
            }
        }
    }
}

impl OnUnmappable {
    pub(crate) fn fallback(self) -> Fallback {
        match self {
            Self::Replace(byte) => Fallback::Byte(byte),
            Self::Fail | Self::Dlq => Fallback::Refuse,
        }
    }
}

/// Where CP949's user-defined rows go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum UserDefined {
    Fail,
    PrivateUse,
}

/// Finds the encoding of a label.
pub(crate) fn encoding(label: &str, user_defined: UserDefined) -> Option<TextEncoding> {
    let encoding = TextEncoding::for_label(label)?;
    Some(encoding.with_user_defined(user_defined == UserDefined::PrivateUse))
}

/// Says what is wrong with a label.
pub(crate) fn unknown_encoding(label: &str) -> String {
    format!("`{label}` is not an encoding that is known; there are {LABELS}")
}

/// How fixed-width records are laid out.
#[derive(Debug, Clone, Options)]
pub(crate) struct FixedOptions {
    /// The record types: a map of names to `when` (bytes at a position), `fields`, `length`, `emit` and `topic`; see the README.
    #[option(default = "{}", group = "fixed")]
    pub(crate) layout: JsonMap,
    /// How records end: `lf`, `crlf`, or `none` for records that follow each other without a line end.
    #[option(default = "lf", group = "fixed")]
    pub(crate) record_end: RecordEnd,
    /// A record that ends too early: `true` fills it up with spaces, `false` makes it a bad record.
    #[option(default = "false", group = "fixed")]
    pub(crate) pad_short_records: bool,
    /// The zone of timestamps: `UTC`, an offset or a name such as `Asia/Seoul`.
    #[option(group = "fixed")]
    pub(crate) timezone: Option<String>,
    /// In a sink: the column that tells the record type of a row, by the type's name or its `when` text. Unset: the name of the
    /// row's schema tells it, which a row of this connector's source has.
    #[option(group = "fixed")]
    pub(crate) type_column: Option<String>,
}

impl FixedOptions {
    fn zone(&self) -> Option<Zone> {
        self.timezone.as_deref().and_then(|text| text.parse().ok())
    }

    pub(crate) fn layout(&self, encoding: TextEncoding) -> Result<Layout, Vec<String>> {
        Layout::parse(&self.layout.0, encoding, self.zone().is_some())
    }

    pub(crate) fn context(&self, encoding: TextEncoding, fallback: Fallback) -> Context {
        Context {
            encoding,
            zone: self.zone(),
            fallback,
        }
    }

    pub(crate) fn check(&self, encoding: TextEncoding, problem: &mut impl FnMut(&str, String)) {
        if self.timezone.is_some() && self.zone().is_none() {
            problem("fixed.timezone", "is neither `UTC`, nor an offset such as `+09:00`, nor a name that this system's zone database knows".to_owned());
        }
        if let Err(wrong) = self.layout(encoding) {
            wrong
                .into_iter()
                .for_each(|wrong| problem("fixed.layout", wrong));
        }
    }

    /// Checks that the layout has what control totals name.
    pub(crate) fn check_control(
        &self,
        control: &Control,
        encoding: TextEncoding,
        problem: &mut impl FnMut(&str, String),
    ) {
        let Ok(layout) = self.layout(encoding) else {
            return;
        };
        let has = |record: &str, field: &str| {
            let kind = layout.types.iter().find(|kind| kind.name == record);
            kind.is_some_and(|kind| kind.named().any(|(name, _)| name == field))
        };
        let declared = control
            .count
            .iter()
            .map(|declared| ("control.count", declared));
        for (option, declared) in declared.chain(
            control
                .sums
                .iter()
                .map(|(_, declared)| ("control.sum", declared)),
        ) {
            if !has(&declared.record, &declared.field) {
                problem(option, format!("the layout has no {declared}"));
            }
        }
        for (field, _) in &control.sums {
            if !layout
                .types
                .iter()
                .any(|kind| kind.emit && has(&kind.name, field))
            {
                problem(
                    "control.sum",
                    format!("no record type that is handed out has a field `{field}`"),
                );
            }
        }
    }
}

/// How column names are made of COBOL names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum Names {
    Snake,
    Cobol,
}

/// What becomes of groups and tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum Groups {
    Nested,
    Flat,
}

/// Which items that share bytes are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum Redefines {
    First,
    All,
}

/// A byte order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum ByteOrder {
    Big,
    Little,
}

/// How a sign is written into an ASCII digit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum AsciiSign {
    MicroFocus,
    Ibm,
}

/// How a copybook's records are stored.
#[derive(Debug, Clone, Options)]
pub(crate) struct CopybookOptions {
    /// The file with the copybook.
    #[option(group = "copybook")]
    pub(crate) file: Option<PathBuf>,
    /// The copybook itself, instead of a file.
    #[option(group = "copybook")]
    pub(crate) text: Option<String>,
    /// Which 01 level describes the records, where there are several.
    #[option(group = "copybook")]
    pub(crate) record: Option<String>,
    /// How records are told apart: `fixed` by their length, `rdw` by a record descriptor word in front of each, `bdw` by block
    /// and record descriptor words, `lines` by line ends.
    #[option(default = "fixed", group = "copybook")]
    pub(crate) record_format: RecordFormat,
    /// The length of `fixed` records where it is more than the copybook describes.
    #[option(group = "copybook")]
    pub(crate) record_length: Option<u32>,
    /// The byte order of the length in a descriptor word.
    #[option(default = "big", group = "copybook")]
    pub(crate) rdw_order: ByteOrder,
    /// The length in a descriptor word counts the word itself, as IBM writes it; GnuCOBOL does not.
    #[option(default = "true", group = "copybook")]
    pub(crate) rdw_includes_itself: bool,
    /// Column names: `snake` makes `cust_name` of `CUST-NAME`, `cobol` leaves it.
    #[option(default = "snake", group = "copybook")]
    pub(crate) names: Names,
    /// `nested`: groups are structs and tables are arrays. `flat`: one row, the items of a table with a number behind their name.
    #[option(default = "nested", group = "copybook")]
    pub(crate) groups: Groups,
    /// Of items that share bytes: the `first` only, or `all`. Segments are chosen by `copybook.segments`.
    #[option(default = "first", group = "copybook")]
    pub(crate) redefines: Redefines,
    /// COMP of one or two digits takes one byte, as GnuCOBOL's default has it, not two.
    #[option(default = "false", group = "copybook")]
    pub(crate) small_binary: bool,
    /// The byte order of COMP-5.
    #[option(default = "little", group = "copybook")]
    pub(crate) comp5_order: ByteOrder,
    /// Which group a field's value chooses: `{SEG-ID: {C: COMPANY, P: PERSON}}`.
    #[option(default = "{}", group = "copybook")]
    pub(crate) segments: JsonMap,
    /// Groups of `copybook.segments` whose records are not handed out, such as a header and a trailer.
    #[option(default = "[]", group = "copybook")]
    pub(crate) skip_segments: Vec<String>,
    /// How the sign of a DISPLAY number is written in ASCII: `micro_focus` (p to y are negative) or `ibm` (A to I, J to R).
    #[option(default = "micro_focus", group = "copybook")]
    pub(crate) ascii_sign: AsciiSign,
}

impl CopybookOptions {
    /// Reads and plans the copybook; what is wrong comes with the option's name.
    pub(crate) fn plan(&self, encoding: TextEncoding) -> Result<Plan, Vec<(&'static str, String)>> {
        let text = match (&self.text, &self.file) {
            (Some(text), None) => Ok(text.clone()),
            (None, Some(file)) => read(file),
            (Some(_), Some(_)) => {
                Err("is set together with `copybook.text`; one of them is enough".to_owned())
            }
            (None, None) => Err(
                "must be set (or `copybook.text`): the copybook that describes the records"
                    .to_owned(),
            ),
        };
        let text = text.map_err(|wrong| vec![("copybook.file", wrong)])?;
        let origin = if self.text.is_some() {
            "copybook.text"
        } else {
            "copybook.file"
        };
        let named = |wrong: Vec<String>| {
            wrong
                .into_iter()
                .map(|wrong| (origin, wrong))
                .collect::<Vec<_>>()
        };
        let items = parse::parse(&text).map_err(named)?;
        let segments = self
            .segments()
            .map_err(|wrong| vec![("copybook.segments", wrong)])?;
        let settings = Settings {
            encoding,
            snake: self.names == Names::Snake,
            flat: self.groups == Groups::Flat,
            all_redefines: self.redefines == Redefines::All,
            small_binary: self.small_binary,
            native_little: self.comp5_order == ByteOrder::Little,
            segments,
            ascii_sign: match self.ascii_sign {
                AsciiSign::MicroFocus => Sign::ZonedAscii,
                AsciiSign::Ibm => Sign::Zoned,
            },
        };
        Plan::new(&items, self.record.as_deref(), settings).map_err(named)
    }

    fn segments(&self) -> Result<BTreeMap<String, BTreeMap<String, String>>, String> {
        let parsed: BTreeMap<String, BTreeMap<String, String>> =
            serde_json::from_str(&self.segments.0)
                .map_err(|_| "must be `{FIELD: {VALUE: GROUP}}`".to_owned())?;
        let upper = |text: String| text.to_ascii_uppercase();
        Ok(parsed
            .into_iter()
            .map(|(field, values)| {
                (
                    upper(field),
                    values
                        .into_iter()
                        .map(|(value, group)| (value, upper(group)))
                        .collect(),
                )
            })
            .collect())
    }

    pub(crate) fn skipped(&self) -> Vec<String> {
        self.skip_segments
            .iter()
            .map(|name| name.to_ascii_uppercase())
            .collect()
    }

    pub(crate) fn frames(&self) -> Frames {
        Frames {
            format: self.record_format,
            little: self.rdw_order == ByteOrder::Little,
            includes_word: self.rdw_includes_itself,
        }
    }

    pub(crate) fn check(&self, encoding: TextEncoding, problem: &mut impl FnMut(&str, String)) {
        let plan = match self.plan(encoding) {
            Ok(plan) => plan,
            Err(wrong) => {
                return wrong
                    .into_iter()
                    .for_each(|(option, wrong)| problem(option, wrong));
            }
        };
        if let Some(len) = self.record_length.and_then(|len| usize::try_from(len).ok())
            && len < plan.len
        {
            problem(
                "copybook.record.length",
                format!("is {len}, but the copybook describes {} bytes", plan.len),
            );
        }
    }
}

/// The longest copybook that is read.
const COPYBOOK_BYTES_MAX: u64 = 4 << 20;

fn read(file: &std::path::Path) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("`{}` cannot be read: {error}", file.display());
    let size = std::fs::metadata(file).map_err(failed)?.len();
    if size > COPYBOOK_BYTES_MAX {
        return Err(format!(
            "`{}` has more than 4 MiB, it is no copybook",
            file.display()
        ));
    }
    let bytes = std::fs::read(file).map_err(failed)?;
    // Comments are in whatever encoding their author used; what counts is ASCII.
    Ok(match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let mut text = String::new();
            let korean = TextEncoding::Korean(crate::encoding::Korean::default());
            if korean.decode(error.as_bytes(), &mut text).is_err() {
                text.clear();
                text.extend(error.as_bytes().iter().map(|byte| char::from(*byte)));
            }
            text
        }
    })
}

/// Where a file declares what it holds; nothing of it goes out before its figures match.
#[derive(Debug, Clone, Options)]
pub(crate) struct ControlOptions {
    /// The field that holds the number of records that are handed out, as `RECORD.FIELD`.
    #[option(group = "control")]
    pub(crate) count: Option<String>,
    /// Fields that are added up, each with the field that holds the sum: `{amount: T.amt}`.
    #[option(default = "{}", group = "control")]
    pub(crate) sum: BTreeMap<String, String>,
}

impl ControlOptions {
    /// Reads the options; `problem` gets what is wrong.
    pub(crate) fn control(&self, problem: &mut impl FnMut(&str, String)) -> Control {
        Control::parse(self.count.as_deref(), &self.sum, problem)
    }
}
