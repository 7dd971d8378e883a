//! Reading servers' messages: places in them, and values that must not be shown.

/// The most characters of a server's message that are shown.
const SHOWN_MAX: usize = 600;

/// The place that a COPY of PostgreSQL names.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CopyContext {
    pub(super) line: u64,
    pub(super) column: Option<String>,
}

/// Reads `COPY stg, line 2, column amount: "abc"`, which may stand among other lines.
pub(super) fn copy_context(place: &str) -> Option<CopyContext> {
    let line = place.lines().find(|line| line.starts_with("COPY "))?;
    let (_, rest) = line.split_once(", line ")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    let column = rest
        .strip_prefix(digits.as_str())
        .and_then(|rest| rest.strip_prefix(", column "))
        .map(|rest| rest.split([':', ',']).next().unwrap_or(rest).to_owned());
    Some(CopyContext {
        line: digits.parse().ok()?,
        column,
    })
}

/// Reads `… at row 3`.
pub(super) fn mysql_row(message: &str) -> Option<u64> {
    let (_, number) = message.rsplit_once(" at row ")?;
    number.trim_end().parse().ok()
}

/// Reads `… for column 'x' …` and ``… for column `d`.`t`.`x` …``.
pub(super) fn mysql_column(message: &str) -> Option<String> {
    let (_, rest) = ["column ", "Column ", "Field "]
        .iter()
        .filter_map(|word| message.rsplit_once(word))
        .find(|(_, rest)| rest.starts_with(['\'', '`']))?;
    let word = rest.split_whitespace().next()?;
    let last = word.rsplit('.').next()?;
    let name = last.trim_matches(['\'', '`']);
    (!name.is_empty()).then(|| name.to_owned())
}

/// Reads `NOT NULL constraint failed: t.c`, where it names one column.
pub(super) fn sqlite_column(message: &str) -> Option<String> {
    if let Some((_, rest)) = message.split_once("has no column named ") {
        return Some(rest.trim().to_owned());
    }
    let (_, rest) = message.split_once("NOT NULL constraint failed: ")?;
    rest.rsplit('.').next().map(str::to_owned)
}

/// Reads the columns of `Key (id, b)=(5, x) already exists.`
pub(super) fn key_columns(detail: &str) -> Option<String> {
    let (_, rest) = detail.split_once("Key (")?;
    rest.split_once(")=(")
        .map(|(columns, _)| columns.to_owned())
}

/// Leaves out what a record holds: quoted texts behind a colon or behind the words that precede a value.
pub(super) fn without_values(message: &str) -> String {
    // PostgreSQL: `invalid input syntax for type numeric: "abc"`, `value "99" is out of range for type smallint`.
    // MySQL: `Incorrect integer value: 'abc' for column …`, `Duplicate entry '5' for key …`.
    for (before, open, close) in [
        (": \"", '"', '"'),
        ("value \"", '"', '"'),
        ("value: '", '\'', '\''),
        ("entry '", '\'', '\''),
    ] {
        let Some(at) = message.find(before) else {
            continue;
        };
        let start = at + before.len() - open.len_utf8();
        let (head, rest) = message.split_at(start);
        // The last closing quote that is followed by the rest of the server's own sentence: a value may hold quotes.
        let tail = [" for column", " for key", " is out of range", " for type"]
            .iter()
            .filter_map(|word| rest.rfind(&format!("{close}{word}")))
            .max()
            .map_or("", |at| {
                rest.get(at + close.len_utf8()..).unwrap_or_default()
            });
        let hidden = linkspan_sdk::Secret::HIDDEN;
        return format!("{head}{hidden}{tail}");
    }
    message.to_owned()
}

/// Cuts what is too long for a message.
pub(super) fn shortened(text: &str) -> String {
    if text.chars().count() <= SHOWN_MAX {
        return text.to_owned();
    }
    text.chars().take(SHOWN_MAX).chain("…".chars()).collect()
}
