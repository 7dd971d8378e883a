//! Columns of MySQL and MariaDB: `information_schema`, or what a prepared statement says.

use sqlx::{
    AssertSqlSafe, Column as _, Executor as _, MySqlConnection, Row as _, SqlSafeStr as _,
    Statement as _, TypeInfo as _,
};

use super::Column;
use crate::source::tables::Table;
use crate::types::read::ReadType;

pub(super) async fn of_table(
    c: &mut MySqlConnection,
    table: &Table,
    tiny_boolean: bool,
) -> Result<Vec<Column>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT CAST(c.COLUMN_NAME AS CHAR), CAST(c.COLUMN_TYPE AS CHAR), CAST(c.IS_NULLABLE AS CHAR), CAST(c.EXTRA AS CHAR), \
         CAST(s.SEQ_IN_INDEX AS SIGNED) FROM information_schema.COLUMNS c \
         LEFT JOIN information_schema.STATISTICS s ON s.TABLE_SCHEMA = c.TABLE_SCHEMA AND s.TABLE_NAME = c.TABLE_NAME \
         AND s.COLUMN_NAME = c.COLUMN_NAME AND s.INDEX_NAME = 'PRIMARY' \
         WHERE c.TABLE_SCHEMA = COALESCE(?, DATABASE()) AND c.TABLE_NAME = ? ORDER BY c.ORDINAL_POSITION",
    )
    .bind(table.database.as_deref())
    .bind(&table.name)
    .fetch_all(&mut *c)
    .await?;
    let mut columns = Vec::with_capacity(rows.len());
    for row in rows {
        let declared: String = row.try_get(1)?;
        let nullable: String = row.try_get(2)?;
        let extra: String = row.try_get(3)?;
        let key: Option<i64> = row.try_get(4)?;
        columns.push(column(
            row.try_get(0)?,
            declared_kind(&declared, tiny_boolean),
            nullable != "NO",
            key.and_then(|key| u16::try_from(key - 1).ok()),
            extra.to_ascii_lowercase().contains("auto_increment"),
        ));
    }
    Ok(columns)
}

pub(super) async fn of_query(
    c: &mut MySqlConnection,
    query: &str,
    tiny_boolean: bool,
) -> Result<Vec<Column>, sqlx::Error> {
    let statement = (&mut *c)
        .prepare(AssertSqlSafe(query.to_owned()).into_sql_str())
        .await?;
    let columns = statement.columns().iter().map(|found| {
        let kind = prepared_kind(found.type_info().name(), tiny_boolean);
        column(found.name().to_owned(), kind, true, None, false)
    });
    Ok(columns.collect())
}

const fn column(
    name: String,
    kind: ReadType,
    nullable: bool,
    key: Option<u16>,
    numbered: bool,
) -> Column {
    Column {
        name,
        nullable,
        kind,
        cast: "",
        key,
        numbered,
    }
}

/// Reads `decimal(12,2) unsigned`, `enum('a','b')`.
fn declared_kind(declared: &str, tiny_boolean: bool) -> ReadType {
    let lower = declared.to_ascii_lowercase();
    let (base, arguments) = match declared.split_once('(') {
        Some((base, rest)) => (
            base.trim().to_ascii_lowercase(),
            rest.rsplit_once(')').map_or(rest, |(inside, _)| inside),
        ),
        None => (lower.split(' ').next().unwrap_or_default().to_owned(), ""),
    };
    let unsigned = lower.ends_with("unsigned") || lower.contains(" unsigned ");
    let number = |at: usize| {
        arguments
            .split(',')
            .nth(at)
            .and_then(|number| number.trim().parse::<u32>().ok())
    };
    match base.as_str() {
        "tinyint" if tiny_boolean && arguments == "1" => ReadType::Bool,
        "tinyint" if unsigned => ReadType::Unsigned(8),
        "tinyint" => ReadType::Int8,
        "smallint" if unsigned => ReadType::Unsigned(16),
        "smallint" => ReadType::Int16,
        "mediumint" if unsigned => ReadType::Unsigned(24),
        "int" | "integer" if unsigned => ReadType::Unsigned(32),
        "mediumint" | "int" | "integer" => ReadType::Int32,
        "bigint" if unsigned => ReadType::Unsigned(64),
        "bigint" => ReadType::Int64,
        "decimal" | "numeric" => ReadType::Decimal {
            precision: number(0).unwrap_or(10),
            scale: number(1)
                .and_then(|scale| i32::try_from(scale).ok())
                .unwrap_or(0),
        },
        "float" => ReadType::Float32,
        "double" | "real" => ReadType::Float64,
        "bit" => ReadType::Bits(number(0).unwrap_or(1)),
        "date" => ReadType::Date,
        "time" => ReadType::Time,
        "datetime" => ReadType::Wall,
        // It is kept in UTC, and the session's zone is UTC.
        "timestamp" => ReadType::Instant,
        "year" => ReadType::Year,
        "enum" => ReadType::Enum(words(arguments)),
        "set" => ReadType::EnumSet(words(arguments)),
        "json" => ReadType::Json,
        "uuid" => ReadType::Uuid,
        "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" | "geometry"
        | "point" | "linestring" | "polygon" | "multipoint" | "multilinestring"
        | "multipolygon" | "geometrycollection" | "geomcollection" => ReadType::Bytes,
        _ => ReadType::Text,
    }
}

/// Takes `'a','it''s'` apart and joins the words by commas.
fn words(arguments: &str) -> String {
    let mut words = Vec::new();
    let mut rest = arguments.trim();
    while let Some(inside) = rest.strip_prefix('\'') {
        let mut word = String::new();
        let mut chars = inside.char_indices().peekable();
        let mut end = inside.len();
        while let Some((at, c)) = chars.next() {
            if c != '\'' {
                word.push(c);
            } else if chars.next_if(|(_, next)| *next == '\'').is_some() {
                word.push('\'');
            } else {
                end = at + 1;
                break;
            }
        }
        words.push(word);
        rest = inside
            .get(end..)
            .unwrap_or_default()
            .trim_start_matches([',', ' ']);
    }
    words.join(",")
}

/// What a column of a result says of itself: no precision, no words.
fn prepared_kind(name: &str, tiny_boolean: bool) -> ReadType {
    match name {
        "BOOLEAN" if tiny_boolean => ReadType::Bool,
        "BOOLEAN" | "TINYINT" => ReadType::Int8,
        "TINYINT UNSIGNED" => ReadType::Unsigned(8),
        "SMALLINT" => ReadType::Int16,
        "SMALLINT UNSIGNED" => ReadType::Unsigned(16),
        "MEDIUMINT" | "INT" => ReadType::Int32,
        "MEDIUMINT UNSIGNED" => ReadType::Unsigned(24),
        "INT UNSIGNED" => ReadType::Unsigned(32),
        "BIGINT" => ReadType::Int64,
        "BIGINT UNSIGNED" => ReadType::Unsigned(64),
        "DECIMAL" => ReadType::Numeric,
        "FLOAT" => ReadType::Float32,
        "DOUBLE" => ReadType::Float64,
        "BIT" => ReadType::Bits(64),
        "DATE" => ReadType::Date,
        "TIME" => ReadType::Time,
        "DATETIME" => ReadType::Wall,
        "TIMESTAMP" => ReadType::Instant,
        "YEAR" => ReadType::Year,
        "JSON" => ReadType::Json,
        "BINARY" | "VARBINARY" | "TINYBLOB" | "BLOB" | "MEDIUMBLOB" | "LONGBLOB" | "GEOMETRY" => {
            ReadType::Bytes
        }
        _ => ReadType::Text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declared_types_are_read() {
        let check = |text: &str, expected: ReadType| {
            assert_eq!(declared_kind(text, false), expected, "{text}");
        };
        check("int(10) unsigned", ReadType::Unsigned(32));
        check("bigint(20)", ReadType::Int64);
        check("bigint unsigned", ReadType::Unsigned(64));
        check(
            "decimal(65,30) unsigned",
            ReadType::Decimal {
                precision: 65,
                scale: 30,
            },
        );
        check("tinyint(1)", ReadType::Int8);
        check("datetime(6)", ReadType::Wall);
        check("timestamp", ReadType::Instant);
        check(
            "enum('a','it''s','x,y')",
            ReadType::Enum("a,it's,x,y".to_owned()),
        );
        check("set('ㄱ','b')", ReadType::EnumSet("ㄱ,b".to_owned()));
        check("bit(9)", ReadType::Bits(9));
        check("varchar(20)", ReadType::Text);
        check("point", ReadType::Bytes);
        check("double unsigned zerofill", ReadType::Float64);
        check("int(10) unsigned zerofill", ReadType::Unsigned(32));
        assert_eq!(declared_kind("tinyint(1)", true), ReadType::Bool);
    }
}
