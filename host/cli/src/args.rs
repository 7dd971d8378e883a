//! The command line. Names that scripts rely on are fixed; see the test at the end.

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
        after_help = "Examples:\n  linkspan run --once configs/quickstart.yaml\n  linkspan run pipelines/ --data /var/lib/linkspan\n\n\
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
    /// Look into the log of a data directory.
    #[command(subcommand)]
    Log(LogCommand),
    /// See which plugins there are.
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// See what the transforms of a connector do.
    #[command(subcommand)]
    Transform(TransformCommand),
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

/// Where the configuration comes from.
#[derive(Debug, Args)]
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
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// YAML files, or folders of them
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// End when the sources are exhausted and the sinks have written everything
    #[arg(long)]
    pub(crate) once: bool,
    /// With --once: give up after this time, e.g. `90s`, `15m`
    #[arg(long, value_name = "D", requires = "once")]
    pub(crate) timeout: Option<String>,
    /// The data directory [default: linkspan-data beside the first PATH]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Serve the REST interface here, or `none`
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<String>,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// How the result is printed
    #[arg(short, long, value_enum, default_value_t)]
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
    /// Where to begin: earliest, latest, an offset or a time
    #[arg(long, default_value = "earliest")]
    pub(crate) from: String,
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
