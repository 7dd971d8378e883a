//! Topics, records, groups and dead letters.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{At, Output, Target};

#[derive(Debug, Subcommand)]
pub(crate) enum TopicCommand {
    /// List all topics.
    #[command(after_help = "Examples:\n  linkspan topic list\n  linkspan topic list -o name")]
    List(Target),
    /// Make a topic.
    #[command(
        after_help = "Examples:\n  linkspan topic create flights --partitions 4 --set retention.ms=7d\n  linkspan topic create users --set cleanup.policy=compact"
    )]
    Create {
        /// Its name
        name: String,
        /// How many partitions [default: 1]
        #[arg(long, value_name = "N")]
        partitions: Option<i32>,
        /// A setting under Kafka's name
        #[arg(long = "set", alias = "config", value_name = "NAME=VALUE")]
        sets: Vec<String>,
        #[command(flatten)]
        target: Target,
    },
    /// Show partitions and settings of a topic.
    #[command(
        after_help = "Examples:\n  linkspan topic describe flights\n  linkspan topic describe flights -o yaml"
    )]
    Describe {
        /// Its name
        name: String,
        #[command(flatten)]
        target: Target,
    },
    /// Add partitions, change settings.
    #[command(
        after_help = "Examples:\n  linkspan topic alter flights --partitions 8\n  linkspan topic alter flights --set retention.ms=1d --unset segment.bytes"
    )]
    Alter {
        /// Its name
        name: String,
        /// How many partitions; the number can only grow
        #[arg(long, value_name = "N")]
        partitions: Option<i32>,
        /// A setting under Kafka's name
        #[arg(long = "set", alias = "config", value_name = "NAME=VALUE")]
        sets: Vec<String>,
        /// Go back to the default of a setting
        #[arg(long = "unset", value_name = "NAME")]
        unsets: Vec<String>,
        #[command(flatten)]
        target: Target,
    },
    /// Delete a topic with all its records and positions.
    #[command(
        after_help = "Examples:\n  linkspan topic delete flights\n  linkspan topic delete flights --yes"
    )]
    Delete {
        /// Its name
        name: String,
        /// Do it without asking
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        target: Target,
    },
    /// Delete records from the front of a topic's partitions.
    #[command(
        after_help = "Examples:\n  linkspan topic delete-records flights --partition 0 --before 1000 --yes\n  linkspan topic delete-records flights --yes"
    )]
    DeleteRecords {
        /// Its name
        name: String,
        /// Only this partition
        #[arg(long, value_name = "N")]
        partition: Option<i32>,
        /// Keep this offset and what follows; everything goes without it
        #[arg(long, value_name = "OFFSET")]
        before: Option<i64>,
        /// Do it without asking
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        target: Target,
    },
}

/// How records are given to `produce`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum InputForm {
    /// A value a line.
    #[default]
    Table,
    /// What `consume -o json` prints, an object a line.
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct ProduceArgs {
    /// The topic
    pub(crate) topic: String,
    #[command(flatten)]
    pub(crate) at: At,
    /// Read this file instead of stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// The key of every record
    #[arg(long, conflicts_with = "key_separator")]
    pub(crate) key: Option<String>,
    /// What stands between key and value in a line; `\t` is a tab
    #[arg(long, value_name = "TEXT")]
    pub(crate) key_separator: Option<String>,
    /// A header of every record
    #[arg(long = "header", value_name = "NAME=VALUE")]
    pub(crate) headers: Vec<String>,
    /// The partition of every record [default: by key]
    #[arg(long, value_name = "N")]
    pub(crate) partition: Option<i32>,
    /// How records are given
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t)]
    pub(crate) output: InputForm,
}

#[derive(Debug, Args)]
pub(crate) struct ConsumeArgs {
    /// The topic
    pub(crate) topic: String,
    #[command(flatten)]
    pub(crate) at: At,
    /// Where to begin: earliest, latest, an offset or a time [default: earliest]; with --group only where it has no position yet
    #[arg(long)]
    pub(crate) from: Option<String>,
    /// Read as a member of this group and commit what was printed
    #[arg(long, value_name = "NAME")]
    pub(crate) group: Option<String>,
    /// Stop at the end instead of waiting for more
    #[arg(long)]
    pub(crate) exit: bool,
    /// How records are printed
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t)]
    pub(crate) output: Output,
}

#[derive(Debug, Subcommand)]
pub(crate) enum GroupsCommand {
    /// List all groups.
    #[command(after_help = "Examples:\n  linkspan groups list\n  linkspan groups list -o name")]
    List(Target),
    /// Show members, positions and lag of a group.
    #[command(
        after_help = "Examples:\n  linkspan groups describe billing\n  linkspan groups describe billing -o json"
    )]
    Describe {
        /// Its name
        group: String,
        #[command(flatten)]
        target: Target,
    },
    /// Say what setting the positions of a group would do; with --execute do it.
    #[command(
        after_help = "Examples:\n  linkspan groups reset billing --to earliest\n  linkspan groups reset billing --topic orders:0,1 --to 2026-11-01T00:00:00Z --execute\n  linkspan groups reset billing --to=-100 --execute"
    )]
    Reset {
        /// Its name
        group: String,
        /// `TOPIC` or `TOPIC:PARTITION,…` [default: everything it has a position in]
        #[arg(long = "topic", value_name = "TOPIC")]
        topics: Vec<String>,
        /// earliest, latest, an offset, a time, or a shift such as -100
        #[arg(long, allow_hyphen_values = true)]
        to: String,
        /// Do it
        #[arg(long)]
        execute: bool,
        #[command(flatten)]
        target: Target,
    },
    /// Delete a group with all its positions.
    #[command(
        after_help = "Examples:\n  linkspan groups delete billing\n  linkspan groups delete billing --yes"
    )]
    Delete {
        /// Its name
        group: String,
        /// Do it without asking
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        target: Target,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum DlqCommand {
    /// List the topics that hold dead letters.
    #[command(after_help = "Examples:\n  linkspan dlq list\n  linkspan dlq list -o json")]
    List(Target),
    /// Show dead letters: where each came from and why it failed; with -o json also key and value.
    #[command(
        after_help = "Examples:\n  linkspan dlq show letters\n  linkspan dlq show letters --code LS0414 -o json"
    )]
    Show {
        /// The topic that holds them
        topic: String,
        #[command(flatten)]
        filter: LetterFilter,
        #[command(flatten)]
        target: Target,
    },
    /// Write the records of dead letters back, as they were, to the topic they came from; none is written twice.
    #[command(
        after_help = "Examples:\n  linkspan dlq replay letters --all --dry-run\n  linkspan dlq replay letters --code LS0414 --to flights-again\n  linkspan dlq replay letters --offset 17 --offset 0:18"
    )]
    Replay {
        /// The topic that holds them
        topic: String,
        /// Write to this topic [default: where each record came from]
        #[arg(long, value_name = "TOPIC")]
        to: Option<String>,
        /// All that the other options leave
        #[arg(long)]
        all: bool,
        /// Say what would be written, and write nothing
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        filter: LetterFilter,
        #[command(flatten)]
        target: Target,
    },
}

/// Which dead letters.
#[derive(Debug, Args)]
pub(crate) struct LetterFilter {
    /// Only this letter: `OFFSET` or `PARTITION:OFFSET`; may be repeated
    #[arg(long = "offset", value_name = "OFFSET")]
    pub(crate) offsets: Vec<String>,
    /// Only letters of this code
    #[arg(long)]
    pub(crate) code: Option<String>,
}
