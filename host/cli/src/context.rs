//! `linkspan context`: names for hosts elsewhere, and which host a command means.
//!
//! They stand in `$XDG_CONFIG_HOME/linkspan/config.yaml` (mode 0600), which may be written by hand:
//!
//! ```text
//! current: prod
//! contexts:
//!   prod: { url: "https://linkspan.example.org:8083", token_file: /etc/linkspan/token }
//!   test: { url: "http://127.0.0.1:8083", token_env: TEST_TOKEN, ca_file: /etc/ssl/own.pem }
//! ```
//!
//! Instead of a token `user` with `password_file` or `password_env`. A token or password itself is never stored here and never printed: only where it is.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::args::{At, ContextAddArgs, ContextCommand, Output};
use crate::client::{Credentials, Host, Remote};
use crate::exit::{Exit, Failure};
use crate::shown::{structured, text};
use crate::suggest::meant;
use crate::terminal::{self, Table};

/// The longest file of contexts, or of a token, that is read.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// What the file holds.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contexts {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    current: Option<String>,
    #[serde(default)]
    contexts: BTreeMap<String, Context>,
}

/// One host elsewhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Context {
    url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token_file: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token_env: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    password_file: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    password_env: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ca_file: Option<PathBuf>,
}

pub(crate) fn run(command: ContextCommand) -> Result<Exit, Failure> {
    let file = file()?;
    let mut all = read(&file)?;
    match command {
        ContextCommand::Add(args) => add(args, &mut all)?,
        ContextCommand::Use { name, .. } => {
            if let Some(name) = &name {
                all.find(name)?;
            }
            terminal::note(&match &name {
                Some(name) => format!("commands that name no host go to `{name}` now"),
                None => "commands that name no host work on this machine now".to_owned(),
            });
            all.current = name;
        }
        ContextCommand::List { output } => {
            list(&all, output);
            return Ok(Exit::Ok);
        }
        ContextCommand::Remove { name } => {
            all.find(&name)?;
            all.contexts.remove(&name);
            if all.current.as_deref() == Some(&name) {
                all.current = None;
            }
            terminal::note(&format!("forgot context `{name}`"));
        }
    }
    write(&file, &all)?;
    Ok(Exit::Ok)
}

fn add(args: ContextAddArgs, all: &mut Contexts) -> Result<(), Failure> {
    let named = !args.name.is_empty()
        && args
            .name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if !named {
        return Err(Failure::new(
            Exit::Invalid,
            "LS0220",
            "the name of a context has letters, digits, `-`, `_` and `.` only",
        ));
    }
    let whole = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
    let context = Context {
        url: args.url,
        token_file: args.token_file.map(whole),
        token_env: args.token_env,
        user: args.user,
        password_file: args.password_file.map(whole),
        password_env: args.password_env,
        ca_file: args.ca_file.map(whole),
    };
    // What cannot be an address is said now; a token is looked at when it is used.
    Remote::new(&context.url, None, None)?;
    if context.user.is_some() && !context.has_password() {
        return Err(Failure::new(
            Exit::Invalid,
            "LS0220",
            "a user needs --password-file or --password-env",
        ));
    }
    if context.wants_credentials() {
        let some = Credentials::Token("x".to_owned());
        Remote::new(&context.url, Some(&some), None)?;
    }
    terminal::note(&format!("context `{}` is {}", args.name, context.url));
    if args.use_it {
        all.current = Some(args.name.clone());
    }
    all.contexts.insert(args.name, context);
    Ok(())
}

fn list(all: &Contexts, output: Output) {
    let rows = all.contexts.iter().map(|(name, context)| {
        let place = |file: &Option<PathBuf>, variable: &Option<String>| match (file, variable) {
            (Some(file), _) => json!(format!("file {}", file.display())),
            (None, Some(variable)) => json!(format!("variable {variable}")),
            (None, None) => Value::Null,
        };
        json!({
            "name": name, "current": all.current.as_deref() == Some(name), "url": context.url,
            "token": place(&context.token_file, &context.token_env),
            "user": context.user, "password": place(&context.password_file, &context.password_env),
        })
    });
    let rows = Value::from_iter(rows);
    if structured(output, &rows, |row| text(row, "name")) {
        return;
    }
    let mut table = Table::new(&["", "context", "url", "user", "token or password"]);
    for row in rows.as_array().into_iter().flatten() {
        let current = row.get("current") == Some(&Value::Bool(true));
        let mark = if current { "*" } else { "" };
        table.row([
            mark.to_owned(),
            text(row, "name"),
            text(row, "url"),
            text(row, "user"),
            match row.get("token") {
                Some(Value::String(token)) => token.clone(),
                _ => text(row, "password"),
            },
        ]);
    }
    table.print("there are no contexts; `linkspan context add NAME --url URL` makes one");
}

impl Contexts {
    fn find(&self, name: &str) -> Result<&Context, Failure> {
        self.contexts.get(name).ok_or_else(|| {
            let known: Vec<String> = self.contexts.keys().cloned().collect();
            Failure::new(
                Exit::Invalid,
                "LS0225",
                format!("there is no context `{name}`"),
            )
            .help(meant(name, &known, "contexts"))
        })
    }
}

impl Context {
    fn wants_credentials(&self) -> bool {
        self.token_file.is_some() || self.token_env.is_some() || self.user.is_some()
    }

    fn has_password(&self) -> bool {
        self.password_file.is_some() || self.password_env.is_some()
    }

    fn host(&self) -> Result<Host, Failure> {
        let secret = |file: &Option<PathBuf>, variable: &Option<String>, what: &str| match (
            file, variable,
        ) {
            (Some(file), _) => secret_of(file, what).map(Some),
            (None, Some(variable)) => secret_in(variable).map(Some).ok_or_else(|| {
                let message = format!("the {what} of the context: {variable} is not set");
                Failure::new(Exit::Environment, "LS0152", message)
            }),
            (None, None) => Ok(None),
        };
        let credentials = match &self.user {
            Some(user) => secret(&self.password_file, &self.password_env, "password")?
                .map(|password| Credentials::User(user.clone(), password)),
            None => secret(&self.token_file, &self.token_env, "token")?.map(Credentials::Token),
        };
        remote(&self.url, credentials.as_ref(), self.ca_file.clone())
    }
}

/// Returns the host elsewhere that a command means, if it means one: `--context`, `--url`, `LINKSPAN_URL`, or the context in
/// use. `--data` means this machine.
///
/// # Errors
/// The context is unknown, or its token cannot be had.
pub(crate) fn elsewhere(at: &At) -> Result<Option<Host>, Failure> {
    if at.data.is_some() {
        return Ok(None);
    }
    if let Some(name) = &at.context {
        return read(&file()?)?.find(name)?.host().map(Some);
    }
    let url = at.url.clone().or_else(|| secret_in("LINKSPAN_URL"));
    if let Some(url) = url {
        let credentials = credentials(at)?;
        let ca_file = at.ca_file.clone();
        let ca_file = ca_file.or_else(|| secret_in("LINKSPAN_CA_FILE").map(PathBuf::from));
        return remote(&url, credentials.as_ref(), ca_file).map(Some);
    }
    // Without a home there is no file, and so no context in use.
    let Ok(file) = file() else { return Ok(None) };
    let all = read(&file)?;
    match &all.current {
        Some(name) => all.find(name)?.host().map(Some),
        None => Ok(None),
    }
}

/// Who asks: `--token-file`, `--user`, then the variables.
fn credentials(at: &At) -> Result<Option<Credentials>, Failure> {
    if let Some(file) = &at.token_file {
        return Ok(Some(Credentials::Token(secret_of(file, "token")?)));
    }
    let user = at.user.clone().or_else(|| secret_in("LINKSPAN_USER"));
    let token = secret_in("LINKSPAN_TOKEN").filter(|_| at.user.is_none());
    if let Some(token) = token {
        return Ok(Some(Credentials::Token(token)));
    }
    let Some(user) = user else { return Ok(None) };
    let password = match &at.password_file {
        Some(file) => secret_of(file, "password")?,
        None => secret_in("LINKSPAN_PASSWORD").ok_or_else(|| {
            Failure::new(
                Exit::Invalid,
                "LS0220",
                format!("the password of `{user}` is not known"),
            )
            .help("name its file with --password-file, or set LINKSPAN_PASSWORD")
        })?,
    };
    Ok(Some(Credentials::User(user, password)))
}

fn remote(
    url: &str,
    credentials: Option<&Credentials>,
    ca_file: Option<PathBuf>,
) -> Result<Host, Failure> {
    Ok(Host::Elsewhere(Arc::new(Remote::new(
        url,
        credentials,
        ca_file,
    )?)))
}

fn secret_in(variable: &str) -> Option<String> {
    let value = std::env::var(variable).ok()?;
    (!value.is_empty()).then_some(value)
}

fn secret_of(file: &Path, what: &str) -> Result<String, Failure> {
    let text = read_text(file).map_err(|error| {
        let message = format!(
            "could not read the {what} file `{}`: {error}",
            file.display()
        );
        Failure::new(Exit::Environment, "LS0704", message)
    })?;
    let secret = text.unwrap_or_default().trim().to_owned();
    if secret.is_empty() {
        let message = format!("the {what} file `{}` is missing or empty", file.display());
        let help =
            format!("write the {what} into it, in one line; paths are taken from this folder");
        return Err(Failure::new(Exit::Environment, "LS0704", message).help(help));
    }
    Ok(secret)
}

/// Where the contexts are stored.
///
/// # Errors
/// Neither `XDG_CONFIG_HOME` nor `HOME` is set.
pub(crate) fn file() -> Result<PathBuf, Failure> {
    let folder = |variable: &str| {
        let value = std::env::var_os(variable).map(PathBuf::from);
        value.filter(|path| path.is_absolute())
    };
    let base = folder("XDG_CONFIG_HOME").or_else(|| Some(folder("HOME")?.join(".config")));
    let base = base.ok_or_else(|| {
        Failure::new(
            Exit::Environment,
            "LS0704",
            "neither XDG_CONFIG_HOME nor HOME is set, so there is no place for contexts",
        )
    })?;
    Ok(base.join("linkspan/config.yaml"))
}

fn read_text(path: &Path) -> std::io::Result<Option<String>> {
    use std::io::Read as _;
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut text = String::new();
    file.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    Ok(Some(text))
}

fn read(file: &Path) -> Result<Contexts, Failure> {
    let failed = |code, error: String| {
        let message = format!("the contexts in `{}`: {error}", file.display());
        Failure::new(Exit::Environment, code, message)
    };
    let Some(text) = read_text(file).map_err(|error| failed("LS0704", error.to_string()))? else {
        return Ok(Contexts::default());
    };
    if text.trim().is_empty() {
        return Ok(Contexts::default());
    }
    let value =
        linkspan_config::from_yaml(&text).map_err(|error| failed("LS0101", error.to_string()))?;
    serde_json::from_value(value).map_err(|error| failed("LS0109", error.to_string()))
}

/// Replaces the file in one step; others may not read it.
fn write(file: &Path, all: &Contexts) -> Result<(), Failure> {
    let value = serde_json::to_value(all).unwrap_or_default();
    let text = linkspan_config::to_yaml(&value);
    let temporary = file.with_extension(format!("yaml.{}", std::process::id()));
    let written = || {
        if let Some(folder) = file.parent() {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)?;
        }
        let mut options = fs::OpenOptions::new();
        let options = options.write(true).create(true).truncate(true).mode(0o600);
        let mut out = options.open(&temporary)?;
        out.write_all(text.as_bytes())?;
        out.sync_all()?;
        fs::rename(&temporary, file)
    };
    written().map_err(|error| {
        let message = format!("could not write `{}`: {error}", file.display());
        Failure::new(Exit::Environment, "LS0704", message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_are_read_as_they_were_written_and_only_by_their_owner() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("linkspan/config.yaml");
        assert_eq!(read(&file).unwrap(), Contexts::default());
        let context = Context {
            url: "https://example.org".to_owned(),
            token_file: Some(PathBuf::from("/a/token")),
            token_env: None,
            user: None,
            password_file: None,
            password_env: None,
            ca_file: None,
        };
        let all = Contexts {
            current: Some("prod".to_owned()),
            contexts: [("prod".to_owned(), context)].into(),
        };
        write(&file, &all).unwrap();
        assert_eq!(read(&file).unwrap(), all);
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_file_that_is_wrong_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.yaml");
        for (text, code) in [
            ("contexts: [", "LS0101"),
            ("contexts: { a: { address: x } }", "LS0109"),
        ] {
            fs::write(&file, text).unwrap();
            let failure = read(&file).unwrap_err();
            assert_eq!(failure.code, code);
            assert!(
                failure.message.contains("config.yaml"),
                "{}",
                failure.message
            );
        }
    }
}
