//! The options that the host itself understands, declared once: for connectors, for topics, for the host.
//!
//! Names are Kafka Connect's and Kafka's. What a later version builds stands here already, marked [`Built::No`] or
//! [`Built::Only`]: such an option is refused with words that say so, never ignored.

mod connector;
mod host;
mod jobs;
mod row;
mod topic;

use std::sync::LazyLock;

use linkspan_types::topic_settings;

use self::connector::CONNECTOR_ROWS;
use self::host::{HOST_ROWS, PARAM_ROWS, TOKEN_ROWS, USER_ROWS};
use self::jobs::{HOOK_ROWS, SCHEDULE_ROWS};
use self::row::Row;
use self::topic::{TOPIC_ROWS, topic_option};
use crate::option::{ClassKind, OptionDef};
use crate::vocabulary::Built;

/// One option of the host.
#[derive(Clone, Debug)]
pub struct FrameworkOption {
    /// Name, type, default, docs.
    pub def: OptionDef,
    /// How much of it this version does.
    pub built: Built,
    /// The kind of connector it belongs to; `None` = both.
    pub kind: Option<ClassKind>,
}

/// Options of every connector.
pub static CONNECTOR: LazyLock<Vec<FrameworkOption>> =
    LazyLock::new(|| CONNECTOR_ROWS.iter().map(Row::option).collect());
/// Options of a topic.
pub static TOPIC: LazyLock<Vec<FrameworkOption>> = LazyLock::new(|| {
    let own = TOPIC_ROWS.iter().map(Row::option);
    own.chain(topic_settings::TABLE.iter().map(topic_option))
        .collect()
});
/// Settings of the host.
pub static HOST: LazyLock<Vec<FrameworkOption>> =
    LazyLock::new(|| HOST_ROWS.iter().map(Row::option).collect());
/// Parts of a parameter's declaration.
pub static PARAM: LazyLock<Vec<FrameworkOption>> =
    LazyLock::new(|| PARAM_ROWS.iter().map(Row::option).collect());

/// What a user takes.
pub static USER: LazyLock<Vec<FrameworkOption>> = LazyLock::new(|| with_role(USER_ROWS));
/// What a token takes.
pub static TOKEN: LazyLock<Vec<FrameworkOption>> = LazyLock::new(|| with_role(TOKEN_ROWS));

fn with_role(rows: &[Row]) -> Vec<FrameworkOption> {
    let mut options: Vec<_> = rows.iter().map(Row::option).collect();
    for option in &mut options {
        option.def.required = option.def.name == "role";
    }
    options
}

/// What `schedule:` takes.
pub static SCHEDULE: LazyLock<Vec<FrameworkOption>> = LazyLock::new(|| {
    let mut options: Vec<_> = SCHEDULE_ROWS.iter().map(Row::option).collect();
    for option in &mut options {
        option.def.required = option.def.name == "cron";
    }
    options
});
/// What `on.failure:` and `on.success:` take.
pub static HOOK: LazyLock<Vec<FrameworkOption>> = LazyLock::new(|| {
    let mut options: Vec<_> = HOOK_ROWS.iter().map(Row::option).collect();
    for option in &mut options {
        option.def.secret = option.def.name == "headers";
    }
    options
});

/// The most tasks of one connector: each is a thread.
pub const TASKS_MAX: i64 = 1024;
/// The most partitions of one topic.
pub const PARTITIONS_MAX: i64 = 10_000;
/// The option of a topic that is no setting of the log.
pub(crate) const REPLICATION_FACTOR: &str = "replication.factor";
const HOUR_MS: i64 = 3_600_000;
const MIB: i64 = 1 << 20;
const SEGMENT_BYTES_MAX: i64 = 2_147_483_647;
