//! `HasHeaderKey`: is there a header of this name?

use super::Predicate;
use crate::transform::{OptionDef, Rule, Settings};
use crate::{Error, Record};

pub(super) const OPTIONS: &[OptionDef] = &[OptionDef::string("name", "The header's name.")
    .required()
    .rule(Rule::NotEmpty)];

#[derive(Debug)]
pub(super) struct HasHeaderKey {
    name: String,
}

impl HasHeaderKey {
    pub(super) fn configure(settings: &Settings) -> Self {
        Self {
            name: settings.text_or_empty("name").to_owned(),
        }
    }
}

impl Predicate for HasHeaderKey {
    fn test(&self, record: &Record) -> Result<bool, Error> {
        Ok(record.headers.contains(&self.name))
    }
}
