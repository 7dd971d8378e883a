//! A proposal for fixed-width records: columns of bytes that are alike become fields, under a ruler.

use std::collections::BTreeMap;

use super::guess::kind;
use crate::encoding::TextEncoding;
use crate::fixed::dates::Pattern;
use crate::fixed::hex;
use crate::fixed::layout::RecordEnd;
use crate::fixed::number::{Sign, parse};

/// Records that are looked at, and that are shown.
const RECORDS: usize = 1000;
const SHOWN: usize = 4;
/// Bytes of a date.
const DATE: usize = 8;
/// More values of a first byte are no record types.
const TYPES_MAX: usize = 6;

/// A run of bytes in all records of a type.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Span {
    start: usize,
    end: usize,
    word: &'static str,
    more: String,
}

pub(super) fn propose(
    bytes: &[u8],
    encoding: TextEncoding,
    len: usize,
    end: RecordEnd,
    notes: &mut Vec<String>,
    yaml: &mut String,
) {
    let step = len + end.bytes().len();
    let records: Vec<&[u8]> = bytes
        .chunks(step)
        .filter_map(|record| record.get(..len))
        .take(RECORDS)
        .collect();
    let word = match end {
        RecordEnd::Lf => "lf",
        RecordEnd::Crlf => "crlf",
        RecordEnd::None => "none",
    };
    notes.push(format!(
        "format: fixed, records of {len} bytes, `record.end: {word}`, {} records looked at",
        records.len()
    ));
    *yaml += &format!("    format: fixed\n    fixed:\n      record.end: {word}\n      layout:\n");
    let types = record_types(&records, encoding);
    for (name, when, members) in &types {
        let spans = spans(members, encoding);
        notes.push(String::new());
        notes.push(format!("record type `{name}`: {} records", members.len()));
        ruler(members, &spans, encoding, notes);
        findings(members, &spans, encoding, notes);
        *yaml += &format!("        {name}:\n");
        if let Some(when) = when {
            *yaml += &format!("          when: {{ at: 1, is: {} }}\n", super::quoted(when));
        }
        *yaml += &format!("          length: {len}\n          fields:\n");
        let filled = spans.iter().filter(|span| {
            let blank = |record: &&[u8]| {
                text_of(record, encoding, span.start, span.end)
                    .is_some_and(|text| text.trim_matches(' ').is_empty())
            };
            !members.iter().all(blank)
        });
        for (index, span) in filled.enumerate() {
            let kind = if span.word == "string" {
                String::new()
            } else {
                format!(", type: {}", super::quoted(span.word))
            };
            *yaml += &format!(
                "            - {{ name: field{}, start: {}, length: {}{kind}{} }}\n",
                index + 1,
                span.start + 1,
                span.end - span.start,
                span.more
            );
        }
    }
}

type Members<'a> = Vec<&'a [u8]>;

/// Tells record types by the first byte, where it is a letter with few values.
fn record_types<'a>(
    records: &[&'a [u8]],
    encoding: TextEncoding,
) -> Vec<(String, Option<String>, Members<'a>)> {
    let mut by_first: BTreeMap<u8, Members<'a>> = BTreeMap::new();
    for record in records {
        by_first
            .entry(record.first().copied().unwrap_or(0))
            .or_default()
            .push(record);
    }
    let letter = |byte: u8| {
        let mut text = String::new();
        encoding.decode(&[byte], &mut text).ok()?;
        Some(text).filter(|text| text.chars().all(|c| c.is_ascii_alphabetic()))
    };
    let letters: Option<Vec<String>> = by_first.keys().map(|byte| letter(*byte)).collect();
    match letters {
        Some(letters)
            if (2..=TYPES_MAX).contains(&letters.len()) && records.len() > letters.len() =>
        {
            letters
                .into_iter()
                .zip(by_first.into_values())
                .map(|(letter, members)| (letter.clone(), Some(letter), members))
                .collect()
        }
        _ => vec![("record".to_owned(), None, records.to_vec())],
    }
}

/// Where the bytes of a record are inside of a character.
fn inside(record: &[u8], encoding: TextEncoding) -> Vec<bool> {
    let mut inside = vec![false; record.len()];
    let mut at = 0;
    let mut text = String::new();
    while at < record.len() {
        text.clear();
        let one = record
            .get(at..=at)
            .is_some_and(|byte| encoding.decode(byte, &mut text).is_ok());
        let two = !one
            && record
                .get(at..at + 2)
                .is_some_and(|pair| encoding.decode(pair, &mut text).is_ok());
        if two && let Some(second) = inside.get_mut(at + 1) {
            *second = true;
        }
        at += if two { 2 } else { 1 };
    }
    inside
}

/// Bytes of one column, as classes: the commonest, and how many have it.
fn columns(members: &[&[u8]], encoding: TextEncoding) -> Vec<u8> {
    let len = members.first().map_or(0, |record| record.len());
    (0..len)
        .map(|at| {
            let mut counts = [0_usize; 5];
            for byte in members.iter().filter_map(|record| record.get(at)) {
                if let Some(count) = counts.get_mut(usize::from(kind(*byte, encoding))) {
                    *count += 1;
                }
            }
            let most = counts.iter().max().copied().unwrap_or(0);
            counts
                .iter()
                .position(|count| *count == most)
                .and_then(|at| u8::try_from(at).ok())
                .unwrap_or(4)
        })
        .collect()
}

fn spans(members: &[&[u8]], encoding: TextEncoding) -> Vec<Span> {
    let columns = columns(members, encoding);
    let cut: Vec<usize> = (0..columns.len())
        .map(|at| {
            members
                .iter()
                .filter(|record| inside(record, encoding).get(at) == Some(&true))
                .count()
        })
        .collect();
    let mut edges = vec![0];
    for (at, pair) in columns.windows(2).enumerate() {
        let &[before, here] = pair else { continue };
        let blank = || {
            let is_space = |record: &&[u8]| {
                record
                    .get(at + 1)
                    .is_some_and(|byte| kind(*byte, encoding) == 1)
            };
            members.iter().all(is_space)
        };
        let begins = match (before, here) {
            // Digits are a field of their own, up to where nothing but spaces stands.
            (0, 1) => blank(),
            (0, other) => other != 0,
            (other, 0) => other != 0,
            // What follows spaces begins a field.
            (1, other) => other != 1,
            _ => false,
        };
        let free = cut.get(at + 1).is_none_or(|cut| cut * 2 < members.len());
        if begins && free {
            edges.push(at + 1);
        }
    }
    edges.push(columns.len());
    split_dates(&mut edges, &columns, members, encoding);
    let mut spans: Vec<Span> = edges
        .windows(2)
        .filter_map(|pair| match *pair {
            [start, end] if start < end => Some(describe(members, encoding, start, end)),
            _ => None,
        })
        .collect();
    join_zoned(&mut spans, members, encoding);
    spans
}

/// Digits that begin with a date hold more than one field.
fn split_dates(edges: &mut Vec<usize>, columns: &[u8], members: &[&[u8]], encoding: TextEncoding) {
    let starts: Vec<usize> = edges
        .windows(2)
        .filter_map(|pair| match *pair {
            [start, end] => {
                let digits = columns
                    .get(start..start + DATE)
                    .is_some_and(|run| run.iter().all(|kind| *kind == 0));
                let longer = start + DATE < end;
                (digits
                    && longer
                    && describe(members, encoding, start, start + DATE).word == "date")
                    .then_some(start + DATE)
            }
            _ => None,
        })
        .collect();
    edges.extend(starts);
    edges.sort_unstable();
}

fn text_of(record: &[u8], encoding: TextEncoding, start: usize, end: usize) -> Option<String> {
    let mut text = String::new();
    encoding
        .decode(record.get(start..end)?, &mut text)
        .ok()
        .map(|()| text)
}

fn describe(members: &[&[u8]], encoding: TextEncoding, start: usize, end: usize) -> Span {
    let texts: Vec<String> = members
        .iter()
        .filter_map(|record| text_of(record, encoding, start, end))
        .collect();
    let filled = || {
        texts
            .iter()
            .map(|text| text.trim())
            .filter(|text| !text.is_empty())
    };
    let most = |test: &dyn Fn(&str) -> bool| {
        let (all, good) = filled().fold((0, 0), |(all, good), text| {
            (all + 1, good + usize::from(test(text)))
        });
        all > 0 && good * 10 >= all * 9
    };
    let date = Pattern::parse("yyyyMMdd");
    let is_date = |text: &str| {
        let days = date.as_ref().and_then(|date| date.read(text.as_bytes()));
        days.is_some_and(|(days, _)| (-25_567..=47_482).contains(&days))
    };
    let number = |text: &str| parse(text.as_bytes(), Sign::Leading, 0, false).is_some();
    let word = if end - start == 8 && most(&is_date) {
        "date"
    } else if most(&number) && end - start <= 18 {
        if end - start <= 9 { "int32" } else { "int64" }
    } else {
        "string"
    };
    let wide = word == "string" && texts.iter().any(|text| text.ends_with('\u{3000}'));
    Span {
        start,
        end,
        word,
        more: if wide {
            ", pad: wide".to_owned()
        } else {
            String::new()
        },
    }
}

/// A single letter behind digits that carries their sign belongs to them.
fn join_zoned(spans: &mut Vec<Span>, members: &[&[u8]], encoding: TextEncoding) {
    let mut at = 0;
    while at + 1 < spans.len() {
        let (Some(digits), Some(sign)) = (spans.get(at).cloned(), spans.get(at + 1).cloned())
        else {
            break;
        };
        let signs = members.iter().all(|record| {
            let text = text_of(record, encoding, digits.start, digits.end + 1);
            text.is_some_and(|text| {
                text.ends_with(|c: char| c == '{' || c == '}' || ('A'..='R').contains(&c))
                    && parse(text.as_bytes(), Sign::Zoned, 0, false).is_some()
            })
        });
        if matches!(digits.word, "int32" | "int64") && signs {
            if let Some(span) = spans.get_mut(at) {
                span.end += 1;
                span.word = "int64";
                span.more = ", sign: zoned".to_owned();
            }
            if sign.end - sign.start == 1 {
                spans.remove(at + 1);
            } else if let Some(next) = spans.get_mut(at + 1) {
                *next = describe(members, encoding, sign.start + 1, sign.end);
            }
        }
        at += 1;
    }
}

/// Records under a ruler that counts bytes; a character of two bytes takes two columns of a terminal.
fn ruler(members: &[&[u8]], spans: &[Span], encoding: TextEncoding, notes: &mut Vec<String>) {
    let len = members.first().map_or(0, |record| record.len());
    let tens: String = (1..=len)
        .map(|at| {
            if at % 10 == 0 {
                char::from(b'0' + u8::try_from(at / 10 % 10).unwrap_or(0))
            } else {
                ' '
            }
        })
        .collect();
    let ones: String = (1..=len)
        .map(|at| char::from(b'0' + u8::try_from(at % 10).unwrap_or(0)))
        .collect();
    notes.push(format!("  {tens}"));
    notes.push(format!("  {ones}"));
    let marks: String = (0..len)
        .map(|at| {
            if spans.iter().any(|span| span.start == at) {
                '|'
            } else {
                '-'
            }
        })
        .collect();
    notes.push(format!("  {marks}"));
    for record in members.iter().take(SHOWN) {
        let inside = inside(record, encoding);
        let mut line = String::new();
        for (at, byte) in record.iter().enumerate() {
            if inside.get(at) == Some(&true) {
                continue;
            }
            let width = if inside.get(at + 1) == Some(&true) {
                2
            } else {
                1
            };
            let mut text = String::new();
            let readable = record
                .get(at..at + width)
                .is_some_and(|raw| encoding.decode(raw, &mut text).is_ok());
            let plain = readable && !text.chars().any(char::is_control);
            line += if plain {
                &text
            } else if width == 2 {
                "??"
            } else {
                "?"
            };
            let _ = byte;
        }
        notes.push(format!("  {line}"));
    }
}

/// What does not fit: a character that an edge cuts, and a value that is not what the others are.
fn findings(members: &[&[u8]], spans: &[Span], encoding: TextEncoding, notes: &mut Vec<String>) {
    for span in spans {
        let split = members
            .iter()
            .position(|record| inside(record, encoding).get(span.start) == Some(&true));
        if let Some(record) = split {
            notes.push(format!("  ! byte {}: in record {} a character lies across this edge; `cut: trim` would drop it", span.start + 1, record + 1));
        }
        let bad = |record: &&[u8]| match text_of(record, encoding, span.start, span.end) {
            None => true,
            Some(text) if text.trim().is_empty() || span.word == "string" => false,
            Some(text) => match span.word {
                "date" => Pattern::parse("yyyyMMdd")
                    .is_none_or(|date| date.read(text.as_bytes()).is_none()),
                _ => parse(
                    text.trim().as_bytes(),
                    if span.more.contains("zoned") {
                        Sign::Zoned
                    } else {
                        Sign::Leading
                    },
                    0,
                    false,
                )
                .is_none(),
            },
        };
        let first = members.iter().position(&bad);
        if let Some((record, raw)) =
            first.and_then(|at| Some((at, members.get(at)?.get(span.start..span.end)?)))
        {
            let count = members.iter().filter(|record| bad(record)).count();
            notes.push(format!("  ! bytes {} to {}: {count} of {} records hold no `{}`, the first is record {}: {}", span.start + 1, span.end, members.len(), span.word, record + 1, hex(raw)));
        }
    }
}
