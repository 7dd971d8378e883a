//! One schema for values that were read one by one.

use std::sync::Arc;

use crate::{Schema, SchemaAndValue, Type};

/// The schema that all values so far share.
#[derive(Debug, Default)]
pub(super) struct Merger {
    common: Option<Arc<Schema>>,
    incompatible: bool,
}

impl Merger {
    /// Takes note of a value; null has no schema and changes nothing.
    pub(super) fn add(&mut self, value: &SchemaAndValue) {
        let Some(schema) = &value.schema else { return };
        if self.incompatible {
            return;
        }
        match self.common.take() {
            None => self.common = Some(Arc::clone(schema)),
            Some(common) => {
                self.common = merge(common, schema);
                self.incompatible = self.common.is_none();
            }
        }
    }

    pub(super) fn schema(&self) -> Option<&Arc<Schema>> {
        self.common.as_ref()
    }
}

/// Returns the wider of two number types; of two equal types the later or the optional one.
fn merge(previous: Arc<Schema>, latest: &Arc<Schema>) -> Option<Arc<Schema>> {
    let (from, to) = (previous.schema_type(), latest.schema_type());
    if from != to {
        return match (width(from), width(to)) {
            (Some(a), Some(b)) if a > b => Some(previous),
            (Some(_), Some(_)) => Some(Arc::clone(latest)),
            _ => None,
        };
    }
    if previous.optional == latest.optional {
        return Some(if previous.optional {
            previous
        } else {
            Arc::clone(latest)
        });
    }
    (previous == *latest).then_some(previous)
}

fn width(schema_type: Type) -> Option<u8> {
    Some(match schema_type {
        Type::Int8 => 1,
        Type::Int16 => 2,
        Type::Int32 => 3,
        Type::Int64 => 4,
        Type::Float32 => 5,
        Type::Float64 => 6,
        _ => return None,
    })
}
