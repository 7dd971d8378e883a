//! What is checked of every request that comes over the network, before anything looks at it: which name it was sent to and
//! which page sent it. A page of a foreign site must not be able to command a host on the same machine (DESIGN §14, S10).

use std::net::{IpAddr, SocketAddr};

use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, Method};

use crate::refusal::Refusal;

/// Names that a listener answers to.
#[derive(Debug, Clone)]
pub struct Names {
    address: SocketAddr,
    more: Vec<String>,
}

impl Names {
    /// The names of a listener at an address, and further ones that the operator declared.
    #[must_use]
    pub fn new(address: SocketAddr, more: Vec<String>) -> Self {
        Self { address, more }
    }

    /// Checks `Host`, and `Origin` where something changes.
    ///
    /// # Errors
    /// 421 for a name that is not this host's (DNS rebinding), 403 for a foreign page.
    pub fn check(&self, method: &Method, headers: &HeaderMap) -> Result<(), Refusal> {
        if let Some(host) = headers.get(HOST) {
            let host = host.to_str().unwrap_or_default();
            if !self.is_ours(host) {
                return Err(Refusal::new(
                    421,
                    "LS0620",
                    format!("`Host: {}` is no name of this host", host.escape_debug()),
                )
                .help("use its IP address or `localhost`, or name it in `host.listen.names`"));
            }
        }
        let changes = !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
        if let Some(origin) = headers.get(ORIGIN).filter(|_| changes) {
            let origin = origin.to_str().unwrap_or_default();
            let own = origin
                .split_once("://")
                .is_some_and(|(_, host)| self.is_ours(host));
            if !own {
                return Err(Refusal::new(
                    403,
                    "LS0621",
                    format!(
                        "a page of `{}` may not change anything here",
                        origin.escape_debug()
                    ),
                ));
            }
        }
        Ok(())
    }

    fn is_ours(&self, host: &str) -> bool {
        let name = without_port(host);
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        // An address cannot be rebound; a name can.
        bare.parse::<IpAddr>().is_ok()
            || bare.eq_ignore_ascii_case("localhost")
            || self.more.iter().any(|own| own.eq_ignore_ascii_case(bare))
            || self.address.to_string() == host
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !name.ends_with(':') => {
            name
        }
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(host: &str, origin: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().unwrap());
        }
        headers
    }

    #[test]
    fn foreign_names_and_pages_are_refused() {
        let names = Names::new(
            "127.0.0.1:8083".parse().unwrap(),
            vec!["hub.lan".to_owned()],
        );
        for (method, host, origin, status) in [
            (Method::GET, "127.0.0.1:8083", None, 0),
            (Method::GET, "localhost", None, 0),
            (Method::GET, "[::1]:8083", None, 0),
            (Method::GET, "HUB.lan:1", None, 0),
            (Method::GET, "evil.example:8083", None, 421),
            (Method::GET, "127.0.0.1", Some("http://evil.example"), 0),
            (Method::POST, "127.0.0.1", Some("http://evil.example"), 403),
            (Method::POST, "127.0.0.1", Some("null"), 403),
            (Method::PUT, "127.0.0.1", Some("http://localhost:8083"), 0),
            (Method::DELETE, "127.0.0.1", None, 0),
        ] {
            let got = names.check(&method, &headers(host, origin));
            assert_eq!(
                got.err().map_or(0, |r| r.error_code),
                status,
                "{method} {host} {origin:?}"
            );
        }
    }
}
