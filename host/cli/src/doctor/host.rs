//! The host: whether it answers, and whether the address it would listen on is free.

use std::net::{TcpListener, ToSocketAddrs as _};
use std::path::Path;

use super::Finding;
use crate::client::{self, Host};

/// The host that holds the data directory.
pub(super) fn beside(data: &Path) -> Finding {
    const CHECK: &str = "host";
    let asked = client::runtime().and_then(|runtime| {
        runtime.block_on(Host::beside(data).call("GET", "/api/v1/connectors", None))
    });
    match asked {
        Ok(connectors) => {
            let n = connectors.as_array().map_or(0, Vec::len);
            Finding::ok(CHECK, format!("answers on its socket, {n} connectors"))
        }
        Err(failure) => Finding::fail(CHECK, failure.message, failure.help.unwrap_or_default()),
    }
}

/// A host elsewhere: whether it can be reached, is ready, and takes our token.
pub(super) fn elsewhere(host: &Host) -> Vec<Finding> {
    let runtime = match client::runtime() {
        Ok(runtime) => runtime,
        Err(failure) => return vec![Finding::fail("host", failure.message, "try again")],
    };
    let ask = |check: &'static str, path: &str, good: &str| {
        let asked = runtime.block_on(host.call("GET", path, None));
        match asked {
            Ok(_) => Finding::ok(check, good),
            Err(failure) => Finding::fail(check, failure.message, failure.help.unwrap_or_default()),
        }
    };
    let reached = ask("reachable", "/livez", "it answers");
    if reached.verdict == super::Verdict::Fail {
        return vec![reached];
    }
    vec![
        reached,
        ask("ready", "/readyz", "it serves"),
        ask("access", "/api/v1/connectors", "commands are taken"),
    ]
}

/// Whether a host could listen there; `held`: the host of this data directory may be the one that does.
pub(super) fn port(listen: &str, held: bool) -> Finding {
    const CHECK: &str = "port";
    let addresses = match listen.to_socket_addrs() {
        Ok(addresses) => addresses.collect::<Vec<_>>(),
        Err(error) => {
            return Finding::fail(
                CHECK,
                format!("{listen}: {error}"),
                "write ADDRESS:PORT, for example 127.0.0.1:8083",
            );
        }
    };
    match TcpListener::bind(addresses.as_slice()) {
        Ok(_) => Finding::ok(CHECK, format!("{listen} is free")),
        Err(_) if held => Finding::ok(CHECK, format!("{listen} is in use, and a host runs here")),
        Err(error) => Finding::warn(
            CHECK,
            format!("{listen}: {error}"),
            "another program has it (ss -ltnp says which); choose another address with `run --listen`",
        ),
    }
}
