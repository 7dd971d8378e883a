//! A worker's `.properties`: what of it has a counterpart in `host:`, and why the rest needs none.

use super::{KeyFate, KeyReport, Pair, section};
use crate::connector::role_of;
use crate::report::Report;
use crate::source::Span;
use crate::yaml::{Entry, Node};

/// Keys that become settings of the host: Connect's name, ours.
const MAPPED: [(&str, &str); 1] = [("plugin.path", "plugins")];

/// What keeps its name, beside converters: the providers of placeholders.
const PROVIDERS: &str = "config.providers";

/// Why a key of a worker has no effect: a prefix and the reason; the first that fits.
const REASONS: [(&str, bool, &str); 11] = [
    (
        "bootstrap.servers",
        false,
        "topics are in the built-in log; `log.backend: kafka` is not built yet",
    ),
    ("group.id", false, "one host needs no group"),
    ("listeners", true, "the REST interface is not built yet"),
    ("rest.", true, "the REST interface is not built yet"),
    (
        "admin.listeners",
        true,
        "the REST interface is not built yet",
    ),
    (
        "offset.flush",
        true,
        "positions are committed with the records",
    ),
    (
        "offset.storage",
        true,
        "positions are in the data directory",
    ),
    ("config.storage", true, "configurations are in files"),
    ("status.storage", true, "states are in the data directory"),
    (
        "internal.",
        true,
        "the host stores its state in a form of its own",
    ),
    (
        "plugin.discovery",
        false,
        "plugins are found by reading their symbols",
    ),
];

/// Turns a worker's file into settings of the host; every key is accounted for.
pub(super) fn read(report: &mut Report, whole: Span, pairs: Vec<Pair>) -> Node {
    let mut settings = Vec::new();
    for pair in pairs {
        let location = report.sources.location(pair.key_span);
        let plain = MAPPED.iter().find(|(theirs, _)| *theirs == pair.key);
        let mapped = match plain {
            Some((_, ours)) => Some(*ours),
            None => Some(pair.key.as_str())
                .filter(|key| key.starts_with(PROVIDERS) || role_of(key).is_some()),
        };
        let (fate, why) = match mapped {
            Some(ours) => (KeyFate::Mapped(format!("host.{ours}")), String::new()),
            None => fate_of(&pair.key),
        };
        report.keys.push(KeyReport {
            location,
            key: pair.key.clone(),
            fate,
            why,
        });
        if let Some(ours) = mapped {
            let kind = match ours {
                PROVIDERS | "plugins" => list(&pair),
                _ => Node::scalar(&pair.value, pair.value_span).kind,
            };
            settings.push(Entry {
                key: ours.to_owned(),
                key_span: pair.key_span,
                value: Node {
                    kind,
                    span: pair.value_span,
                },
            });
        }
    }
    section(whole, "host", settings)
}

/// A list with commas.
fn list(pair: &Pair) -> crate::yaml::Kind {
    let items = pair
        .value
        .split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty());
    crate::yaml::Kind::List(
        items
            .map(|item| Node::scalar(item, pair.value_span))
            .collect(),
    )
}

fn fate_of(key: &str) -> (KeyFate, String) {
    let reason = REASONS
        .iter()
        .find(|(name, prefix, _)| *name == key || (*prefix && key.starts_with(name)));
    match reason {
        Some((_, _, why)) if why.contains("not built yet") => {
            (KeyFate::Unsupported, (*why).to_owned())
        }
        Some((_, _, why)) => (KeyFate::Ignored, (*why).to_owned()),
        None => (
            KeyFate::Ignored,
            "a setting of a Kafka Connect worker that has no counterpart here".to_owned(),
        ),
    }
}
