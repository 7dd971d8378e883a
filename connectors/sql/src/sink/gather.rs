//! From records to rows of tables: which table, which columns, which key; tables are made and widened on the way.
//!
//! Runs before the transaction, because MySQL ends one at every change of a table.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use linkspan_sdk::prelude::*;
use linkspan_sdk::{RowRef, SchemaField, tracing};

use super::Work;
use super::batch::TableBatch;
use super::names::{Names, Origin};
use super::options::{InsertMode, PkMode, SinkOptions};
use super::record::{Action, Holder, KeyView, View, header_cell, is_placeholder, unchanged};
use super::rows::Rows;
use super::target::{self, Choice, Need, Plan, Target};
use crate::connect::{Connection, Connector};
use crate::dialect::{Dialect, TableName};
use crate::types::json::Json;
use crate::types::{Cell, Encoder, Meaning, Unfit};

/// Turns batches into work; keeps what it learned about tables.
#[derive(Debug)]
pub(super) struct Gatherer {
    names: Names,
    choice: Choice,
    encoder: Encoder,
    targets: HashMap<TableName, Target>,
    /// Tables whose key was settled and checked.
    settled: HashMap<TableName, Vec<String>>,
    /// A tombstone without `delete.enabled` is passed over, as Debezium's sink does, instead of refused.
    skips_tombstones: bool,
    warned: bool,
}

/// A batch as work, and the records that are no rows.
pub(super) struct Gathered {
    pub(super) work: Work,
    pub(super) bad: Vec<(usize, Error)>,
}

/// What kept a record from becoming a row.
enum Refused {
    /// The record is at fault.
    Record(Error),
    /// Nothing can be written as things are.
    All(Error),
}

type Cells<'r> = Vec<(usize, Cell<'r>)>;

/// The columns of a key before the table is known: names and, for making the table, meanings.
#[derive(Default)]
struct Key<'r> {
    cells: Vec<(String, Cell<'r>)>,
    needs: Vec<Need>,
}

impl<'r> Key<'r> {
    fn add(&mut self, name: &str, cell: Cell<'r>, meaning: Meaning) {
        self.needs.push(Need {
            name: name.to_owned(),
            meaning,
            nullable: false,
            key: true,
        });
        self.cells.push((name.to_owned(), cell));
    }
}

fn refused(message: impl Into<String>) -> Refused {
    Refused::Record(Error::data_invalid(message))
}

/// Everything one record needs while it is looked at.
struct Place<'p> {
    connection: &'p mut Connection,
    server: &'p Connector,
    options: &'p SinkOptions,
    topic: &'p str,
}

impl From<Unfit> for Refused {
    fn from(unfit: Unfit) -> Self {
        Self::Record(Error::data_invalid(unfit.to_string()))
    }
}

impl Gatherer {
    pub(super) fn new(options: &SinkOptions, dialect: Dialect, class: &str) -> Self {
        Self {
            names: Names::new(options, dialect, class),
            choice: Choice::new(options),
            encoder: Encoder::new(dialect, options.db_timezone),
            targets: HashMap::new(),
            settled: HashMap::new(),
            skips_tombstones: class.contains("debezium"),
            warned: false,
        }
    }

    /// Takes the tables of a batch back when it is done with.
    pub(super) fn give_back(&mut self, work: Work) {
        for (target, _) in work.tables {
            self.targets.insert(target.asked.clone(), target);
        }
    }

    /// Reads the table of a topic and checks it, if it is there and its key is known without a record.
    pub(super) async fn look(
        &mut self,
        connection: &mut Connection,
        server: &Connector,
        options: &SinkOptions,
        topic: &str,
    ) -> Result<()> {
        if !self.names.is_by_topic() {
            return Ok(());
        }
        let Ok(name) = self.names.table(topic, &Origin::default()) else {
            return Ok(());
        };
        let at = server.at().table(&name);
        let table = crate::catalog::table(connection, &name)
            .await
            .map_err(|error| error.into_error(&at))?;
        if table.is_none() {
            if !options.creates() {
                tracing::warn!(
                    "{}: there is no table `{name}` for topic `{topic}` yet, and `auto.create` is off",
                    server.shown
                );
            }
            return Ok(());
        }
        let mut target = target::find(connection, server, options, &name, None).await?;
        let known: Vec<String> = match options.pk_mode {
            PkMode::None => Vec::new(),
            PkMode::Kafka => options.kafka_columns().map(str::to_owned).to_vec(),
            PkMode::RecordKey | PkMode::RecordValue | PkMode::RecordHeader => options
                .pk_fields
                .iter()
                .map(|field| self.choice.column_of(field).to_owned())
                .collect(),
        };
        let columns: Vec<usize> = known
            .iter()
            .filter_map(|name| target.column(name))
            .collect();
        if columns.len() == known.len() && (options.pk_mode == PkMode::None || !known.is_empty()) {
            target.key = columns;
            target::check(
                &target,
                options,
                server.dialect(),
                options.delivery == super::Delivery::ExactlyOnce,
                &server.shown,
            )?;
        }
        Ok(())
    }

    /// Turns records into work. An error means that nothing can be written as things are.
    pub(super) async fn gather(
        &mut self,
        connection: &mut Connection,
        server: &Connector,
        options: &SinkOptions,
        records: &Records<'_>,
        skip: impl Fn(&Record<'_>) -> bool,
    ) -> Result<Gathered> {
        let mut work = Work { tables: Vec::new() };
        let mut at: BTreeMap<TableName, usize> = BTreeMap::new();
        let mut by_topic: Option<(String, TableName)> = None;
        let mut bad = Vec::new();
        for (index, record) in records.clone().enumerate() {
            if skip(&record) {
                continue;
            }
            let mut place = Place {
                connection: &mut *connection,
                server,
                options,
                topic: record.topic(),
            };
            match self
                .record(
                    &mut place,
                    &mut work,
                    &mut at,
                    &mut by_topic,
                    &record,
                    index,
                )
                .await
            {
                Ok(()) => {}
                Err(Refused::Record(error)) => bad.push((index, error)),
                Err(Refused::All(error)) => {
                    self.give_back(work);
                    return Err(error);
                }
            }
        }
        Ok(Gathered { work, bad })
    }

    async fn record(
        &mut self,
        place: &mut Place<'_>,
        work: &mut Work,
        at: &mut BTreeMap<TableName, usize>,
        by_topic: &mut Option<(String, TableName)>,
        record: &Record<'_>,
        index: usize,
    ) -> Result<(), Refused> {
        let value = record.value();
        let holder = Holder::new(&value).map_err(Refused::Record)?;
        let asked = holder.asked().map_err(Refused::Record)?;
        if self.passes_over(place.options, &asked.action, asked.enveloped)? {
            return Ok(());
        }
        let name = match by_topic {
            Some((topic, name)) if topic == place.topic && self.names.is_by_topic() => name.clone(),
            _ => {
                let name = self
                    .names
                    .table(place.topic, &asked.origin)
                    .map_err(|why| Refused::Record(Error::data_invalid(why)))?;
                *by_topic = Some((place.topic.to_owned(), name.clone()));
                name
            }
        };
        let (key_datum, value_view) = (
            record.key(),
            match &asked.action {
                Action::Put(view) | Action::Delete(Some(view)) => Some(view),
                Action::Delete(None) | Action::Truncate | Action::Nothing => None,
            },
        );
        let key_holder = match place.options.pk_mode {
            PkMode::RecordKey => Holder::new(&key_datum).map_err(Refused::Record)?,
            PkMode::None | PkMode::Kafka | PkMode::RecordValue | PkMode::RecordHeader => {
                Holder::Null
            }
        };
        let mut key = if matches!(asked.action, Action::Truncate) {
            Key::default()
        } else {
            self.key(place.options, record, &key_holder)?
        };
        let table = match at.get(&name) {
            Some(&table) => table,
            None => {
                let table = self
                    .table(place, work, &name, &mut key, value_view, &asked.action)
                    .await?;
                at.insert(name.clone(), table);
                table
            }
        };
        let Some((target, batch)) = work.tables.get_mut(table) else {
            return Err(Refused::All(Error::internal(
                "a table of the batch is gone",
            )));
        };
        match &asked.action {
            Action::Put(view) => {
                let kept = Kept {
                    enveloped: asked.enveloped,
                    columns: if asked.enveloped {
                        unchanged(record)
                    } else {
                        Vec::new()
                    },
                };
                let cells = self.cells(place, target, &key, view, &kept).await?;
                self.put(place, target, batch, cells, index).await
            }
            Action::Delete(_) => self.delete(target, batch, &key, index),
            Action::Truncate => {
                batch.truncate(index);
                Ok(())
            }
            Action::Nothing => Ok(()),
        }
    }

    /// Whether a record asks for something that is not wanted; a tombstone that is not wanted is a fault.
    fn passes_over(
        &mut self,
        options: &SinkOptions,
        action: &Action<'_>,
        enveloped: bool,
    ) -> Result<bool, Refused> {
        let passes = match action {
            Action::Put(_) => return Ok(false),
            Action::Nothing => return Ok(true),
            Action::Delete(_) if options.delete_enabled => return Ok(false),
            Action::Truncate if options.truncate_enabled => return Ok(false),
            Action::Delete(_) => enveloped || self.skips_tombstones,
            Action::Truncate => true,
        };
        if !passes {
            return Err(Refused::Record(Error::data_invalid(
                "the record has no value, which means a deletion, and `delete.enabled` is off; set it together with `pk.mode: record_key`, or drop \
                 such records with the transform Filter and the predicate RecordIsTombstone",
            )));
        }
        if !std::mem::replace(&mut self.warned, true) {
            tracing::warn!(
                "deletions or truncations of the change events are passed over: `delete.enabled` or `truncate.enabled` is off"
            );
        }
        Ok(true)
    }

    /// The key of a record as its mode says; `record_value` takes it from the row later.
    fn key<'r>(
        &self,
        options: &SinkOptions,
        record: &Record<'r>,
        holder: &'r Holder<'_>,
    ) -> Result<Key<'r>, Refused> {
        let mut key = Key::default();
        match options.pk_mode {
            PkMode::None | PkMode::RecordValue => {}
            PkMode::Kafka => {
                let [topic, partition, offset] = options.kafka_columns();
                key.add(
                    topic,
                    Cell::Text(Cow::Owned(record.original_topic().to_owned())),
                    Meaning::Text,
                );
                key.add(
                    partition,
                    Cell::Int(i64::from(record.partition())),
                    Meaning::Int32,
                );
                key.add(offset, Cell::Int(record.offset()), Meaning::Int64);
            }
            PkMode::RecordHeader => {
                for name in &options.pk_fields {
                    let Some(header) = record.header(name) else {
                        return Err(refused(format!(
                            "the record has no header `{name}`, which `pk.fields` names"
                        )));
                    };
                    key.add(
                        self.choice.column_of(name),
                        header_cell(&header),
                        Meaning::Text,
                    );
                }
            }
            PkMode::RecordKey => match holder.key().map_err(Refused::Record)? {
                KeyView::None => {
                    return Err(refused(
                        "the record has no key, and `pk.mode: record_key` needs one",
                    ));
                }
                KeyView::Single(cell) => {
                    let [name] = options.pk_fields.as_slice() else {
                        return Err(refused(
                            "the record's key is a single value, so `pk.fields` must name exactly one column for it",
                        ));
                    };
                    let meaning = single_meaning(&cell);
                    key.add(self.choice.column_of(name), cell, meaning);
                }
                KeyView::Fields(view) => self.key_fields(options, view, &mut key)?,
            },
        }
        if let Some((name, _)) = key.cells.iter().find(|(_, cell)| cell.is_null()) {
            return Err(refused(format!("the key's column `{name}` is null")));
        }
        Ok(key)
    }

    /// The fields of a key that `pk.fields` names, or all.
    fn key_fields<'r>(
        &self,
        options: &SinkOptions,
        view: View<'r>,
        key: &mut Key<'r>,
    ) -> Result<(), Refused> {
        let wanted = &options.pk_fields;
        let has = |name: &String| match &view {
            View::Typed { row, .. } => row.schema_fields().iter().any(|field| field.name == *name),
            View::Loose(fields) => fields.iter().any(|(known, _)| known == name),
        };
        if let Some(name) = wanted.iter().find(|name| !has(name)) {
            return Err(refused(format!(
                "the record's key has no field `{name}`, which `pk.fields` names"
            )));
        }
        let takes = |name: &str| wanted.is_empty() || wanted.iter().any(|field| field == name);
        match view {
            View::Typed { row, .. } => {
                for field in row.iter() {
                    let (field, value) = field.map_err(|error| Refused::Record(error.into()))?;
                    if takes(&field.name) {
                        let meaning = Meaning::of(&field.schema);
                        let cell = Cell::typed(&meaning, &field.schema, value)?;
                        key.add(self.choice.column_of(&field.name), cell, meaning);
                    }
                }
            }
            View::Loose(fields) => {
                for (name, value) in fields {
                    if takes(&name) {
                        let meaning = loose_meaning(&value);
                        key.add(self.choice.column_of(&name), Cell::json(value), meaning);
                    }
                }
            }
        }
        Ok(())
    }

    /// Finds a record's table, makes it if need be, settles its key and adds it to the work.
    async fn table(
        &mut self,
        place: &mut Place<'_>,
        work: &mut Work,
        name: &TableName,
        key: &mut Key<'_>,
        view: Option<&View<'_>>,
        action: &Action<'_>,
    ) -> Result<usize, Refused> {
        let needs = match (action, view) {
            (Action::Put(_), Some(View::Typed { row, .. })) => {
                Some(self.needs(place, key, row.schema_fields()))
            }
            (Action::Put(_), _) => Some(Vec::new()),
            _ => None,
        };
        let mut target = match self.targets.remove(name) {
            Some(target) => target,
            None => target::find(
                place.connection,
                place.server,
                place.options,
                name,
                needs.as_deref(),
            )
            .await
            .map_err(Refused::All)?,
        };
        if !matches!(action, Action::Truncate) {
            self.settle(place, &mut target, key, view).await?;
        }
        let columns = &target.table.columns;
        let dialect = place.server.dialect();
        let folds = target
            .key
            .iter()
            .filter_map(|&at| columns.get(at))
            .map(|column| column.folds_text)
            .collect();
        let reduces = place.options.insert_mode != InsertMode::Insert;
        let batch = TableBatch::new(dialect, target.key.clone(), folds, reduces);
        work.tables.push((target, batch));
        Ok(work.tables.len() - 1)
    }

    /// The columns for making a table: the key's, then the row's.
    fn needs(&self, place: &Place<'_>, key: &Key<'_>, fields: &[SchemaField]) -> Vec<Need> {
        let mut needs = key.needs.clone();
        let options = place.options;
        for field in fields {
            let name = self.choice.column_of(&field.name);
            let is_key = options.pk_mode == PkMode::RecordValue
                && (options.pk_fields.is_empty() || options.pk_fields.contains(&field.name));
            if needs.iter().any(|need| need.name == name)
                || (!is_key && !self.choice.takes(place.topic, &field.name))
            {
                continue;
            }
            needs.push(Need {
                name: name.to_owned(),
                meaning: Meaning::of(&field.schema),
                nullable: field.schema.nullable(),
                key: is_key,
            });
        }
        needs
    }

    /// Finds the columns of the key and checks the table, once.
    async fn settle(
        &mut self,
        place: &mut Place<'_>,
        target: &mut Target,
        key: &Key<'_>,
        view: Option<&View<'_>>,
    ) -> Result<(), Refused> {
        let names: Vec<String> = match place.options.pk_mode {
            PkMode::None => Vec::new(),
            PkMode::RecordValue if !place.options.pk_fields.is_empty() => place
                .options
                .pk_fields
                .iter()
                .map(|field| self.choice.column_of(field).to_owned())
                .collect(),
            PkMode::RecordValue if !target.table.primary_key.is_empty() => {
                target.table.primary_key.clone()
            }
            PkMode::RecordValue => match view {
                Some(View::Typed { row, .. }) => row
                    .schema_fields()
                    .iter()
                    .map(|field| self.choice.column_of(&field.name).to_owned())
                    .collect(),
                Some(View::Loose(fields)) => fields
                    .iter()
                    .map(|(name, _)| self.choice.column_of(name).to_owned())
                    .collect(),
                None => Vec::new(),
            },
            PkMode::Kafka | PkMode::RecordKey | PkMode::RecordHeader => {
                key.cells.iter().map(|(name, _)| name.clone()).collect()
            }
        };
        if self.settled.get(&target.asked) == Some(&names) && target.key.len() == names.len() {
            return Ok(());
        }
        let missing: Vec<Need> = key
            .needs
            .iter()
            .filter(|need| target.column(&need.name).is_none())
            .cloned()
            .collect();
        if !missing.is_empty() {
            self.add_columns(place, target, &missing).await?;
        }
        let mut columns = Vec::with_capacity(names.len());
        for name in &names {
            match target.column(name) {
                Some(column) => columns.push(column),
                None => {
                    return Err(Refused::All(
                        missing_columns(place, target, &[name.as_str()])
                            .with_kind(ErrorKind::NotFound),
                    ));
                }
            }
        }
        target.key = columns;
        let exactly_once = place.options.delivery == super::Delivery::ExactlyOnce;
        target::check(
            target,
            place.options,
            place.server.dialect(),
            exactly_once,
            &place.server.shown,
        )
        .map_err(Refused::All)?;
        self.settled.insert(target.asked.clone(), names);
        Ok(())
    }

    async fn add_columns(
        &self,
        place: &mut Place<'_>,
        target: &mut Target,
        missing: &[Need],
    ) -> Result<(), Refused> {
        if !place.options.evolves() {
            let names: Vec<&str> = missing.iter().map(|need| need.name.as_str()).collect();
            return Err(Refused::Record(missing_columns(place, target, &names)));
        }
        target::evolve(place.connection, place.server, target, missing)
            .await
            .map_err(Refused::All)
    }

    /// The cells of a row with their columns: the key's first, then the fields'.
    async fn cells<'r>(
        &mut self,
        place: &mut Place<'_>,
        target: &mut Target,
        key: &Key<'r>,
        view: &View<'r>,
        kept: &Kept,
    ) -> Result<Cells<'r>, Refused> {
        let mut cells: Cells<'r> = Vec::with_capacity(target.table.columns.len());
        for (name, cell) in &key.cells {
            match target.column(name) {
                Some(column) => cells.push((column, cell.clone())),
                None => {
                    return Err(Refused::Record(missing_columns(
                        place,
                        target,
                        &[name.as_str()],
                    )));
                }
            }
        }
        match view {
            View::Typed { row, schema } => {
                let plan = self
                    .plan(place, target, row.schema_fields(), schema)
                    .await?;
                typed_cells(
                    row,
                    &plan,
                    kept,
                    place.options.replace_null_with_default,
                    &mut cells,
                )?;
            }
            View::Loose(fields) => {
                let missing = self.loose_cells(place, target, fields, kept, &mut cells);
                if !missing.is_empty() {
                    return Err(Refused::Record(missing_columns(place, target, &missing)));
                }
            }
        }
        Ok(cells)
    }

    /// Where the fields of a schema go; columns are added and widened on the way.
    async fn plan(
        &self,
        place: &mut Place<'_>,
        target: &mut Target,
        fields: &[SchemaField],
        schema: &Arc<Schema>,
    ) -> Result<Arc<Plan>, Refused> {
        let plan = loop {
            match target.plan(fields, schema, &self.choice, place.topic) {
                Ok(plan) => break plan,
                Err(missing) => self.add_columns(place, target, &missing).await?,
            }
        };
        if place.options.auto_evolve_widen {
            // Texts are widened when one is too long.
            for slot in plan
                .fields
                .iter()
                .flatten()
                .filter(|slot| !matches!(slot.meaning, Meaning::Text))
            {
                target::widen(
                    place.connection,
                    place.server,
                    target,
                    slot.column,
                    &slot.meaning,
                )
                .await
                .map_err(Refused::All)?;
            }
        }
        Ok(plan)
    }

    /// Appends the cells of JSON's fields; returns the fields that the table has no column for.
    fn loose_cells<'r, 'f>(
        &self,
        place: &Place<'_>,
        target: &mut Target,
        fields: &'f [(Cow<'r, str>, Json<'r>)],
        kept: &Kept,
        cells: &mut Cells<'r>,
    ) -> Vec<&'f str> {
        let from_key = cells.len();
        let mut missing = Vec::new();
        for (name, value) in fields
            .iter()
            .filter(|(name, _)| self.choice.takes(place.topic, name))
        {
            let Some(column) = target.column(self.choice.column_of(name)) else {
                missing.push(name.as_ref());
                continue;
            };
            let generated = target
                .table
                .columns
                .get(column)
                .is_some_and(|column| column.generated);
            let cell = Cell::json(value.clone());
            if !generated && kept.takes(column, &cell, name, cells, from_key) {
                cells.push((column, cell));
            }
        }
        missing
    }

    async fn put(
        &mut self,
        place: &mut Place<'_>,
        target: &mut Target,
        batch: &mut TableBatch,
        cells: Cells<'_>,
        index: usize,
    ) -> Result<(), Refused> {
        let columns: Vec<usize> = cells.iter().map(|(column, _)| *column).collect();
        if place.options.insert_mode != InsertMode::Update {
            self.check_required(place, target, &columns)?;
        }
        let tracks =
            place.options.insert_mode != InsertMode::Insert || place.options.delete_enabled;
        // A key that the row lacks would be any row's.
        for &column in &target.key {
            if !cells
                .iter()
                .any(|(known, cell)| *known == column && !cell.is_null())
            {
                let name = target
                    .table
                    .columns
                    .get(column)
                    .map_or("", |column| column.name.as_str());
                return Err(Refused::Record(Error::data_invalid(format!(
                    "the key's column `{name}` is missing or null"
                ))));
            }
        }
        loop {
            let encoder = &mut self.encoder;
            let encoded = batch.put(&columns, index, tracks, |rows| {
                encode(encoder, target, &cells, rows)
            });
            let Err((at, unfit)) = encoded else {
                return Ok(());
            };
            let column = columns.get(at).copied().unwrap_or(0);
            let too_long = target
                .table
                .columns
                .get(column)
                .is_some_and(|column| column.length_max.is_some());
            if place.options.auto_evolve_widen
                && too_long
                && target::widen(
                    place.connection,
                    place.server,
                    target,
                    column,
                    &Meaning::Text,
                )
                .await
                .map_err(Refused::All)?
            {
                continue;
            }
            return Err(Refused::Record(self.unfit(place, target, column, &unfit)));
        }
    }

    fn unfit(&self, place: &Place<'_>, target: &Target, column: usize, unfit: &Unfit) -> Error {
        let found = target.table.columns.get(column);
        let name = found.map_or("", |column| column.name.as_str());
        let type_name = found.map_or("", |column| column.type_name.as_str());
        let remedy = match found {
            Some(column) if column.length_max.is_some() => {
                let dialect = place.server.dialect();
                let wider = match dialect {
                    Dialect::MySql => "LONGTEXT",
                    Dialect::Postgres | Dialect::Sqlite => "text",
                };
                match dialect.alter_type(&target.table.name, column, wider) {
                    Some(sql) => format!("; {sql}, or set `auto.evolve.widen: true`"),
                    None => String::new(),
                }
            }
            _ => String::new(),
        };
        Error::data_invalid(format!(
            "{}: table `{}`, column `{name}` ({type_name}): the value {unfit}{remedy}",
            place.server.shown, target.table.name
        ))
    }

    /// Says which column a row must have and lacks.
    fn check_required(
        &self,
        place: &Place<'_>,
        target: &Target,
        columns: &[usize],
    ) -> Result<(), Refused> {
        let Some(lacks) = target.required().find(|column| !columns.contains(column)) else {
            return Ok(());
        };
        let name = target
            .table
            .columns
            .get(lacks)
            .map_or("", |column| column.name.as_str());
        let dialect = place.server.dialect();
        let quoted = dialect.quote(name);
        let remedy = match dialect {
            Dialect::Postgres => format!(
                "; ALTER TABLE {} ALTER COLUMN {quoted} DROP NOT NULL, or SET DEFAULT …",
                target.quoted
            ),
            Dialect::MySql | Dialect::Sqlite => format!(
                "; allow null in {quoted} of {}, or give it a default",
                target.quoted
            ),
        };
        Err(Refused::Record(Error::data_invalid(format!(
            "{}: table `{}`, column `{name}`: takes no null and has no default, and the record has no such field (SQLSTATE 23502){remedy}",
            place.server.shown, target.table.name
        ))))
    }

    fn delete(
        &mut self,
        target: &Target,
        batch: &mut TableBatch,
        key: &Key<'_>,
        index: usize,
    ) -> Result<(), Refused> {
        let encoder = &mut self.encoder;
        let last = target.key.len().saturating_sub(1);
        batch
            .delete(index, |rows| {
                for (at, (&column, (_, cell))) in target.key.iter().zip(&key.cells).enumerate() {
                    if let Some(column) = target.table.columns.get(column) {
                        encoder.encode(cell, column, rows.buffer())?;
                    }
                    rows.end_cell(at == last);
                }
                Ok(())
            })
            .map_err(|unfit: Unfit| {
                Refused::Record(Error::data_invalid(format!("the key {unfit}")))
            })
    }
}

/// What of a change event keeps its value: columns that a header names, and Debezium's placeholder.
struct Kept {
    enveloped: bool,
    columns: Vec<String>,
}

impl Kept {
    /// Whether a cell is written: not if the key has its column already, and not if its value did not change.
    fn takes(
        &self,
        column: usize,
        cell: &Cell<'_>,
        name: &str,
        cells: &Cells<'_>,
        from_key: usize,
    ) -> bool {
        let taken = cells
            .iter()
            .take(from_key)
            .any(|(known, _)| *known == column);
        !taken
            && !(self.enveloped
                && (is_placeholder(cell) || self.columns.iter().any(|known| known == name)))
    }
}

/// Appends the cells of a typed row.
fn typed_cells<'r>(
    row: &RowRef<'r>,
    plan: &Plan,
    kept: &Kept,
    with_defaults: bool,
    cells: &mut Cells<'r>,
) -> Result<(), Refused> {
    let from_key = cells.len();
    for (field, slot) in row.iter().zip(&plan.fields) {
        let (field, value) = field.map_err(|error| Refused::Record(error.into()))?;
        let Some(slot) = slot else { continue };
        let cell = match (&value, &field.schema.default) {
            (ValueRef::Null, Some(default)) if with_defaults => {
                default_cell(&slot.meaning, &field.schema, default)
            }
            _ => Cell::typed(&slot.meaning, &field.schema, value),
        };
        let cell = cell.map_err(|unfit| refused(format!("field `{}` {unfit}", field.name)))?;
        if kept.takes(slot.column, &cell, &field.name, cells, from_key) {
            cells.push((slot.column, cell));
        }
    }
    Ok(())
}

fn single_meaning(cell: &Cell<'_>) -> Meaning {
    match cell {
        Cell::Int(_) => Meaning::Int64,
        Cell::Number(digits) if !digits.contains(['.', 'e', 'E']) => Meaning::Int64,
        Cell::Bytes(_) => Meaning::Bytes,
        _ => Meaning::Text,
    }
}

/// Appends the cells of a row; the error names the cell.
fn encode(
    encoder: &mut Encoder,
    target: &Target,
    cells: &Cells<'_>,
    rows: &mut Rows,
) -> Result<(), (usize, Unfit)> {
    let last = cells.len().saturating_sub(1);
    for (at, (column, cell)) in cells.iter().enumerate() {
        if let Some(column) = target.table.columns.get(*column) {
            encoder
                .encode(cell, column, rows.buffer())
                .map_err(|unfit| (at, unfit))?;
        }
        rows.end_cell(at == last);
    }
    Ok(())
}

fn missing_columns(place: &Place<'_>, target: &Target, missing: &[&str]) -> Error {
    let dialect = place.server.dialect();
    let known: Vec<&str> = target
        .table
        .columns
        .iter()
        .map(|column| column.name.as_str())
        .collect();
    let add: Vec<String> = missing
        .iter()
        .map(|name| {
            format!(
                "ALTER TABLE {} ADD COLUMN {} …",
                target.quoted,
                dialect.quote(name)
            )
        })
        .collect();
    Error::data_invalid(format!(
        "{}: table `{}` has no column `{}` (SQLSTATE 42703; it has {}); {}, or set `auto.evolve: true` with records that have a schema, or leave \
         the field out with `fields.exclude.list`",
        place.server.shown,
        target.table.name,
        missing.join("`, `"),
        known.join(", "),
        add.join("; "),
    ))
}

fn loose_meaning(value: &Json<'_>) -> Meaning {
    match value {
        Json::Bool(_) => Meaning::Boolean,
        Json::Number(digits) if !digits.contains(['.', 'e', 'E']) => Meaning::Int64,
        Json::Number(_) => Meaning::Float64,
        Json::Text(_) | Json::Null => Meaning::Text,
        Json::Object(_) | Json::Array(_) => Meaning::Json,
    }
}

/// The default of a schema as a cell; only scalars have one that a column takes.
fn default_cell(
    meaning: &Meaning,
    schema: &Schema,
    default: &Value,
) -> Result<Cell<'static>, Unfit> {
    let value = match default {
        Value::Int8(v) => ValueRef::Int8(*v),
        Value::Int16(v) => ValueRef::Int16(*v),
        Value::Int32(v) => ValueRef::Int32(*v),
        Value::Int64(v) => ValueRef::Int64(*v),
        Value::Float32(v) => ValueRef::Float32(*v),
        Value::Float64(v) => ValueRef::Float64(*v),
        Value::Boolean(v) => ValueRef::Boolean(*v),
        Value::String(text) => {
            return Ok(match meaning {
                Meaning::Json => Cell::Json(Cow::Owned(text.clone())),
                _ => Cell::Text(Cow::Owned(text.clone())),
            });
        }
        Value::Bytes(bytes) => {
            return Ok(match meaning {
                Meaning::Decimal { scale, .. } => Cell::Decimal {
                    unscaled: Cow::Owned(bytes.clone()),
                    scale: *scale,
                },
                _ => Cell::Bytes(Cow::Owned(bytes.clone())),
            });
        }
        Value::Null | Value::Array(_) | Value::Map(_) | Value::Struct(_) => return Ok(Cell::Null),
    };
    Cell::typed(meaning, schema, value)
}
