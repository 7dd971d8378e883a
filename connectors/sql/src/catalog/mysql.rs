//! The information schema of MySQL and MariaDB.

use sqlx::mysql::MySqlRow;
use sqlx::{MySqlConnection, Row as _};

use super::{Table, TableKind, UniqueIndex};
use crate::dialect::{Dialect, TableName};
use crate::types::Column;

// The types of these columns differ between servers and versions; CAST makes them text everywhere.
const TABLE: &str = "SELECT CAST(TABLE_SCHEMA AS CHAR) AS s, CAST(TABLE_NAME AS CHAR) AS n, CAST(TABLE_TYPE AS CHAR) AS t, \
     CAST(ENGINE AS CHAR) AS e FROM information_schema.TABLES WHERE TABLE_SCHEMA = coalesce(?, DATABASE()) AND TABLE_NAME = ?";

const COLUMNS: &str = "SELECT CAST(COLUMN_NAME AS CHAR) AS n, CAST(COLUMN_TYPE AS CHAR) AS ct, CAST(DATA_TYPE AS CHAR) AS dt, \
     CAST(IS_NULLABLE AS CHAR) AS nu, CASE WHEN COLUMN_DEFAULT IS NULL THEN 0 ELSE 1 END AS de, CAST(EXTRA AS CHAR) AS ex, \
     CAST(CHARACTER_MAXIMUM_LENGTH AS CHAR) AS le, CAST(CHARACTER_SET_NAME AS CHAR) AS cs, CAST(COLLATION_NAME AS CHAR) AS co \
     FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION";

const INDEXES: &str = "SELECT CAST(INDEX_NAME AS CHAR) AS i, CAST(COLUMN_NAME AS CHAR) AS c, CAST(SUB_PART AS CHAR) AS p \
     FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? AND NON_UNIQUE = 0 \
     ORDER BY INDEX_NAME = 'PRIMARY' DESC, INDEX_NAME, SEQ_IN_INDEX";

const TRIGGERS: &str = "SELECT COUNT(*) FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = ? AND EVENT_OBJECT_TABLE = ?";

const TABLES: &str = "SELECT CAST(TABLE_SCHEMA AS CHAR) AS s, CAST(TABLE_NAME AS CHAR) AS n, CAST(TABLE_TYPE AS CHAR) AS t \
     FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() ORDER BY TABLE_NAME";

pub(super) async fn table(
    connection: &mut MySqlConnection,
    name: &TableName,
) -> Result<Option<Table>, sqlx::Error> {
    let found = sqlx::query(TABLE)
        .bind(&name.schema)
        .bind(&name.name)
        .fetch_optional(&mut *connection)
        .await?;
    let Some(found) = found else { return Ok(None) };
    let (schema, table): (String, String) = (found.try_get("s")?, found.try_get("n")?);
    let rows = sqlx::query(COLUMNS)
        .bind(&schema)
        .bind(&table)
        .fetch_all(&mut *connection)
        .await?;
    let columns = rows.iter().map(column).collect::<Result<Vec<_>, _>>()?;
    let mut unique: Vec<UniqueIndex> = Vec::new();
    for row in sqlx::query(INDEXES)
        .bind(&schema)
        .bind(&table)
        .fetch_all(&mut *connection)
        .await?
    {
        let index: String = row.try_get("i")?;
        // No column: an expression. A part: only the first characters count.
        let (column, part): (Option<String>, Option<String>) =
            (row.try_get("c")?, row.try_get("p")?);
        let special = column.is_none() || part.is_some();
        match unique.last_mut().filter(|last| last.name == index) {
            Some(last) => {
                last.columns.extend(column);
                last.special |= special;
            }
            None => unique.push(UniqueIndex {
                primary: index == "PRIMARY",
                name: index,
                columns: column.into_iter().collect(),
                special,
            }),
        }
    }
    let triggers: i64 = sqlx::query_scalar(TRIGGERS)
        .bind(&schema)
        .bind(&table)
        .fetch_one(&mut *connection)
        .await?;
    let primary_key = unique
        .iter()
        .find(|index| index.primary)
        .map(|index| index.columns.clone())
        .unwrap_or_default();
    Ok(Some(Table {
        name: TableName {
            schema: Some(schema),
            name: table,
        },
        kind: kind_of(found.try_get("t")?),
        columns,
        primary_key,
        unique,
        engine: found.try_get("e")?,
        has_triggers: triggers > 0,
    }))
}

fn column(row: &MySqlRow) -> Result<Column, sqlx::Error> {
    let type_name: String = row.try_get("ct")?;
    let extra: String = row.try_get("ex")?;
    let extra = extra.to_ascii_lowercase();
    let nullable: String = row.try_get("nu")?;
    let has_default: i32 = row.try_get("de")?;
    let length: Option<String> = row.try_get("le")?;
    let collation: Option<String> = row.try_get("co")?;
    let numbered = extra.contains("auto_increment");
    let kind = Dialect::MySql.column_kind(&type_name);
    Ok(Column {
        name: row.try_get("n")?,
        base_type: row.try_get("dt")?,
        words: words(&type_name),
        kind,
        nullable: nullable.eq_ignore_ascii_case("yes"),
        has_default: has_default == 1 || numbered,
        generated: extra.contains("virtual")
            || extra.contains("persistent")
            || extra.contains("stored generated"),
        numbered,
        identity_always: false,
        length_max: length.and_then(|text| text.parse().ok()),
        charset: row.try_get("cs")?,
        folds_text: collation.is_some_and(|collation| !collation.ends_with("_bin")),
        type_name,
    })
}

/// The words of `enum('a','it''s')`.
fn words(type_name: &str) -> Vec<String> {
    let lower = type_name.to_ascii_lowercase();
    if !lower.starts_with("enum(") && !lower.starts_with("set(") {
        return Vec::new();
    }
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = type_name.chars().peekable();
    while let Some(c) = chars.next() {
        match (&mut word, c) {
            (None, '\'') => word = Some(String::new()),
            (Some(text), '\'') if chars.peek() == Some(&'\'') => {
                chars.next();
                text.push('\'');
            }
            (Some(_), '\'') => words.extend(word.take()),
            (Some(text), c) => text.push(c),
            (None, _) => {}
        }
    }
    words
}

pub(super) async fn tables(
    connection: &mut MySqlConnection,
    views: bool,
) -> Result<Vec<(TableName, TableKind)>, sqlx::Error> {
    let mut tables = Vec::new();
    for row in sqlx::query(TABLES).fetch_all(connection).await? {
        let kind = kind_of(row.try_get("t")?);
        if views || kind != TableKind::View {
            let (schema, name): (String, String) = (row.try_get("s")?, row.try_get("n")?);
            tables.push((TableName::new(Some(&schema), &name), kind));
        }
    }
    Ok(tables)
}

fn kind_of(table_type: &str) -> TableKind {
    if table_type.to_ascii_uppercase().contains("VIEW") {
        TableKind::View
    } else {
        TableKind::Table
    }
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn the_words_of_an_enum_are_read() {
        assert_eq!(words("enum('a','it''s','b,c')"), ["a", "it's", "b,c"]);
        assert_eq!(words("varchar(5)"), Vec::<String>::new());
    }
}
