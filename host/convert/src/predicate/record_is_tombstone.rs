//! `RecordIsTombstone`: is the value null, with or without a schema?

use super::Predicate;
use crate::transform::OptionDef;
use crate::{Error, Record};

pub(super) const OPTIONS: &[OptionDef] = &[];

#[derive(Debug)]
pub(super) struct RecordIsTombstone;

impl Predicate for RecordIsTombstone {
    fn test(&self, record: &Record) -> Result<bool, Error> {
        Ok(record.is_tombstone())
    }
}
