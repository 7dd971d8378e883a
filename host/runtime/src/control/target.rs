//! What a connector is to be, as somebody said it last: kept in [`Store::Configs`] below `target/`.

use linkspan_log::{KvPut, LogBackend, Store};
use serde::{Deserialize, Serialize};

/// Prefix of the keys.
const PREFIX: &str = "target/";

/// The state that a connector is to be in. Stored with Kafka Connect's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Target {
    /// Its tasks work.
    #[default]
    Started,
    /// Its tasks, if it has any, hold still with all they have open.
    Paused,
    /// It has no tasks.
    Stopped,
}

impl Target {
    /// Reads `RUNNING`, `PAUSED` or `STOPPED`, in any case, as `initial_state` says it.
    #[must_use]
    pub fn from_initial_state(text: &str) -> Option<Self> {
        match text.to_ascii_uppercase().as_str() {
            "RUNNING" => Some(Self::Started),
            "PAUSED" => Some(Self::Paused),
            "STOPPED" => Some(Self::Stopped),
            _ => None,
        }
    }

    /// The state as people see it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Started => "RUNNING",
            Self::Paused => "PAUSED",
            Self::Stopped => "STOPPED",
        }
    }
}

/// What is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredTarget {
    pub(crate) state: Target,
    /// Milliseconds since 1970.
    pub(crate) since_ms: i64,
}

pub(crate) fn key(name: &str) -> Vec<u8> {
    format!("{PREFIX}{name}").into_bytes()
}

pub(crate) fn put(name: &str, state: Target, now_ms: i64) -> KvPut {
    let stored = StoredTarget {
        state,
        since_ms: now_ms,
    };
    KvPut {
        store: Store::Configs,
        key: key(name).into(),
        // A struct of a word and a number always serializes.
        value: Some(serde_json::to_vec(&stored).unwrap_or_default().into()),
    }
}

/// Returns what was stored; what cannot be read counts as nothing and is said in the log.
pub(crate) fn read(log: &dyn LogBackend, name: &str) -> linkspan_log::Result<Option<Target>> {
    let Some(bytes) = log.get(Store::Configs, &key(name))? else {
        return Ok(None);
    };
    match serde_json::from_slice::<StoredTarget>(&bytes) {
        Ok(stored) => Ok(Some(stored.state)),
        Err(error) => {
            tracing::warn!(connector = name, %error, "the stored target state cannot be read; the connector runs");
            Ok(None)
        }
    }
}
