//! Running pipelines, and looking at configurations.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{Output, Target};

/// When a running host takes over changed files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum ReloadWhen {
    /// As soon as they changed.
    #[default]
    Auto,
    /// At `linkspan apply` only.
    Manual,
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
    /// When changed files are taken over: by themselves, or at `linkspan apply` and SIGHUP
    #[arg(long, value_enum, default_value_t, conflicts_with = "once")]
    pub(crate) reload: ReloadWhen,
    /// The data directory [default: linkspan-data beside the first PATH]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Serve the REST interface here, or `none` [default: 127.0.0.1:8083, with --once none]
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<String>,
    /// Let others reach the REST interface without users and TLS; said once an hour
    #[arg(long)]
    pub(crate) insecure_listen: bool,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// How the result is printed
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t)]
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
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct ValidateArgs {
    /// YAML files, or folders of them
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Also try what each connector needs outside: servers and their credentials, tables, paths. Changes nothing there
    #[arg(long)]
    pub(crate) connect: bool,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// How the result is printed
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t)]
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
        after_help = "Examples:\n  linkspan config schema > linkspan.schema.json\n  linkspan config schema --plugin-path ./my-plugins > linkspan.schema.json\n\nA first line `# yaml-language-server: $schema=linkspan.schema.json` in a YAML file names it to an editor."
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
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t)]
    pub(crate) output: Output,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RunsCommand {
    /// List the runs of a data directory or of a host elsewhere, newest first.
    #[command(
        after_help = "Examples:\n  linkspan runs list\n  linkspan runs list --limit 5 -o json | jq '.[] | select(.status == \"failed\")'"
    )]
    List {
        /// At most this many
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: usize,
        #[command(flatten)]
        target: Target,
    },
    /// Show one run: what it was asked, its counts, files and errors.
    #[command(
        after_help = "Examples:\n  linkspan runs show last\n  linkspan runs show 019ab2c4 -o yaml\n\nThe beginning of an id is enough."
    )]
    Show {
        /// The run's id, its beginning, or `last`
        id: String,
        #[command(flatten)]
        target: Target,
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
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t)]
    pub(crate) output: Output,
}
