//! The cells of a row: which field goes into which column.

use std::borrow::Cow;
use std::sync::Arc;

use linkspan_sdk::prelude::*;
use linkspan_sdk::{RowRef, SchemaField};

use super::key::Key;
use super::table::missing_columns;
use super::{Cells, Gatherer, Place, Refused, refused};
use crate::sink::record::{View, is_placeholder};
use crate::sink::rows::Form;
use crate::sink::target::{self, Plan, Target};
use crate::types::json::Json;
use crate::types::{Cell, Meaning, Unfit};

/// What of a change event keeps its value: columns that a header names, and Debezium's placeholder.
pub(super) struct Kept {
    pub(super) enveloped: bool,
    pub(super) columns: Vec<String>,
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

impl Gatherer {
    /// The cells of a row with their columns, the key's first, then the fields'; and how they are encoded.
    pub(super) async fn cells<'r>(
        &mut self,
        place: &mut Place<'_>,
        target: &mut Target,
        key: &Key<'r>,
        view: &View<'r>,
        kept: &Kept,
    ) -> Result<(Cells<'r>, Form), Refused> {
        let mut form = Form::of(place.server.dialect());
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
                if let Some(forms) = &plan.forms
                    && self.binary
                    && target.proven
                    && key.cells.is_empty()
                    && cells.len() == forms.len()
                {
                    form = Form::Binary(Arc::clone(forms));
                }
            }
            View::Loose(fields) => {
                let missing = self.loose_cells(place, target, fields, kept, &mut cells);
                if !missing.is_empty() {
                    return Err(Refused::Record(missing_columns(place, target, &missing)));
                }
            }
        }
        Ok((cells, form))
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
                target::widen(place.line, place.server, target, slot.column, &slot.meaning)
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
