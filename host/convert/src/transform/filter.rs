//! `Filter`: drops every record it gets; a predicate says which those are.

use super::{Touches, Transform};
use crate::options::OptionDef;
use crate::{Error, Record};

pub(super) const OPTIONS: &[OptionDef] = &[];

#[derive(Debug)]
pub(super) struct Filter;

impl Transform for Filter {
    fn touches(&self) -> Touches {
        Touches::NOTHING
    }

    fn apply(&mut self, _record: Record) -> Result<Option<Record>, Error> {
        Ok(None)
    }
}
