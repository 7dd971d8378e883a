//! `linkspan users`: hashes of passwords and tokens. Nothing is stored: both go into a configuration by hand.

use std::io::{BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::path::Path;

use linkspan_rest::{NewPassword, NewToken, RandomError};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use serde_json::json;

use crate::args::{UsersCommand, UsersHashArgs};
use crate::exit::{Exit, Failure};
use crate::shown::{structured, text};
use crate::terminal;

/// The longest password.
const PASSWORD_BYTES_MAX: u64 = 4096;
/// The shortest that is taken without a word.
const PASSWORD_CHARS_GOOD: usize = 8;

pub(crate) fn run(command: &UsersCommand) -> Result<Exit, Failure> {
    match command {
        UsersCommand::Hash(args) => hash(args),
        UsersCommand::Token { output } => {
            let made = NewToken::new().map_err(no_randomness)?;
            let value = json!({ "token": made.token, "sha256": made.sha256 });
            if !structured(*output, &value, |row| text(row, "token")) {
                terminal::line(&format!("token:  {}\nsha256: {}", made.token, made.sha256));
                terminal::note("give the token to its bearer; it is stored nowhere");
            }
            Ok(Exit::Ok)
        }
    }
}

fn hash(args: &UsersHashArgs) -> Result<Exit, Failure> {
    let password = match &args.password_file {
        Some(file) => first_line_of(file)?,
        None if std::io::stdin().is_terminal() => typed()?,
        None => {
            let mut all = String::new();
            let stdin = std::io::stdin().lock().take(PASSWORD_BYTES_MAX);
            let mut stdin = std::io::BufReader::new(stdin);
            stdin.read_line(&mut all).map_err(unreadable)?;
            all
        }
    };
    let password = password.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err(
            Failure::new(Exit::Invalid, "LS0220", "the password is empty")
                .help("write it to stdin, in one line"),
        );
    }
    if password.chars().count() < PASSWORD_CHARS_GOOD {
        terminal::note("the password is short; one of twelve characters or more resists guessing");
    }
    let made = NewPassword::of(password).map_err(no_randomness)?;
    let value = json!({ "password.hash": made.hash });
    if !structured(args.output, &value, |row| text(row, "password.hash")) {
        terminal::line(&made.hash);
    }
    Ok(Exit::Ok)
}

fn no_randomness(error: RandomError) -> Failure {
    Failure::new(Exit::Environment, "LS0704", error.to_string())
}

fn unreadable(error: std::io::Error) -> Failure {
    let message = format!("could not read the password: {error}");
    Failure::new(Exit::Environment, "LS0704", message)
}

fn first_line_of(file: &Path) -> Result<String, Failure> {
    let failed = |error| {
        let message = format!(
            "could not read the password in `{}`: {error}",
            file.display()
        );
        Failure::new(Exit::Environment, "LS0704", message)
    };
    let mut all = String::new();
    let file = std::fs::File::open(file).map_err(failed)?;
    let mut file = std::io::BufReader::new(file.take(PASSWORD_BYTES_MAX));
    file.read_line(&mut all).map_err(failed)?;
    Ok(all)
}

/// Asks twice, without showing what is typed.
fn typed() -> Result<String, Failure> {
    let first = ask("Password: ")?;
    if ask("Again: ")? != first {
        return Err(Failure::new(
            Exit::Invalid,
            "LS0220",
            "the two passwords differ",
        ));
    }
    Ok(first)
}

fn ask(prompt: &str) -> Result<String, Failure> {
    let stdin = std::io::stdin();
    let before = tcgetattr(&stdin).map_err(|error| unreadable(error.into()))?;
    let mut silent = before.clone();
    silent.local_modes &= !LocalModes::ECHO;
    let mut err = std::io::stderr().lock();
    // A terminal that cannot be written to gets no answer either.
    drop(write!(err, "{prompt}").and_then(|()| err.flush()));
    tcsetattr(&stdin, OptionalActions::Flush, &silent).map_err(|error| unreadable(error.into()))?;
    let mut line = String::new();
    let read = stdin.lock().read_line(&mut line);
    let restored = tcsetattr(&stdin, OptionalActions::Flush, &before);
    drop(writeln!(err));
    read.map_err(unreadable)?;
    restored.map_err(|error| unreadable(error.into()))?;
    Ok(line)
}
