//! Cuts text into lines.

use crate::format::Bad;

/// A line and how much of the text it takes up.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    /// The line without its `\n` or `\r\n`.
    pub(crate) text: &'a str,
    /// Bytes up to the start of the next line.
    pub(crate) len: usize,
}

/// Takes the first line of `text`; `None` when its end is not in sight.
///
/// `last` says that the file ends with `text`: then a line needs no newline.
#[inline]
pub(crate) fn split(text: &str, last: bool) -> Option<Line<'_>> {
    let (end, len) = match memchr::memchr(b'\n', text.as_bytes()) {
        Some(at) => (at, at + 1),
        None if last && !text.is_empty() => (text.len(), text.len()),
        None => return None,
    };
    let line = text.get(..end)?;
    Some(Line {
        text: line.strip_suffix('\r').unwrap_or(line),
        len,
    })
}

/// Refuses a line longer than the limit.
#[inline]
pub(crate) fn check_len(len: usize, max: usize, csv: bool) -> Result<(), Bad> {
    if len > max {
        Err(Bad::too_long(max, csv))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    fn check(text: &str, last: bool, expected: &[&str], rest: &str) {
        let (mut lines, mut at) = (Vec::new(), 0);
        while let Some(line) = split(text.get(at..).unwrap(), last) {
            lines.push(line.text);
            at += line.len;
        }
        assert_eq!(
            (lines.as_slice(), text.get(at..).unwrap()),
            (expected, rest),
            "{text:?}"
        );
    }

    #[test]
    fn lines_end_with_lf_or_crlf() {
        check("a\nb\r\n\n\r\nc\n", false, &["a", "b", "", "", "c"], "");
        check("가나\n똠방각하\n", false, &["가나", "똠방각하"], "");
        check("a\rb\n", false, &["a\rb"], "");
    }

    #[test]
    fn last_line_without_newline_waits_until_the_file_ends() {
        check("a\nb", false, &["a"], "b");
        check("a\nb", true, &["a", "b"], "");
        check("a\r", true, &["a"], "");
        check("", true, &[], "");
    }
}
