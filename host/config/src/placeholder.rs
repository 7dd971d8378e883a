//! `${env:NAME}`, `${env:NAME:-default}`, `${file:path:key}`, `${directory:path:name}`, `${param:name}`, and `$${` for the characters themselves.
//!
//! Substitution happens in values after YAML was read, never in its text, so that a value cannot become structure.
//! What comes out lives in memory only.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::providers::{Kind, Providers};
use crate::vocabulary::listing;
use crate::yaml::{self, FILE_BYTES_MAX};

/// What options replace for each record, as Connect's own do: `${topic}` stands for itself here. All of Connect's placeholders
/// have a colon; another word without one is most likely a mistake.
const OF_RECORDS: [&str; 8] = [
    "topic",
    "timestamp",
    "table",
    "schema",
    "database",
    "source.db",
    "source.schema",
    "source.table",
];

/// One piece of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece<'t> {
    Text(&'t str),
    /// `${provider:rest}`.
    Placeholder {
        provider: &'t str,
        rest: &'t str,
        at: usize,
        chars: usize,
    },
    /// `${` without its end or without a colon.
    Broken {
        at: usize,
        chars: usize,
    },
}

/// Cuts a text at its placeholders; `at` counts characters.
pub(crate) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    let mut at = 0;
    while let Some(start) = rest.find("${") {
        let (before, tail) = rest.split_at(start);
        if let Some(literal) = before.strip_suffix('$') {
            found.push(Piece::Text(literal));
            found.push(Piece::Text("${"));
            at += before.chars().count() + 2;
            rest = tail.strip_prefix("${").unwrap_or_default();
            continue;
        }
        found.push(Piece::Text(before));
        at += before.chars().count();
        let Some(end) = tail.find('}') else {
            found.push(Piece::Broken {
                at,
                chars: tail.chars().count(),
            });
            return found;
        };
        let (whole, next) = tail.split_at(end + 1);
        let inner = whole
            .strip_prefix("${")
            .and_then(|inner| inner.strip_suffix('}'))
            .unwrap_or_default();
        let chars = whole.chars().count();
        found.push(match inner.split_once(':') {
            Some((provider, rest)) if !rest.is_empty() => Piece::Placeholder {
                provider,
                rest,
                at,
                chars,
            },
            None if OF_RECORDS.contains(&inner) => Piece::Text(whole),
            Some(_) | None => Piece::Broken { at, chars },
        });
        at += chars;
        rest = next;
    }
    found.push(Piece::Text(rest));
    found
}

/// Returns true when the text is not simply itself.
pub(crate) fn has_any(text: &str) -> bool {
    text.contains("${")
}

/// Why a placeholder has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unresolved {
    #[error("a placeholder is not complete")]
    Syntax,
    #[error("no provider is called `{0}`")]
    Provider(String),
    #[error("environment variable `{0}` is not set")]
    Env(String),
    #[error("`{0}` is not among what `config.providers.{1}` allows, or is not there")]
    Barred(String, String),
    #[error("no parameter is called `{0}`")]
    Param(String),
    #[error("file `{0}` cannot be read: {1}")]
    File(String, String),
    #[error("file `{0}` has no key `{1}`")]
    Key(String, String),
}

/// Knows the values that placeholders stand for. `Debug` prints names, never values.
#[derive(Clone, Default)]
pub struct Resolver {
    /// Environment variables.
    pub env: BTreeMap<String, String>,
    /// Parameters of the run.
    pub params: BTreeMap<String, String>,
    /// The providers by name, and what each may reach.
    pub(crate) providers: Providers,
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver")
            .field("env", &self.env.len())
            .field("params", &self.params.keys().collect::<Vec<_>>())
            .finish()
    }
}

impl Resolver {
    /// Replaces all placeholders; relative files resolve against `base`. All that fail are returned, with their place.
    pub(crate) fn resolve(
        &self,
        text: &str,
        base: &Path,
    ) -> Result<String, Vec<(Unresolved, usize, usize)>> {
        let mut out = String::new();
        let mut failed = Vec::new();
        for piece in pieces(text) {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Broken { at, chars } => failed.push((Unresolved::Syntax, at, chars)),
                Piece::Placeholder {
                    provider,
                    rest,
                    at,
                    chars,
                } => match self.look_up(provider, rest, base) {
                    Ok(value) => out.push_str(&value),
                    Err(problem) => failed.push((problem, at, chars)),
                },
            }
        }
        if failed.is_empty() {
            Ok(out)
        } else {
            Err(failed)
        }
    }

    /// The values that the `env` and `file` placeholders of a text stand for; parameters are no secrets.
    pub(crate) fn outside_values(&self, text: &str, base: &Path) -> Vec<String> {
        pieces(text)
            .into_iter()
            .filter_map(|piece| match piece {
                Piece::Placeholder { provider, rest, .. } if !self.is_param(provider) => {
                    self.look_up(provider, rest, base).ok()
                }
                _ => None,
            })
            .collect()
    }

    /// The names of all providers.
    pub(crate) fn known(&self) -> String {
        listing(self.providers.names())
    }

    fn is_param(&self, provider: &str) -> bool {
        self.providers
            .get(provider)
            .is_some_and(|provider| provider.kind == Kind::Param)
    }

    fn look_up(&self, name: &str, rest: &str, base: &Path) -> Result<String, Unresolved> {
        let Some(provider) = self.providers.get(name) else {
            return Err(Unresolved::Provider(name.to_owned()));
        };
        let barred = |what: &str| Unresolved::Barred(what.to_owned(), name.to_owned());
        match provider.kind {
            Kind::Env => {
                let (name, default) = match rest.split_once(":-") {
                    Some((name, default)) => (name, Some(default)),
                    None => (rest, None),
                };
                if !provider.allows(name) {
                    return Err(barred(name));
                }
                let value = self.env.get(name).map(String::as_str);
                let value = if default.is_some() {
                    value.filter(|value| !value.is_empty())
                } else {
                    value
                };
                value
                    .or(default)
                    .map(str::to_owned)
                    .ok_or_else(|| Unresolved::Env(name.to_owned()))
            }
            Kind::Param => self
                .params
                .get(rest)
                .cloned()
                .ok_or_else(|| Unresolved::Param(rest.to_owned())),
            Kind::File => {
                let (path, key) = match rest.rsplit_once(':') {
                    Some((path, key)) => (path, key),
                    None => (rest, ""),
                };
                let real = provider
                    .reach(base.join(path))
                    .ok_or_else(|| barred(path))?;
                from_file(&real, path, key)
            }
            Kind::Directory => {
                let (folder, file) = rest
                    .rsplit_once(':')
                    .ok_or_else(|| Unresolved::Key(rest.to_owned(), String::new()))?;
                // A name of a file in the folder, nothing that leads out of it.
                if file.is_empty() || file == "." || file == ".." || file.contains(['/', '\0']) {
                    return Err(barred(file));
                }
                let path = base.join(folder).join(file);
                let shown = format!("{folder}/{file}");
                let real = provider.reach(path).ok_or_else(|| barred(&shown))?;
                from_file(&real, &shown, "")
            }
        }
    }
}

/// One key of a file, which is called `name`; without a key all of it.
fn from_file(path: &Path, name: &str, key: &str) -> Result<String, Unresolved> {
    let text = read_text(path).map_err(|why| Unresolved::File(name.to_owned(), why))?;
    if key.is_empty() {
        return Ok(text.trim_end_matches(['\r', '\n']).to_owned());
    }
    let missing = || Unresolved::Key(name.to_owned(), key.to_owned());
    let extension = PathBuf::from(name)
        .extension()
        .map(|e| e.to_string_lossy().to_lowercase())
        .unwrap_or_default();
    match extension.as_str() {
        // JSON is YAML; both keep the source text of scalars, and reading errors never quote the text.
        "yaml" | "yml" | "json" => yaml::look_up(&text, key)
            .map_err(|why| Unresolved::File(name.to_owned(), why))?
            .ok_or_else(missing),
        _ => properties(&text).remove(key).ok_or_else(missing),
    }
}

/// Reads a UTF-8 file of at most [`FILE_BYTES_MAX`]; the error says why in words.
pub(crate) fn read_text(path: &Path) -> Result<String, String> {
    use std::io::Read as _;
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > FILE_BYTES_MAX {
        return Err("it is larger than 1 MiB".to_owned());
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        format!(
            "it is not UTF-8 text (byte {})",
            error.utf8_error().valid_up_to()
        )
    })?;
    Ok(text
        .strip_prefix('\u{feff}')
        .map(str::to_owned)
        .unwrap_or(text))
}

/// Reads Java's .properties: `key=value`, `key: value`, `key value`, `#` and `!` comments, `\` at a line's end.
pub(crate) fn properties(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let mut line = line.trim_start().to_owned();
        if line.starts_with(['#', '!']) || line.is_empty() {
            continue;
        }
        while line.chars().rev().take_while(|c| *c == '\\').count() % 2 == 1 {
            line.pop();
            match lines.next() {
                Some(next) => line.push_str(next.trim_start()),
                None => break,
            }
        }
        let mut key = String::new();
        let mut chars = line.chars().peekable();
        while let Some(c) = chars.next_if(|c| !matches!(c, '=' | ':') && !c.is_whitespace()) {
            key.push(if c == '\\' {
                chars.next().unwrap_or_default()
            } else {
                c
            });
        }
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        if chars.next_if(|c| matches!(c, '=' | ':')).is_some() {
            while chars.next_if(|c| c.is_whitespace()).is_some() {}
        }
        let mut value = String::new();
        while let Some(c) = chars.next() {
            value.push(match (c, if c == '\\' { chars.next() } else { None }) {
                ('\\', Some('n')) => '\n',
                ('\\', Some('t')) => '\t',
                ('\\', Some('r')) => '\r',
                ('\\', Some('u')) => {
                    let digits: String = chars.by_ref().take(4).collect();
                    u32::from_str_radix(&digits, 16)
                        .ok()
                        .and_then(char::from_u32)
                        .unwrap_or('\u{fffd}')
                }
                ('\\', Some(other)) => other,
                (plain, _) => plain,
            });
        }
        found.insert(key, value);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_options_replace_for_each_record_stands_for_itself() {
        let check = |text: &str, expected: Option<&str>| {
            let resolved = Resolver::default().resolve(text, Path::new("."));
            assert_eq!(resolved.ok().as_deref(), expected, "{text}");
        };
        check("raw_${topic}", Some("raw_${topic}"));
        check("${topic}-${timestamp}", Some("${topic}-${timestamp}"));
        check("$${topic}", Some("${topic}"));
        check("${schema}.${table}", Some("${schema}.${table}"));
        check("${HOME}", None);
        check("${topic", None);
    }
}
