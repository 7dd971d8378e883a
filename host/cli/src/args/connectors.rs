//! Connectors and their offsets, and the general `get` and `describe`.

use clap::{Args, Subcommand, ValueEnum};

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

/// How grave a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum LogLevel {
    /// Something failed.
    Error,
    /// It goes on, and somebody should look.
    Warn,
    /// What happens.
    #[default]
    Info,
    /// For who looks for a mistake.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// The word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// The connector
    pub(crate) name: String,
    /// Go on with new lines as they come, until interrupted
    #[arg(short, long)]
    pub(crate) watch: bool,
    /// The least grave level that is shown; what the host leaves out at its own level is not there
    #[arg(long, value_enum, value_name = "LEVEL", default_value_t)]
    pub(crate) level: LogLevel,
    /// So many at most, the latest; a host keeps 500 of each connector
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) limit: usize,
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
