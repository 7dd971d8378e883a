//! What placeholders may reach: `config.providers.*` under `host:`, by Kafka Connect's names.
//!
//! ```text
//! config.providers: secrets                                  a further name for a provider
//! config.providers.secrets.class: FileConfigProvider         env, file, directory and param are always there
//! config.providers.secrets.param.allowed.paths: /run/secrets
//! config.providers.env.param.allowlist.pattern: APP_.*
//! ```
//!
//! Without an allow-list a provider reaches all that the host's user reaches. Connectors that come over REST are bound by
//! the same lists. Settings under `host:` and parameters are read before, and are not: who writes them writes the lists.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::check::items;
use crate::codes;
use crate::report::{Draft, Report};
use crate::settings::Setting;

const LIST: &str = "config.providers";
const CLASS: &str = "class";
const PATHS: &str = "param.allowed.paths";
const PATTERN: &str = "param.allowlist.pattern";
const KNOWN: &str = "known are `class`, `param.allowed.paths` and `param.allowlist.pattern`";

/// Where values come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Env,
    File,
    Directory,
    Param,
}

impl Kind {
    /// The providers that are always there, and Kafka's classes.
    fn find(name: &str) -> Option<Self> {
        Some(match name.rsplit('.').next().unwrap_or(name) {
            "env" | "EnvVarConfigProvider" => Self::Env,
            "file" | "FileConfigProvider" => Self::File,
            "directory" | "DirectoryConfigProvider" => Self::Directory,
            "param" => Self::Param,
            _ => return None,
        })
    }
}

/// One provider, and what it may reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Provider {
    pub(crate) kind: Kind,
    /// Files and folders; a path must be one of them or below one. `None`: all.
    pub(crate) allowed_paths: Option<Vec<PathBuf>>,
    /// A pattern, and the variables it allows. `None`: all.
    pub(crate) allowed_names: Option<Allowed>,
}

/// Names of variables that a pattern matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Allowed {
    pub(crate) pattern: String,
    pub(crate) names: Vec<String>,
}

impl Provider {
    fn plain(kind: Kind) -> Self {
        Self {
            kind,
            allowed_paths: None,
            allowed_names: None,
        }
    }

    /// The file to read where it may be read: with a list its real place, behind all links and dots, must be allowed.
    pub(crate) fn reach(&self, path: PathBuf) -> Option<PathBuf> {
        let Some(allowed) = &self.allowed_paths else {
            return Some(path);
        };
        // What is not there is not told from what is not allowed.
        let real = std::fs::canonicalize(path).ok()?;
        allowed
            .iter()
            .filter_map(|allowed| std::fs::canonicalize(allowed).ok())
            .any(|allowed| real.starts_with(allowed))
            .then_some(real)
    }

    /// Whether a variable may be read.
    pub(crate) fn allows(&self, name: &str) -> bool {
        let allowed = self.allowed_names.as_ref();
        allowed.is_none_or(|allowed| allowed.names.iter().any(|known| known == name))
    }
}

/// The providers by the names that placeholders use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Providers(BTreeMap<String, Provider>);

impl Default for Providers {
    fn default() -> Self {
        let built_in = [
            ("env", Kind::Env),
            ("file", Kind::File),
            ("directory", Kind::Directory),
            ("param", Kind::Param),
        ];
        Self(
            built_in
                .into_iter()
                .map(|(name, kind)| (name.to_owned(), Provider::plain(kind)))
                .collect(),
        )
    }
}

impl Providers {
    pub(crate) fn get(&self, name: &str) -> Option<&Provider> {
        self.0.get(name)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The patterns of variables, each with the option that holds it.
    pub(crate) fn patterns(&self) -> impl Iterator<Item = (String, String)> {
        self.0.iter().filter_map(|(name, provider)| {
            let allowed = provider.allowed_names.as_ref()?;
            Some((format!("{LIST}.{name}.{PATTERN}"), allowed.pattern.clone()))
        })
    }

    /// Fills in which variables the patterns allow; where `matches` has no answer none is.
    pub(crate) fn allow_names(&mut self, names: &[&String], matches: &dyn Fn(&str, &str) -> bool) {
        for provider in self.0.values_mut() {
            if let Some(allowed) = &mut provider.allowed_names {
                let found = names.iter().filter(|name| matches(&allowed.pattern, name));
                allowed.names = found.map(|name| (*name).clone()).collect();
            }
        }
    }
}

/// Reads the host's settings about providers.
pub(crate) fn read(report: &mut Report, settings: &BTreeMap<String, Setting>) -> Providers {
    let mut providers = Providers::default();
    let own = |name: &str, option: &str| settings.get(&format!("{LIST}.{name}.{option}"));
    let listed: Vec<(String, &Setting)> = settings
        .get(LIST)
        .into_iter()
        .flat_map(|list| items(&list.text).into_iter().map(move |name| (name, list)))
        .collect();
    for (name, list) in &listed {
        let place = own(name, CLASS).unwrap_or(list);
        let class = own(name, CLASS).map_or(name.as_str(), |class| class.text.as_str());
        match Kind::find(class) {
            Some(kind) => {
                providers.0.insert(name.clone(), Provider::plain(kind));
            }
            None => wrong(
                report,
                place,
                format!(
                    "host: the provider `{}` has no class that is known here; known are EnvVarConfigProvider, \
                     FileConfigProvider and DirectoryConfigProvider",
                    name.escape_debug()
                ),
            ),
        }
    }
    for (key, setting) in settings {
        let Some(rest) = key
            .strip_prefix(LIST)
            .and_then(|rest| rest.strip_prefix('.'))
        else {
            continue;
        };
        let (name, option) = rest.split_once('.').unwrap_or((rest, ""));
        if let Some(provider) = providers.0.get_mut(name) {
            restrict(report, provider, (key, option), setting);
        } else if !listed.iter().any(|(listed, _)| listed == name) {
            let what = format!("host: `{key}` is about a provider that `{LIST}` does not name");
            wrong(report, setting, what);
        }
    }
    providers
}

fn restrict(
    report: &mut Report,
    provider: &mut Provider,
    (key, option): (&str, &str),
    setting: &Setting,
) {
    if setting.late {
        wrong(
            report,
            setting,
            format!("host: `{key}` takes no placeholder"),
        );
        return;
    }
    match (option, provider.kind) {
        (CLASS, _) => {}
        (PATHS, Kind::File | Kind::Directory) => {
            let paths: Vec<PathBuf> = items(&setting.text)
                .into_iter()
                .map(PathBuf::from)
                .collect();
            if paths.is_empty() || paths.iter().any(|path| !path.is_absolute()) {
                wrong(
                    report,
                    setting,
                    format!("host: `{key}` takes absolute paths, one or several with commas"),
                );
            }
            provider.allowed_paths = Some(paths);
        }
        (PATTERN, Kind::Env) => {
            provider.allowed_names = Some(Allowed {
                pattern: setting.text.clone(),
                names: Vec::new(),
            });
        }
        (PATHS | PATTERN, _) => wrong(
            report,
            setting,
            format!("host: `{key}` is no option of this provider"),
        ),
        _ => wrong(
            report,
            setting,
            format!("host: `{key}` is unknown; {KNOWN}"),
        ),
    }
}

fn wrong(report: &mut Report, setting: &Setting, message: String) {
    report.push(Draft::error(&codes::NOT_ALLOWED, setting.span, message));
}
