//! Java's `.properties` (`java.util.Properties.load`): comments, three separators, escapes, lines that go on.

use super::Pair;
use crate::codes;
use crate::report::{Draft, Report};
use crate::source::{FileId, Span};

/// One character and where it stands.
#[derive(Clone, Copy)]
struct Place {
    c: char,
    line: usize,
    column: usize,
    /// It came from an escape: neither a separator nor a blank.
    escaped: bool,
}

/// Reads all pairs; a key that is written twice is reported, the last one counts, as in Java.
pub(super) fn read(report: &mut Report, id: FileId, text: &str) -> Vec<Pair> {
    let mut pairs: Vec<Pair> = Vec::new();
    for line in logical_lines(report, id, text) {
        let Some(pair) = pair(id, &line) else {
            continue;
        };
        if let Some(earlier) = pairs.iter_mut().find(|earlier| earlier.key == pair.key) {
            let message = format!(
                "`{}` is written twice; the last one counts",
                pair.key.escape_debug()
            );
            report.push(
                Draft::warning(&codes::DUPLICATE_KEY, pair.key_span, message)
                    .related(earlier.key_span, "first at"),
            );
            *earlier = pair;
        } else {
            pairs.push(pair);
        }
    }
    pairs
}

/// Joins lines that end in a backslash and undoes escapes.
fn logical_lines(report: &mut Report, id: FileId, text: &str) -> Vec<Vec<Place>> {
    let mut lines = Vec::new();
    let mut current: Vec<Place> = Vec::new();
    let mut goes_on = false;
    for (index, natural) in text.lines().enumerate() {
        let line = index + 1;
        let blank = natural.len() - natural.trim_start_matches([' ', '\t', '\x0c']).len();
        let content = natural.get(blank..).unwrap_or_default();
        if !goes_on && (content.is_empty() || content.starts_with(['#', '!'])) {
            continue;
        }
        let column = natural.get(..blank).unwrap_or_default().chars().count() + 1;
        goes_on = unescape(report, id, content, (line, column), &mut current);
        if !goes_on {
            lines.push(std::mem::take(&mut current));
        }
    }
    if !current.is_empty() {
        lines.push(current);
    }
    lines
}

/// Appends a natural line; returns whether it goes on with the next.
fn unescape(
    report: &mut Report,
    id: FileId,
    content: &str,
    (line, first): (usize, usize),
    out: &mut Vec<Place>,
) -> bool {
    let mut chars = content.chars().enumerate();
    while let Some((offset, c)) = chars.next() {
        let column = first + offset;
        if c != '\\' {
            out.push(Place {
                c,
                line,
                column,
                escaped: false,
            });
            continue;
        }
        let Some((_, next)) = chars.next() else {
            return true;
        };
        let c = match next {
            't' => '\t',
            'n' => '\n',
            'r' => '\r',
            'f' => '\x0c',
            'u' => {
                let digits: String = chars.by_ref().take(4).map(|(_, digit)| digit).collect();
                match code_unit(&digits) {
                    Some(c) => c,
                    None => {
                        let span = Span::at(id, line, column).part(0, 2 + digits.chars().count());
                        let message = "`\\u` takes four hexadecimal digits of a character";
                        report.push(Draft::error(&codes::PROPERTIES_SYNTAX, span, message));
                        char::REPLACEMENT_CHARACTER
                    }
                }
            }
            other => other,
        };
        out.push(Place {
            c,
            line,
            column,
            escaped: true,
        });
    }
    false
}

/// Characters beyond the first plane are two code units in Java's files; write them as UTF-8 instead.
fn code_unit(digits: &str) -> Option<char> {
    let whole = digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    whole
        .then(|| {
            u32::from_str_radix(digits, 16)
                .ok()
                .and_then(char::from_u32)
        })
        .flatten()
}

/// Splits at the first `=`, `:` or blank that is not escaped.
fn pair(id: FileId, line: &[Place]) -> Option<Pair> {
    let blank = |place: &Place| !place.escaped && matches!(place.c, ' ' | '\t' | '\x0c');
    let separator = |place: &Place| !place.escaped && matches!(place.c, '=' | ':');
    let end = line
        .iter()
        .position(|place| blank(place) || separator(place))
        .unwrap_or(line.len());
    let (key, rest) = line.split_at_checked(end)?;
    let skip = rest
        .iter()
        .position(|place| !blank(place))
        .unwrap_or(rest.len());
    let mut value = rest.get(skip..)?;
    if value.first().is_some_and(separator) {
        value = value.get(1..)?;
        let skip = value
            .iter()
            .position(|place| !blank(place))
            .unwrap_or(value.len());
        value = value.get(skip..)?;
    }
    let start = line.first()?;
    Some(Pair {
        key: key.iter().map(|place| place.c).collect(),
        key_span: span(id, key).unwrap_or(Span::at(id, start.line, start.column)),
        // Connect trims the value of almost every option; a secret keeps what it is by an escape.
        value: trimmed(value),
        value_span: span(id, value)
            .or_else(|| span(id, line))
            .unwrap_or(Span::at(id, start.line, start.column)),
    })
}

fn trimmed(value: &[Place]) -> String {
    let last = value
        .iter()
        .rposition(|place| place.escaped || !place.c.is_whitespace())
        .map_or(0, |at| at + 1);
    value.iter().take(last).map(|place| place.c).collect()
}

fn span(id: FileId, places: &[Place]) -> Option<Span> {
    let (first, last) = (places.first()?, places.last()?);
    Some(Span {
        file: id,
        line: first.line,
        column: first.column,
        end_line: last.line,
        end_column: last.column + 1,
    })
}
