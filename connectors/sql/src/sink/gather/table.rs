//! The table of a record: found, made if need be, its key settled and checked.

use linkspan_sdk::SchemaField;
use linkspan_sdk::prelude::*;

use super::key::Key;
use super::{Gatherer, Place, Refused};
use crate::dialect::TableName;
use crate::sink::Delivery;
use crate::sink::batch::TableBatch;
use crate::sink::options::{InsertMode, PkMode};
use crate::sink::record::{Action, View};
use crate::sink::target::{self, Need, Target};
use crate::sink::work::Work;
use crate::types::Meaning;

impl Gatherer {
    /// Finds a record's table, makes it if need be, settles its key and adds it to the work.
    pub(super) async fn table(
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
                place.line.connection().await.map_err(Refused::All)?,
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
        target.proven = self.proven.contains(name);
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
        let exactly_once = place.options.delivery == Delivery::ExactlyOnce;
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

    pub(super) async fn add_columns(
        &self,
        place: &mut Place<'_>,
        target: &mut Target,
        missing: &[Need],
    ) -> Result<(), Refused> {
        if !place.options.evolves() {
            let names: Vec<&str> = missing.iter().map(|need| need.name.as_str()).collect();
            return Err(Refused::Record(missing_columns(place, target, &names)));
        }
        let connection = place.line.connection().await.map_err(Refused::All)?;
        target::evolve(connection, place.server, target, missing)
            .await
            .map_err(Refused::All)
    }
}

pub(super) fn missing_columns(place: &Place<'_>, target: &Target, missing: &[&str]) -> Error {
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
