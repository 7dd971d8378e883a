//! The ports on which this process itself listens, which no URL of a configuration may reach.
//!
//! The kernel is asked (`/proc/self`), so that every interface of the host counts, whoever opened it. Listeners of webhooks are meant to be
//! called and are left out: they announce themselves.

use std::collections::HashSet;
use std::fs;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long an answer of the kernel counts.
const FRESH: Duration = Duration::from_secs(1);
/// The state of a listening socket in `/proc/net/tcp`.
const LISTEN: &str = "0A";

static WEBHOOKS: Mutex<Vec<SocketAddr>> = Mutex::new(Vec::new());
static PORTS: Mutex<Option<(Instant, HashSet<u16>)>> = Mutex::new(None);

/// A webhook's listener, for as long as this lives.
#[derive(Debug)]
pub(crate) struct Announced(SocketAddr);

impl Announced {
    pub(crate) fn new(address: SocketAddr) -> Self {
        WEBHOOKS
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(address);
        Self(address)
    }
}

impl Drop for Announced {
    fn drop(&mut self) {
        let mut open = WEBHOOKS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = open.iter().position(|address| *address == self.0) {
            open.swap_remove(at);
        }
    }
}

/// Returns whether this process listens on the port, other than for a webhook.
pub(crate) fn is_own_port(port: u16) -> bool {
    let webhook = WEBHOOKS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .iter()
        .any(|open| open.port() == port);
    if webhook {
        return false;
    }
    let mut known = PORTS.lock().unwrap_or_else(PoisonError::into_inner);
    let now = Instant::now();
    match &*known {
        Some((at, ports)) if now.saturating_duration_since(*at) < FRESH => ports.contains(&port),
        _ => {
            let ports = listening();
            let own = ports.contains(&port);
            *known = Some((now, ports));
            own
        }
    }
}

/// Returns whether an address is this machine's: what can be bound is.
pub(crate) fn is_this_machine(address: IpAddr) -> bool {
    address.is_loopback() || address.is_unspecified() || UdpSocket::bind((address, 0)).is_ok()
}

/// Returns the ports of this process's listening sockets. What cannot be read is no port: the rest of the policy still holds.
fn listening() -> HashSet<u16> {
    let mut inodes = HashSet::new();
    for entry in fs::read_dir("/proc/self/fd")
        .into_iter()
        .flatten()
        .flatten()
    {
        let target = fs::read_link(entry.path()).unwrap_or_default();
        let inode = target.to_str().and_then(|text| {
            text.strip_prefix("socket:[")?
                .strip_suffix(']')?
                .parse::<u64>()
                .ok()
        });
        inodes.extend(inode);
    }
    let mut ports = HashSet::new();
    for table in ["/proc/self/net/tcp", "/proc/self/net/tcp6"] {
        let text = fs::read_to_string(table).unwrap_or_default();
        ports.extend(
            text.lines()
                .skip(1)
                .filter_map(|line| listening_port(line, &inodes)),
        );
    }
    ports
}

/// Reads one line of `/proc/net/tcp`: number, local address `HEX:PORT`, remote address, state, …, inode as the tenth field.
fn listening_port(line: &str, inodes: &HashSet<u64>) -> Option<u16> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let inode = fields.get(9)?.parse().ok()?;
    if fields.get(3) != Some(&LISTEN) || !inodes.contains(&inode) {
        return None;
    }
    u16::from_str_radix(fields.get(1)?.rsplit_once(':')?.1, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_of_this_process_is_known_and_a_webhook_is_left_out() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert!(listening().contains(&address.port()));
        let announced = Announced::new(address);
        assert!(!is_own_port(address.port()));
        drop(announced);
        *PORTS.lock().unwrap() = None;
        assert!(is_own_port(address.port()));
        drop(listener);
        assert!(!listening().contains(&address.port()));
    }

    #[test]
    fn addresses_of_others_are_not_this_machine() {
        assert!(is_this_machine("127.0.0.1".parse().unwrap()));
        assert!(!is_this_machine("192.0.2.1".parse().unwrap()));
    }
}
