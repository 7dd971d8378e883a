//! The log of a data directory, its backups.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{DATA_DEFAULT, Output, Target};

#[derive(Debug, Subcommand)]
pub(crate) enum LogCommand {
    /// Show topics, sizes and positions.
    #[command(
        after_help = "Examples:\n  linkspan log stat --data linkspan-data\n  linkspan log stat -o json"
    )]
    Stat(Target),
    /// Check every checksum, offset and checkpoint of a stopped data directory.
    #[command(
        after_help = "Examples:\n  linkspan log verify --data linkspan-data\n  linkspan log verify -o json"
    )]
    Verify(LogArgs),
    /// Say what a repair of a stopped data directory would cut; with --yes do it.
    #[command(
        after_help = "Examples:\n  linkspan log repair --data linkspan-data\n  linkspan log repair --data linkspan-data --yes\n\n\
        Everything that is cut or changed is kept in DATA/repair-N.bak. The log begins a new leader epoch afterwards."
    )]
    Repair(RepairArgs),
    /// Print what is stored as JSON, one object a line: records, or batches, key-value stores, journal frames.
    #[command(
        after_help = "Examples:\n  linkspan log dump flights --partition 0 --from 100 --to 200\n  linkspan log dump --batches --file 00000000000000000000.log\n  linkspan log dump --stores"
    )]
    Dump(DumpArgs),
}

#[derive(Debug, Args)]
pub(crate) struct LogArgs {
    /// The data directory
    #[arg(long, value_name = "DIR", default_value = DATA_DEFAULT)]
    pub(crate) data: PathBuf,
    /// How the result is printed
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct RepairArgs {
    /// Do it
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) log: LogArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DumpArgs {
    /// The topic; all of them without it
    pub(crate) topic: Option<String>,
    /// The data directory
    #[arg(long, value_name = "DIR", default_value = DATA_DEFAULT)]
    pub(crate) data: PathBuf,
    /// A single segment file instead of a data directory
    #[arg(long, value_name = "FILE", conflicts_with_all = ["topic", "stores", "journal"])]
    pub(crate) file: Option<PathBuf>,
    /// Only this partition
    #[arg(long, value_name = "N")]
    pub(crate) partition: Option<i32>,
    /// From this offset on
    #[arg(long, value_name = "OFFSET")]
    pub(crate) from: Option<i64>,
    /// Up to this offset, exclusive
    #[arg(long, value_name = "OFFSET")]
    pub(crate) to: Option<i64>,
    /// Record batches instead of records
    #[arg(long)]
    pub(crate) batches: bool,
    /// The key-value stores; what may be a secret is concealed
    #[arg(long, conflicts_with_all = ["topic", "batches"])]
    pub(crate) stores: bool,
    /// The frames of the journal
    #[arg(long, conflicts_with_all = ["topic", "batches", "stores"])]
    pub(crate) journal: bool,
}

#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// The folder to make
    pub(crate) dir: PathBuf,
    #[command(flatten)]
    pub(crate) target: Target,
}

#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// The backup
    pub(crate) backup: PathBuf,
    /// The data directory to make
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// How the result is printed
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t)]
    pub(crate) output: Output,
}
