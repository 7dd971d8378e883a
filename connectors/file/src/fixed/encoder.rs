//! Rows to fixed-width records: the way back.

use std::sync::Arc;

use linkspan_sdk::prelude::*;

use super::Fault;
use super::field::{Context, Field};
use super::layout::{Layout, RecordEnd, RecordType};
use super::scalar::Scalar;
use crate::encode::Refused;

/// What happens to a value that the encoding cannot hold: `on.unmappable`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnUnmappable {
    /// The task fails, whatever is tolerated.
    Fail,
    /// A byte stands for the character.
    Replace(u8),
    /// The record is a bad one.
    Dlq,
}

/// Writes records of a layout.
#[derive(Debug)]
pub(crate) struct FixedEncoder {
    layout: Layout,
    end: RecordEnd,
    ctx: Context,
    /// The column that tells the type of a row whose schema has no name of the layout.
    type_column: Option<String>,
    fails_unmappable: bool,
    /// How the rows of the schema seen last become records.
    plan: Option<Plan>,
}

#[derive(Debug)]
struct Plan {
    schema: Arc<Schema>,
    /// The type that the schema's name tells; the column tells it otherwise.
    kind: Option<usize>,
    type_column: Option<usize>,
    /// For each type, for each column the field that it fills.
    fields: Vec<Result<Vec<Option<usize>>, String>>,
}

impl FixedEncoder {
    pub(crate) fn new(
        layout: Layout,
        end: RecordEnd,
        ctx: Context,
        type_column: Option<String>,
        on_unmappable: OnUnmappable,
    ) -> Self {
        Self {
            layout,
            end,
            ctx,
            type_column,
            fails_unmappable: on_unmappable == OnUnmappable::Fail,
            plan: None,
        }
    }

    /// Appends a record. What a refused record had appended is the caller's to cut off.
    pub(crate) fn encode(&mut self, value: &Datum<'_>, out: &mut Vec<u8>) -> Result<(), Refused> {
        let row = match value.data() {
            Data::Typed { .. } if !value.is_null() => value.row().map_err(Refused::Record)?,
            _ => {
                return Err(Refused::Record(Error::data_invalid(
                    "the value is not a row with columns, as `fixed` needs; text and JSON without a schema have none",
                )));
            }
        };
        if !self
            .plan
            .as_ref()
            .is_some_and(|plan| Arc::ptr_eq(&plan.schema, row.schema()))
        {
            self.plan = Some(self.plan(row.schema()));
        }
        let Some(plan) = &self.plan else {
            return Err(Refused::Record(Error::internal("no plan for a row")));
        };
        let Some(fields) = row.fields().map_err(Refused::Record)? else {
            return Err(Refused::Record(Error::data_invalid("the row is null")));
        };
        let mut columns = Vec::with_capacity(plan.schema.fields().len());
        for column in &fields {
            let (column, value) = column.map_err(|error| Refused::Record(error.into()))?;
            let scalar = Scalar::of(&value, &column.schema).map_err(|what| {
                Refused::Record(Error::data_invalid(format!(
                    "column `{}` is {what}, no field can hold it",
                    column.name
                )))
            })?;
            columns.push(scalar);
        }
        let kind = match plan.kind {
            Some(kind) => kind,
            None => self.told(plan, &columns).map_err(Refused::Record)?,
        };
        let (Some(kind_of), Some(mapping)) = (self.layout.types.get(kind), plan.fields.get(kind))
        else {
            return Err(Refused::Record(Error::internal("a record type is missing")));
        };
        let mapping = mapping
            .as_ref()
            .map_err(|why| Refused::File(Error::conflict(why.clone())))?;
        self.write(kind_of, mapping, &columns, out)?;
        out.extend_from_slice(self.end.bytes());
        Ok(())
    }

    fn write(
        &self,
        kind: &RecordType,
        mapping: &[Option<usize>],
        columns: &[Option<Scalar<'_>>],
        out: &mut Vec<u8>,
    ) -> Result<(), Refused> {
        let start = out.len();
        let space = self.ctx.encoding.space();
        let fill_to = |end: usize, out: &mut Vec<u8>| {
            while out.len() < start + end {
                out.push(
                    *space
                        .get((out.len() - start) % space.len())
                        .unwrap_or(&b' '),
                );
            }
        };
        for (index, field) in kind.fields.iter().enumerate() {
            fill_to(field.start, out);
            let column = mapping.iter().position(|to| *to == Some(index));
            let value = column
                .and_then(|column| columns.get(column))
                .and_then(Option::as_ref);
            field
                .write(value, &self.ctx, out)
                .map_err(|fault| self.refuse(kind, &fault))?;
        }
        fill_to(kind.len, out);
        Ok(())
    }

    fn refuse(&self, kind: &RecordType, fault: &Fault) -> Refused {
        let message = format!("record `{}`, {}", kind.name, fault.message);
        if self.fails_unmappable && message.contains("`on.unmappable`") {
            // Of a kind that no tolerance of bad records covers.
            return Refused::File(Error::unsupported(message));
        }
        Refused::Record(Error::data_invalid(message))
    }

    /// Tells the type of a row by its type column.
    fn told(&self, plan: &Plan, columns: &[Option<Scalar<'_>>]) -> Result<usize> {
        let names = || {
            self.layout
                .types
                .iter()
                .map(|kind| format!("`{}`", kind.name))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let Some(column) = plan.type_column else {
            return Err(Error::data_invalid(format!(
                "the row's schema is not named like a record type of the layout ({}), and `fixed.type.column` names no column of it",
                names()
            )));
        };
        let word = columns
            .get(column)
            .and_then(Option::as_ref)
            .and_then(Scalar::text);
        let word = word.as_deref().unwrap_or_default();
        let mut bytes = Vec::new();
        let encoded = self
            .ctx
            .encoding
            .encode(word, crate::encoding::Fallback::Refuse, &mut bytes)
            .is_ok();
        self.layout
            .types
            .iter()
            .position(|kind| {
                kind.name == word
                    || (encoded
                        && kind
                            .when
                            .as_ref()
                            .is_some_and(|when| when.any.contains(&bytes)))
            })
            .ok_or_else(|| {
                Error::data_invalid(format!(
                    "the type column names no record type of the layout ({})",
                    names()
                ))
            })
    }

    fn plan(&self, schema: &Arc<Schema>) -> Plan {
        let types = &self.layout.types;
        let named = schema
            .name
            .as_deref()
            .and_then(|name| self.layout.find(name));
        let type_column = self
            .type_column
            .as_deref()
            .and_then(|name| schema.position(name));
        let only = (types.len() == 1).then_some(0);
        Plan {
            kind: named.or(if type_column.is_none() { only } else { None }),
            type_column,
            fields: types
                .iter()
                .map(|kind| self.mapping(kind, schema, type_column))
                .collect(),
            schema: Arc::clone(schema),
        }
    }

    /// Which field each column fills; both sides must be complete.
    fn mapping(
        &self,
        kind: &RecordType,
        schema: &Schema,
        type_column: Option<usize>,
    ) -> Result<Vec<Option<usize>>, String> {
        let mut mapping = Vec::new();
        for (position, column) in schema.fields().iter().enumerate() {
            let field = kind
                .fields
                .iter()
                .position(|field| field.name.as_deref() == Some(&*column.name));
            // With a type column one row shape serves several types, each with columns that the others do not have.
            if field.is_none() && Some(position) != type_column && type_column.is_none() {
                return Err(format!(
                    "record `{}` has no field for the column `{}`; add it to the layout or drop it with a transform",
                    kind.name, column.name
                ));
            }
            mapping.push(field);
        }
        let missing = |field: &&Field| {
            let name = field.name.as_deref();
            name.is_some_and(|name| field.constant.is_none() && schema.position(name).is_none())
        };
        match kind.fields.iter().find(missing) {
            Some(field) => Err(format!(
                "the rows have no column for {} of record `{}`; give it a `value` or leave out its name",
                field.place(),
                kind.name
            )),
            None => Ok(mapping),
        }
    }
}
