//! `ReplaceField`: takes fields out, keeps only some, gives others another name.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::Transform;
use super::side::{
    SchemaCache, Side, StructBuilder, copy_basics, field_at, require_map, require_struct,
    struct_kind,
};
use crate::options::{ConfigProblem, OptionDef, REPLACE_NULL, Settings};
use crate::{Error, Field, Map, Record, Value};

pub(super) const OPTIONS: &[OptionDef] = &[
    OptionDef::list("exclude", "Fields to take out; counts more than `include`.").default(""),
    OptionDef::list("include", "Fields to keep; without it all are kept.").default(""),
    OptionDef::list("renames", "New names of fields, `old:new`.").default(""),
    REPLACE_NULL,
];

#[derive(Debug)]
pub(super) struct ReplaceField {
    side: Side,
    exclude: HashSet<String>,
    include: HashSet<String>,
    renames: HashMap<String, Arc<str>>,
    with_default: bool,
    schemas: SchemaCache,
}

impl ReplaceField {
    pub(super) fn configure(settings: &Settings, side: Side) -> Result<Self, Vec<ConfigProblem>> {
        let mut renames = HashMap::new();
        for item in settings.list("renames") {
            match item.split_once(':') {
                Some((from, to)) if !to.is_empty() && !to.contains(':') => {
                    renames.insert(from.to_owned(), Arc::from(to));
                }
                _ => {
                    let message = format!("`{item}` is not of the form `old:new`");
                    return Err(vec![ConfigProblem::new("renames", message)]);
                }
            }
        }
        Ok(Self {
            side,
            exclude: settings.list("exclude").iter().cloned().collect(),
            include: settings.list("include").iter().cloned().collect(),
            renames,
            with_default: settings.boolean("replace.null.with.default"),
            schemas: SchemaCache::default(),
        })
    }

    fn keeps(&self, name: &str) -> bool {
        !self.exclude.contains(name) && (self.include.is_empty() || self.include.contains(name))
    }

    fn renamed(&self, name: &Arc<str>) -> Arc<str> {
        Arc::clone(self.renames.get(&**name).unwrap_or(name))
    }

    fn fields(&self, fields: &[Field]) -> Vec<Field> {
        let kept = fields.iter().filter(|field| self.keeps(&field.name));
        kept.map(|field| Field::new(self.renamed(&field.name), Arc::clone(&field.schema)))
            .collect()
    }
}

impl Transform for ReplaceField {
    fn apply(&mut self, mut record: Record) -> Result<Option<Record>, Error> {
        let part = self.side.of(&record);
        if part.value.is_null() {
            return Ok(Some(record));
        }
        let (schema, value) = match &part.schema {
            None => {
                let map = require_map(&part.value, self.side)?;
                let mut updated = Map::new();
                for (key, value) in map.iter() {
                    let Value::String(name) = key else {
                        return Err(Error::data("a key of the map is not a string"));
                    };
                    if self.keeps(name) {
                        updated.insert(Value::String(self.renamed(name)), value.clone());
                    }
                }
                (None, Value::from(updated))
            }
            Some(schema) => {
                let row = require_struct(&part.value, self.side)?;
                let mut schemas = std::mem::take(&mut self.schemas);
                let updated = schemas.get(schema, |schema| {
                    let fields = self.fields(schema.fields());
                    Ok(Arc::new(copy_basics(schema, struct_kind(fields)?)))
                });
                self.schemas = schemas;
                let updated = updated?;
                let mut built = StructBuilder::new(Arc::clone(&updated));
                for (position, field) in row.schema().fields().iter().enumerate() {
                    if self.keeps(&field.name) {
                        built.push(field_at(row, position, self.with_default).clone())?;
                    }
                }
                (Some(updated), built.finish()?)
            }
        };
        self.side.set(&mut record, schema, value);
        Ok(Some(record))
    }
}
