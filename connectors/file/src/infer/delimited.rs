//! A proposal for CSV: the delimiter, and a type for each column that all rows seen allow.

use crate::column::ColumnType;
use crate::decode::{Cut, Dialect, Splitter};
use crate::encoding::TextEncoding;

/// Rows that are looked at.
const ROWS: usize = 1000;
/// In this order: the first that all values of a column are.
const TYPES: [&str; 7] = [
    "int32",
    "int64",
    "decimal(38,10)",
    "float64",
    "date",
    "timestamp",
    "boolean",
];

pub(super) fn propose(
    bytes: &[u8],
    encoding: TextEncoding,
    delimiter: u8,
    notes: &mut Vec<String>,
    yaml: &mut String,
) {
    let mut text = String::new();
    if let Err(bad) = encoding.decode(bytes, &mut text)
        && bad.at + 4 < bytes.len()
    {
        notes.push(format!(
            "byte {}: no character of the encoding; what follows was not looked at",
            bad.at
        ));
    }
    let rows = rows(text.trim_start_matches('\u{feff}'), delimiter);
    let Some((header, body)) = rows.split_first() else {
        return;
    };
    let has_header = header
        .iter()
        .all(|name| !name.is_empty() && name.parse::<f64>().is_err());
    let body = if has_header { body } else { rows.as_slice() };
    let shown = if delimiter == b'\t' {
        "a tab".to_owned()
    } else {
        format!("`{}`", char::from(delimiter))
    };
    notes.push(format!(
        "format: csv, {} columns, delimiter {shown}, {}",
        header.len(),
        if has_header {
            "the first line names the columns"
        } else {
            "no header"
        }
    ));
    *yaml += "    format: csv\n    csv:\n";
    if delimiter != b',' {
        *yaml += &format!(
            "      delimiter: '{}'\n",
            if delimiter == b'\t' {
                "\\t".to_owned()
            } else {
                char::from(delimiter).to_string()
            }
        );
    }
    if !has_header {
        *yaml += "      header: false\n";
    }
    let mut types = Vec::new();
    for (index, name) in header.iter().enumerate() {
        let name = if has_header {
            name.clone()
        } else {
            format!("column{}", index + 1)
        };
        let values: Vec<&str> = body
            .iter()
            .filter_map(|row| row.get(index))
            .map(String::as_str)
            .filter(|value| !value.is_empty())
            .collect();
        if let Some(word) = type_of(&values) {
            types.push(format!(
                "{}: {}",
                super::quoted(&name),
                super::quoted(&word)
            ));
        }
    }
    if !types.is_empty() {
        *yaml += &format!(
            "      types: {{ {} }}        # by {} rows\n",
            types.join(", "),
            body.len()
        );
    }
}

fn rows(text: &str, delimiter: u8) -> Vec<Vec<String>> {
    let mut splitter = Splitter::new(Dialect {
        delimiter,
        ..Dialect::default()
    });
    let (mut rows, mut at) = (Vec::new(), 0);
    while rows.len() < ROWS {
        let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) else {
            break;
        };
        match splitter.split(rest, true) {
            Ok(Cut::Record(len)) => {
                rows.push(
                    splitter
                        .fields(rest)
                        .map(std::borrow::Cow::into_owned)
                        .collect(),
                );
                at += len;
            }
            Ok(Cut::Blank(len)) => at += len,
            Ok(Cut::More) | Err(_) => break,
        }
    }
    rows
}

fn type_of(values: &[&str]) -> Option<String> {
    if values.is_empty() {
        return None;
    }
    // A leading zero is part of a code, not of a number.
    let is_code = values
        .iter()
        .any(|value| value.len() > 1 && value.starts_with('0') && !value.starts_with("0."));
    let word = TYPES.into_iter().find(|word| {
        let number = !matches!(*word, "date" | "timestamp" | "boolean");
        let column: Result<ColumnType, ()> = word.parse();
        !(number && is_code)
            && column.is_ok_and(|column| {
                values
                    .iter()
                    .all(|value| column.parse(value, None).is_some())
            })
    })?;
    if word == "decimal(38,10)" {
        let scale = values
            .iter()
            .filter_map(|value| value.split_once('.'))
            .map(|(_, decimals)| decimals.len())
            .max()
            .unwrap_or(0);
        return Some(format!("decimal(18,{scale})"));
    }
    Some(word.to_owned())
}
