//! Connectors and their offsets, and the general `get` and `describe`.

use clap::{Args, Subcommand};

use super::Target;

#[derive(Debug, Args)]
pub(crate) struct GetArgs {
    /// What to list, or the name of a connector [default: connectors]
    #[arg(value_name = "KIND")]
    pub(crate) kind: Option<String>,
    /// Only this one; of tasks and offsets: only this connector's
    pub(crate) name: Option<String>,
    /// Print it again whenever it has changed, until interrupted
    #[arg(short, long)]
    pub(crate) watch: bool,
    #[command(flatten)]
    pub(crate) target: Target,
}

#[derive(Debug, Args)]
pub(crate) struct DescribeArgs {
    /// The name of a connector, or a kind with the name of one behind it
    #[arg(value_name = "KIND")]
    pub(crate) kind: String,
    /// Its name
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) target: Target,
}

/// Which connectors.
#[derive(Debug, Args)]
pub(crate) struct SelectArgs {
    /// Their names; `*` stands for any text
    #[arg(value_name = "NAME", required_unless_present = "all")]
    pub(crate) names: Vec<String>,
    /// Every connector
    #[arg(long, conflicts_with = "names")]
    pub(crate) all: bool,
}

#[derive(Debug, Args)]
pub(crate) struct NamesArgs {
    #[command(flatten)]
    pub(crate) select: SelectArgs,
    #[command(flatten)]
    pub(crate) target: Target,
}

#[derive(Debug, Args)]
pub(crate) struct RestartArgs {
    #[command(flatten)]
    pub(crate) select: SelectArgs,
    /// Their tasks, too
    #[arg(long)]
    pub(crate) include_tasks: bool,
    /// Only what has failed
    #[arg(long)]
    pub(crate) only_failed: bool,
    /// Only this task
    #[arg(long, value_name = "N", conflicts_with_all = ["include_tasks", "only_failed", "all"])]
    pub(crate) task: Option<u32>,
    #[command(flatten)]
    pub(crate) target: Target,
}

#[derive(Debug, Subcommand)]
pub(crate) enum OffsetsCommand {
    /// Show the offsets of a connector, as Kafka Connect does.
    #[command(
        after_help = "Examples:\n  linkspan offsets get flights-in\n  linkspan offsets get flights-out -o json > offsets.json"
    )]
    Get {
        /// The connector
        name: String,
        #[command(flatten)]
        target: Target,
    },
    /// Set offsets of a stopped connector; null resets a partition.
    #[command(
        after_help = "Examples:\n  linkspan offsets set flights-out '{\"offsets\": [{\"partition\": {\"kafka_topic\": \"flights\", \"kafka_partition\": 0}, \"offset\": {\"kafka_offset\": 5}}]}'\n  linkspan offsets get flights-in -o json > o.json && linkspan offsets set flights-in @o.json"
    )]
    Set {
        /// The connector
        name: String,
        /// JSON, or @FILE
        offsets: String,
        /// Say what would change, also of a connector that works, and change nothing
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        target: Target,
    },
    /// Remove all offsets of a stopped connector: it begins anew.
    #[command(
        after_help = "Examples:\n  linkspan offsets reset flights-in\n  linkspan stop flights-in && linkspan offsets reset flights-in --yes && linkspan resume flights-in"
    )]
    Reset {
        /// The connector
        name: String,
        /// Do it without asking
        #[arg(long)]
        yes: bool,
        /// Say what would change, also of a connector that works, and change nothing
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        target: Target,
    },
    /// Set a stopped sink to the first records at or after a time.
    #[command(
        after_help = "Examples:\n  linkspan offsets rewind flights-out --to 2026-11-01T00:00:00Z\n  linkspan offsets rewind flights-out --to 2026-11-01 -o json"
    )]
    Rewind {
        /// The connector
        name: String,
        /// A time such as 2026-11-01T00:00:00Z or 2026-11-01 (UTC)
        #[arg(long, value_name = "TIME")]
        to: String,
        /// Say what would change, also of a connector that works, and change nothing
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        target: Target,
    },
}
