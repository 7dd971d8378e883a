//! Columns of SQLite: the declared type is a hint, and a column may have none; then its first value says what it is.

use sqlx::{
    AssertSqlSafe, Column as _, Executor as _, Row as _, SqlSafeStr as _, SqliteConnection,
    Statement as _, TypeInfo as _,
};

use super::Column;
use crate::dialect::Dialect;
use crate::source::tables::Table;
use crate::types::read::ReadType;

pub(super) async fn of_table(
    c: &mut SqliteConnection,
    table: &Table,
) -> Result<Vec<Column>, sqlx::Error> {
    let rows = sqlx::query(r#"SELECT name, type, "notnull", pk FROM pragma_table_xinfo(?) WHERE hidden <> 1 ORDER BY cid"#)
        .bind(&table.name)
        .fetch_all(&mut *c)
        .await?;
    let keys = rows
        .iter()
        .filter(|row| row.try_get::<i64, _>(3).is_ok_and(|pk| pk > 0))
        .count();
    let mut columns = Vec::with_capacity(rows.len());
    for row in rows {
        let declared: String = row.try_get(1)?;
        let not_null: bool = row.try_get::<i64, _>(2)? != 0;
        let pk: i64 = row.try_get(3)?;
        // The one INTEGER PRIMARY KEY is the row's own number.
        let is_row_number = pk == 1 && keys == 1 && declared.eq_ignore_ascii_case("integer");
        columns.push((
            declared_kind(&declared),
            Column {
                name: row.try_get(0)?,
                kind: ReadType::Text,
                nullable: !not_null && !is_row_number,
                cast: "",
                key: u16::try_from(pk - 1).ok(),
                numbered: is_row_number,
            },
        ));
    }
    with_kinds(c, columns, &Dialect::Sqlite.quote(&table.name)).await
}

pub(super) async fn of_query(
    c: &mut SqliteConnection,
    query: &str,
) -> Result<Vec<Column>, sqlx::Error> {
    let statement = (&mut *c)
        .prepare(AssertSqlSafe(query.to_owned()).into_sql_str())
        .await?;
    let mut columns = Vec::new();
    for found in statement.columns() {
        columns.push((
            result_kind(found.type_info().name()),
            Column {
                name: found.name().to_owned(),
                kind: ReadType::Text,
                nullable: true,
                cast: "",
                key: None,
                numbered: false,
            },
        ));
    }
    drop(statement);
    with_kinds(c, columns, &format!("({query})")).await
}

/// Sets the kinds; where nothing is declared, the first value that is not null decides.
async fn with_kinds(
    c: &mut SqliteConnection,
    columns: Vec<(Option<ReadType>, Column)>,
    from: &str,
) -> Result<Vec<Column>, sqlx::Error> {
    let mut done = Vec::with_capacity(columns.len());
    for (kind, mut column) in columns {
        column.kind = match kind {
            Some(kind) => kind,
            None => {
                let name = Dialect::Sqlite.quote(&column.name);
                let sql =
                    format!("SELECT typeof({name}) FROM {from} WHERE {name} IS NOT NULL LIMIT 1");
                let class: Option<String> = sqlx::query_scalar(AssertSqlSafe(sql))
                    .fetch_optional(&mut *c)
                    .await?;
                match class.as_deref() {
                    Some("integer") => ReadType::Int64,
                    Some("real") => ReadType::Float64,
                    Some("blob") => ReadType::Bytes,
                    _ => ReadType::Text,
                }
            }
        };
        done.push(column);
    }
    Ok(done)
}

/// What a declared type means; `None` where there is none. <https://www.sqlite.org/datatype3.html#affname>
fn declared_kind(declared: &str) -> Option<ReadType> {
    let upper = declared.trim().to_ascii_uppercase();
    if upper.is_empty() {
        return None;
    }
    let (base, arguments) = upper.split_once('(').unwrap_or((&upper, ""));
    let base = base.trim();
    let number = |at: usize| {
        let inside = arguments.split(')').next().unwrap_or_default();
        inside
            .split(',')
            .nth(at)
            .and_then(|number| number.trim().parse::<u32>().ok())
    };
    let has = |word: &str| base.contains(word);
    Some(if base.starts_with("BOOL") {
        ReadType::Bool
    } else if base == "DATETIME" || base.starts_with("TIMESTAMP") {
        ReadType::Wall
    } else if base == "DATE" {
        ReadType::Date
    } else if base == "TIME" {
        ReadType::Time
    } else if base == "UUID" {
        ReadType::Uuid
    } else if base.starts_with("JSON") {
        ReadType::Json
    } else if has("INT") {
        ReadType::Int64
    } else if has("CHAR") || has("CLOB") || has("TEXT") {
        ReadType::Text
    } else if has("BLOB") || has("BINARY") {
        ReadType::Bytes
    } else if has("REAL") || has("FLOA") || has("DOUB") {
        ReadType::Float64
    } else {
        match number(0) {
            Some(precision) => ReadType::Decimal {
                precision,
                scale: number(1)
                    .and_then(|scale| i32::try_from(scale).ok())
                    .unwrap_or(0),
            },
            None => ReadType::Numeric,
        }
    })
}

/// What a result's column says of itself; an expression says nothing.
fn result_kind(name: &str) -> Option<ReadType> {
    Some(match name {
        "BOOLEAN" => ReadType::Bool,
        "DATE" => ReadType::Date,
        "DATETIME" => ReadType::Wall,
        "TIME" => ReadType::Time,
        "INTEGER" => ReadType::Int64,
        "REAL" => ReadType::Float64,
        "TEXT" => ReadType::Text,
        "BLOB" => ReadType::Bytes,
        "NUMERIC" => ReadType::Numeric,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declared_types_mean_what_sqlite_says() {
        let check = |text: &str, expected: Option<ReadType>| {
            assert_eq!(declared_kind(text), expected, "{text}");
        };
        check("INTEGER", Some(ReadType::Int64));
        check("varchar(20)", Some(ReadType::Text));
        check("NVARCHAR(200)", Some(ReadType::Text));
        check(
            "NUMERIC(10,2)",
            Some(ReadType::Decimal {
                precision: 10,
                scale: 2,
            }),
        );
        check("decimal", Some(ReadType::Numeric));
        check("double precision", Some(ReadType::Float64));
        check("datetime", Some(ReadType::Wall));
        check("", None);
    }
}
