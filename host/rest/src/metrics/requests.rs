//! Counts requests of the network listener. Routes are a closed list, so that no client can make labels.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use axum::http::Method;

/// First words of paths under `/api/v1/`.
const API: [(&str, &str); 18] = [
    ("fleet", "/api/v1/fleet"),
    ("host", "/api/v1/host"),
    ("whoami", "/api/v1/whoami"),
    ("pipelines", "/api/v1/pipelines"),
    ("connectors", "/api/v1/connectors"),
    ("topics", "/api/v1/topics"),
    ("groups", "/api/v1/groups"),
    ("dlq", "/api/v1/dlq"),
    ("runs", "/api/v1/runs"),
    ("jobs", "/api/v1/jobs"),
    ("plugins", "/api/v1/plugins"),
    ("log", "/api/v1/log"),
    ("events", "/api/v1/events"),
    ("explain", "/api/v1/explain"),
    ("validate", "/api/v1/validate"),
    ("transforms", "/api/v1/transforms"),
    ("config", "/api/v1/config"),
    ("audit", "/api/v1/audit"),
];
/// First words of all other paths.
const REST: [&str; 8] = [
    "/connectors",
    "/connector-plugins",
    "/admin",
    "/health",
    "/livez",
    "/readyz",
    "/metrics",
    "/ui",
];
/// What no list knows.
const OTHER: &str = "other";

type Key = (&'static str, &'static str, u16);

/// All requests of this process.
pub(crate) static REQUESTS: Requests = Requests(Mutex::new(BTreeMap::new()));

/// Requests by route, method and status.
#[derive(Debug)]
pub(crate) struct Requests(Mutex<BTreeMap<Key, u64>>);

impl Requests {
    /// Counts one.
    pub(crate) fn count(&self, route: &'static str, method: &'static str, status: u16) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry((route, method, status)).or_default() += 1;
    }

    /// Calls `each` with every count.
    pub(super) fn each(&self, mut each: impl FnMut(&Key, u64)) {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, count) in counts.iter() {
            each(key, *count);
        }
    }
}

/// The route of a path.
pub(crate) fn route(path: &str) -> &'static str {
    let first = |text: &str| text.split('/').next().unwrap_or_default().to_owned();
    if path == "/" {
        return "/";
    }
    if let Some(rest) = path.strip_prefix("/api/v1/") {
        let word = first(rest);
        let known = API.iter().find(|(known, _)| *known == word);
        return known.map_or(OTHER, |(_, route)| route);
    }
    let word = first(path.trim_start_matches('/'));
    let known = REST
        .iter()
        .find(|known| known.trim_start_matches('/') == word);
    known.copied().unwrap_or(OTHER)
}

/// The method's word, of a closed list as well.
pub(crate) fn word(method: &Method) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    let known = KNOWN.iter().find(|known| **known == method.as_str());
    known.copied().unwrap_or("OTHER")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_a_closed_list() {
        for (path, expected) in [
            ("/", "/"),
            ("/connectors/a%2Fb/status", "/connectors"),
            ("/connectorsx", OTHER),
            ("/api/v1/topics/lines/records", "/api/v1/topics"),
            ("/api/v1/nothing", OTHER),
            ("/ui/main.js", "/ui"),
        ] {
            assert_eq!(route(path), expected, "{path}");
        }
        assert_eq!(word(&Method::GET), "GET");
        assert_eq!(word(&Method::from_bytes(b"BREW").unwrap()), "OTHER");
    }
}
