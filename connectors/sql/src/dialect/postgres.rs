//! PostgreSQL's types.

use crate::types::{ColumnKind, Meaning, Unit, Wanted};

/// The largest precision of `numeric`.
const PRECISION_MAX: u32 = 1000;

pub(super) fn column_type(wanted: &Wanted) -> String {
    of(&wanted.meaning)
}

fn of(meaning: &Meaning) -> String {
    match meaning {
        Meaning::Boolean => "BOOLEAN",
        Meaning::Int8 | Meaning::Int16 => "SMALLINT",
        Meaning::Int32 | Meaning::Year => "INTEGER",
        Meaning::Int64 => "BIGINT",
        Meaning::Float32 => "REAL",
        Meaning::Float64 => "DOUBLE PRECISION",
        Meaning::Text | Meaning::Enum | Meaning::EnumSet => "TEXT",
        Meaning::Bytes => "BYTEA",
        Meaning::Decimal {
            scale,
            precision: Some(precision),
        } if *precision <= PRECISION_MAX && *scale >= 0 && scale.unsigned_abs() <= *precision => {
            return format!("NUMERIC({precision},{scale})");
        }
        Meaning::Decimal { .. } | Meaning::VariableDecimal => "NUMERIC",
        Meaning::Date => "DATE",
        Meaning::Time(_) => "TIME",
        // Connect's own is a TIMESTAMP in every JDBC sink; linkspan's finer ones keep that they are instants.
        Meaning::Timestamp(Unit::Millis) | Meaning::LocalTimestamp(_) => "TIMESTAMP",
        Meaning::Timestamp(_) | Meaning::ZonedTimestamp => "TIMESTAMPTZ",
        Meaning::ZonedTime => "TIMETZ",
        Meaning::Duration | Meaning::Interval => "INTERVAL",
        Meaning::Uuid => "UUID",
        Meaning::Json | Meaning::Map | Meaning::Struct => "JSONB",
        Meaning::Xml => "XML",
        Meaning::Bits => "BIT VARYING",
        Meaning::Array(items) => match items.as_ref() {
            Meaning::Array(_) | Meaning::Map | Meaning::Struct => "JSONB",
            item => return format!("{}[]", of(item)),
        },
    }
    .to_owned()
}

/// Reads what `format_type` says.
pub(super) fn column_kind(type_name: &str) -> ColumnKind {
    if let Some(item) = type_name.strip_suffix("[]") {
        return ColumnKind::Array(Box::new(column_kind(item)));
    }
    let (base, arguments) = split(type_name);
    match base.as_str() {
        "boolean" => ColumnKind::Boolean,
        "smallint" => ColumnKind::INT16,
        "integer" => ColumnKind::INT32,
        "bigint" => ColumnKind::INT64,
        "oid" | "xid" | "cid" => ColumnKind::Int {
            bits: 32,
            unsigned: true,
        },
        "real" => ColumnKind::Float32,
        "double precision" => ColumnKind::Float64,
        "numeric" => ColumnKind::Decimal {
            precision: arguments.first().copied(),
            scale: arguments
                .get(1)
                .and_then(|&scale| i32::try_from(scale).ok())
                .unwrap_or(0),
        },
        "text" | "character varying" | "character" | "\"char\"" | "name" | "citext" => {
            ColumnKind::Text
        }
        "bytea" => ColumnKind::Bytes,
        "date" => ColumnKind::Date,
        "time without time zone" => ColumnKind::Time { zone: false },
        "time with time zone" => ColumnKind::Time { zone: true },
        "timestamp without time zone" => ColumnKind::Timestamp { zone: false },
        "timestamp with time zone" => ColumnKind::Timestamp { zone: true },
        "interval" => ColumnKind::Interval,
        "uuid" => ColumnKind::Uuid,
        "json" | "jsonb" => ColumnKind::Json,
        "xml" => ColumnKind::Xml,
        "bit" | "bit varying" => ColumnKind::Bit {
            length: arguments
                .first()
                .copied()
                .unwrap_or(if base == "bit" { 1 } else { 0 }),
        },
        "hstore" => ColumnKind::Hstore,
        _ => ColumnKind::Other,
    }
}

/// Takes `time(3) without time zone` apart into the name without parentheses and the numbers in them.
fn split(type_name: &str) -> (String, Vec<u32>) {
    let Some((before, rest)) = type_name.split_once('(') else {
        return (type_name.to_owned(), Vec::new());
    };
    let (inside, after) = rest.split_once(')').unwrap_or((rest, ""));
    let numbers = inside
        .split(',')
        .filter_map(|number| number.trim().parse().ok())
        .collect();
    (format!("{before}{after}"), numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_read_as_the_server_writes_them() {
        let check =
            |text: &str, expected: ColumnKind| assert_eq!(column_kind(text), expected, "{text}");
        check(
            "numeric(12,2)",
            ColumnKind::Decimal {
                precision: Some(12),
                scale: 2,
            },
        );
        check(
            "numeric",
            ColumnKind::Decimal {
                precision: None,
                scale: 0,
            },
        );
        check(
            "timestamp(3) with time zone",
            ColumnKind::Timestamp { zone: true },
        );
        check("character varying(5)", ColumnKind::Text);
        check("integer[]", ColumnKind::Array(Box::new(ColumnKind::INT32)));
        check("bit(8)", ColumnKind::Bit { length: 8 });
        check("bit(1)", ColumnKind::Bit { length: 1 });
        check("inet", ColumnKind::Other);
    }

    #[test]
    fn every_meaning_has_a_type() {
        let check = |meaning: Meaning, expected: &str| {
            assert_eq!(
                column_type(&Wanted {
                    meaning,
                    key: false
                }),
                expected
            );
        };
        check(Meaning::Int8, "SMALLINT");
        check(
            Meaning::Decimal {
                scale: 2,
                precision: Some(9),
            },
            "NUMERIC(9,2)",
        );
        check(
            Meaning::Decimal {
                scale: -2,
                precision: Some(9),
            },
            "NUMERIC",
        );
        check(
            Meaning::Decimal {
                scale: 2,
                precision: None,
            },
            "NUMERIC",
        );
        check(Meaning::Array(Box::new(Meaning::Uuid)), "UUID[]");
        check(Meaning::Array(Box::new(Meaning::Struct)), "JSONB");
        check(Meaning::ZonedTimestamp, "TIMESTAMPTZ");
    }
}
