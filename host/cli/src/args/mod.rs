//! The command line. Names that scripts rely on are fixed; see the tests.
//!
//! One file per group of commands; here what they share: where a command works ([`At`]) and how it answers ([`Output`]).
//! The grammar: a noun and what is done with it (`topic create NAME`, `offsets rewind NAME`) where a thing has commands of its
//! own; a verb alone (`pause NAME`, `get KIND`) for connectors, and where there is one thing to do.

mod connectors;
mod host;
mod log;
mod plugins;
mod records;
mod run;
mod users;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use self::connectors::{
    DescribeArgs, GetArgs, LogsArgs, NamesArgs, OffsetsCommand, RestartArgs, SelectArgs,
};
pub(crate) use self::host::{
    CompletionsArgs, ContextAddArgs, ContextCommand, DoctorArgs, ExplainArgs, Language, ManArgs,
};
pub(crate) use self::log::{BackupArgs, DumpArgs, LogArgs, LogCommand, RepairArgs, RestoreArgs};
pub(crate) use self::plugins::{PluginCommand, PluginKind, PluginNewArgs};
pub(crate) use self::records::{
    ConsumeArgs, DlqCommand, GroupsCommand, InputForm, LetterFilter, ProduceArgs, TopicCommand,
};
pub(crate) use self::run::{
    ConfigArgs, ConfigCommand, ConfigShowArgs, InferArgs, ReloadWhen, RunArgs, RunsCommand,
    TransformCommand, TransformTryArgs, ValidateArgs,
};
pub(crate) use self::users::{UsersCommand, UsersHashArgs};

/// The data directory of commands that are not told another one.
pub(crate) const DATA_DEFAULT: &str = "linkspan-data";

/// The widest help text, in columns.
const HELP_COLUMNS_MAX: usize = 110;

/// A connector hub: sources and sinks as plugins, a durable partitioned log between them.
#[derive(Debug, Parser)]
#[command(
    name = "linkspan",
    version,
    max_term_width = HELP_COLUMNS_MAX,
    disable_help_subcommand = true,
    after_help = "Examples:\n  linkspan run --once configs/quickstart.yaml\n  linkspan get connectors\n  linkspan explain LS0103\n\n\
        Exit codes: 0 ok, 1 failed while running, 2 invalid configuration or arguments, 3 environment (no host, port in use, no\n\
        permission), 4 partly done, 130 after SIGINT, 143 after SIGTERM.\n\
        Results go to stdout, all else to stderr; colours and progress only on a terminal, and never with NO_COLOR."
)]
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
    Run(Box<RunArgs>),
    /// Check YAML files without running anything.
    #[command(
        after_help = "Examples:\n  linkspan validate configs/quickstart.yaml\n  linkspan validate -o json pipelines/"
    )]
    Validate(ValidateArgs),
    /// Make a running host take over its changed files now; what is not valid changes nothing.
    #[command(
        after_help = "Examples:\n  linkspan apply\n  linkspan apply --data /var/lib/linkspan -o json"
    )]
    Apply {
        #[command(flatten)]
        target: Target,
    },
    /// Say what `apply` would start, restart and stop, and what is wrong with the files; nothing changes.
    #[command(
        after_help = "Examples:\n  linkspan plan\n  linkspan plan --data /var/lib/linkspan -o json"
    )]
    Plan {
        #[command(flatten)]
        target: Target,
    },
    /// Print the connectors of a running host as YAML, secrets hidden.
    #[command(
        after_help = "Examples:\n  linkspan export > connectors.yaml\n  linkspan export --data /var/lib/linkspan -o json"
    )]
    Export {
        #[command(flatten)]
        target: Target,
    },
    /// List connectors, tasks, topics, groups, plugins, offsets, runs, jobs or dead letters.
    #[command(
        after_help = "Examples:\n  linkspan get\n  linkspan get topics -o name\n  linkspan get tasks flights-out -o yaml\n  linkspan get connectors --watch\n\n\
        KIND is one of connectors, tasks, topics, groups, plugins, offsets, runs, jobs, dlq; `linkspan get NAME` is that connector."
    )]
    Get(GetArgs),
    /// Show one connector, topic, group, plugin class or run with everything that is known of it.
    #[command(
        after_help = "Examples:\n  linkspan describe flights-out\n  linkspan describe topic flights -o yaml\n  linkspan describe run last\n\n\
        KIND is one of connector (the default), topic, group, plugin, offsets, run."
    )]
    Describe(DescribeArgs),
    /// Print what a running host has said of one connector lately.
    #[command(
        after_help = "Examples:\n  linkspan logs flights-out\n  linkspan logs flights-out --watch --level warn -o json"
    )]
    Logs(LogsArgs),
    /// Hold connectors still; what they have open stays open. They stay so over restarts of the host.
    #[command(
        after_help = "Examples:\n  linkspan pause flights-in\n  linkspan pause 'flights-*' --data /var/lib/linkspan"
    )]
    Pause(NamesArgs),
    /// Let paused or stopped connectors work.
    #[command(
        after_help = "Examples:\n  linkspan resume flights-in\n  linkspan resume --all -o name"
    )]
    Resume(NamesArgs),
    /// Stop connectors: their tasks are gone, their offsets may be changed. They stay so over restarts of the host.
    #[command(
        after_help = "Examples:\n  linkspan stop flights-out\n  linkspan stop flights-out flights-in -o json"
    )]
    Stop(NamesArgs),
    /// Restart connectors, their tasks, or what has failed.
    #[command(
        after_help = "Examples:\n  linkspan restart flights-out --include-tasks --only-failed\n  linkspan restart --all --include-tasks --only-failed\n  linkspan restart flights-out --task 2\n\n\
        Without options a connector plans its tasks again; tasks whose work is the same go on."
    )]
    Restart(RestartArgs),
    /// Forget a connector that no file names any more, with all its offsets.
    #[command(
        after_help = "Examples:\n  linkspan delete flights-old\n  linkspan delete flights-old --yes -o json"
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
    /// Show and change how far connectors have read.
    #[command(
        subcommand,
        after_help = "Examples:\n  linkspan offsets get flights-in\n  linkspan offsets rewind flights-out --to 2026-11-01T00:00:00Z"
    )]
    Offsets(OffsetsCommand),
    /// List, make, describe, change and delete topics.
    #[command(
        subcommand,
        after_help = "Examples:\n  linkspan topic list\n  linkspan topic create flights --partitions 4"
    )]
    Topic(TopicCommand),
    /// Write records into a topic, from lines of stdin or of a file.
    #[command(
        after_help = "Examples:\n  echo hello | linkspan produce greetings\n  linkspan produce orders --file orders.txt --key-separator '\\t'\n  linkspan consume orders -o json --exit | linkspan produce copy -o json"
    )]
    Produce(ProduceArgs),
    /// Print the records of a topic, from a running host or a stopped data directory.
    #[command(
        after_help = "Examples:\n  linkspan consume flights --exit\n  linkspan consume flights --from 2026-11-01T00:00:00Z -o json | jq .value"
    )]
    Consume(ConsumeArgs),
    /// List, describe, reset and delete consumer groups.
    #[command(
        subcommand,
        after_help = "Examples:\n  linkspan groups list\n  linkspan groups describe billing -o json"
    )]
    Groups(GroupsCommand),
    /// Show dead letters, and write their records back.
    #[command(
        subcommand,
        after_help = "Examples:\n  linkspan dlq list\n  linkspan dlq replay letters --all"
    )]
    Dlq(DlqCommand),
    /// Look into the log of a data directory, check it, mend it.
    #[command(
        subcommand,
        after_help = "Examples:\n  linkspan log stat\n  linkspan log verify --data /var/lib/linkspan"
    )]
    Log(LogCommand),
    /// Copy the log into an empty folder, as of one commit, while a host runs on it or not.
    #[command(
        after_help = "Examples:\n  linkspan backup /backups/2026-11-01 --data linkspan-data\n  linkspan backup /backups/today -o json\n\n\
        The folder must be missing or empty. Commits go on meanwhile. `backup.json` is written last: a folder without it is no backup."
    )]
    Backup(BackupArgs),
    /// Make a data directory from a backup.
    #[command(
        after_help = "Examples:\n  linkspan restore /backups/2026-11-01 --data linkspan-data\n  linkspan restore /backups/today --data restored -o json\n\n\
        Every file is checked before anything is written; the data directory must be missing or empty. The restored log begins a new leader epoch:\n\
        positions that sinks keep outside (a database, a file) beyond the backup are refused, not skipped."
    )]
    Restore(RestoreArgs),
    /// See what a configuration comes to, and get a schema for editors.
    #[command(
        subcommand,
        after_help = "Examples:\n  linkspan config show pipeline.yaml --origin\n  linkspan config schema > linkspan.schema.json"
    )]
    Config(ConfigCommand),
    /// List the jobs of a running host: those that are scheduled, with their next run, and those that work now.
    #[command(
        after_help = "Examples:\n  linkspan jobs\n  linkspan jobs --data /var/lib/linkspan -o yaml"
    )]
    Jobs {
        #[command(flatten)]
        target: Target,
    },
    /// See what ran here, and what came of it.
    #[command(
        subcommand,
        after_help = "Examples:\n  linkspan runs list\n  linkspan runs show last -o yaml"
    )]
    Runs(RunsCommand),
    /// See which plugins there are, write a new one, check one.
    #[command(
        subcommand,
        after_help = "Examples:\n  linkspan plugin list\n  linkspan plugin inspect file-source\n  linkspan plugin new acme-orders"
    )]
    Plugin(PluginCommand),
    /// See what the transforms of a connector do.
    #[command(
        subcommand,
        after_help = "Examples:\n  linkspan transform try configs/transforms.yaml --record record.json\n  linkspan consume orders --exit -o json | head -1 | linkspan transform try pipeline.yaml"
    )]
    Transform(TransformCommand),
    /// Look into a file of unknown origin: propose encoding, format, types or a fixed-width layout under a byte ruler, as YAML.
    #[command(
        after_help = "Examples:\n  linkspan infer master.dat --encoding cp949\n  linkspan infer unknown.dat > pipeline.yaml"
    )]
    Infer(InferArgs),
    /// Look whether this machine, the data directory, the plugins and the host are as they should be.
    #[command(
        after_help = "Examples:\n  linkspan doctor\n  linkspan doctor --data /var/lib/linkspan -o json\n\n\
        Each check is ok, warn or fail, with a remedy. Exit codes: 0 all ok or warnings only, 3 something fails."
    )]
    Doctor(DoctorArgs),
    /// Name hosts elsewhere, so that commands reach them with --context NAME.
    #[command(
        subcommand,
        after_help = "Examples:\n  linkspan context add prod --url https://linkspan.example.org:8083 --token-file ~/.linkspan-token\n  linkspan context use prod"
    )]
    Context(ContextCommand),
    /// Make what `users:` and `tokens:` under `host:` take: hashes of passwords, and tokens.
    #[command(
        subcommand,
        after_help = "Examples:\n  linkspan users hash\n  linkspan users token"
    )]
    Users(UsersCommand),
    /// Say what a code of a message means, why it comes and what to do; `all` lists the codes.
    #[command(
        after_help = "Examples:\n  linkspan explain LS0103\n  linkspan explain LS0103 --lang ko\n  linkspan explain all -o json"
    )]
    Explain(ExplainArgs),
    /// Print a script that completes commands and options in a shell.
    #[command(
        after_help = "Examples:\n  linkspan completions bash > /etc/bash_completion.d/linkspan\n  linkspan completions zsh > ~/.zfunc/_linkspan\n  linkspan completions fish > ~/.config/fish/completions/linkspan.fish"
    )]
    Completions(CompletionsArgs),
    /// Write the manual pages of all commands into a folder.
    #[command(
        after_help = "Examples:\n  linkspan man /usr/local/share/man/man1\n  linkspan man man && man -l man/linkspan-run.1"
    )]
    Man(ManArgs),
    /// Load one plugin file in this process and print its manifest; the host runs this as a child.
    #[command(hide = true)]
    PluginProbe { file: PathBuf },
}

/// How a result is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    #[default]
    Table,
    /// For scripts: one JSON value, or one a record.
    Json,
    /// For people and scripts.
    Yaml,
    /// Names alone, one a line.
    Name,
}

/// Where a command works: on a data directory of this machine, or a host elsewhere.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct At {
    /// The data directory, of a running host or a stopped one [default: linkspan-data]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// A host elsewhere, by the name that `linkspan context add` gave it
    #[arg(long, value_name = "NAME", help_heading = "A host elsewhere", conflicts_with_all = ["data", "url"])]
    pub(crate) context: Option<String>,
    /// A host elsewhere, by its address; LINKSPAN_URL does the same
    #[arg(
        long,
        value_name = "URL",
        help_heading = "A host elsewhere",
        conflicts_with = "data"
    )]
    pub(crate) url: Option<String>,
    /// With --url: a file that holds the bearer token; else LINKSPAN_TOKEN holds it
    #[arg(
        long,
        value_name = "FILE",
        help_heading = "A host elsewhere",
        requires = "url"
    )]
    pub(crate) token_file: Option<PathBuf>,
    /// With --url: the user who asks; LINKSPAN_USER does the same
    #[arg(
        long,
        value_name = "NAME",
        help_heading = "A host elsewhere",
        requires = "url",
        conflicts_with = "token_file"
    )]
    pub(crate) user: Option<String>,
    /// With --user: a file that holds the password; else LINKSPAN_PASSWORD holds it
    #[arg(
        long,
        value_name = "FILE",
        help_heading = "A host elsewhere",
        requires = "user"
    )]
    pub(crate) password_file: Option<PathBuf>,
    /// With --url: a file of certificates (PEM) to trust instead of the system's; LINKSPAN_CA_FILE does the same
    #[arg(
        long,
        value_name = "FILE",
        help_heading = "A host elsewhere",
        requires = "url"
    )]
    pub(crate) ca_file: Option<PathBuf>,
}

impl At {
    /// Returns the data directory of this machine that is meant where no host elsewhere is.
    pub(crate) fn data(&self) -> PathBuf {
        self.data
            .clone()
            .unwrap_or_else(|| PathBuf::from(DATA_DEFAULT))
    }
}

/// Where a command works, and how it answers.
#[derive(Debug, Clone, Args)]
pub(crate) struct Target {
    #[command(flatten)]
    pub(crate) at: At,
    /// How the result is printed
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t)]
    pub(crate) output: Output,
}

#[cfg(test)]
mod tests;
