//! SQLite's declared types, and the affinity that each has.

use crate::types::{ColumnKind, Meaning, Wanted};

pub(super) fn column_type(wanted: &Wanted) -> String {
    match wanted.meaning {
        Meaning::Boolean => "BOOLEAN",
        Meaning::Int8
        | Meaning::Int16
        | Meaning::Int32
        | Meaning::Int64
        | Meaning::Year
        | Meaning::Duration => "INTEGER",
        Meaning::Float32 | Meaning::Float64 => "REAL",
        Meaning::Bytes | Meaning::Bits => "BLOB",
        // Affinity NUMERIC keeps a text that is no number.
        Meaning::Date => "DATE",
        Meaning::Time(_) => "TIME",
        Meaning::Timestamp(_) | Meaning::LocalTimestamp(_) | Meaning::ZonedTimestamp => "TIMESTAMP",
        // Text keeps every digit; affinity NUMERIC would turn it into a float.
        _ => "TEXT",
    }
    .to_owned()
}

/// Reads a declared type by SQLite's own rules, with the names for times and booleans before them.
pub(super) fn column_kind(type_name: &str) -> ColumnKind {
    let name = type_name.to_ascii_uppercase();
    let has = |part: &str| name.contains(part);
    if has("BOOL") {
        ColumnKind::Boolean
    } else if has("DATETIME") || has("TIMESTAMP") {
        ColumnKind::Timestamp { zone: false }
    } else if name == "DATE" {
        ColumnKind::Date
    } else if name == "TIME" {
        ColumnKind::Time { zone: false }
    } else if has("JSON") {
        ColumnKind::Json
    } else if has("INT") {
        ColumnKind::INT64
    } else if has("CHAR") || has("CLOB") || has("TEXT") || has("STRING") || has("UUID") {
        ColumnKind::Text
    } else if has("BLOB") {
        ColumnKind::Bytes
    } else if has("REAL") || has("FLOA") || has("DOUB") {
        ColumnKind::Float64
    } else if has("DEC") || has("NUMERIC") {
        ColumnKind::Decimal {
            precision: None,
            scale: 0,
        }
    } else {
        ColumnKind::Any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declared_types_have_affinities() {
        let check =
            |text: &str, expected: ColumnKind| assert_eq!(column_kind(text), expected, "{text}");
        check("INTEGER", ColumnKind::INT64);
        check("varchar(20)", ColumnKind::Text);
        check(
            "DECIMAL(10,2)",
            ColumnKind::Decimal {
                precision: None,
                scale: 0,
            },
        );
        check("", ColumnKind::Any);
        check("double precision", ColumnKind::Float64);
        check("datetime", ColumnKind::Timestamp { zone: false });
    }
}
