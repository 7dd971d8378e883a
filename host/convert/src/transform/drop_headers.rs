//! `DropHeaders`: takes headers out by name.

use super::{Touches, Transform};
use crate::options::{OptionDef, Rule, Settings};
use crate::{Error, Record};

pub(super) const OPTIONS: &[OptionDef] =
    &[
        OptionDef::list("headers", "Names of the headers to take out.")
            .required()
            .rule(Rule::NotEmpty),
    ];

#[derive(Debug)]
pub(super) struct DropHeaders {
    names: Vec<String>,
}

impl DropHeaders {
    pub(super) fn configure(settings: &Settings) -> Self {
        Self {
            names: settings.list("headers").to_vec(),
        }
    }
}

impl Transform for DropHeaders {
    fn touches(&self) -> Touches {
        Touches::NOTHING
    }

    fn apply(&mut self, mut record: Record) -> Result<Option<Record>, Error> {
        record
            .headers
            .retain(|header| !self.names.iter().any(|name| **name == *header.name));
        Ok(Some(record))
    }
}
