//! Running SQL of the user's own, once for each record.

use linkspan_sdk::prelude::*;

use super::free::{Parameter, Statement};
use super::position::Positions;
use super::record::{Action, Holder, KeyView, View};
use crate::connect::Connection;
use crate::dialect::Dialect;
use crate::errors::{Class, SqlError};
use crate::types::write::{bound, unescape};
use crate::types::{Bound, Cell, Column, ColumnKind, Encoder, Meaning, Zone};

/// A statement, ready for one connection after the other.
#[derive(Debug)]
pub(super) struct Freely {
    statement: Statement,
    encoder: Encoder,
    /// What each parameter takes, and the SQL with casts to it; known once a server was asked.
    ready: Option<(Vec<Column>, String)>,
}

impl Freely {
    pub(super) fn new(query: &str, dialect: Dialect, zone: Zone) -> Result<Self> {
        let statement = Statement::parse(query, dialect)
            .map_err(|fault| Error::config_invalid(format!("`query` {fault}")))?;
        Ok(Self {
            statement,
            encoder: Encoder::new(dialect, zone),
            ready: None,
        })
    }

    /// Runs the statement for each record in one transaction with the positions; returns the records at fault, and then nothing was
    /// applied.
    pub(super) async fn run(
        &mut self,
        connection: &mut Connection,
        positions: Option<&Positions>,
        records: &Records<'_>,
        moves: &[(TopicPartition, i64, i32)],
        tolerant: bool,
    ) -> Result<Vec<(usize, SqlError)>, SqlError> {
        if self.ready.is_none() {
            self.ready = Some(self.prepare(connection).await?);
        }
        let dialect = connection.dialect();
        connection.begin().await?;
        if let Some(positions) = positions {
            positions.advance(moves).run(connection).await?;
        }
        let mut bad = Vec::new();
        let mut written = Positions::written(positions);
        for (at, record) in records.clone().enumerate() {
            if written.has(&record) {
                continue;
            }
            let cells = match self.cells(&record) {
                Ok(cells) => cells,
                Err(error) => {
                    bad.push((
                        at,
                        SqlError::plain(dialect, Class::BadValue, error.message()),
                    ));
                    if tolerant { continue } else { break }
                }
            };
            if tolerant {
                connection.run("SAVEPOINT linkspan_record").await?;
            }
            let Err(error) = self.execute(connection, &cells).await else {
                continue;
            };
            if !error.is_of_record() {
                return Err(error);
            }
            bad.push((at, error));
            if !tolerant {
                break;
            }
            connection
                .run("ROLLBACK TO SAVEPOINT linkspan_record")
                .await?;
        }
        if bad.is_empty() {
            connection.commit().await?;
        } else {
            connection.rollback().await?;
        }
        Ok(bad)
    }

    /// Asks PostgreSQL what the parameters are; the others find out by themselves.
    async fn prepare(
        &self,
        connection: &mut Connection,
    ) -> Result<(Vec<Column>, String), SqlError> {
        let dialect = connection.dialect();
        let Connection::Postgres(server) = connection else {
            let columns = self
                .statement
                .parameters
                .iter()
                .map(|_| column(ColumnKind::Any, ""))
                .collect();
            return Ok((columns, self.statement.sql(|n| dialect.placeholder(n + 1))));
        };
        let sql = self.statement.sql(|n| format!("${}", n + 1));
        let failed = |error: sqlx::Error| SqlError::new(dialect, &error);
        let oids = {
            use sqlx::{AssertSqlSafe, Either, Executor as _, SqlSafeStr as _, Statement as _};
            let prepared = server
                .prepare(AssertSqlSafe(sql).into_sql_str())
                .await
                .map_err(failed)?;
            match prepared.parameters() {
                Some(Either::Left(types)) => types
                    .iter()
                    .map(|info| info.oid().map_or(25, |oid| i64::from(oid.0)))
                    .collect::<Vec<_>>(),
                _ => vec![25; self.statement.parameters.len()],
            }
        };
        let mut columns = Vec::with_capacity(oids.len());
        for oid in oids {
            let rows = connection
                .rows(
                    "SELECT format_type($1::bigint::oid, NULL)",
                    std::iter::once(Bound::Int(oid)),
                )
                .await?;
            let name = rows
                .into_iter()
                .flatten()
                .next()
                .flatten()
                .unwrap_or_else(|| "text".to_owned());
            columns.push(column(dialect.column_kind(&name), &name));
        }
        let sql = self.statement.sql(|n| {
            let name = columns
                .get(n)
                .map_or("text", |column| column.base_type.as_str());
            format!("(${}::text::{name})", n + 1)
        });
        Ok((columns, sql))
    }

    async fn execute(
        &self,
        connection: &mut Connection,
        cells: &[Vec<u8>],
    ) -> Result<u64, SqlError> {
        let Some((_, sql)) = &self.ready else {
            return Ok(0);
        };
        if connection.dialect() == Dialect::Postgres {
            let texts: Vec<Option<String>> = cells
                .iter()
                .map(|cell| unescape(cell).map(|text| String::from_utf8_lossy(&text).into_owned()))
                .collect();
            return connection
                .execute(
                    sql,
                    texts
                        .iter()
                        .map(|text| text.as_deref().map_or(Bound::Null, Bound::Text)),
                )
                .await;
        }
        connection
            .execute(sql, cells.iter().map(|cell| bound(cell)))
            .await
    }

    /// The value of each parameter, encoded.
    fn cells(&mut self, record: &Record<'_>) -> Result<Vec<Vec<u8>>> {
        let value = record.value();
        let wants_fields = self
            .statement
            .parameters
            .iter()
            .any(|parameter| matches!(parameter, Parameter::Field(_)));
        let holder = if wants_fields {
            Holder::new(&value)?
        } else {
            Holder::Null
        };
        let key = record.key();
        let key_holder = Holder::new(&key)?;
        let asked = if wants_fields {
            Some(holder.asked()?)
        } else {
            None
        };
        let view = match asked.map(|asked| asked.action) {
            Some(Action::Put(view) | Action::Delete(Some(view))) => Some(view),
            _ => None,
        };
        let mut cells = Vec::with_capacity(self.statement.parameters.len());
        for (n, parameter) in self.statement.parameters.iter().enumerate() {
            let cell = match parameter {
                Parameter::Field(name) => match &view {
                    Some(view) => field(view, name)?,
                    None => Cell::Null,
                },
                Parameter::Key => match key_holder.key()? {
                    KeyView::Single(cell) => cell,
                    KeyView::None => Cell::Null,
                    KeyView::Fields(_) => whole(&key)?,
                },
                Parameter::Value => whole(&value)?,
                Parameter::Topic => Cell::Text(record.original_topic().into()),
                Parameter::Partition => Cell::Int(i64::from(record.partition())),
                Parameter::Offset => Cell::Int(record.offset()),
                Parameter::Timestamp => record.timestamp().map_or(Cell::Null, |time| {
                    Cell::typed(
                        &Meaning::Timestamp(crate::types::Unit::Millis),
                        &Schema::new(linkspan_sdk::Kind::Int64),
                        ValueRef::Int64(time),
                    )
                    .unwrap_or(Cell::Null)
                }),
            };
            let Some(column) = self.ready.as_ref().and_then(|(columns, _)| columns.get(n)) else {
                continue;
            };
            let mut out = Vec::new();
            self.encoder
                .encode(&cell, column, &mut out)
                .map_err(|unfit| {
                    Error::data_invalid(format!("parameter {} of `query` {unfit}", n + 1))
                })?;
            cells.push(out);
        }
        Ok(cells)
    }
}

fn field<'v>(view: &'v View<'_>, name: &str) -> Result<Cell<'v>> {
    match view {
        View::Typed { row, .. } => {
            let Some(field) = row.schema_fields().iter().find(|field| field.name == name) else {
                return Err(Error::data_invalid(format!(
                    "the record has no field `{name}`, which `query` names"
                )));
            };
            let value = row.get(name)?;
            Cell::typed(&Meaning::of(&field.schema), &field.schema, value)
                .map_err(|unfit| Error::data_invalid(format!("field `{name}` {unfit}")))
        }
        // A field that JSON leaves out is null.
        View::Loose(fields) => Ok(fields
            .iter()
            .find(|(known, _)| known == name)
            .map_or(Cell::Null, |(_, value)| Cell::json(value.clone()))),
    }
}

/// A key or value as one text: as it is, or its JSON.
fn whole<'r>(datum: &Datum<'r>) -> Result<Cell<'r>> {
    if datum.is_null() {
        return Ok(Cell::Null);
    }
    if let Some(text) = datum.as_str() {
        return Ok(Cell::Loose(text.into()));
    }
    if let Some(bytes) = datum.as_bytes() {
        return Ok(Cell::Bytes(bytes.into()));
    }
    let mut json = Vec::new();
    datum.write_json(&mut json)?;
    Ok(Cell::Json(String::from_utf8(json)?.into()))
}

fn column(kind: ColumnKind, base_type: &str) -> Column {
    Column {
        name: String::new(),
        type_name: base_type.to_owned(),
        base_type: base_type.to_owned(),
        kind,
        nullable: true,
        has_default: false,
        generated: false,
        numbered: false,
        identity_always: false,
        length_max: None,
        words: Vec::new(),
        charset: None,
        folds_text: false,
    }
}
