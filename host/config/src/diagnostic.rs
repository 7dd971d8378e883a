//! Errors and warnings with file, line, column, a caret and a hint; as text and as JSON.
//!
//! A diagnostic is complete when it is made: it keeps its line of text, already redacted, so that printing needs
//! nothing else and cannot leak.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::codes::{self, Code};
use crate::connect_files::KeyReport;
use crate::source::Location;

/// How bad it is; errors prevent a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// No plan comes out.
    Error,
    /// The plan stands.
    Warning,
}

impl Severity {
    fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// A line of a file and the part of it that is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snippet {
    /// The line, secrets already replaced.
    pub text: String,
    /// Number of characters before the caret.
    pub indent: usize,
    /// Number of characters under the caret.
    pub width: usize,
    /// Text after the carets; may be empty.
    pub label: String,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// The stable code, `LSnnnn`.
    pub code: &'static str,
    /// What is wrong, one line.
    pub message: String,
    /// Where, unless it is about no place in particular.
    pub location: Option<Location>,
    /// The line there.
    pub snippet: Option<Snippet>,
    /// Other places that matter, each with what it is.
    pub related: Vec<(Location, String)>,
    /// Further facts, one line each.
    pub notes: Vec<String>,
    /// What to do next.
    pub help: Option<String>,
}

/// The longest line that is printed under a message; longer ones show the part around the caret.
const SNIPPET_CHARS_MAX: usize = 120;

impl Diagnostic {
    /// Returns an error that belongs to no line of a file.
    #[must_use]
    pub fn error(code: &'static Code, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code: code.code,
            message: message.into(),
            location: None,
            snippet: None,
            related: Vec::new(),
            notes: Vec::new(),
            help: None,
        }
    }

    /// Returns a warning that belongs to no line of a file.
    #[must_use]
    pub fn warning(code: &'static Code, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(code, message)
        }
    }

    /// Adds what to do next.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds a further fact.
    #[must_use]
    pub fn with_note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Renders the message as people read it; without colour it adds nothing but ASCII to the texts it quotes.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        let paint = Paint { on: color };
        let mut out = String::new();
        let head = format!("{}[{}]", self.severity.word(), self.code);
        let tone = match self.severity {
            Severity::Error => "1;31",
            Severity::Warning => "1;33",
        };
        line(
            &mut out,
            &format!(
                "{}{}",
                paint.with(tone, &head),
                paint.with("1", &format!(": {}", self.message))
            ),
        );
        let digits = self
            .location
            .as_ref()
            .map_or(0, |location| location.line.to_string().len());
        let gutter = " ".repeat(digits + 2);
        if let Some(location) = &self.location {
            line(
                &mut out,
                &format!(
                    "{}{} {location}",
                    " ".repeat(digits + 1),
                    paint.with("1;34", "-->")
                ),
            );
            if let Some(snippet) = &self.snippet {
                self.render_snippet(&mut out, snippet, location.line, &gutter, paint);
            }
        }
        let edge = if self.location.is_some() {
            gutter.as_str()
        } else {
            "  "
        };
        let sign = paint.with("1;34", "=");
        for (place, what) in &self.related {
            line(&mut out, &format!("{edge}{sign} {what}: {place}"));
        }
        for note in &self.notes {
            line(&mut out, &format!("{edge}{sign} {note}"));
        }
        if let Some(help) = &self.help {
            line(&mut out, &format!("{edge}{sign} help: {help}"));
        }
        line(
            &mut out,
            &format!("{edge}{sign} more: linkspan explain {}", self.code),
        );
        out
    }

    fn render_snippet(
        &self,
        out: &mut String,
        snippet: &Snippet,
        number: usize,
        gutter: &str,
        paint: Paint,
    ) {
        let bar = paint.with("1;34", "|");
        let (text, indent, width) = window(snippet);
        let before: String = text.chars().take(indent).collect();
        let marked: String = text.chars().skip(indent).take(width).collect();
        let carets = "^".repeat(columns(&marked).max(1));
        let label = if snippet.label.is_empty() {
            String::new()
        } else {
            format!(" {}", snippet.label)
        };
        line(out, &format!("{gutter}{bar}"));
        line(
            out,
            format!(" {number} {bar} {}", printable(&text)).trim_end(),
        );
        let tone = if self.severity == Severity::Error {
            "1;31"
        } else {
            "1;33"
        };
        let caret_line = format!(
            "{}{}",
            " ".repeat(columns(&before)),
            paint.with(tone, &format!("{carets}{label}"))
        );
        line(out, &format!("{gutter}{bar} {caret_line}"));
    }

    /// Returns the message as a JSON object; the texts are those of [`Diagnostic::render`].
    #[must_use]
    pub fn to_json(&self) -> Value {
        let place = |location: &Location| json!({"file": location.file, "line": location.line, "column": location.column});
        json!({
            "severity": self.severity.word(),
            "code": self.code,
            "title": codes::find(self.code).map(|code| code.title),
            "message": self.message,
            "file": self.location.as_ref().map(|location| &location.file),
            "line": self.location.as_ref().map(|location| location.line),
            "column": self.location.as_ref().map(|location| location.column),
            "hint": self.snippet.as_ref().map(|snippet| &snippet.label).filter(|label| !label.is_empty()),
            "help": self.help,
            "notes": self.notes,
            "related": self.related.iter().map(|(location, what)| {
                let mut value = place(location);
                if let Some(map) = value.as_object_mut() {
                    map.insert("what".to_owned(), json!(what));
                }
                value
            }).collect::<Vec<_>>(),
        })
    }
}

/// All messages of one load, sorted by file and line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics {
    items: Vec<Diagnostic>,
    pub(crate) keys: Vec<KeyReport>,
}

impl Diagnostics {
    /// Adds a message.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.items.push(diagnostic);
    }

    /// Returns what became of each key of Kafka Connect's own files, by file and line.
    #[must_use]
    pub fn keys(&self) -> &[KeyReport] {
        &self.keys
    }

    /// Returns true when no plan can come out.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.items
            .iter()
            .any(|item| item.severity == Severity::Error)
    }

    /// Returns true when there is nothing to say.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Returns the messages in the order they are printed.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.items.iter()
    }

    /// Returns the number of errors.
    #[must_use]
    pub fn error_count(&self) -> usize {
        self.items
            .iter()
            .filter(|item| item.severity == Severity::Error)
            .count()
    }

    /// Returns the number of warnings.
    #[must_use]
    pub fn warning_count(&self) -> usize {
        self.items.len() - self.error_count()
    }

    /// Sorts by file, line and column; what has no place comes last. Equal messages are kept once.
    pub(crate) fn sort(&mut self) {
        self.items.sort_by(|a, b| {
            (
                a.location.is_none(),
                &a.location,
                a.severity,
                a.code,
                &a.message,
            )
                .cmp(&(
                    b.location.is_none(),
                    &b.location,
                    b.severity,
                    b.code,
                    &b.message,
                ))
        });
        self.items.dedup();
    }

    /// Renders all messages, an empty line between two.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        self.items
            .iter()
            .map(|item| item.render(color))
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// Returns all messages as a JSON array.
    #[must_use]
    pub fn to_json(&self) -> Value {
        Value::Array(self.items.iter().map(Diagnostic::to_json).collect())
    }
}

#[derive(Clone, Copy)]
struct Paint {
    on: bool,
}

impl Paint {
    fn with(self, tone: &str, text: &str) -> String {
        if self.on {
            format!("\u{1b}[{tone}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}

fn line(out: &mut String, text: &str) {
    // Writing to a `String` cannot fail.
    writeln!(out, "{text}").ok();
}

/// Cuts a long line to the part around the caret.
fn window(snippet: &Snippet) -> (String, usize, usize) {
    let chars: Vec<char> = snippet.text.chars().collect();
    let indent = snippet.indent.min(chars.len());
    let width = snippet.width.min(chars.len().saturating_sub(indent));
    if chars.len() <= SNIPPET_CHARS_MAX {
        return (snippet.text.clone(), indent, width);
    }
    let start = indent.saturating_sub(SNIPPET_CHARS_MAX / 2);
    let text: String = chars.iter().skip(start).take(SNIPPET_CHARS_MAX).collect();
    let left = if start == 0 { "" } else { "..." };
    let right = if start + SNIPPET_CHARS_MAX < chars.len() {
        "..."
    } else {
        ""
    };
    let shown = SNIPPET_CHARS_MAX.saturating_sub(indent - start);
    (
        format!("{left}{text}{right}"),
        indent - start + left.len(),
        width.min(shown),
    )
}

/// Replaces what would move the cursor: a tab becomes four spaces, other control characters a `?`.
fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let (c, times) = match c {
                '\t' => (' ', TAB_COLUMNS),
                c if c.is_control() => ('?', 1),
                c => (c, 1),
            };
            std::iter::repeat_n(c, times)
        })
        .collect()
}

const TAB_COLUMNS: usize = 4;

/// Returns how many columns of a terminal the text takes.
fn columns(text: &str) -> usize {
    text.chars().map(column_width).sum()
}

/// Korean, Chinese, Japanese and full-width characters take two columns, combining marks none.
fn column_width(c: char) -> usize {
    match u32::from(c) {
        9 => TAB_COLUMNS,
        0x0300..=0x036f | 0x200b..=0x200f | 0xfe00..=0xfe0f => 0,
        0x1100..=0x115f
        | 0x2e80..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1faff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}
