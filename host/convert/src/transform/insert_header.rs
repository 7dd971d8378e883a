//! `InsertHeader`: adds a header with a fixed value.

use std::sync::Arc;

use super::{Touches, Transform};
use crate::options::{ConfigProblem, OptionDef, Settings};
use crate::{Error, Record, SchemaAndValue, values};

pub(super) const OPTIONS: &[OptionDef] = &[
    OptionDef::string("header", "The header's name.").required(),
    OptionDef::string(
        "value.literal",
        "The header's value; its type is found as Connect's Values does: 5 is an int8, [1,2] an array.",
    )
    .required(),
];

#[derive(Debug)]
pub(super) struct InsertHeader {
    name: Arc<str>,
    value: SchemaAndValue,
}

impl InsertHeader {
    pub(super) fn configure(settings: &Settings) -> Result<Self, Vec<ConfigProblem>> {
        let value = values::parse_string(settings.text_or_empty("value.literal"))
            .map_err(|error| vec![ConfigProblem::new("value.literal", error.to_string())])?;
        Ok(Self {
            name: Arc::from(settings.text_or_empty("header")),
            value,
        })
    }
}

impl Transform for InsertHeader {
    fn touches(&self) -> Touches {
        Touches::NOTHING
    }

    fn apply(&mut self, mut record: Record) -> Result<Option<Record>, Error> {
        record
            .headers
            .add(Arc::clone(&self.name), self.value.clone());
        Ok(Some(record))
    }
}
