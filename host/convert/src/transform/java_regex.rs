//! Java's regular expressions, on `fancy-regex` (backtracking where needed: look-around, back references, possessive).
//!
//! The pattern is translated where the two languages write or mean different things:
//!
//! | Java | here |
//! |---|---|
//! | `\d \w \s` and their opposites | ASCII only, as Java's without `(?U)` |
//! | `\p{Alpha}`, `\p{Lower}` … | the ASCII classes; `\p{L}`, `\p{IsGreek}` as they are |
//! | `\Q…\E`, `\h`, `\v`, `\R`, `\Z`, `\e`, `\cX`, `\0n` | spelled out |
//! | an unknown escape of a letter | refused, as Java does |
//!
//! What still differs: `(?i)` folds all of Unicode and not only ASCII; `.` excludes `\n` alone and not the rarer line
//! ends; `$` without `(?m)` stands at the very end only; `(?d)`, `(?U)` and `\X` are refused; a match that takes more
//! than a million steps of backtracking is an error instead of a thread that hangs.

use std::iter::Peekable;
use std::str::Chars;

use fancy_regex::{Captures, Regex, RegexBuilder};

use crate::{Class, Error};

/// The longest pattern.
const PATTERN_BYTES_MAX: usize = 64 << 10;

/// Says what is wrong with a pattern in Java's syntax, as a fragment.
#[must_use]
pub fn pattern_problem(pattern: &str) -> Option<String> {
    JavaRegex::new(pattern).err()
}

/// Returns a test of whole texts by a pattern in Java's syntax. A text whose test would cost too much does not match.
///
/// # Errors
/// Says what is wrong with the pattern, as a fragment.
pub fn whole_match(pattern: &str) -> Result<impl Fn(&str) -> bool + Send + Sync + use<>, String> {
    let regex = JavaRegex::new(pattern)?;
    Ok(move |text: &str| regex.matches(text).unwrap_or(false))
}

/// A compiled pattern.
#[derive(Debug, Clone)]
pub(crate) struct JavaRegex {
    whole: Regex,
    first: Regex,
    names: Vec<String>,
}

impl JavaRegex {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// Says what is wrong, as the message of an option.
    pub(crate) fn new(pattern: &str) -> Result<Self, String> {
        if pattern.len() > PATTERN_BYTES_MAX {
            return Err(format!("has at most {PATTERN_BYTES_MAX} bytes"));
        }
        let translated = translate(pattern)?;
        let compile = |text: &str| {
            RegexBuilder::new(text)
                .build()
                .map_err(|error| format!("is not a valid regular expression: {error}"))
        };
        let first = compile(&translated)?;
        let whole = compile(&format!(r"\A(?:{translated})\z"))?;
        let names: Vec<String> = first.capture_names().flatten().map(str::to_owned).collect();
        if names
            .iter()
            .enumerate()
            .any(|(at, name)| names.iter().skip(at + 1).any(|other| other == name))
        {
            return Err("has two groups of one name".to_owned());
        }
        Ok(Self {
            whole,
            first,
            names,
        })
    }

    /// Returns whether the pattern matches the whole text.
    pub(crate) fn matches(&self, text: &str) -> Result<bool, Error> {
        self.whole.is_match(text).map_err(costly)
    }

    /// Replaces the first match, if there is one.
    pub(crate) fn replace_first(
        &self,
        text: &str,
        replacement: &Replacement,
    ) -> Result<String, Error> {
        let Some(found) = self.first.captures(text).map_err(costly)? else {
            return Ok(text.to_owned());
        };
        let Some(whole) = found.get(0) else {
            return Ok(text.to_owned());
        };
        let mut out = String::with_capacity(text.len() + 16);
        out.push_str(text.get(..whole.start()).unwrap_or_default());
        replacement.write(&found, &self.names, &mut out)?;
        out.push_str(text.get(whole.end()..).unwrap_or_default());
        Ok(out)
    }
}

#[cold]
fn costly(_: fancy_regex::Error) -> Error {
    Error::data("the regular expression takes too many steps on this text")
}

/// The text that takes the place of a match: `$1`, `${name}`, `\` before a character that is meant as it is.
///
/// What is wrong with it shows only when it is used, as in Java.
#[derive(Debug, Clone)]
pub(crate) struct Replacement(String);

impl Replacement {
    pub(crate) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    fn write(
        &self,
        found: &Captures<'_, str>,
        names: &[String],
        out: &mut String,
    ) -> Result<(), Error> {
        let mut letters = self.0.chars().peekable();
        while let Some(letter) = letters.next() {
            match letter {
                '\\' => out.push(
                    letters
                        .next()
                        .ok_or_else(|| bad("ends with a single backslash"))?,
                ),
                '$' if letters.next_if_eq(&'{').is_some() => {
                    named(&mut letters, found, names, out)?
                }
                '$' => numbered(&mut letters, found, out)?,
                other => out.push(other),
            }
        }
        Ok(())
    }
}

#[cold]
fn bad(what: &str) -> Error {
    Error::new(Class::IllegalArgument, format!("the replacement {what}"))
}

fn named(
    letters: &mut Peekable<Chars<'_>>,
    found: &Captures<'_, str>,
    names: &[String],
    out: &mut String,
) -> Result<(), Error> {
    let mut name = String::new();
    while let Some(letter) = letters.next_if(char::is_ascii_alphanumeric) {
        name.push(letter);
    }
    if letters.next() != Some('}') {
        return Err(bad("has `${` without a name and a `}`"));
    }
    // A group that took no part is empty; one that does not exist is an error.
    if !names.contains(&name) {
        return Err(bad("names a group that the pattern does not have"));
    }
    out.push_str(found.name(&name).map_or("", |group| group.as_str()));
    Ok(())
}

fn numbered(
    letters: &mut Peekable<Chars<'_>>,
    found: &Captures<'_, str>,
    out: &mut String,
) -> Result<(), Error> {
    let groups = found.len() - 1;
    let first = letters
        .next()
        .and_then(|letter| letter.to_digit(10))
        .ok_or_else(|| bad("has a `$` without a group; a dollar sign itself is written `\\$`"))?;
    let mut group = usize::try_from(first).unwrap_or(usize::MAX);
    if group > groups {
        return Err(Error::new(
            Class::IndexOutOfBounds,
            "the replacement names a group that the pattern does not have",
        ));
    }
    // More digits belong to the number as long as there is such a group.
    while let Some(digit) = letters.peek().and_then(|letter| letter.to_digit(10)) {
        let longer = group * 10 + usize::try_from(digit).unwrap_or(0);
        if longer > groups {
            break;
        }
        group = longer;
        letters.next();
    }
    out.push_str(found.get(group).map_or("", |group| group.as_str()));
    Ok(())
}

/// Rewrites a pattern, see the module's table.
fn translate(pattern: &str) -> Result<String, String> {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut letters = pattern.chars().peekable();
    let mut depth = 0_usize;
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => escape(&mut letters, &mut out, depth > 0)?,
            '[' => {
                depth += 1;
                out.push('[');
                if letters.next_if_eq(&'^').is_some() {
                    out.push('^');
                }
                // Java reads a bracket right after the opening one as itself.
                if letters.next_if_eq(&']').is_some() {
                    out.push_str("\\]");
                }
            }
            ']' if depth > 0 => {
                depth -= 1;
                out.push(']');
            }
            // Java's classes have no such operators.
            '-' | '~' if depth > 0 && letters.peek() == Some(&letter) => {
                out.push('\\');
                out.push(letter);
            }
            '{' if depth == 0 => repetition(&mut letters, &mut out)?,
            '(' if depth == 0 && letters.peek() == Some(&'?') => {
                out.push('(');
                flags(&mut letters, &mut out)?;
            }
            other => out.push(other),
        }
    }
    Ok(out)
}

/// After `{`: a count, `2}`, `2,}` or `2,3}`.
fn repetition(letters: &mut Peekable<Chars<'_>>, out: &mut String) -> Result<(), String> {
    let bad = || "has a `{` that begins no repetition such as {2,3}".to_owned();
    let mut text = String::new();
    loop {
        match letters.next() {
            Some('}') => break,
            Some(letter) if letter.is_ascii_digit() || letter == ',' => text.push(letter),
            _ => return Err(bad()),
        }
    }
    let (least, most) = text.split_once(',').unwrap_or((&text, &text));
    let least: u32 = least.parse().map_err(|_| bad())?;
    if !most.is_empty() && most.parse::<u32>().map_err(|_| bad())? < least {
        return Err("has a repetition whose end is below its beginning".to_owned());
    }
    out.push('{');
    out.push_str(&text);
    out.push('}');
    Ok(())
}

/// After `(`: refuses what only the other language has.
fn flags(letters: &mut Peekable<Chars<'_>>, out: &mut String) -> Result<(), String> {
    let rest: String = letters.clone().skip(1).take(3).collect();
    let refused = |what: &str| {
        Err(format!(
            "`(?{what}` is not a construct of Java's regular expressions that is supported here"
        ))
    };
    let first = rest.chars().next();
    match first {
        Some('P' | '&' | 'R' | '#' | '\'' | '(' | '|') => refused(&rest),
        Some('d' | 'U') => refused(&rest),
        _ => {
            // The question mark itself.
            out.extend(letters.next());
            Ok(())
        }
    }
}

fn escape(
    letters: &mut Peekable<Chars<'_>>,
    out: &mut String,
    in_class: bool,
) -> Result<(), String> {
    let letter = letters.next().ok_or("ends with a single backslash")?;
    let within = |inner: &str| {
        if in_class {
            inner.to_owned()
        } else {
            format!("[{inner}]")
        }
    };
    match letter {
        'd' => out.push_str(&within("0-9")),
        'w' => out.push_str(&within("a-zA-Z_0-9")),
        's' => out.push_str(&within(r" \t\n\x0B\f\r")),
        'h' => out.push_str(&within(
            r" \t\u{A0}\u{1680}\u{180e}\u{2000}-\u{200a}\u{202f}\u{205f}\u{3000}",
        )),
        'v' => out.push_str(&within(r"\n\x0B\f\r\x{85}\u{2028}\u{2029}")),
        'D' => out.push_str("[^0-9]"),
        'W' => out.push_str("[^a-zA-Z_0-9]"),
        'S' => out.push_str(r"[^ \t\n\x0B\f\r]"),
        'H' => {
            out.push_str(r"[^ \t\u{A0}\u{1680}\u{180e}\u{2000}-\u{200a}\u{202f}\u{205f}\u{3000}]")
        }
        'V' => out.push_str(r"[^\n\x0B\f\r\x{85}\u{2028}\u{2029}]"),
        'R' if !in_class => out.push_str(r"(?:\r\n|[\n\x0B\f\r\x{85}\u{2028}\u{2029}])"),
        'Z' if !in_class => out.push_str(r"(?=\n?\z)"),
        'b' | 'B' | 'A' | 'z' | 'G' if !in_class => {
            out.push('\\');
            out.push(letter);
        }
        't' | 'n' | 'r' | 'f' => {
            out.push('\\');
            out.push(letter);
        }
        'a' => out.push_str(r"\x07"),
        'e' => out.push_str(r"\x1B"),
        'c' => control(letters, out)?,
        '0' => octal(letters, out)?,
        'x' => hexadecimal(letters, out, 2)?,
        'u' => hexadecimal(letters, out, 4)?,
        'Q' => quote(letters, out),
        'E' => {}
        'p' | 'P' => property(letters, out, letter == 'P')?,
        'k' if !in_class => {
            out.push_str("\\k");
        }
        '1'..='9' if !in_class => {
            // A digit that follows must not become part of the number.
            out.push_str("(?:\\");
            out.push(letter);
            out.push(')');
        }
        other if other.is_ascii_alphanumeric() => {
            return Err(format!(
                "`\\{other}` has no meaning in Java's regular expressions"
            ));
        }
        other => literal(out, other),
    }
    Ok(())
}

fn literal(out: &mut String, letter: char) {
    if letter.is_ascii_punctuation() || letter == ' ' || letter == '#' {
        out.push('\\');
    }
    out.push(letter);
}

fn code(out: &mut String, code: u32) -> Result<(), String> {
    let letter = char::from_u32(code).ok_or("names a character that does not exist")?;
    out.push_str(&format!("\\x{{{:X}}}", u32::from(letter)));
    Ok(())
}

fn control(letters: &mut Peekable<Chars<'_>>, out: &mut String) -> Result<(), String> {
    let letter = letters.next().ok_or("has `\\c` at its end")?;
    code(out, u32::from(letter) ^ 64)
}

fn octal(letters: &mut Peekable<Chars<'_>>, out: &mut String) -> Result<(), String> {
    let mut value = 0;
    let mut count = 0;
    while let Some(digit) = letters.peek().and_then(|letter| letter.to_digit(8)) {
        let longer = value * 8 + digit;
        if count == 3 || longer > 0o377 {
            break;
        }
        value = longer;
        count += 1;
        letters.next();
    }
    if count == 0 {
        return Err("has `\\0` without octal digits".to_owned());
    }
    code(out, value)
}

fn hexadecimal(
    letters: &mut Peekable<Chars<'_>>,
    out: &mut String,
    digits: usize,
) -> Result<(), String> {
    let bad = || "has an escape without enough hexadecimal digits".to_owned();
    let mut value: u32 = 0;
    if digits == 2 && letters.next_if_eq(&'{').is_some() {
        let mut any = false;
        loop {
            match letters.next() {
                Some('}') if any => return code(out, value),
                Some(letter) => {
                    let digit = letter.to_digit(16).ok_or_else(bad)?;
                    value = value.checked_mul(16).ok_or_else(bad)? + digit;
                    any = true;
                }
                None => return Err(bad()),
            }
        }
    }
    for _ in 0..digits {
        let digit = letters.next().and_then(|letter| letter.to_digit(16));
        value = value * 16 + digit.ok_or_else(bad)?;
    }
    code(out, value)
}

/// `\Q` up to `\E` or the end, each character as it is.
fn quote(letters: &mut Peekable<Chars<'_>>, out: &mut String) {
    while let Some(letter) = letters.next() {
        if letter == '\\' && letters.next_if_eq(&'E').is_some() {
            return;
        }
        literal(out, letter);
    }
}

fn property(
    letters: &mut Peekable<Chars<'_>>,
    out: &mut String,
    negated: bool,
) -> Result<(), String> {
    let mut name = String::new();
    match letters.next() {
        Some('{') => loop {
            match letters.next() {
                Some('}') => break,
                Some(letter) => name.push(letter),
                None => return Err("has `\\p{` without `}`".to_owned()),
            }
        },
        Some(letter) => name.push(letter),
        None => return Err("ends with `\\p`".to_owned()),
    }
    let ascii = match name.as_str() {
        "Lower" => "lower",
        "Upper" => "upper",
        "ASCII" => "ascii",
        "Alpha" => "alpha",
        "Digit" => "digit",
        "Alnum" => "alnum",
        "Punct" => "punct",
        "Graph" => "graph",
        "Print" => "print",
        "Blank" => "blank",
        "Cntrl" => "cntrl",
        "XDigit" => "xdigit",
        "Space" => "space",
        _ => "",
    };
    if !ascii.is_empty() {
        let not = if negated { "^" } else { "" };
        out.push_str(&format!("[[:{not}{ascii}:]]"));
        return Ok(());
    }
    let name = match name.as_str() {
        "javaLowerCase" => "Lowercase",
        "javaUpperCase" => "Uppercase",
        "javaWhitespace" => "White_Space",
        other => other
            .strip_prefix("Is")
            .or_else(|| other.strip_prefix("script="))
            .unwrap_or(other),
    };
    let letter = if negated { 'P' } else { 'p' };
    out.push_str(&format!("\\{letter}{{{name}}}"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_they_mean_in_java() {
        let check = |pattern: &str, text: &str, expected: bool| {
            let regex =
                JavaRegex::new(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
            assert_eq!(regex.matches(text), Ok(expected), "{pattern} {text}");
        };
        check(r"\d+", "12", true);
        check(r"\d", "\u{967}", false);
        check(r"\w", "é", false);
        check(r"[\w.]+", "a.b", true);
        check(r"[^\d]+", "ab", true);
        check(r"\Qa.b\E.", "a.bc", true);
        check(r"\Qa.b", "axb", false);
        check("[a-z&&[^x]]+", "abc", true);
        check("[a-z&&[^x]]+", "axc", false);
        check("[]a]+", "]a", true);
        check("a|ab", "ab", true);
        check("a++b", "aab", true);
        check(r"(a)\1", "aa", true);
        check(r"(a)\11", "aa1", true);
        check(r"(?<n>a)\k<n>", "aa", true);
        check("(?<=x)a", "a", false);
        check("(?i)ORDERS", "orders", true);
        check(r"\p{Alpha}+", "abc", true);
        check(r"\p{Alpha}", "é", false);
        check(r"\p{L}+", "été", true);
        check(r"\p{IsGreek}", "α", true);
        check(r"\x41\u0042\x{43}\0104", "ABCD", true);
        check(r"\cA", "\u{1}", true);
        check(r"a\-b\.c", "a-b.c", true);
        check(r"\h\R", " \r\n", true);
        check("^a$", "a", true);
        check(r"a\Z", "a", true);
    }

    #[test]
    fn what_java_refuses_is_refused() {
        for pattern in [
            "(",
            "a{2,1}",
            "[",
            "*",
            "(?<n>a)(?<n>b)",
            r"\y",
            r"\",
            "(?P<n>a)",
            r"\p{",
            r"\x4",
            r"\0",
        ] {
            assert!(JavaRegex::new(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn the_first_match_is_replaced() {
        let check =
            |pattern: &str, replacement: &str, text: &str, expected: Result<&str, Class>| {
                let regex = JavaRegex::new(pattern).unwrap();
                let replaced = regex.replace_first(text, &Replacement::new(replacement));
                let replaced = replaced.as_deref().map_err(|error| error.class());
                assert_eq!(replaced, expected, "{pattern} {replacement}");
            };
        check("(.*)ers", "$1", "orders", Ok("ord"));
        check("or.*?", "lazy", "orders", Ok("lazyders"));
        check(
            "(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)",
            "$11-$1",
            "abcdefghijk",
            Ok("k-a"),
        );
        check("(a)", "$10", "a", Ok("a0"));
        check("(?<name>or).*", "${name}-x", "orders", Ok("or-x"));
        check("(a)|(b)", "[$2]", "a", Ok("[]"));
        check("(?<a>a)|(?<b>b)", "[${b}]", "a", Ok("[]"));
        check(".*", r"\$1\\", "x", Ok(r"$1\"));
        check("x", "y", "a", Ok("a"));
        check("(.*)", "$", "a", Err(Class::IllegalArgument));
        check("(.*)", "$1\\", "a", Err(Class::IllegalArgument));
        check("(.*)", "${nope}", "a", Err(Class::IllegalArgument));
        check("(.*)", "$2", "a", Err(Class::IndexOutOfBounds));
    }

    mod any {
        use proptest::prelude::*;

        use super::*;

        proptest! {
            #[test]
            fn nothing_panics(pattern in "[a-c(){}\\[\\]\\\\.*+?|^$&0-9pPQEdwsk<>:=!-]{0,16}", text in "[a-c0-9. ]{0,12}", replacement in "[a$\\\\{}0-9]{0,6}") {
                if let Ok(regex) = JavaRegex::new(&pattern) {
                    let _any = regex.matches(&text);
                    let _any = regex.replace_first(&text, &Replacement::new(&replacement));
                }
            }
        }
    }
}
