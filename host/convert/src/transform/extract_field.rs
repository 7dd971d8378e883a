//! `ExtractField`: one field takes the place of the whole key or value.

use super::Transform;
use super::field_path::FieldPath;
use super::side::{Side, require_map, require_struct};
use crate::options::{ConfigProblem, OptionDef, REPLACE_NULL, Rule, Settings};
use crate::{Class, Error, Record, Value};

pub(super) const OPTIONS: &[OptionDef] = &[
    OptionDef::string("field", "The field to take out.").required(),
    FIELD_SYNTAX,
    REPLACE_NULL,
];

/// `field.syntax.version`.
pub(super) const FIELD_SYNTAX: OptionDef = OptionDef::string(
    "field.syntax.version",
    "V1: the whole text is one name. V2: dots lead into nested fields, names with dots stand between backticks.",
)
.default("V1")
.rule(Rule::OneOf(&["V1", "V2"]));

#[derive(Debug)]
pub(super) struct ExtractField {
    side: Side,
    name: String,
    path: FieldPath,
    with_default: bool,
}

impl ExtractField {
    pub(super) fn configure(settings: &Settings, side: Side) -> Result<Self, Vec<ConfigProblem>> {
        let name = settings.text_or_empty("field");
        let path = match settings.text("field.syntax.version") {
            Some("V2") => {
                FieldPath::v2(name).map_err(|message| vec![ConfigProblem::new("field", message)])?
            }
            _ => FieldPath::v1(name),
        };
        Ok(Self {
            side,
            name: name.to_owned(),
            path,
            with_default: settings.boolean("replace.null.with.default"),
        })
    }
}

impl Transform for ExtractField {
    fn apply(&mut self, mut record: Record) -> Result<Option<Record>, Error> {
        let part = self.side.of(&record);
        let (schema, value) = match (&part.schema, &part.value) {
            (None, Value::Null) => (None, Value::Null),
            (None, value) => {
                let map = require_map(value, self.side)?;
                (None, self.path.value_in_map(map)?)
            }
            (Some(schema), value) => {
                let row = match value {
                    Value::Null => None,
                    value => Some(require_struct(value, self.side)?),
                };
                let field = self.path.field(schema)?.ok_or_else(|| {
                    Error::new(
                        Class::IllegalArgument,
                        format!("the schema has no field `{}`", self.name),
                    )
                })?;
                let value = match row {
                    None => Value::Null,
                    Some(row) => self.path.value_in_struct(row, self.with_default)?,
                };
                (Some(field.schema.clone()), value)
            }
        };
        self.side.set(&mut record, schema, value);
        Ok(Some(record))
    }
}
