//! Columns of PostgreSQL: `pg_attribute` and `pg_type`, domains resolved to what they stand on.

use std::collections::BTreeMap;

use sqlx::postgres::PgColumn;
use sqlx::{
    AssertSqlSafe, Column as _, Executor as _, PgConnection, Row as _, SqlSafeStr as _,
    Statement as _,
};

use super::Column;
use crate::source::tables::Table;
use crate::types::read::ReadType;

/// Domains may stand on domains; a chain longer than this is read as text.
const DOMAINS_MAX: usize = 16;
/// `numeric(12,2)` is 12 * 65536 + 2, and 4 more, as the server stores it.
const TYPMOD_SHIFT: i32 = 4;

/// A column before its type is known.
struct Raw {
    name: String,
    oid: i64,
    typmod: i32,
    nullable: bool,
    key: Option<u16>,
    numbered: bool,
}

/// A type of the server.
#[derive(Debug, Clone)]
struct PgType {
    name: String,
    /// `b` base, `d` domain, `e` enum, `c` composite, `r` range.
    class: String,
    base: i64,
    base_typmod: i32,
    item: i64,
    is_array: bool,
    is_builtin: bool,
}

pub(super) async fn of_table(
    c: &mut PgConnection,
    table: &Table,
) -> Result<Vec<Column>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT a.attname::text, a.atttypid::bigint, a.atttypmod, a.attnotnull, \
         array_position(i.indkey::smallint[], a.attnum)::int, \
         (a.attidentity <> '' OR coalesce(pg_get_expr(d.adbin, d.adrelid) LIKE 'nextval(%', false)) \
         FROM pg_catalog.pg_attribute a \
         JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
         LEFT JOIN pg_catalog.pg_index i ON i.indrelid = a.attrelid AND i.indisprimary \
         WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
    )
    .bind(table.schema.as_deref().unwrap_or("public"))
    .bind(&table.name)
    .fetch_all(&mut *c)
    .await?;
    let mut raws = Vec::with_capacity(rows.len());
    for row in rows {
        let not_null: bool = row.try_get(3)?;
        let key: Option<i32> = row.try_get(4)?;
        raws.push(Raw {
            name: row.try_get(0)?,
            oid: row.try_get(1)?,
            typmod: row.try_get(2)?,
            nullable: !not_null,
            key: key.and_then(|key| u16::try_from(key).ok()),
            numbered: row.try_get(5)?,
        });
    }
    resolve(c, raws).await
}

pub(super) async fn of_query(
    c: &mut PgConnection,
    query: &str,
) -> Result<Vec<Column>, sqlx::Error> {
    let statement = (&mut *c)
        .prepare(AssertSqlSafe(query.to_owned()).into_sql_str())
        .await?;
    let mut raws = Vec::new();
    let mut origins = Vec::new();
    for column in statement.columns() {
        let column: &PgColumn = column;
        let origin = column.relation_id().zip(column.relation_attribute_no());
        origins.push(origin.map(|(relation, number)| (i64::from(relation.0), number)));
        raws.push(Raw {
            name: column.name().to_owned(),
            oid: column.type_info().oid().map_or(0, |oid| i64::from(oid.0)),
            typmod: -1,
            nullable: true,
            key: None,
            numbered: false,
        });
    }
    drop(statement);
    // A plain column keeps the precision it was declared with.
    for (raw, origin) in raws.iter_mut().zip(origins) {
        let Some((relation, number)) = origin else {
            continue;
        };
        let typmod: Option<i32> = sqlx::query_scalar(
            "SELECT atttypmod FROM pg_catalog.pg_attribute WHERE attrelid::bigint = $1 AND attnum = $2 AND atttypid::bigint = $3",
        )
        .bind(relation)
        .bind(number)
        .bind(raw.oid)
        .fetch_optional(&mut *c)
        .await?;
        raw.typmod = typmod.unwrap_or(-1);
    }
    resolve(c, raws).await
}

async fn resolve(c: &mut PgConnection, raws: Vec<Raw>) -> Result<Vec<Column>, sqlx::Error> {
    let types = types_of(c, raws.iter().map(|raw| raw.oid).collect()).await?;
    let mut words = BTreeMap::new();
    let mut columns = Vec::with_capacity(raws.len());
    for raw in raws {
        let (oid, typmod) = undomained(&types, raw.oid, raw.typmod);
        let (kind, cast) = match types.get(&oid) {
            Some(found) if found.class == "e" => {
                let words = enum_words(c, oid, &mut words).await?;
                (ReadType::Enum(words), "::text")
            }
            Some(found) if found.is_array => of_array(&types, found, typmod),
            Some(found) => of_scalar(found, typmod),
            None => (ReadType::Text, "::text"),
        };
        columns.push(Column {
            name: raw.name,
            kind,
            nullable: raw.nullable,
            cast,
            key: raw.key,
            numbered: raw.numbered,
        });
    }
    Ok(columns)
}

/// Reads types, and those that they stand on.
async fn types_of(
    c: &mut PgConnection,
    mut wanted: Vec<i64>,
) -> Result<BTreeMap<i64, PgType>, sqlx::Error> {
    let mut types: BTreeMap<i64, PgType> = BTreeMap::new();
    for _ in 0..DOMAINS_MAX {
        wanted.retain(|oid| *oid != 0 && !types.contains_key(oid));
        if wanted.is_empty() {
            break;
        }
        let rows = sqlx::query(
            "SELECT t.oid::bigint, t.typname::text, t.typtype::text, t.typbasetype::bigint, t.typtypmod, t.typelem::bigint, \
             t.typcategory = 'A', n.nspname = 'pg_catalog' \
             FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace WHERE t.oid::bigint = ANY($1)",
        )
        .bind(&wanted)
        .fetch_all(&mut *c)
        .await?;
        wanted.clear();
        for row in rows {
            let found = PgType {
                name: row.try_get(1)?,
                class: row.try_get(2)?,
                base: row.try_get(3)?,
                base_typmod: row.try_get(4)?,
                item: row.try_get(5)?,
                is_array: row.try_get(6)?,
                is_builtin: row.try_get(7)?,
            };
            wanted.extend([found.base, found.item]);
            types.insert(row.try_get(0)?, found);
        }
    }
    Ok(types)
}

fn undomained(types: &BTreeMap<i64, PgType>, mut oid: i64, mut typmod: i32) -> (i64, i32) {
    for _ in 0..DOMAINS_MAX {
        match types.get(&oid) {
            Some(found) if found.class == "d" => {
                oid = found.base;
                if found.base_typmod >= 0 {
                    typmod = found.base_typmod;
                }
            }
            _ => break,
        }
    }
    (oid, typmod)
}

async fn enum_words(
    c: &mut PgConnection,
    oid: i64,
    known: &mut BTreeMap<i64, String>,
) -> Result<String, sqlx::Error> {
    if let Some(words) = known.get(&oid) {
        return Ok(words.clone());
    }
    let words: Vec<String> = sqlx::query_scalar(
        "SELECT enumlabel::text FROM pg_catalog.pg_enum WHERE enumtypid::bigint = $1 ORDER BY enumsortorder",
    )
    .bind(oid)
    .fetch_all(&mut *c)
    .await?;
    let words = words.join(",");
    known.insert(oid, words.clone());
    Ok(words)
}

fn of_scalar(found: &PgType, typmod: i32) -> (ReadType, &'static str) {
    let text = (ReadType::Text, "::text");
    if !found.is_builtin {
        return match found.name.as_str() {
            "hstore" => (ReadType::Json, "::json::text"),
            _ => text,
        };
    }
    let kind = match found.name.as_str() {
        "bool" => ReadType::Bool,
        "int2" => ReadType::Int16,
        "int4" => ReadType::Int32,
        "int8" | "oid" => ReadType::Int64,
        "float4" => ReadType::Float32,
        "float8" => ReadType::Float64,
        "numeric" => numeric(typmod),
        "text" | "varchar" | "bpchar" | "name" => ReadType::Text,
        "bytea" => ReadType::Bytes,
        "date" => ReadType::Date,
        "time" => ReadType::Time,
        "timetz" => ReadType::ZonedTime,
        "timestamp" => ReadType::Wall,
        "timestamptz" => ReadType::Instant,
        "interval" => ReadType::Interval,
        "uuid" => ReadType::Uuid,
        "json" => ReadType::Json,
        "jsonb" => return (ReadType::Json, "::text"),
        "xml" => return (ReadType::Xml, "::text"),
        "bit" => ReadType::Bits(u32::try_from(typmod).unwrap_or(1)),
        "varbit" => ReadType::Bits(u32::try_from(typmod).unwrap_or(0)),
        "money" => {
            return (
                ReadType::Decimal {
                    precision: 19,
                    scale: 2,
                },
                "::numeric",
            );
        }
        _ => return text,
    };
    (kind, "")
}

fn numeric(typmod: i32) -> ReadType {
    let Some(declared) = typmod
        .checked_sub(TYPMOD_SHIFT)
        .filter(|declared| *declared >= 0)
    else {
        return ReadType::Numeric;
    };
    // The scale has 11 bits and a sign.
    let scale = ((declared & 0x7ff) ^ 1024) - 1024;
    ReadType::Decimal {
        precision: u32::try_from((declared >> 16) & 0xffff).unwrap_or(0),
        scale,
    }
}

fn of_array(
    types: &BTreeMap<i64, PgType>,
    array: &PgType,
    typmod: i32,
) -> (ReadType, &'static str) {
    let (item, cast) = match types.get(&array.item) {
        Some(item) if item.class == "b" && !item.is_array => of_scalar(item, typmod),
        _ => (ReadType::Text, "::text"),
    };
    // What has to be cast is cast as a whole; int2vector and its like are no arrays.
    if array.name.starts_with('_') {
        let cast = if cast.is_empty() { "" } else { "::text[]" };
        let item = match (&item, cast) {
            (ReadType::Decimal { .. }, "::text[]") => ReadType::Text,
            _ => item,
        };
        return (ReadType::Array(Box::new(item)), cast);
    }
    (ReadType::Text, "::text")
}
