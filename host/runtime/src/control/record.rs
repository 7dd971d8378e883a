//! What the host remembers of a connector of a file: [`Store::Configs`], below `connector/`. No option's value is in it.

use std::collections::BTreeMap;

use linkspan_log::{KvPut, LogBackend, Store};
use serde::{Deserialize, Serialize};

use crate::spec::{ConnectorSpec, KindOfConnector};

/// Prefix of the keys.
const PREFIX: &str = "connector/";

/// One remembered connector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The class.
    pub class: String,
    /// `source` or `sink`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Topics that a sink reads.
    pub topics: Vec<String>,
    /// `file:line` where it stands, or stood.
    pub origin: String,
    /// Hash of its configuration, placeholders unresolved.
    pub fingerprint: String,
    /// The name whose offsets it took over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_from: Option<String>,
}

impl Record {
    pub(crate) fn of(spec: &ConnectorSpec) -> Self {
        Self {
            class: spec.class.clone(),
            kind: spec.kind.word().to_owned(),
            topics: spec.topics.iter().map(ToString::to_string).collect(),
            origin: spec.origin.clone(),
            fingerprint: spec.fingerprint.clone(),
            moved_from: spec.moved_from.clone(),
        }
    }

    pub(crate) fn kind(&self) -> KindOfConnector {
        if self.kind == "sink" {
            KindOfConnector::Sink
        } else {
            KindOfConnector::Source
        }
    }

    pub(crate) fn put(&self, name: &str) -> KvPut {
        KvPut {
            store: Store::Configs,
            key: key(name).into(),
            // A struct of texts always serializes.
            value: Some(serde_json::to_vec(self).unwrap_or_default().into()),
        }
    }
}

pub(crate) fn key(name: &str) -> Vec<u8> {
    format!("{PREFIX}{name}").into_bytes()
}

/// Returns one remembered connector.
pub(crate) fn read(log: &dyn LogBackend, name: &str) -> linkspan_log::Result<Option<Record>> {
    Ok(log
        .get(Store::Configs, &key(name))?
        .and_then(|bytes| parse(name, &bytes)))
}

/// Returns all remembered connectors, by name.
pub(crate) fn all(log: &dyn LogBackend) -> linkspan_log::Result<BTreeMap<String, Record>> {
    Ok(log
        .scan(Store::Configs, PREFIX.as_bytes())?
        .into_iter()
        .filter_map(|(key, value)| {
            let name = std::str::from_utf8(key.get(PREFIX.len()..)?).ok()?;
            Some((name.to_owned(), parse(name, &value)?))
        })
        .collect())
}

fn parse(name: &str, bytes: &[u8]) -> Option<Record> {
    serde_json::from_slice(bytes)
        .inspect_err(|error| {
            tracing::warn!(connector = name, %error, "what is stored of the connector cannot be read");
        })
        .ok()
}
