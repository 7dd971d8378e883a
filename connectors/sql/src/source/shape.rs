//! What the rows of a table become: schemas of value and key, the form of each column, the columns that give the order.

use std::ops::Range;
use std::sync::Arc;

use linkspan_sdk::prelude::*;

use super::columns::{Column, From};
use super::options::{Mode, SqlSourceOptions};
use super::position::Position;
use super::query::Order;
use super::reader::RowStream;
use super::seen::RowHash;
use crate::dialect::Dialect;
use crate::types::read::{self, Cell, CellError, Form, ReadType, Zone};

/// The one word of `key.columns` that asks for no key.
const NO_KEY: &str = "none";

/// How rows are read and what they become. Made anew when the columns change.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) dialect: Dialect,
    pub(crate) columns: Vec<Column>,
    forms: Vec<Form>,
    value: RowSchema,
    /// The key's schema, and where its columns stand.
    key: Option<(RowSchema, Vec<usize>)>,
    /// What tells two rows of one timestamp apart: the primary key, else everything.
    identity: Vec<usize>,
    pub(crate) order: Order,
    id_kind: Option<ReadType>,
    /// The zone of the timestamps that give the order, where they have none.
    pub(crate) zone: Option<Zone>,
}

/// A cell that does not fit, and whose it is.
#[derive(Debug)]
pub(crate) struct BadCell {
    pub(crate) column: String,
    pub(crate) error: CellError,
}

impl Shape {
    /// Works out what the rows become; all that is wrong with the columns is in the error. `in_ranges` says that a part of a
    /// table is read, by its numbers.
    ///
    /// # Errors
    /// Columns that the options name are missing, of a type that cannot do what they are for, or may be null.
    pub(crate) fn new(
        ctx: &SourceContext,
        options: &SqlSourceOptions,
        dialect: Dialect,
        from: &From,
        columns: Vec<Column>,
        in_ranges: bool,
    ) -> Result<Self> {
        let mapping = options.mapping();
        let mut order = order(options, from, &columns)?;
        if in_ranges && order.id.is_none() {
            order.id = numbering(&columns);
        }
        let forms: Vec<Form> = columns
            .iter()
            .map(|column| Form::of(&column.kind, &mapping))
            .collect();
        let fields = columns
            .iter()
            .zip(&forms)
            .enumerate()
            .map(|(at, pair)| (at, pair.0, pair.1));
        let name = match from {
            From::Table(table) => Some(table.name.as_str()),
            From::Query(_) => None,
        };
        let value = ctx
            .register_schema(structure(dialect, name, fields.clone()))
            .map_err(|error| error.context(place(from)))?;
        let keys = key_columns(options, from, &columns)?;
        let key = if keys.is_empty() {
            None
        } else {
            let chosen = keys.iter().filter_map(|key| fields.clone().nth(*key));
            Some((ctx.register_schema(structure(dialect, name, chosen))?, keys))
        };
        let of_key: Vec<usize> = primary(&columns);
        let position = |name: &String| columns.iter().position(|column| column.name == *name);
        let id_kind = order
            .id
            .as_ref()
            .and_then(position)
            .and_then(|at| columns.get(at))
            .map(|column| column.kind.clone());
        let zoneless = order.timestamp_kind == Some(ReadType::Wall);
        Ok(Self {
            dialect,
            identity: if of_key.is_empty() {
                (0..columns.len()).collect()
            } else {
                of_key
            },
            forms,
            value,
            key,
            id_kind,
            zone: options.zone().filter(|_| zoneless),
            order,
            columns,
        })
    }

    /// Returns an instant as the timestamps that give the order have it.
    pub(crate) fn wall(&self, instant: i64) -> i64 {
        self.zone
            .and_then(|zone| zone.wall(instant))
            .unwrap_or(instant)
    }

    /// Returns the place of a row, from the fields behind its columns.
    pub(crate) fn position(
        &self,
        rows: &RowStream,
        fields: &[Option<Range<usize>>],
    ) -> std::result::Result<Position, BadCell> {
        let mut at = self.columns.len();
        let mut position = Position::default();
        if !self.order.timestamps.is_empty() {
            // SQLite's were made milliseconds by the statement.
            let kind = match self.dialect {
                Dialect::Sqlite => &ReadType::Wall,
                _ => self
                    .order
                    .timestamp_kind
                    .as_ref()
                    .unwrap_or(&ReadType::Instant),
            };
            position.micros = match self.extra(rows, fields, at, kind, &self.order.timestamps)? {
                Some(Cell::Timestamp(micros)) => Some(micros),
                Some(Cell::Endless("-infinity") | Cell::ZeroDate) => Some(i64::MIN),
                _ => None,
            };
            at += 1;
        }
        if let (Some(id), Some(kind)) = (&self.order.id, &self.id_kind) {
            let too_large = || BadCell {
                column: id.clone(),
                error: CellError::Misfit(
                    "the number is larger than 9223372036854775807, which no offset can hold",
                ),
            };
            position.id = match self.extra(rows, fields, at, kind, std::slice::from_ref(id))? {
                Some(Cell::Int(value)) => Some(value),
                Some(Cell::UInt(value)) => Some(i64::try_from(value).map_err(|_| too_large())?),
                Some(Cell::Number(number)) => Some(number.to_i64().ok_or_else(too_large)?),
                _ => None,
            };
        }
        Ok(position)
    }

    fn extra<'r>(
        &self,
        rows: &'r RowStream,
        fields: &[Option<Range<usize>>],
        at: usize,
        kind: &ReadType,
        names: &[String],
    ) -> std::result::Result<Option<Cell<'r>>, BadCell> {
        let Some(raw) = fields.get(at).and_then(|field| rows.field(field)) else {
            return Ok(None);
        };
        read::cell(self.dialect, kind, raw)
            .map(Some)
            .map_err(|error| BadCell {
                column: names.join(", "),
                error,
            })
    }

    /// Returns what tells the row from others of its timestamp.
    pub(crate) fn identity(&self, rows: &RowStream, fields: &[Option<Range<usize>>]) -> u64 {
        let mut hash = RowHash::new();
        for at in &self.identity {
            hash.add(fields.get(*at).and_then(|field| rows.field(field)));
        }
        hash.finish()
    }

    /// Writes a row as a record; `lost` is called with the name of each column whose value has no form and became null.
    ///
    /// # Errors
    /// The batch is at its bounds. A cell that does not fit is the inner error, and no record was written.
    pub(crate) fn write(
        &self,
        rows: &RowStream,
        fields: &[Option<Range<usize>>],
        topic: &str,
        out: &mut BatchBuilder,
        mut lost: impl FnMut(&str),
    ) -> Result<std::result::Result<(), BadCell>> {
        let mut bad = None;
        let mut record = out.to(topic);
        if let Some((schema, columns)) = &self.key {
            record = record.key_row(schema, |row| {
                for (place, at) in columns.iter().enumerate() {
                    self.field(rows, fields, *at, row, place, &mut bad, &mut lost)?;
                }
                Ok(())
            });
        }
        let written = record.row(&self.value, |row| {
            for at in 0..self.columns.len() {
                self.field(rows, fields, at, row, at, &mut bad, &mut lost)?;
            }
            Ok(())
        });
        match bad {
            Some(bad) => Ok(Err(bad)),
            None => written.map(Ok),
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "a row's field needs where it is from and where it goes"
    )]
    fn field(
        &self,
        rows: &RowStream,
        fields: &[Option<Range<usize>>],
        at: usize,
        row: &mut RowWriter<'_, '_>,
        place: usize,
        bad: &mut Option<BadCell>,
        lost: &mut impl FnMut(&str),
    ) -> Result<()> {
        let (Some(column), Some(form)) = (self.columns.get(at), self.forms.get(at)) else {
            return Ok(());
        };
        let Some(raw) = fields.get(at).and_then(|field| rows.field(field)) else {
            row.null(place)?;
            return Ok(());
        };
        let written = read::cell(self.dialect, &column.kind, raw)
            .and_then(|cell| form.write(&cell, row, place));
        match written {
            Ok(true) => Ok(()),
            Ok(false) => {
                lost(&column.name);
                Ok(())
            }
            Err(error) => {
                let told = Error::data_invalid(error.to_string());
                bad.get_or_insert(BadCell {
                    column: column.name.clone(),
                    error,
                });
                Err(told)
            }
        }
    }

    /// Returns a row as JSON texts, for a dead letter: each value as text where it is one, else its bytes in hexadecimal.
    pub(crate) fn raw_json(&self, rows: &RowStream, fields: &[Option<Range<usize>>]) -> String {
        let shown = self.columns.iter().zip(fields).map(|(column, field)| {
            let value = rows.field(field).map(|raw| match std::str::from_utf8(raw) {
                Ok(text) if !text.chars().any(char::is_control) => text.to_owned(),
                _ => raw.iter().map(|byte| format!("{byte:02x}")).collect(),
            });
            (
                column.name.clone(),
                value.map_or(serde_json::Value::Null, serde_json::Value::from),
            )
        });
        serde_json::Value::Object(shown.collect()).to_string()
    }
}

fn structure<'c>(
    dialect: Dialect,
    name: Option<&str>,
    fields: impl Iterator<Item = (usize, &'c Column, &'c Form)>,
) -> Arc<Schema> {
    let mut builder = SchemaBuilder::structure();
    if let Some(name) = name {
        builder = builder.name(name);
    }
    for (_, column, form) in fields {
        builder = builder.field(&column.name, form.schema(column.is_optional(dialect)));
    }
    builder.into()
}

/// Returns what is read, for messages.
pub(crate) fn place(from: &From) -> String {
    match from {
        From::Table(table) => format!("table `{}`", table.qualified()),
        From::Query(_) => "the query".to_owned(),
    }
}

/// Where the columns of the primary key stand, in its order.
fn primary(columns: &[Column]) -> Vec<usize> {
    let mut keys: Vec<(u16, usize)> = columns
        .iter()
        .enumerate()
        .filter_map(|(at, column)| Some((column.key?, at)))
        .collect();
    keys.sort_unstable();
    keys.into_iter().map(|(_, at)| at).collect()
}

fn names(columns: &[Column]) -> String {
    let names: Vec<String> = columns
        .iter()
        .map(|column| format!("`{}`", column.name))
        .collect();
    names.join(", ")
}

fn find<'c>(
    options: &SqlSourceOptions,
    columns: &'c [Column],
    name: &str,
    from: &From,
    option: &str,
) -> Result<(usize, &'c Column)> {
    columns
        .iter()
        .enumerate()
        .find(|(_, column)| options.means(name, &column.name))
        .ok_or_else(|| {
            Error::config_invalid(format!(
                "{} has no column `{name}`, which `{option}` names; it has {}",
                place(from),
                names(columns)
            ))
        })
}

fn key_columns(options: &SqlSourceOptions, from: &From, columns: &[Column]) -> Result<Vec<usize>> {
    match options.key_columns.as_slice() {
        [] => Ok(primary(columns)),
        [one] if one.eq_ignore_ascii_case(NO_KEY) => Ok(Vec::new()),
        named => named
            .iter()
            .map(|name| find(options, columns, name, from, "key.columns").map(|(at, _)| at))
            .collect(),
    }
}

/// Chooses and checks the columns of the mode.
fn order(options: &SqlSourceOptions, from: &From, columns: &[Column]) -> Result<Order> {
    let mut order = Order::default();
    if options.mode == Mode::Bulk {
        return Ok(order);
    }
    let names = match from {
        From::Table(table) => table.names(),
        From::Query(_) => Vec::new(),
    };
    let (id, timestamps) = options.columns_for(&names);
    if options.mode.has_timestamp() {
        for name in &timestamps {
            let (_, column) = find(options, columns, name, from, "timestamp.column.name")?;
            order.timestamps.push(column.name.clone());
            check_timestamp(options, from, column, timestamps.len() == 1)?;
            let kind = order
                .timestamp_kind
                .get_or_insert_with(|| column.kind.clone());
            if *kind != column.kind {
                return Err(Error::config_invalid(format!(
                    "{}: the columns of `timestamp.column.name` are of different types, so they cannot be compared",
                    place(from)
                )));
            }
        }
    }
    order.id = match (options.mode.has_id(), id) {
        (true, Some(name)) => {
            let (_, column) = find(options, columns, &name, from, "incrementing.column.name")?;
            check_id(options, from, column)?;
            Some(column.name.clone())
        }
        (true, None) => Some(numbering(columns).ok_or_else(|| no_numbering(from, columns))?),
        // Tells rows of one timestamp apart.
        (false, _) => numbering(columns).filter(|_| order.timestamps.len() == 1),
    };
    Ok(order)
}

fn check_timestamp(
    options: &SqlSourceOptions,
    from: &From,
    column: &Column,
    alone: bool,
) -> Result<()> {
    let name = &column.name;
    if !column.is_timestamp() {
        return Err(Error::config_invalid(format!(
            "{}: column `{name}` is no timestamp, so it cannot tell which rows changed",
            place(from)
        )));
    }
    if column.kind == ReadType::Wall && options.zone().is_none() {
        return Err(Error::config_invalid(format!(
            "{}: the timestamps of column `{name}` have no time zone, and which one they are in is not guessed; \
             set `db.timezone`, such as UTC or Asia/Seoul",
            place(from)
        )));
    }
    // Of a query's columns nobody knows.
    let of_table = matches!(from, From::Table(_));
    if alone && of_table && column.nullable && options.validate_non_null {
        return Err(nullable(from, column, "timestamp.column.name"));
    }
    Ok(())
}

fn check_id(options: &SqlSourceOptions, from: &From, column: &Column) -> Result<()> {
    if !column.is_whole_number() {
        return Err(Error::config_invalid(format!(
            "{}: column `{}` is no whole number, so it cannot tell which rows are new",
            place(from),
            column.name
        )));
    }
    let of_table = matches!(from, From::Table(_));
    if of_table && column.nullable && options.validate_non_null {
        return Err(nullable(from, column, "incrementing.column.name"));
    }
    Ok(())
}

fn nullable(from: &From, column: &Column, option: &str) -> Error {
    let table = match from {
        From::Table(table) => table
            .names()
            .into_iter()
            .nth(usize::from(table.schema.is_some()))
            .unwrap_or_default(),
        From::Query(_) => String::new(),
    };
    Error::config_invalid(format!(
        "{}: column `{}` of `{option}` may be null, and rows without it would never be read; \
         `ALTER TABLE {table} ALTER COLUMN {} SET NOT NULL`, or set `validate.non.null: false` if that is right",
        place(from),
        column.name,
        column.name
    ))
}

/// The column that numbers rows by itself: the only one of the primary key, or one that the database numbers.
pub(crate) fn numbering(columns: &[Column]) -> Option<String> {
    let keys = primary(columns);
    let only = match keys.as_slice() {
        [at] => columns
            .get(*at)
            .filter(|column| column.is_whole_number() && !column.nullable),
        _ => None,
    };
    only.or_else(|| {
        columns
            .iter()
            .find(|column| column.numbered && column.is_whole_number() && !column.nullable)
    })
    .map(|column| column.name.clone())
}

fn no_numbering(from: &From, columns: &[Column]) -> Error {
    Error::config_invalid(format!(
        "{} has no primary key of one whole number and no column that the database numbers; \
         name one in `incrementing.column.name` or `incrementing.column.mapping`; it has {}",
        place(from),
        names(columns)
    ))
}
