//! `Flatten`: nested fields become fields of the outermost struct or map, their names joined by a delimiter.

use std::sync::Arc;

use super::Transform;
use super::side::{
    SchemaCache, Side, StructBuilder, copy_basics, require_map, require_struct, struct_kind,
};
use crate::options::{OptionDef, Settings};
use crate::{Error, Field, Map, Record, Schema, Struct, Type, Value};

pub(super) const OPTIONS: &[OptionDef] = &[OptionDef::string(
    "delimiter",
    "What stands between the names of outer and inner field.",
)
.default(".")];

/// How deep maps without a schema may nest.
const DEPTH_MAX: usize = 128;

#[derive(Debug)]
pub(super) struct Flatten {
    side: Side,
    delimiter: String,
    schemas: SchemaCache,
}

impl Flatten {
    pub(super) fn configure(settings: &Settings, side: Side) -> Self {
        Self {
            side,
            delimiter: settings.text_or_empty("delimiter").to_owned(),
            schemas: SchemaCache::default(),
        }
    }
}

impl Transform for Flatten {
    fn apply(&mut self, mut record: Record) -> Result<Option<Record>, Error> {
        let part = self.side.of(&record);
        if part.value.is_null() {
            return Ok(Some(record));
        }
        let (schema, value) = match &part.schema {
            None => {
                let map = require_map(&part.value, self.side)?;
                let mut flat = Map::new();
                flatten_map(map, "", &self.delimiter, &mut flat, 0)?;
                (None, Value::from(flat))
            }
            Some(schema) => {
                let row = require_struct(&part.value, self.side)?;
                let delimiter = &self.delimiter;
                let updated = self.schemas.get(schema, |schema| {
                    let mut fields = Vec::new();
                    let default = match &schema.default {
                        Some(Value::Struct(default)) => Some(&**default),
                        _ => None,
                    };
                    let outer = Outer {
                        name: "",
                        optional: schema.optional,
                        default,
                    };
                    flatten_schema(schema, &outer, delimiter, &mut fields)?;
                    Ok(Arc::new(copy_basics(schema, struct_kind(fields)?)))
                })?;
                let mut built = StructBuilder::new(Arc::clone(&updated));
                flatten_struct(schema, Some(row), &mut built)?;
                (Some(updated), built.finish()?)
            }
        };
        self.side.set(&mut record, schema, value);
        Ok(Some(record))
    }
}

fn join(outer: &str, name: &str, delimiter: &str) -> String {
    if outer.is_empty() {
        name.to_owned()
    } else {
        format!("{outer}{delimiter}{name}")
    }
}

fn flatten_map(
    map: &Map,
    outer: &str,
    delimiter: &str,
    flat: &mut Map,
    depth: usize,
) -> Result<(), Error> {
    if depth > DEPTH_MAX {
        return Err(Error::data(format!(
            "maps nest deeper than {DEPTH_MAX} levels"
        )));
    }
    for (key, value) in map.iter() {
        let key = key
            .as_str()
            .ok_or_else(|| Error::data("a key of the map is not a string"))?;
        let name = join(outer, key, delimiter);
        match value {
            Value::Map(inner) => flatten_map(inner, &name, delimiter, flat, depth + 1)?,
            Value::Struct(_) | Value::Decimal(_) | Value::Instant(_) => {
                return Err(Error::data(format!(
                    "field `{name}` is {} without a schema, which cannot be flattened",
                    value.type_name()
                )));
            }
            value => {
                flat.insert(Value::from(name), value.clone());
            }
        }
    }
    Ok(())
}

/// What a field inherits.
struct Outer<'a> {
    name: &'a str,
    optional: bool,
    default: Option<&'a Struct>,
}

fn flatten_schema(
    schema: &Schema,
    outer: &Outer<'_>,
    delimiter: &str,
    fields: &mut Vec<Field>,
) -> Result<(), Error> {
    for field in schema.fields().iter() {
        let name = join(outer.name, &field.name, delimiter);
        let optional = outer.optional || field.schema.optional;
        let inherited = match outer.default {
            Some(default) => Some(default.get(&field.name)?).filter(|value| !value.is_null()),
            None => None,
        };
        let default = field.schema.default.as_ref().or(inherited);
        match field.schema.schema_type() {
            Type::Struct => {
                let default = match default {
                    Some(Value::Struct(default)) => Some(&**default),
                    _ => None,
                };
                let inner = Outer {
                    name: &name,
                    optional,
                    default,
                };
                flatten_schema(&field.schema, &inner, delimiter, fields)?;
            }
            Type::Map => {
                return Err(Error::data(format!(
                    "field `{name}` is a map with a schema, which cannot be flattened"
                )));
            }
            _ => {
                let mut flat = copy_basics(&field.schema, field.schema.kind.clone());
                flat.optional = optional;
                flat.default = default.cloned();
                fields.push(Field::new(name, flat));
            }
        }
    }
    Ok(())
}

/// Walks by the schema: the fields of a missing struct are left missing.
fn flatten_struct(
    schema: &Schema,
    row: Option<&Arc<Struct>>,
    built: &mut StructBuilder,
) -> Result<(), Error> {
    for field in schema.fields().iter() {
        let value = match row {
            Some(row) => row.get(&field.name)?,
            None => &Value::Null,
        };
        match (field.schema.schema_type(), value) {
            (Type::Struct, Value::Struct(inner)) => {
                flatten_struct(&field.schema, Some(inner), built)?;
            }
            (Type::Struct, Value::Null) => flatten_struct(&field.schema, None, built)?,
            (_, Value::Null) if row.is_none() => built.skip(),
            (_, value) => built.push(value.clone())?,
        }
    }
    Ok(())
}
