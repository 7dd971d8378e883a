//! The surroundings: `doctor`, contexts, help of every kind.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{At, Output};

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) at: At,
    /// Search plugins in this folder, before the ones beside the program
    #[arg(long = "plugin-path", value_name = "DIR")]
    pub(crate) plugin_paths: Vec<PathBuf>,
    /// The address that a host would listen on
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8083")]
    pub(crate) listen: String,
    /// How the result is printed
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t)]
    pub(crate) output: Output,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ContextCommand {
    /// Give a host elsewhere a name. The token stays where it is: only its place is stored.
    #[command(
        after_help = "Examples:\n  linkspan context add prod --url https://linkspan.example.org:8083 --token-file ~/.linkspan-token\n  linkspan context add lab --url https://hub.lan:8083 --ca-file lab-ca.pem --user anna --password-env LAB_PASSWORD\n  linkspan context add test --url http://127.0.0.1:8083 --use"
    )]
    Add(ContextAddArgs),
    /// Make a context the one of all commands that name none; `--none` goes back to this machine.
    #[command(after_help = "Examples:\n  linkspan context use prod\n  linkspan context use --none")]
    Use {
        /// Its name
        #[arg(required_unless_present = "none")]
        name: Option<String>,
        /// None: commands work on data directories of this machine
        #[arg(long, conflicts_with = "name")]
        none: bool,
    },
    /// List the contexts; the one in use is marked.
    #[command(after_help = "Examples:\n  linkspan context list\n  linkspan context list -o json")]
    List {
        /// How the result is printed
        #[arg(short, long, value_enum, value_name = "FORM", default_value_t)]
        output: Output,
    },
    /// Forget a context.
    #[command(
        after_help = "Examples:\n  linkspan context remove test\n  linkspan context list -o name | xargs -n 1 linkspan context remove"
    )]
    Remove {
        /// Its name
        name: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ContextAddArgs {
    /// Its name
    pub(crate) name: String,
    /// The address of the host, http or https
    #[arg(long, value_name = "URL")]
    pub(crate) url: String,
    /// The file that holds the bearer token; it is read at each command
    #[arg(long, value_name = "FILE", conflicts_with = "token_env")]
    pub(crate) token_file: Option<PathBuf>,
    /// The environment variable that holds the bearer token
    #[arg(long, value_name = "VARIABLE")]
    pub(crate) token_env: Option<String>,
    /// The user who asks, instead of a token
    #[arg(long, value_name = "NAME", conflicts_with_all = ["token_file", "token_env"])]
    pub(crate) user: Option<String>,
    /// The file that holds the user's password; it is read at each command
    #[arg(
        long,
        value_name = "FILE",
        requires = "user",
        conflicts_with = "password_env"
    )]
    pub(crate) password_file: Option<PathBuf>,
    /// The environment variable that holds the user's password
    #[arg(long, value_name = "VARIABLE", requires = "user")]
    pub(crate) password_env: Option<String>,
    /// A file of certificates (PEM) to trust instead of the system's
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Use it from now on
    #[arg(long = "use")]
    pub(crate) use_it: bool,
}

/// The languages that codes are explained in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Language {
    /// English.
    #[default]
    En,
    /// Korean, 한국어.
    Ko,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// A code such as LS0103, or `all`
    pub(crate) code: String,
    /// The language
    #[arg(long, value_enum, value_name = "LANG", default_value_t)]
    pub(crate) lang: Language,
    /// How the result is printed
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// The folder; it is made if it is missing
    pub(crate) dir: PathBuf,
}
