//! Options of `generator-source`.

use linkspan_sdk::prelude::*;

use crate::payload::{NUMBERS_PER_TASK, PREFIX_BYTES};

/// Makes numbered records, as many and as fast as is asked for.
#[derive(Debug, Clone, Options)]
#[options(validate = "GeneratorOptions::check")]
pub(crate) struct GeneratorOptions {
    /// The topic that the records go to.
    #[option(importance = "high")]
    pub(crate) topic: TopicName,
    /// How many records to make, shared among the tasks; 0 makes them without end, which a `--once` job refuses.
    #[option(default = "0", importance = "high")]
    pub(crate) count: u64,
    /// Records a second, of each task; 0 is as fast as possible.
    #[option(default = "0", importance = "high")]
    pub(crate) rate: u64,
    /// Bytes of a value: a number of 16 digits, a colon and filler.
    #[option(default = "100B", min = 17, max = 1_048_000)]
    pub(crate) size: ByteSize,
    /// Decides the filler: the same seed gives the same bytes.
    #[option(default = "0")]
    pub(crate) seed: u64,
    /// How many different keys the records have, `key-0` and so on; 0 is none.
    #[option(default = "0")]
    pub(crate) keys: u64,
    /// `text`: the value is the text. `row`: the value is a row with the fields `sequence` (int64) and `payload` (string).
    #[option(default = "text")]
    pub(crate) schema: ValueSchema,
    /// The topic's partition; -1 leaves it to the key or the host.
    #[option(default = "-1", min = -1)]
    pub(crate) partition: i32,
    /// How many tasks share `count`. Set by the connector.
    #[option(name = "generator.tasks", default = "1", min = 1, importance = "low")]
    pub(crate) tasks: u32,
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum ValueSchema {
    Text,
    Row,
}

impl GeneratorOptions {
    fn check(&self) -> Vec<ConfigProblem> {
        let mut problems = Vec::new();
        if self.size.as_u64() < PREFIX_BYTES as u64 {
            problems.push(ConfigProblem::new(
                "size",
                format!("must be at least {PREFIX_BYTES}, the bytes of the number"),
            ));
        }
        if self.count / u64::from(self.tasks.max(1)) >= NUMBERS_PER_TASK {
            problems.push(ConfigProblem::new(
                "count",
                format!("must be below {NUMBERS_PER_TASK} for each task"),
            ));
        }
        problems
    }
}
