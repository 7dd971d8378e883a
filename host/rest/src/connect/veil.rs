//! Configurations for those who may not change them: the same, without what is secret in it.
//!
//! Kafka Connect gives a configuration back as it was given, and clients that compare it rely on that; so an admin gets it whole.

use std::collections::BTreeMap;
use std::ops::Range;

use linkspan_types::HIDDEN;
use serde_json::Value;

use super::Call;
use super::host::{ConnectHost, ConnectorInfo, Listed};
use crate::refusal::Refusal;

/// Words in the name of an option that no class declares.
const SECRET_WORDS: [&str; 7] = [
    "password",
    "passphrase",
    "secret",
    "token",
    "credential",
    "api.key",
    "authorization",
];

/// A connector as its caller may see it.
pub(super) fn info(
    host: &dyn ConnectHost,
    call: &Call,
    name: &str,
) -> Result<ConnectorInfo, Refusal> {
    let mut info = host.info(name)?;
    if !call.reveals {
        let secrets = secrets(host, &info.config);
        for (key, value) in &mut info.config {
            hide(key, value, &secrets);
        }
    }
    Ok(info)
}

/// All connectors as their caller may see them. A class is asked once what of its options is secret.
pub(super) fn all(host: &dyn ConnectHost, call: &Call, listed: &mut [Listed]) {
    if call.reveals {
        return;
    }
    let mut by_class: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for info in listed.iter_mut().filter_map(|one| one.info.as_mut()) {
        let class = info.config.get("connector.class");
        let class = class.cloned().unwrap_or_default();
        let secrets = by_class
            .entry(class)
            .or_insert_with_key(|class| host.secrets(class));
        for (key, value) in &mut info.config {
            hide(key, value, secrets);
        }
    }
}

/// Its tasks as their caller may see them.
pub(super) fn tasks(host: &dyn ConnectHost, call: &Call, name: &str) -> Result<Value, Refusal> {
    let mut tasks = host.tasks(name)?;
    if call.reveals {
        return Ok(tasks);
    }
    let secrets = secrets(host, &host.info(name)?.config);
    let configs = tasks
        .as_array_mut()
        .into_iter()
        .flatten()
        .filter_map(|task| task.get_mut("config")?.as_object_mut());
    for config in configs {
        for (key, value) in config.iter_mut() {
            if let Value::String(value) = value {
                hide(key, value, &secrets);
            }
        }
    }
    Ok(tasks)
}

fn secrets(host: &dyn ConnectHost, config: &BTreeMap<String, String>) -> Vec<String> {
    let class = config.get("connector.class");
    class.map_or_else(Vec::new, |class| host.secrets(class))
}

fn hide(key: &str, value: &mut String, secrets: &[String]) {
    if is_secret(key, secrets) {
        // A placeholder says where a secret is, not what it is.
        let refers =
            value.starts_with("${") && value.ends_with('}') && value.matches("${").count() == 1;
        let hidden = value == HIDDEN;
        if !refers && !hidden && !value.is_empty() {
            HIDDEN.clone_into(value);
        }
    } else if let Some(shown) = without_password(value) {
        *value = shown;
    }
}

/// Hides what looks secret and passwords of addresses, in options whose declared secrets are hidden already.
pub fn veil(config: &mut BTreeMap<String, String>) {
    for (key, value) in config {
        hide(key, value, &[]);
    }
}

/// Refuses a configuration that was shown without its secrets: it would put the hidden word in their place.
///
/// # Errors
/// 400 with the options that hold it.
pub(super) fn refuse_hidden<'c>(
    host: &dyn ConnectHost,
    class: Option<&str>,
    config: impl IntoIterator<Item = (&'c String, &'c String)>,
) -> Result<(), Refusal> {
    let secrets = class.map_or_else(Vec::new, |class| host.secrets(class));
    let held: Vec<String> = config
        .into_iter()
        .filter(|(key, value)| hides(key, value, &secrets))
        .map(|(key, _)| format!("`{}`", key.escape_debug()))
        .collect();
    if held.is_empty() {
        return Ok(());
    }
    let message = format!(
        "`{HIDDEN}` in {} is shown in a secret's place and is no secret",
        held.join(", ")
    );
    Err(Refusal::new(400, "LS0232", message).help(
        "Name the secret by a placeholder such as `${env:NAME}`, or PATCH the other options alone",
    ))
}

/// Whether a value is one that [`hide`] has made.
fn hides(key: &str, value: &str, secrets: &[String]) -> bool {
    (value == HIDDEN && is_secret(key, secrets))
        || password(value).is_some_and(|password| password == HIDDEN)
}

fn is_secret(key: &str, secrets: &[String]) -> bool {
    let lower = key.to_ascii_lowercase();
    secrets.iter().any(|secret| secret == key)
        || SECRET_WORDS.iter().any(|word| lower.contains(word))
}

/// An address without the password in it; `None`: it has none.
fn without_password(value: &str) -> Option<String> {
    let at = place_of_password(value)?;
    let password = value.get(at.clone())?;
    if password.is_empty() || password.starts_with("${") {
        return None;
    }
    let (before, after) = (value.get(..at.start)?, value.get(at.end..)?);
    Some(format!("{before}{HIDDEN}{after}"))
}

fn password(value: &str) -> Option<&str> {
    value.get(place_of_password(value)?)
}

/// Where the password of an address stands.
fn place_of_password(value: &str) -> Option<Range<usize>> {
    let (scheme, rest) = value.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, _) = rest.split_at_checked(end)?;
    let (login, _) = authority.rsplit_once('@')?;
    let (user, _) = login.split_once(':')?;
    let begin = scheme.len() + "://".len();
    Some(begin + user.len() + 1..begin + login.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_secret_is_hidden_and_nothing_else() {
        let secrets = ["sasl.key".to_owned()];
        for (key, value, expected) in [
            ("path", "in.txt", "in.txt"),
            ("sasl.key", "canary", HIDDEN),
            ("connection.password", "canary", HIDDEN),
            ("API.Token", "canary", HIDDEN),
            ("connection.password", "${env:P}", "${env:P}"),
            ("connection.password", "${env:P}canary${env:Q}", HIDDEN),
            ("connection.password", "", ""),
            ("key.fields", "id", "id"),
            (
                "connection.url",
                "postgres://u:canary@h:1/db?x=1",
                "postgres://u:[hidden]@h:1/db?x=1",
            ),
            (
                "connection.url",
                "postgres://u:${env:P}@h/db",
                "postgres://u:${env:P}@h/db",
            ),
            ("connection.url", "http://h/a@b:c", "http://h/a@b:c"),
        ] {
            let mut shown = value.to_owned();
            hide(key, &mut shown, &secrets);
            assert_eq!(shown, expected, "{key}={value}");
            // What was shown is not taken back, and what is not secret may be any word.
            let back = hides(key, &shown, &secrets);
            assert_eq!(back, shown.contains(HIDDEN), "{key}={shown}");
        }
        assert!(!hides("transforms.mask.replacement", HIDDEN, &secrets));
        assert!(!hides("connection.password", "[hidden] ", &secrets));
    }
}
