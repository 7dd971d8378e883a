//! Plugins.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::Output;

#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
    /// List the classes of all plugins found, and the transforms, predicates and converters that are built in.
    #[command(
        after_help = "Examples:\n  linkspan plugin list\n  linkspan plugin list --plugin-path ./my-plugins -o json"
    )]
    List {
        /// Search plugins in this folder, before the ones beside the program
        #[arg(long = "plugin-path", value_name = "DIR")]
        plugin_paths: Vec<PathBuf>,
        /// How the result is printed
        #[arg(short, long, value_enum, value_name = "FORM", default_value_t)]
        output: Output,
    },
    /// Write a new plugin: a crate that builds, passes the conformance suite and runs.
    #[command(
        after_help = "Examples:\n  linkspan plugin new acme-orders\n  linkspan plugin new acme-keep --kind sink --sdk path=../linkspan plugins/acme-keep"
    )]
    New(PluginNewArgs),
    /// Show one plugin file, or one class, transform, predicate or converter with its options.
    #[command(
        after_help = "Examples:\n  linkspan plugin inspect file-source\n  linkspan plugin inspect MaskField\n  linkspan plugin inspect ./libacme.so -o json"
    )]
    Inspect {
        /// A `.so` file, or the name of a class, transform, predicate or converter
        what: String,
        /// Search plugins in this folder, before the ones beside the program
        #[arg(long = "plugin-path", value_name = "DIR")]
        plugin_paths: Vec<PathBuf>,
        /// How the result is printed
        #[arg(short, long, value_enum, value_name = "FORM", default_value_t)]
        output: Output,
    },
    /// Build a plugin's crate, load it as a host does, and run its tests, the conformance suite among them.
    #[command(
        after_help = "Examples:\n  linkspan plugin test\n  linkspan plugin test plugins/acme-orders --release -o json"
    )]
    Test {
        /// The folder of the crate
        #[arg(value_name = "DIR", default_value = ".")]
        folder: PathBuf,
        /// Build and test with optimisation, as it will be shipped
        #[arg(long)]
        release: bool,
        /// How the result is printed
        #[arg(short, long, value_enum, value_name = "FORM", default_value_t)]
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
