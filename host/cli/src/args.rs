//! The command line. Names that scripts rely on are fixed; see the test at the end.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// A connector hub: sources and sinks as plugins, a durable partitioned log between them.
#[derive(Debug, Parser)]
#[command(name = "linkspan", version, max_term_width = 110)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the connectors of YAML files, until stopped or, with --once, until all is moved.
    #[command(
        after_help = "Examples:\n  linkspan run --once configs/quickstart.yaml\n  linkspan run pipelines/ --data /var/lib/linkspan\n  linkspan run --once --rerun last\n\n\
        A job (--once) on a data directory that a host holds runs on that host, with the same progress, summary and exit code.\n\n\
        Exit codes: 0 ok, 1 failed while running, 2 invalid configuration or arguments, 3 environment, 4 dead letters, 130 after SIGINT, 143 after SIGTERM"
    )]
    Run(RunArgs),
    /// Check YAML files without running anything.
    #[command(
        after_help = "Examples:\n  linkspan validate configs/quickstart.yaml\n  linkspan validate -o json pipelines/"
    )]
    Validate(ValidateArgs),
    /// Print the records of a topic, from a running host or a stopped data directory.
    #[command(
        after_help = "Examples:\n  linkspan consume flights --exit\n  linkspan consume flights --from 2026-11-01T00:00:00Z -o json | jq .value"
    )]
    Consume(ConsumeArgs),
    /// Write records into a topic, from lines of stdin or of a file.
    #[command(
        after_help = "Examples:\n  echo hello | linkspan produce greetings\n  linkspan produce orders --file orders.txt --key-separator '\\t'\n  linkspan consume orders -o json --exit | linkspan produce copy -o json"
    )]
    Produce(ProduceArgs),
    /// List, make, describe, change and delete topics.
    #[command(subcommand)]
    Topic(TopicCommand),
    /// List, describe, reset and delete consumer groups.
    #[command(subcommand)]
    Groups(GroupsCommand),
    /// Show dead letters, and write their records back.
    #[command(subcommand)]
    Dlq(DlqCommand),
    /// Look into the log of a data directory, check it, mend it.
    #[command(subcommand)]
    Log(LogCommand),
    /// Make a running host take over its changed files now; what is not valid changes nothing.
    #[command(
        after_help = "Examples:\n  linkspan apply\n  linkspan apply --data /var/lib/linkspan -o json"
    )]
    Apply {
        #[command(flatten)]
        target: Target,
    },
    /// List the connectors, of a running host or a stopped data directory.
    #[command(after_help = "Examples:\n  linkspan get\n  linkspan get flights-out -o json")]
    Get {
        /// Only this one
        name: Option<String>,
        #[command(flatten)]
        target: Target,
    },
    /// Show a connector with its tasks and errors.
    Describe {
        /// Its name
        name: String,
        #[command(flatten)]
        target: Target,
    },
    /// Hold a connector still; what it has open stays open. It stays so over restarts of the host.
    Pause {
        /// Its name
        name: String,
        #[command(flatten)]
        target: Target,
    },
    /// Let a paused or stopped connector work.
    Resume {
        /// Its name
        name: String,
        #[command(flatten)]
        target: Target,
    },
    /// Stop a connector: its tasks are gone, its offsets may be changed. It stays so over restarts of the host.
    Stop {
        /// Its name
        name: String,
        #[command(flatten)]
        target: Target,
    },
    /// Restart a connector, its tasks, or what has failed.
    #[command(
        after_help = "Examples:\n  linkspan restart flights-out --include-tasks --only-failed\n  linkspan restart flights-out --task 2\n\n\
        Without options the connector plans its tasks again; tasks whose work is the same go on."
    )]
    Restart(RestartArgs),
    /// Forget a connector that no file names any more, with all its offsets.
    Delete {
        /// Its name
        name: String,
        /// Do it without asking
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        target: Target,
    },
    /// Show and change how far connectors have read.
    #[command(subcommand)]
    Offsets(OffsetsCommand),
    /// Copy the log into an empty folder, as of one commit, while a host runs on it or not.
    #[command(
        after_help = "Examples:\n  linkspan backup /backups/2026-11-01 --data linkspan-data\n\n\
        The folder must be missing or empty. Commits go on meanwhile. `backup.json` is written last: a folder without it is no backup."
    )]
    Backup(BackupArgs),
    /// Make a data directory from a backup.
    #[command(
        after_help = "Examples:\n  linkspan restore /backups/2026-11-01 --data linkspan-data\n\n\
        Every file is checked before anything is written; the data directory must be missing or empty. The restored log begins a new leader epoch:\n\
        positions that sinks keep outside (a database, a file) beyond the backup are refused, not skipped."
    )]
    Restore(RestoreArgs),
    /// See what a configuration comes to, and get a schema for editors.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// List the jobs of a running host: those that are scheduled, with their next run, and those that work now.
    Jobs {
        /// The data directory of the host
        #[arg(long, value_name = "DIR", default_value = "linkspan-data")]
        data: PathBuf,
        /// How the result is printed
        #[arg(short, long, value_enum, default_value_t)]
        output: Format,
    },
    /// See what ran here, and what came of it.
    #[command(subcommand)]
    Runs(RunsCommand),
    /// See which plugins there are.
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// See what the transforms of a connector do.
    #[command(subcommand)]
    Transform(TransformCommand),
    /// Look into a file of unknown origin: propose encoding, format, types or a fixed-width layout under a byte ruler, as YAML.
    #[command(
        after_help = "Examples:\n  linkspan infer master.dat --encoding cp949\n  linkspan infer unknown.dat > pipeline.yaml"
    )]
    Infer(InferArgs),
    /// Say what a code of a message means and what to do; `all` lists them.
    #[command(after_help = "Examples:\n  linkspan explain LS0103\n  linkspan explain all")]
    Explain {
        /// A code such as LS0103
        code: String,
    },
    /// Load one plugin file in this process and print its manifest; the host runs this as a child.
    #[command(hide = true)]
    PluginProbe { file: PathBuf },
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    #[default]
    Table,
    /// For scripts.
    Json,
}

/// When a running host takes over changed files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum ReloadWhen {
    /// As soon as they changed.
    #[default]
    Auto,
    /// At `linkspan apply` only.
    Manual,
}

/// How structured results are printed, where YAML makes sense too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Table,
    /// For scripts.
    Json,
    /// For people and scripts.
    Yaml,
}

/// Where and when a configuration is read, if not here and now. `Debug` shows no variable's value.
#[derive(Clone, Default)]
pub(crate) struct Elsewhere {
    /// Relative paths resolve against it.
    pub(crate) cwd: Option<PathBuf>,
    /// What `today` goes by, in milliseconds since 1970.
    pub(crate) now_ms: Option<i64>,
    /// The environment.
    pub(crate) env: Option<BTreeMap<String, String>>,
}

impl std::fmt::Debug for Elsewhere {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Elsewhere")
            .field("cwd", &self.cwd)
            .field("now_ms", &self.now_ms)
            .finish_non_exhaustive()
    }
}

/// Where the configuration comes from.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ConfigArgs {
    /// Set a parameter of the configuration (`params:`)
    #[arg(long = "param", value_name = "K=V")]
    pub(crate) params: Vec<String>,
    /// Set one value of the configuration, e.g. `connectors.flights-in.tasks.max=2`
    #[arg(long = "set", value_name = "P=V")]
    pub(crate) sets: Vec<String>,
    /// Read variables for `${env:NAME}` from a file of NAME=VALUE lines
    #[arg(long, value_name = "F")]
    pub(crate) env_file: Option<PathBuf>,
    /// Merge a YAML file over the configuration, key by key
    #[arg(long = "overlay", value_name = "F")]
    pub(crate) overlays: Vec<PathBuf>,
    /// Search plugins in this folder, before the ones beside the program
    #[arg(long = "plugin-path", value_name = "DIR")]
    pub(crate) plugin_paths: Vec<PathBuf>,
    #[arg(skip)]
    pub(crate) elsewhere: Elsewhere,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// YAML files, or folders of them; without any the connectors come over REST
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// End when the sources are exhausted and the sinks have written everything
    #[arg(long)]
    pub(crate) once: bool,
    /// With --once: give up after this time, e.g. `90s`, `15m`
    #[arg(long, value_name = "D", requires = "once")]
    pub(crate) timeout: Option<String>,
    /// With --once: run the files of an earlier run again, with its parameters and values of --set; ID as `runs list` shows it, or `last`
    #[arg(long, value_name = "ID", requires = "once", conflicts_with_all = ["paths", "params", "sets", "overlays", "env_file"])]
    pub(crate) rerun: Option<String>,
    /// With --once: only the connectors of this job, which a file's `schedule:` makes
    #[arg(long, value_name = "NAME", requires = "once", conflicts_with = "rerun")]
    pub(crate) job: Option<String>,
    /// With --rerun: also when the files say something else than they did then
    #[arg(long, requires = "rerun")]
    pub(crate) changed_config: bool,
    /// Take over rebuilt plugins while running, besides changed files
    #[arg(long, conflicts_with = "once")]
    pub(crate) dev: bool,
    /// When changed files are taken over: by themselves, or at `linkspan apply`
    #[arg(long, value_enum, default_value_t, conflicts_with = "once")]
    pub(crate) reload: ReloadWhen,
    /// The data directory [default: linkspan-data beside the first PATH]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Serve the REST interface here, or `none` [default: 127.0.0.1:8083, with --once none]
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<String>,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// How the result is printed
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct InferArgs {
    /// The file
    pub(crate) file: PathBuf,
    /// Its encoding, where it is known: utf-8, cp949, cp037, …
    #[arg(long)]
    pub(crate) encoding: Option<String>,
    /// Folder of plugins, searched first; may be repeated
    #[arg(long = "plugin-path", value_name = "DIR")]
    pub(crate) plugin_paths: Vec<PathBuf>,
    /// What to print on stdout
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct ValidateArgs {
    /// YAML files, or folders of them
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// How the result is printed
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Output,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print every value that holds, defaults too; with --origin where each comes from. Secrets are concealed.
    #[command(
        after_help = "Examples:\n  linkspan config show pipeline.yaml --origin\n  linkspan config show pipelines/ --set host.listen=none -o json | jq '.[] | select(.from != \"default\")'"
    )]
    Show(ConfigShowArgs),
    /// Print the JSON Schema of configuration files with the options of all installed classes, for editors.
    #[command(
        after_help = "Examples:\n  linkspan config schema > linkspan.schema.json\n\nA first line `# yaml-language-server: $schema=linkspan.schema.json` in a YAML file names it to an editor."
    )]
    Schema {
        /// Search plugins in this folder, before the ones beside the program
        #[arg(long = "plugin-path", value_name = "DIR")]
        plugin_paths: Vec<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ConfigShowArgs {
    /// YAML files, or folders of them
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Where each value comes from: file, line and column, --set, --param, or a default
    #[arg(long)]
    pub(crate) origin: bool,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// How the result is printed
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Format,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RunsCommand {
    /// List the runs of a data directory, newest first.
    #[command(
        after_help = "Examples:\n  linkspan runs list\n  linkspan runs list --limit 5 -o json | jq '.[] | select(.status == \"failed\")'"
    )]
    List {
        /// At most this many
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: usize,
        /// The data directory, of a running host or a stopped one
        #[arg(long, value_name = "DIR", default_value = "linkspan-data")]
        data: PathBuf,
        /// How the result is printed
        #[arg(short, long, value_enum, default_value_t)]
        output: Format,
    },
    /// Show one run: what it was asked, its counts, files and errors.
    #[command(
        after_help = "Examples:\n  linkspan runs show last\n  linkspan runs show 019ab2c4 -o yaml\n\nThe beginning of an id is enough."
    )]
    Show {
        /// The run's id, its beginning, or `last`
        id: String,
        /// The data directory, of a running host or a stopped one
        #[arg(long, value_name = "DIR", default_value = "linkspan-data")]
        data: PathBuf,
        /// How the result is printed
        #[arg(short, long, value_enum, default_value_t)]
        output: Format,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum TransformCommand {
    /// Show a record before and after each step.
    #[command(
        after_help = "Examples:\n  linkspan transform try configs/transforms.yaml --record record.json\n  linkspan consume orders --exit -o json | head -1 | linkspan transform try pipeline.yaml --connector orders-out\n\n\
        A record is a JSON object as `consume -o json` prints it. Text is text, any other JSON is a value without a schema, an object of schema and payload is a value with Connect's schema."
    )]
    Try(TransformTryArgs),
}

#[derive(Debug, Args)]
pub(crate) struct TransformTryArgs {
    /// YAML files, or folders of them
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// The connector; without it the first one with transforms
    #[arg(long, value_name = "NAME")]
    pub(crate) connector: Option<String>,
    /// The record, a JSON file or - for stdin
    #[arg(long, value_name = "FILE", default_value = "-")]
    pub(crate) record: PathBuf,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// How the result is printed
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct ConsumeArgs {
    /// The topic
    pub(crate) topic: String,
    /// The data directory
    #[arg(long, value_name = "DIR", default_value = "linkspan-data")]
    pub(crate) data: PathBuf,
    /// Where to begin: earliest, latest, an offset or a time [default: earliest]; with --group only where it has no position yet
    #[arg(long)]
    pub(crate) from: Option<String>,
    /// Read as a member of this group and commit what was printed
    #[arg(long, value_name = "NAME")]
    pub(crate) group: Option<String>,
    /// Stop at the end instead of waiting for more
    #[arg(long)]
    pub(crate) exit: bool,
    /// How records are printed: `json` is one object a line
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Output,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LogCommand {
    /// Show topics, sizes and positions.
    #[command(
        after_help = "Examples:\n  linkspan log stat --data linkspan-data\n  linkspan log stat -o json"
    )]
    Stat(LogArgs),
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
    #[arg(long, value_name = "DIR", default_value = "linkspan-data")]
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
pub(crate) struct RestartArgs {
    /// The connector
    pub(crate) name: String,
    /// Its tasks, too
    #[arg(long)]
    pub(crate) include_tasks: bool,
    /// Only what has failed
    #[arg(long)]
    pub(crate) only_failed: bool,
    /// Only this task
    #[arg(long, value_name = "N", conflicts_with_all = ["include_tasks", "only_failed"])]
    pub(crate) task: Option<u32>,
    #[command(flatten)]
    pub(crate) target: Target,
}

#[derive(Debug, Subcommand)]
pub(crate) enum OffsetsCommand {
    /// Show the offsets of a connector, as Kafka Connect does.
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
        #[command(flatten)]
        target: Target,
    },
    /// Remove all offsets of a stopped connector: it begins anew.
    Reset {
        /// The connector
        name: String,
        /// Do it without asking
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        target: Target,
    },
    /// Set a stopped sink to the first records at or after a time.
    #[command(
        after_help = "Examples:\n  linkspan offsets rewind flights-out --to 2026-11-01T00:00:00Z"
    )]
    Rewind {
        /// The connector
        name: String,
        /// A time such as 2026-11-01T00:00:00Z or 2026-11-01 (UTC)
        #[arg(long, value_name = "TIME")]
        to: String,
        #[command(flatten)]
        target: Target,
    },
}

/// Where a command works, and how it answers.
#[derive(Debug, Args)]
pub(crate) struct Target {
    /// The data directory, of a running host or a stopped one
    #[arg(long, value_name = "DIR", default_value = "linkspan-data")]
    pub(crate) data: PathBuf,
    /// How the result is printed
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Output,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TopicCommand {
    /// List all topics.
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
        #[arg(long = "set", value_name = "NAME=VALUE")]
        sets: Vec<String>,
        #[command(flatten)]
        target: Target,
    },
    /// Show partitions and settings of a topic.
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
        #[arg(long = "set", value_name = "NAME=VALUE")]
        sets: Vec<String>,
        /// Go back to the default of a setting
        #[arg(long = "unset", value_name = "NAME")]
        unsets: Vec<String>,
        #[command(flatten)]
        target: Target,
    },
    /// Delete a topic with all its records and positions.
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

#[derive(Debug, Args)]
pub(crate) struct ProduceArgs {
    /// The topic
    pub(crate) topic: String,
    /// The data directory, of a running host or a stopped one
    #[arg(long, value_name = "DIR", default_value = "linkspan-data")]
    pub(crate) data: PathBuf,
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
    /// How records are given: `table` is a value a line, `json` is what `consume -o json` prints
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Output,
}

#[derive(Debug, Subcommand)]
pub(crate) enum GroupsCommand {
    /// List all groups.
    List(Target),
    /// Show members, positions and lag of a group.
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
    List(Target),
    /// Show dead letters: where each came from and why it failed; with -o json also key and value.
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
        after_help = "Examples:\n  linkspan dlq replay letters --all\n  linkspan dlq replay letters --code LS0414 --to flights-again\n  linkspan dlq replay letters --offset 17 --offset 0:18"
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
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct LogArgs {
    /// The data directory
    #[arg(long, value_name = "DIR", default_value = "linkspan-data")]
    pub(crate) data: PathBuf,
    /// How the result is printed
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Output,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
    /// List the connector classes of all plugins found.
    #[command(
        after_help = "Examples:\n  linkspan plugin list\n  linkspan plugin list --plugin-path ./my-plugins -o json"
    )]
    List {
        /// Search plugins in this folder, before the ones beside the program
        #[arg(long = "plugin-path", value_name = "DIR")]
        plugin_paths: Vec<PathBuf>,
        /// How the result is printed
        #[arg(short, long, value_enum, default_value_t)]
        output: Output,
    },
    /// Write a new plugin: a crate that builds, passes the conformance suite and runs.
    #[command(
        after_help = "Examples:\n  linkspan plugin new acme-orders\n  linkspan plugin new acme-keep --kind sink --sdk path=../linkspan plugins/acme-keep"
    )]
    New(PluginNewArgs),
    /// Show one plugin file, or one class with its options.
    #[command(
        after_help = "Examples:\n  linkspan plugin inspect file-source\n  linkspan plugin inspect ./libacme.so -o json"
    )]
    Inspect {
        /// A `.so` file or a class name
        what: String,
        /// Search plugins in this folder, before the ones beside the program
        #[arg(long = "plugin-path", value_name = "DIR")]
        plugin_paths: Vec<PathBuf>,
        /// How the result is printed
        #[arg(short, long, value_enum, default_value_t)]
        output: Output,
    },
}

/// What a new plugin offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum PluginKind {
    /// Brings records in.
    #[default]
    Source,
    /// Brings records out.
    Sink,
    /// Changes records on their way.
    Transform,
}

#[derive(Debug, Args)]
pub(crate) struct PluginNewArgs {
    /// The plugin's name: small letters, digits and single dashes
    pub(crate) name: String,
    /// The folder, which must be missing or empty [default: NAME]
    #[arg(value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// What it offers
    #[arg(long, value_enum, default_value_t)]
    pub(crate) kind: PluginKind,
    /// Where the sdk comes from: `path[=CHECKOUT]`, `version[=V]`, `vendored=DIR` [default: the checkout around this program, else its version]
    #[arg(long, value_name = "WHERE")]
    pub(crate) sdk: Option<String>,
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;

    #[test]
    fn command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn names_that_scripts_rely_on_are_there() {
        let line = "linkspan run --once --timeout 90s --data d --plugin-path p --listen none --param day=1 --set a=b --env-file e \
                    --overlay o -o json x.yaml";
        assert!(Cli::try_parse_from(line.split_whitespace()).is_ok());
        let line = "linkspan consume t --data d --from earliest --exit -o json";
        assert!(Cli::try_parse_from(line.split_whitespace()).is_ok());
    }
}
