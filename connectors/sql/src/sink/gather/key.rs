//! The key of a record, before its table is known.

use std::borrow::Cow;

use linkspan_sdk::prelude::*;

use super::{Gatherer, Refused, refused};
use crate::sink::options::{PkMode, SinkOptions};
use crate::sink::record::{Holder, KeyView, View, header_cell};
use crate::sink::target::Need;
use crate::types::json::Json;
use crate::types::{Cell, Meaning};

/// The columns of a key before the table is known: names and, for making the table, meanings.
#[derive(Default)]
pub(super) struct Key<'r> {
    pub(super) cells: Vec<(String, Cell<'r>)>,
    pub(super) needs: Vec<Need>,
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

impl Gatherer {
    /// The key of a record as its mode says; `record_value` takes it from the row later.
    pub(super) fn key<'r>(
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
}

fn single_meaning(cell: &Cell<'_>) -> Meaning {
    match cell {
        Cell::Int(_) => Meaning::Int64,
        Cell::Number(digits) if !digits.contains(['.', 'e', 'E']) => Meaning::Int64,
        Cell::Bytes(_) => Meaning::Bytes,
        _ => Meaning::Text,
    }
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
