//! PostgreSQL's catalog.

use sqlx::{PgConnection, Row as _};

use super::{Table, TableKind, UniqueIndex};
use crate::dialect::{Dialect, TableName};
use crate::types::{Column, ColumnKind};

const TABLE: &str = "SELECT c.oid::bigint AS oid, n.nspname::text AS schema, c.relname::text AS name, c.relkind::text AS kind, \
     c.relhastriggers AS has_triggers \
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass($1)";

const COLUMNS: &str = "SELECT a.attname::text AS name, format_type(a.atttypid, a.atttypmod) AS type_name, \
     format_type(a.atttypid, NULL) AS base_type, t.typtype::text AS type_kind, \
     CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) END AS domain_base, \
     a.attnotnull OR (t.typtype = 'd' AND t.typnotnull) AS not_null, a.atthasdef AS has_default, a.attidentity::text AS identity, \
     a.attgenerated::text AS generated, \
     coalesce(pg_get_expr(d.adbin, d.adrelid) LIKE 'nextval(%', false) AS serial, \
     ARRAY(SELECT e.enumlabel::text FROM pg_enum e WHERE e.enumtypid = a.atttypid ORDER BY e.enumsortorder) AS words, \
     t.typname = 'citext' OR NOT coalesce(co.collisdeterministic, true) AS folds \
     FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid \
     LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
     LEFT JOIN pg_collation co ON co.oid = a.attcollation \
     WHERE a.attrelid = $1::bigint::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";

const INDEXES: &str = "SELECT c.relname::text AS name, i.indisprimary AS primary, \
     i.indpred IS NOT NULL OR i.indexprs IS NOT NULL OR NOT i.indimmediate OR NOT i.indisvalid AS special, \
     ARRAY(SELECT a.attname::text FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, n) \
           JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum \
           WHERE k.n <= i.indnkeyatts ORDER BY k.n) AS columns \
     FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
     WHERE i.indrelid = $1::bigint::oid AND i.indisunique ORDER BY i.indisprimary DESC, c.relname";

const TABLES: &str = "SELECT n.nspname::text AS schema, c.relname::text AS name, c.relkind::text AS kind \
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
     WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm') AND NOT c.relispartition \
     AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_toast%' AND n.nspname NOT LIKE 'pg\\_temp%' \
     ORDER BY n.nspname, c.relname";

pub(super) async fn table(
    connection: &mut PgConnection,
    name: &TableName,
) -> Result<Option<Table>, sqlx::Error> {
    // A schema that is not there is an error of its own on old servers, a null on new ones.
    let found = sqlx::query(TABLE)
        .bind(name.quoted(Dialect::Postgres))
        .fetch_optional(&mut *connection)
        .await?;
    let Some(found) = found else { return Ok(None) };
    let oid: i64 = found.try_get("oid")?;
    let kind: String = found.try_get("kind")?;
    let columns = sqlx::query(COLUMNS)
        .bind(oid)
        .fetch_all(&mut *connection)
        .await?;
    let columns: Vec<Column> = columns.iter().map(column).collect::<Result<_, _>>()?;
    let mut unique = Vec::new();
    for index in sqlx::query(INDEXES)
        .bind(oid)
        .fetch_all(&mut *connection)
        .await?
    {
        unique.push(UniqueIndex {
            name: index.try_get("name")?,
            columns: index.try_get("columns")?,
            primary: index.try_get("primary")?,
            special: index.try_get("special")?,
        });
    }
    let primary_key = unique
        .iter()
        .find(|index| index.primary)
        .map(|index| index.columns.clone())
        .unwrap_or_default();
    Ok(Some(Table {
        name: TableName {
            schema: Some(found.try_get("schema")?),
            name: found.try_get("name")?,
        },
        kind: kind_of(&kind),
        columns,
        primary_key,
        unique,
        engine: None,
        has_triggers: found.try_get("has_triggers")?,
    }))
}

fn column(row: &sqlx::postgres::PgRow) -> Result<Column, sqlx::Error> {
    let type_name: String = row.try_get("type_name")?;
    let domain_base: Option<String> = row.try_get("domain_base")?;
    let type_kind: String = row.try_get("type_kind")?;
    let identity: String = row.try_get("identity")?;
    let generated: String = row.try_get("generated")?;
    let serial: bool = row.try_get("serial")?;
    let has_default: bool = row.try_get("has_default")?;
    let not_null: bool = row.try_get("not_null")?;
    let kind = match type_kind.as_str() {
        "e" => ColumnKind::Enum,
        "c" => ColumnKind::Other,
        _ => Dialect::Postgres.column_kind(domain_base.as_deref().unwrap_or(&type_name)),
    };
    let is_generated = !generated.is_empty();
    Ok(Column {
        name: row.try_get("name")?,
        length_max: length(&type_name),
        type_name,
        base_type: row.try_get("base_type")?,
        kind,
        nullable: !not_null,
        has_default: (has_default && !is_generated) || !identity.is_empty(),
        generated: is_generated,
        numbered: serial || !identity.is_empty(),
        identity_always: identity == "a",
        words: row.try_get("words")?,
        charset: None,
        folds_text: row.try_get("folds")?,
    })
}

/// The length in `character varying(5)`.
fn length(type_name: &str) -> Option<u32> {
    let rest = type_name.strip_prefix("character")?;
    let (_, rest) = rest.split_once('(')?;
    rest.split_once(')')?.0.parse().ok()
}

pub(super) async fn tables(
    connection: &mut PgConnection,
    views: bool,
) -> Result<Vec<(TableName, TableKind)>, sqlx::Error> {
    let mut tables = Vec::new();
    for row in sqlx::query(TABLES).fetch_all(connection).await? {
        let kind = kind_of(row.try_get("kind")?);
        if views || kind != TableKind::View {
            let schema: String = row.try_get("schema")?;
            tables.push((TableName::new(Some(&schema), row.try_get("name")?), kind));
        }
    }
    Ok(tables)
}

fn kind_of(relkind: &str) -> TableKind {
    match relkind {
        "p" => TableKind::Partitioned,
        "v" | "m" => TableKind::View,
        "f" => TableKind::Foreign,
        _ => TableKind::Table,
    }
}
