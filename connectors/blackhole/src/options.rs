//! Options of `blackhole-sink`.

use linkspan_sdk::prelude::*;

/// Takes records and drops them, counted and, if asked for, checked.
#[derive(Debug, Clone, Options)]
pub(crate) struct BlackholeOptions {
    /// Checks the numbers of `generator-source`. `auto`: a gap or a repeat among records that it made fails the task, other
    /// records are only counted. `sequence`: a record without a number fails the task too. `none`: anything goes.
    #[option(default = "auto", importance = "high")]
    pub(crate) check: Check,
    /// Refuses every record whose value contains this text: a rehearsal of `errors.*` and dead letters.
    #[option(name = "rehearse.refuse", default = "", importance = "low")]
    pub(crate) refuse: String,
    /// How it refuses. `report`: record by record. `batch`: the whole batch, so that the host has to find the record.
    #[option(name = "rehearse.refuse.by", default = "report", importance = "low")]
    pub(crate) refuse_by: RefuseBy,
    /// So many batches are first refused as if the other side were not available.
    #[option(name = "rehearse.outages", default = "0", importance = "low")]
    pub(crate) outages: u32,
    /// How many tasks the connector has. Set by the connector.
    #[option(name = "blackhole.tasks", default = "1", min = 1, importance = "low")]
    pub(crate) tasks: u32,
}

/// Which records are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum Check {
    Auto,
    Sequence,
    None,
}

/// How a record is refused in a rehearsal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum RefuseBy {
    Report,
    Batch,
}

impl BlackholeOptions {
    pub(crate) fn checks(&self) -> bool {
        self.check != Check::None
    }

    pub(crate) fn wants_numbers(&self) -> bool {
        self.check == Check::Sequence
    }
}
