//! Configurations for those who may not change them: the same, without what is secret in it.
//!
//! Kafka Connect gives a configuration back as it was given, and clients that compare it rely on that; so an admin gets it whole.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Call;
use super::host::{ConnectHost, ConnectorInfo, Listed};
use crate::refusal::Refusal;

/// What stands for a secret.
const HIDDEN: &str = "[hidden]";
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
    let lower = key.to_ascii_lowercase();
    let is_secret = secrets.iter().any(|secret| secret == key)
        || SECRET_WORDS.iter().any(|word| lower.contains(word));
    if is_secret {
        // A placeholder says where a secret is, not what it is.
        let refers =
            value.starts_with("${") && value.ends_with('}') && value.matches("${").count() == 1;
        let hidden = value == "***";
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

/// An address without the password in it; `None`: it has none.
fn without_password(value: &str) -> Option<String> {
    let (scheme, rest) = value.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end)?;
    let (login, host) = authority.rsplit_once('@')?;
    let (user, password) = login.split_once(':')?;
    if password.is_empty() || password.starts_with("${") {
        return None;
    }
    Some(format!("{scheme}://{user}:{HIDDEN}@{host}{path}"))
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
        }
    }
}
