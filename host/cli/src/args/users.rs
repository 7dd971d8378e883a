//! `users`: hashes and tokens for the configuration.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Output;

#[derive(Debug, Subcommand)]
pub(crate) enum UsersCommand {
    /// Hash a password, for `password.hash` of a user. It is read from the terminal without being shown, or from stdin.
    #[command(
        after_help = "Examples:\n  linkspan users hash\n  linkspan users hash --password-file password.txt -o json\n  linkspan users hash -o name\n\n\
        The hash is argon2id with a salt of its own: two hashes of one password differ. In YAML put it into quotes."
    )]
    Hash(UsersHashArgs),
    /// Make a token, for its bearer, and its SHA-256, for `sha256` under `tokens:`.
    #[command(
        after_help = "Examples:\n  linkspan users token\n  linkspan users token -o json\n\n\
        The token is shown once and stored nowhere. `-o name` prints the token alone."
    )]
    Token {
        /// How the result is printed
        #[arg(short, long, value_enum, value_name = "FORM", default_value_t)]
        output: Output,
    },
}

#[derive(Debug, Args)]
pub(crate) struct UsersHashArgs {
    /// The file whose first line is the password
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// How the result is printed
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t)]
    pub(crate) output: Output,
}
