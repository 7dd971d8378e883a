//! Counts requests of the network listener. Routes are a closed list, so that no client can make labels.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use axum::http::Method;

/// Where the routes of the table begin.
const API: &str = "/api/v1/";
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
    if let Some(rest) = path.strip_prefix(API) {
        let word = first(rest);
        let of = |route: &'static crate::routes::Route| {
            let known = route.path.strip_prefix(API)?.split('/').next()?;
            (known == word).then(|| route.path.get(..API.len() + known.len()))?
        };
        return crate::routes::all().find_map(of).unwrap_or(OTHER);
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
            ("/api/v1/openapi.json", "/api/v1/openapi.json"),
            ("/api/v1/nothing", OTHER),
            ("/ui/main.js", "/ui"),
        ] {
            assert_eq!(route(path), expected, "{path}");
        }
        assert_eq!(word(&Method::GET), "GET");
        assert_eq!(word(&Method::from_bytes(b"BREW").unwrap()), "OTHER");
    }
}
