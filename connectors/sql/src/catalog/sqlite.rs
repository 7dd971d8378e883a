//! SQLite's pragmas, asked as tables.

use sqlx::{Row as _, SqliteConnection};

use super::{Table, TableKind, UniqueIndex};
use crate::dialect::{Dialect, TableName};
use crate::types::Column;

const TABLE: &str = "SELECT name, type FROM pragma_table_list WHERE schema = ? AND name = ? COLLATE NOCASE AND type <> 'shadow'";
const COLUMNS: &str = "SELECT name, type, \"notnull\" AS not_null, dflt_value IS NOT NULL AS has_default, pk, hidden \
     FROM pragma_table_xinfo(?, ?) ORDER BY cid";
const INDEXES: &str = "SELECT name, partial, origin FROM pragma_index_list(?, ?) WHERE \"unique\" = 1 ORDER BY origin = 'pk' DESC, seq";
const INDEX_COLUMNS: &str = "SELECT name FROM pragma_index_info(?, ?) ORDER BY seqno";
const TABLES: &str = "SELECT name, type FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'view', 'virtual') \
     AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name";

/// The schema of a file's own tables.
const MAIN: &str = "main";

pub(super) async fn table(
    connection: &mut SqliteConnection,
    name: &TableName,
) -> Result<Option<Table>, sqlx::Error> {
    let schema = name.schema.as_deref().unwrap_or(MAIN);
    let found = sqlx::query(TABLE)
        .bind(schema)
        .bind(&name.name)
        .fetch_optional(&mut *connection)
        .await?;
    let Some(found) = found else { return Ok(None) };
    let (table, kind): (String, String) = (found.try_get("name")?, found.try_get("type")?);
    let rows = sqlx::query(COLUMNS)
        .bind(&table)
        .bind(schema)
        .fetch_all(&mut *connection)
        .await?;
    let mut columns = Vec::new();
    let mut key: Vec<(i64, String)> = Vec::new();
    for row in &rows {
        let place: i64 = row.try_get("pk")?;
        let column = column(row)?;
        if place > 0 {
            key.push((place, column.name.clone()));
        }
        columns.push(column);
    }
    key.sort_unstable();
    let primary_key: Vec<String> = key.into_iter().map(|(_, name)| name).collect();
    // INTEGER PRIMARY KEY is the row's number and has no index of its own.
    let is_rowid = |column: &Column| column.type_name.eq_ignore_ascii_case("INTEGER");
    let mut unique = Vec::new();
    for row in sqlx::query(INDEXES)
        .bind(&table)
        .bind(schema)
        .fetch_all(&mut *connection)
        .await?
    {
        let (index, origin): (String, String) = (row.try_get("name")?, row.try_get("origin")?);
        let partial: i64 = row.try_get("partial")?;
        let found: Vec<Option<String>> = sqlx::query_scalar(INDEX_COLUMNS)
            .bind(&index)
            .bind(schema)
            .fetch_all(&mut *connection)
            .await?;
        unique.push(UniqueIndex {
            special: partial != 0 || found.iter().any(Option::is_none),
            columns: found.into_iter().flatten().collect(),
            primary: origin == "pk",
            name: index,
        });
    }
    if let [only] = primary_key.as_slice()
        && let Some(column) = columns.iter_mut().find(|column| column.name == *only)
        && is_rowid(column)
    {
        column.numbered = true;
        column.has_default = true;
        unique.insert(
            0,
            UniqueIndex {
                name: "rowid".to_owned(),
                columns: primary_key.clone(),
                primary: true,
                special: false,
            },
        );
    }
    Ok(Some(Table {
        name: TableName::new(name.schema.as_deref(), &table),
        kind: kind_of(&kind),
        columns,
        primary_key,
        unique,
        engine: None,
        has_triggers: false,
    }))
}

fn column(row: &sqlx::sqlite::SqliteRow) -> Result<Column, sqlx::Error> {
    let type_name: String = row.try_get("type")?;
    let (not_null, has_default, hidden): (i64, i64, i64) = (
        row.try_get("not_null")?,
        row.try_get("has_default")?,
        row.try_get("hidden")?,
    );
    Ok(Column {
        name: row.try_get("name")?,
        kind: Dialect::Sqlite.column_kind(&type_name),
        base_type: type_name.clone(),
        type_name,
        nullable: not_null == 0,
        has_default: has_default != 0,
        generated: hidden == 2 || hidden == 3,
        numbered: false,
        identity_always: false,
        length_max: None,
        words: Vec::new(),
        charset: None,
        folds_text: false,
    })
}

pub(super) async fn tables(
    connection: &mut SqliteConnection,
    views: bool,
) -> Result<Vec<(TableName, TableKind)>, sqlx::Error> {
    let mut tables = Vec::new();
    for row in sqlx::query(TABLES).fetch_all(connection).await? {
        let kind = kind_of(row.try_get("type")?);
        if views || kind != TableKind::View {
            tables.push((TableName::new(None, row.try_get("name")?), kind));
        }
    }
    Ok(tables)
}

fn kind_of(word: &str) -> TableKind {
    match word {
        "view" => TableKind::View,
        "virtual" => TableKind::Foreign,
        _ => TableKind::Table,
    }
}
