//! Secrets and values of placeholders are covered in every text that leaves a task: errors, log lines, dead letters.
//!
//! A plugin may tell a value in another form than it got it: in a URL, in JSON. Each character is known as it is,
//! percent-encoded, with a backslash, and a space also as `+`; which of them a text uses may change within the value.

use linkspan_types::HIDDEN;

/// Values of one or two bytes stay: they hide nothing and occur everywhere.
const SHORTEST: usize = 3;

/// Replaces every concealed value in a text by [`HIDDEN`]. Values of one or two bytes stay.
#[must_use]
pub fn conceal(text: &str, concealed: &[String]) -> String {
    // Longer ones first, so that none leaves a piece of another.
    let mut values: Vec<&[u8]> = concealed
        .iter()
        .map(String::as_bytes)
        .filter(|value| value.len() >= SHORTEST)
        .collect();
    if values.is_empty() {
        return text.to_owned();
    }
    values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    let mut covered = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let found = values
            .iter()
            .find_map(|value| length_of(rest.as_bytes(), value));
        // A form ends with a whole character, or what follows is not text.
        let (shown, after) = match found.and_then(|length| rest.get(length..)) {
            Some(after) => (HIDDEN, after),
            None => rest.split_at(first.len_utf8()),
        };
        covered.push_str(shown);
        rest = after;
    }
    covered
}

/// Returns how many bytes at the beginning of a text are the value in one of its forms.
fn length_of(text: &[u8], value: &[u8]) -> Option<usize> {
    let mut at = 0;
    for byte in value {
        at += one(text.get(at..)?, *byte)?;
    }
    Some(at)
}

/// Returns how many bytes at the beginning of a text are this byte.
fn one(text: &[u8], byte: u8) -> Option<usize> {
    match *text {
        [first, ..] if first == byte => Some(1),
        [b'+', ..] if byte == b' ' => Some(1),
        [b'%', high, low, ..] if hex(high)? * 16 + hex(low)? == byte => Some(3),
        [b'\\', escaped, ..] if escaped == byte && !byte.is_ascii_alphanumeric() => Some(2),
        [b'\\', b'n', ..] if byte == b'\n' => Some(2),
        [b'\\', b't', ..] if byte == b'\t' => Some(2),
        [b'\\', b'r', ..] if byte == b'\r' => Some(2),
        _ => None,
    }
}

fn hex(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn concealed(text: &str, values: &[&str]) -> String {
        let values: Vec<String> = values.iter().map(|&value| value.to_owned()).collect();
        conceal(text, &values)
    }

    #[test]
    fn concealed_values_leave_no_trace_in_a_text() {
        assert_eq!(
            concealed("login hunter2/hunter2 failed, ab stays", &["hunter2", "ab"]),
            "login [hidden]/[hidden] failed, ab stays"
        );
        assert_eq!(
            concealed("비밀번호 암호문 끝", &["암호문"]),
            "비밀번호 [hidden] 끝"
        );
        assert_eq!(concealed("abcdef", &["abc", "abcdef"]), HIDDEN);
    }

    #[test]
    fn other_forms_are_known() {
        let secret = "p@s s+\"w\\/é\n";
        for form in [
            "p@s s+\"w\\/é\n",
            "p%40s+s%2B%22w%5C%2F%C3%A9%0A",
            "p%40s%20s+%22w%5c/%c3%a9%0a",
            "p@s s+\\\"w\\\\/é\\n",
        ] {
            assert_eq!(
                concealed(&format!("<{form}>"), &[secret]),
                "<[hidden]>",
                "{form}"
            );
        }
        for other in ["p@s s+\"w\\/e", "p%4", "p%4xs", "p@"] {
            assert_eq!(concealed(other, &[secret]), other);
        }
    }
}
