//! Guesses of an encoding and of a file's shape, each with its reason.

use crate::encoding::TextEncoding;
use crate::fixed::layout::RecordEnd;

/// What a file looks like.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// A format by its name, and why.
    Format(&'static str, &'static str),
    Delimited(u8),
    Fixed {
        len: usize,
        end: RecordEnd,
    },
    /// Record descriptor words.
    Words {
        little: bool,
        includes: bool,
    },
}

/// Records longer than this are not searched for.
const RECORD_BYTES_MAX: usize = 4096;
/// Bytes that a record's length is looked for in.
const SEEN_BYTES: usize = 64 << 10;
/// Lines that are looked at.
const LINES: usize = 1000;

/// Returns an encoding's label, the encoding, and why it is this one.
pub(super) fn encoding(bytes: &[u8]) -> (String, TextEncoding, String) {
    let known = |label: &str, why: &str| {
        let encoding = TextEncoding::for_label(label).unwrap_or(TextEncoding::Utf8);
        (label.to_owned(), encoding, why.to_owned())
    };
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return known("utf-16", "it begins with a byte order mark");
    }
    if ebcdic_share(bytes) > 0.6 {
        let shifts = bytes.contains(&0x0e) && bytes.contains(&0x0f);
        return if shifts {
            known(
                "cp933",
                "spaces are 40 and digits F0 to F9, with double-byte parts between 0E and 0F: EBCDIC",
            )
        } else {
            known(
                "cp037",
                "spaces are 40 and digits F0 to F9: EBCDIC; cp500, cp1047 and cp1140 differ in signs only",
            )
        };
    }
    if bytes.is_ascii() {
        return known("utf-8", "all bytes are ASCII");
    }
    if !breaks(TextEncoding::Utf8, bytes) {
        return known("utf-8", "all of it is valid UTF-8");
    }
    for (label, why) in [
        ("cp949", "it is not UTF-8, and all of it is valid CP949"),
        (
            "shift_jis",
            "it is not UTF-8, and all of it is valid Shift-JIS",
        ),
    ] {
        if TextEncoding::for_label(label).is_some_and(|encoding| !breaks(encoding, bytes)) {
            return known(label, why);
        }
    }
    known(
        "cp949",
        "it is not UTF-8; some bytes are no CP949 either, so look at --encoding",
    )
}

/// Whether bytes are no text of an encoding; a character that the last bytes cut does not count.
fn breaks(encoding: TextEncoding, bytes: &[u8]) -> bool {
    let mut text = String::new();
    encoding
        .decode(bytes, &mut text)
        .is_err_and(|bad| bad.at + 4 < bytes.len())
}

/// The share of bytes that EBCDIC text is mostly made of.
fn ebcdic_share(bytes: &[u8]) -> f64 {
    let typical = |byte: &&u8| matches!(byte, 0x40 | 0xf0..=0xf9 | 0xc1..=0xc9 | 0xd1..=0xd9 | 0xe2..=0xe9 | 0x81..=0x89 | 0x91..=0x99 | 0xa2..=0xa9);
    let ascii = |byte: &&u8| matches!(byte, b' ' | b'0'..=b'9' | b'\n');
    let (n, digits_and_spaces) = (
        bytes.iter().filter(typical).count(),
        bytes.iter().filter(ascii).count(),
    );
    // High bytes alone are Korean or Japanese just as well; their spaces, digits and line ends are not.
    let has_spaces = bytes
        .iter()
        .filter(|byte| matches!(byte, 0x40 | 0xf0..=0xf9))
        .count()
        * 10
        > bytes.len();
    if !has_spaces || digits_and_spaces * 10 > bytes.len() {
        return 0.0;
    }
    // Binary and packed numbers say nothing about the text beside them.
    let printable = bytes.iter().filter(|byte| **byte >= 0x40).count();
    ratio(n, printable)
}

fn ratio(part: usize, whole: usize) -> f64 {
    let number = |n: usize| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
    number(part) / number(whole.max(1))
}

/// Says what a file looks like.
pub(super) fn shape(bytes: &[u8], encoding: TextEncoding, whole: bool, size: u64) -> Shape {
    if let Some(words) = words(bytes, whole) {
        return words;
    }
    let text = bytes
        .strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(bytes)
        .trim_ascii_start();
    if encoding.is_ascii_compatible() {
        match text.first() {
            Some(b'<') => {
                return Shape::Format(
                    "xml",
                    "it begins with `<`; set `xml.path` to the elements that are records",
                );
            }
            Some(b'[') => return Shape::Format("json", "it begins with `[`"),
            Some(b'{') if text.contains(&b'\n') => {
                return Shape::Format("jsonl", "its lines begin with `{`");
            }
            _ => {}
        }
    }
    let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').take(LINES).collect();
    let complete = lines
        .get(..lines.len().saturating_sub(1))
        .unwrap_or_default();
    let has_lines = encoding.is_ascii_compatible() && complete.len() >= 2;
    if !has_lines {
        return match record_len(bytes, encoding, size) {
            Some(len) => Shape::Fixed {
                len,
                end: RecordEnd::None,
            },
            None => Shape::Format("lines", "nothing else was recognised"),
        };
    }
    if let Some(delimiter) = delimiter(complete) {
        return Shape::Delimited(delimiter);
    }
    let crlf = complete.iter().all(|line| line.ends_with(b"\r"));
    let len = |line: &[u8]| line.len() - usize::from(crlf);
    let first = complete.first().map_or(0, |line| len(line));
    if first > 1 && complete.iter().all(|line| len(line) == first) {
        let end = if crlf { RecordEnd::Crlf } else { RecordEnd::Lf };
        return Shape::Fixed { len: first, end };
    }
    Shape::Format("lines", "lines of different lengths without a delimiter")
}

/// Descriptor words that lead from record to record.
fn words(bytes: &[u8], whole: bool) -> Option<Shape> {
    for little in [false, true] {
        for includes in [true, false] {
            let (mut at, mut records) = (0, 0);
            let fits = loop {
                let Some(&[a, b, c, d]) = bytes.get(at..at + 4) else {
                    break records > 0 && (!whole || at == bytes.len());
                };
                let length = if little {
                    u16::from_le_bytes([a, b])
                } else {
                    u16::from_be_bytes([a, b])
                };
                let length = usize::from(length) + if includes { 0 } else { 4 };
                if (c, d) != (0, 0) || length < 5 {
                    break false;
                }
                at += length;
                records += 1;
                if at > bytes.len() {
                    break !whole && records > 1;
                }
            };
            if fits && records > 1 {
                return Some(Shape::Words { little, includes });
            }
        }
    }
    None
}

/// A delimiter that all lines have equally often.
fn delimiter(lines: &[&[u8]]) -> Option<u8> {
    let counts = |delimiter: u8| {
        let count = |line: &&[u8]| {
            let mut quoted = false;
            line.iter()
                .filter(|byte| {
                    quoted ^= **byte == b'"';
                    **byte == delimiter && !quoted
                })
                .count()
        };
        let first = lines.first().map_or(0, count);
        (first > 0
            && lines
                .iter()
                .all(|line| line.is_empty() || count(line) == first))
        .then_some(first)
    };
    [b',', b'\t', b';', b'|']
        .into_iter()
        .filter_map(|delimiter| Some((counts(delimiter)?, delimiter)))
        .max()
        .map(|(_, delimiter)| delimiter)
}

/// The length at which bytes of one kind stand under each other.
fn record_len(bytes: &[u8], encoding: TextEncoding, size: u64) -> Option<usize> {
    let end = bytes
        .iter()
        .rposition(|byte| *byte != 0x1a)
        .map_or(0, |at| at + 1);
    let marks = (bytes.len() - end) as u64;
    let size = size - marks.min(size);
    let bytes = bytes.get(..end)?;
    let seen = bytes.get(..SEEN_BYTES.min(bytes.len()))?;
    let kinds: Vec<u8> = seen.iter().map(|byte| kind(*byte, encoding)).collect();
    // Where one kind of byte follows another: these places stand under each other in records of one length.
    let turns: Vec<Option<(u8, u8)>> = kinds
        .windows(2)
        .map(|pair| match *pair {
            [a, b] if a != b => Some((a, b)),
            _ => None,
        })
        .collect();
    let score = |len: usize| {
        let pairs = turns.iter().zip(turns.get(len..).unwrap_or_default());
        let (equal, all) = pairs.fold((0, 0), |(equal, all), pair| match pair {
            (None, None) => (equal, all),
            (a, b) => (equal + usize::from(a == b), all + 1),
        });
        ratio(equal, all)
    };
    let divides = |len: &usize| u64::try_from(*len).is_ok_and(|len| size.is_multiple_of(len));
    let lens = (2..=RECORD_BYTES_MAX.min(seen.len() / 2)).filter(divides);
    let best =
        lens.map(|len| (len, score(len)))
            .fold(
                None,
                |best: Option<(usize, f64)>, (len, score)| match best {
                    // A multiple of the length is as good: the shortest one counts.
                    Some((_, most)) if score <= most + 0.05 => best,
                    _ => Some((len, score)),
                },
            );
    best.filter(|(_, score)| *score > 0.2).map(|(len, _)| len)
}

/// Digits, spaces, other characters of one byte, those of two, and controls.
pub(super) fn kind(byte: u8, encoding: TextEncoding) -> u8 {
    if !encoding.is_ascii_compatible() {
        return match byte {
            0xf0..=0xf9 => 0,
            0x40 => 1,
            0x41.. => 2,
            _ => 4,
        };
    }
    match byte {
        b'0'..=b'9' => 0,
        b' ' => 1,
        b'!'..=b'~' => 2,
        0x80.. => 3,
        _ => 4,
    }
}
