//! Types of MySQL and MariaDB.

use crate::types::{ColumnKind, Meaning, Wanted};

/// The largest precision and scale of `DECIMAL`.
const PRECISION_MAX: u32 = 65;
const SCALE_MAX: u32 = 30;

pub(super) fn column_type(wanted: &Wanted) -> String {
    match &wanted.meaning {
        Meaning::Boolean => "TINYINT(1)",
        Meaning::Int8 => "TINYINT",
        Meaning::Int16 => "SMALLINT",
        Meaning::Int32 => "INT",
        Meaning::Year => "YEAR",
        Meaning::Int64 | Meaning::Duration => "BIGINT",
        Meaning::Float32 => "FLOAT",
        Meaning::Float64 => "DOUBLE",
        // A key is indexed, and an index needs a length.
        Meaning::Bytes | Meaning::Bits if wanted.key => "VARBINARY(255)",
        Meaning::Bytes | Meaning::Bits => "LONGBLOB",
        Meaning::Decimal { scale, precision } => return decimal(*scale, *precision),
        Meaning::VariableDecimal => "DECIMAL(65,30)",
        Meaning::Date => "DATE",
        Meaning::Time(_) => "TIME(6)",
        Meaning::Timestamp(_) | Meaning::LocalTimestamp(_) => "DATETIME(6)",
        Meaning::ZonedTimestamp => "TIMESTAMP(6)",
        Meaning::Uuid => "CHAR(36)",
        Meaning::Json | Meaning::Map | Meaning::Struct | Meaning::Array(_) => "JSON",
        _ if wanted.key => "VARCHAR(255)",
        Meaning::Text
        | Meaning::ZonedTime
        | Meaning::Interval
        | Meaning::Xml
        | Meaning::Enum
        | Meaning::EnumSet => "LONGTEXT",
    }
    .to_owned()
}

fn decimal(scale: i32, precision: Option<u32>) -> String {
    let scale = u32::try_from(scale).unwrap_or(0).min(SCALE_MAX);
    let precision = precision
        .unwrap_or(PRECISION_MAX)
        .clamp(scale.max(1), PRECISION_MAX);
    format!("DECIMAL({precision},{scale})")
}

/// Reads `COLUMN_TYPE` of the information schema: `int(10) unsigned`.
pub(super) fn column_kind(type_name: &str) -> ColumnKind {
    let text = type_name.to_ascii_lowercase();
    let end = text
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    let (base, rest) = text.split_at_checked(end).unwrap_or((&text, ""));
    let unsigned = rest.contains("unsigned") || rest.contains("zerofill");
    let numbers: Vec<u32> = rest
        .strip_prefix('(')
        .and_then(|rest| rest.split_once(')'))
        .map(|(inside, _)| {
            inside
                .split(',')
                .filter_map(|n| n.trim().parse().ok())
                .collect()
        })
        .unwrap_or_default();
    let int = |bits: u8| ColumnKind::Int { bits, unsigned };
    match base {
        "tinyint" if numbers.first() == Some(&1) && !unsigned => ColumnKind::Boolean,
        "bool" | "boolean" => ColumnKind::Boolean,
        "tinyint" => int(8),
        "smallint" => int(16),
        "mediumint" => int(24),
        "int" | "integer" => int(32),
        "bigint" => int(64),
        "float" => ColumnKind::Float32,
        "double" | "real" => ColumnKind::Float64,
        "decimal" | "numeric" => ColumnKind::Decimal {
            precision: Some(numbers.first().copied().unwrap_or(10)),
            scale: numbers
                .get(1)
                .and_then(|&scale| i32::try_from(scale).ok())
                .unwrap_or(0),
        },
        "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" => ColumnKind::Text,
        "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => {
            ColumnKind::Bytes
        }
        "date" => ColumnKind::Date,
        "time" => ColumnKind::Time { zone: false },
        "datetime" => ColumnKind::Timestamp { zone: false },
        "timestamp" => ColumnKind::Timestamp { zone: true },
        "year" => ColumnKind::Year,
        "enum" => ColumnKind::Enum,
        "set" => ColumnKind::Set,
        "json" => ColumnKind::Json,
        "bit" => ColumnKind::Bit {
            length: numbers.first().copied().unwrap_or(1),
        },
        "uuid" => ColumnKind::Uuid,
        _ => ColumnKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_read_as_the_server_writes_them() {
        let check =
            |text: &str, expected: ColumnKind| assert_eq!(column_kind(text), expected, "{text}");
        check("tinyint(1)", ColumnKind::Boolean);
        check("tinyint(4)", ColumnKind::int(8));
        check(
            "int(10) unsigned",
            ColumnKind::Int {
                bits: 32,
                unsigned: true,
            },
        );
        check(
            "decimal(12,2)",
            ColumnKind::Decimal {
                precision: Some(12),
                scale: 2,
            },
        );
        check("varchar(5)", ColumnKind::Text);
        check("datetime(6)", ColumnKind::Timestamp { zone: false });
        check("enum('a','b(1)')", ColumnKind::Enum);
        check("geometry", ColumnKind::Other);
    }

    #[test]
    fn a_key_is_a_type_that_can_be_indexed() {
        let check = |meaning: Meaning, key: bool, expected: &str| {
            assert_eq!(column_type(&Wanted { meaning, key }), expected);
        };
        check(Meaning::Text, false, "LONGTEXT");
        check(Meaning::Text, true, "VARCHAR(255)");
        check(Meaning::Bytes, true, "VARBINARY(255)");
        check(
            Meaning::Decimal {
                scale: 2,
                precision: None,
            },
            false,
            "DECIMAL(65,2)",
        );
        check(
            Meaning::Decimal {
                scale: 40,
                precision: Some(10),
            },
            false,
            "DECIMAL(30,30)",
        );
    }
}
