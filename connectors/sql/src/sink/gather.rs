//! From records to rows of tables: which table, which columns, which key; tables are made and widened on the way.
//!
//! Runs before the transaction, because MySQL ends one at every change of a table.

mod cells;
mod key;
mod row;
mod table;

use std::collections::{BTreeMap, HashMap, HashSet};

use linkspan_sdk::prelude::*;
use linkspan_sdk::tracing;

use self::cells::Kept;
use self::key::Key;
use super::flight::Line;
use super::names::{Names, Origin};
use super::options::{InsertMode, PkMode, SinkOptions, WritePath};
use super::position::Written;
use super::record::{Action, Holder, unchanged};
use super::target::{self, Choice, Target};
use super::work::Work;
use crate::catalog::TableKind;
use crate::connect::{Connection, Connector};
use crate::dialect::{Dialect, TableName};
use crate::types::{Cell, Encoder, Unfit};

/// Turns batches into work; keeps what it learned about tables.
#[derive(Debug)]
pub(super) struct Gatherer {
    names: Names,
    choice: Choice,
    encoder: Encoder,
    targets: HashMap<TableName, Target>,
    /// Tables whose key was settled and checked.
    settled: HashMap<TableName, Vec<String>>,
    /// Rows may go in COPY's binary form: nothing but inserts, by COPY.
    binary: bool,
    /// Tables that text came into by COPY.
    proven: HashSet<TableName>,
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

fn refused(message: impl Into<String>) -> Refused {
    Refused::Record(Error::data_invalid(message))
}

/// Everything one record needs while it is looked at.
struct Place<'p> {
    line: &'p mut Line,
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
            binary: dialect == Dialect::Postgres
                && options.insert_mode == InsertMode::Insert
                && !options.delete_enabled
                && matches!(options.write_path, WritePath::Auto | WritePath::Copy),
            proven: HashSet::new(),
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

    /// Keeps what is known of the tables of a batch while it is written in the background.
    pub(super) fn keep(&mut self, work: &Work) {
        for (target, _) in &work.tables {
            self.targets.insert(target.asked.clone(), target.clone());
        }
    }

    /// A batch has arrived as it was: COPY works for its tables.
    pub(super) fn proved(&mut self, work: &Work) {
        for (target, _) in &work.tables {
            if target.copies && target.table.kind != TableKind::Foreign {
                self.proven.insert(target.asked.clone());
            }
        }
    }

    /// Takes over what writing a batch taught about its tables.
    pub(super) fn learn(&mut self, work: &Work) {
        for (target, _) in &work.tables {
            if let Some(known) = self.targets.get_mut(&target.asked) {
                known.copies &= target.copies;
            }
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
    pub(super) async fn gather<'r>(
        &mut self,
        line: &mut Line,
        server: &Connector,
        options: &SinkOptions,
        records: &Records<'r>,
        mut written: Written<'_, 'r>,
    ) -> Result<Gathered> {
        let mut work = Work::default();
        let mut at: BTreeMap<TableName, usize> = BTreeMap::new();
        let mut by_topic: Option<(&str, usize)> = None;
        let mut bad = Vec::new();
        for (index, record) in records.clone().enumerate() {
            if written.has(&record) {
                continue;
            }
            let mut place = Place {
                line: &mut *line,
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

    async fn record<'r>(
        &mut self,
        place: &mut Place<'_>,
        work: &mut Work,
        at: &mut BTreeMap<TableName, usize>,
        by_topic: &mut Option<(&'r str, usize)>,
        record: &Record<'r>,
        index: usize,
    ) -> Result<(), Refused> {
        let value = record.value();
        let holder = Holder::new(&value).map_err(Refused::Record)?;
        let asked = holder.asked().map_err(Refused::Record)?;
        if self.passes_over(place.options, &asked.action, asked.enveloped)? {
            return Ok(());
        }
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
        let table = match by_topic {
            Some((topic, table)) if *topic == place.topic && self.names.is_by_topic() => *table,
            _ => {
                let name = self
                    .names
                    .table(place.topic, &asked.origin)
                    .map_err(|why| Refused::Record(Error::data_invalid(why)))?;
                let table = match at.get(&name) {
                    Some(&table) => table,
                    None => {
                        let table = self
                            .table(place, work, &name, &mut key, value_view, &asked.action)
                            .await?;
                        at.insert(name, table);
                        table
                    }
                };
                *by_topic = Some((record.topic(), table));
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
                let (cells, form) = self.cells(place, target, &key, view, &kept).await?;
                self.put(place, target, batch, (cells, form), index).await
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
}
