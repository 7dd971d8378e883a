//! Where requests may go: schemes, addresses, ports.
//!
//! A URL is checked before each request and on each redirect, on the addresses that its host *resolves* to, whatever way the host is
//! written. The checked addresses are pinned, and the client connects to those and no others, so that a name cannot answer the check with
//! one address and the connection with another.
//!
//! Always denied: schemes other than those allowed, link-local addresses (metadata services of clouds), unspecified and multicast addresses,
//! and this process's own ports. `egress.allow` makes exceptions.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use linkspan_sdk::OptionValue;
use linkspan_sdk::prelude::*;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use crate::own;

/// How long checked addresses are used for connections.
const PINNED: Duration = Duration::from_secs(60);
/// After how long they are looked up anew by a check: always before they stop being used.
const LOOKED_UP: Duration = Duration::from_secs(30);
/// Most names that are remembered.
const NAMES_MAX: usize = 1_000;

/// What may be reached.
#[derive(Debug, Clone, Options)]
pub(crate) struct EgressOptions {
    /// The schemes that URLs may have.
    #[option(
        name = "egress.schemes",
        default = "[\"http\",\"https\"]",
        group = "egress"
    )]
    pub(crate) schemes: Vec<String>,
    /// Whether private, loopback and unique-local addresses may be reached.
    #[option(name = "egress.private", default = "true", group = "egress")]
    pub(crate) private: bool,
    /// Exceptions from what is denied: addresses (`169.254.1.1`), ranges (`10.0.0.0/8`) or addresses with a port
    /// (`127.0.0.1:8083`).
    #[option(name = "egress.allow", default = "[]", group = "egress")]
    pub(crate) allow: Vec<Exception>,
}

/// An exception: a range of addresses, all ports or one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exception {
    network: IpAddr,
    bits: u8,
    port: Option<u16>,
}

impl OptionValue for Exception {
    const KIND: &'static str = "string";

    fn parse(_name: &str, text: &str) -> Result<Self, String> {
        let wrong =
            || "an address, a range such as `10.0.0.0/8`, or an address with a port".to_owned();
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(Self {
                network: address.ip(),
                bits: full(address.ip()),
                port: Some(address.port()),
            });
        }
        let (address, bits) = text
            .split_once('/')
            .map_or((text, None), |(address, bits)| (address, Some(bits)));
        let network: IpAddr = address.parse().map_err(|_| wrong())?;
        let bits = match bits {
            None => full(network),
            Some(bits) => bits
                .parse()
                .ok()
                .filter(|bits| *bits <= full(network))
                .ok_or_else(wrong)?,
        };
        Ok(Self {
            network,
            bits,
            port: None,
        })
    }
}

const fn full(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

impl Exception {
    fn holds(&self, address: IpAddr, port: Option<u16>) -> bool {
        if self.port.is_some() && self.port != port {
            return false;
        }
        let (network, address) = (number(self.network), number(address));
        let Some(((network, width), (address, other))) = network.zip(address) else {
            return false;
        };
        let shift = u32::from(width.saturating_sub(self.bits));
        width == other
            && network.checked_shr(shift).unwrap_or(0) == address.checked_shr(shift).unwrap_or(0)
    }
}

fn number(address: IpAddr) -> Option<(u128, u8)> {
    Some(match address {
        IpAddr::V4(address) => (u128::from(u32::from(address)), 32),
        IpAddr::V6(address) => (u128::from(address), 128),
    })
}

/// Why a URL is not asked. The texts name what to set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EgressError {
    #[error("the scheme `{0}` is not among `egress.schemes`")]
    Scheme(String),
    #[error("the URL has no host")]
    NoHost,
    #[error("{0} is {1}, which is denied; `egress.allow` can make an exception")]
    Address(IpAddr, &'static str),
    #[error(
        "{0} is a port on which this process listens, which is denied; `egress.allow` can make an exception"
    )]
    OwnPort(SocketAddr),
    #[error("`{host}` could not be resolved: {error}")]
    Unresolved { host: String, error: String },
}

/// Checks URLs and pins what they resolve to.
#[derive(Debug, Clone)]
pub(crate) struct Egress(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    options: EgressOptions,
    /// Guards the map only; never held across a wait.
    pinned: Mutex<HashMap<String, (Instant, Vec<IpAddr>)>>,
}

impl Egress {
    pub(crate) fn new(options: &EgressOptions) -> Self {
        Self(Arc::new(Inner {
            options: options.clone(),
            pinned: Mutex::default(),
        }))
    }

    /// Checks one URL.
    ///
    /// # Errors
    /// Says what is denied, or that the name does not resolve.
    pub(crate) async fn check(&self, url: &Url) -> Result<(), EgressError> {
        if !self
            .0
            .options
            .schemes
            .iter()
            .any(|scheme| scheme == url.scheme())
        {
            return Err(EgressError::Scheme(url.scheme().to_owned()));
        }
        let port = url.port_or_known_default().unwrap_or(0);
        let addresses = match url.host().ok_or(EgressError::NoHost)? {
            Host::Ipv4(address) => vec![IpAddr::V4(address)],
            Host::Ipv6(address) => vec![IpAddr::V6(address)],
            Host::Domain(name) => self.0.resolve(name, LOOKED_UP).await?,
        };
        for address in addresses {
            self.0.permits(address, Some(port))?;
            let at = SocketAddr::new(address, port);
            if own::is_own_port(port)
                && own::is_this_machine(plain(address))
                && !self.0.excepted(address, Some(port))
            {
                return Err(EgressError::OwnPort(at));
            }
        }
        Ok(())
    }
}

impl Inner {
    fn excepted(&self, address: IpAddr, port: Option<u16>) -> bool {
        let address = plain(address);
        self.options
            .allow
            .iter()
            .any(|exception| exception.holds(address, port))
    }

    fn permits(&self, address: IpAddr, port: Option<u16>) -> Result<(), EgressError> {
        match denied(plain(address), self.options.private) {
            Some(what) if !self.excepted(address, port) => {
                Err(EgressError::Address(plain(address), what))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Returns what a name resolves to, pinned for the connection that follows.
    async fn resolve(&self, name: &str, fresh: Duration) -> Result<Vec<IpAddr>, EgressError> {
        if let Some(known) = self.pinned(name, fresh) {
            return Ok(known);
        }
        let failed = |error: String| EgressError::Unresolved {
            host: name.to_owned(),
            error,
        };
        let found = tokio::net::lookup_host((name, 0))
            .await
            .map_err(|error| failed(error.to_string()))?;
        let addresses: Vec<IpAddr> = found.map(|address| address.ip()).collect();
        if addresses.is_empty() {
            return Err(failed("it has no address".to_owned()));
        }
        let mut pinned = self.pinned.lock().unwrap_or_else(PoisonError::into_inner);
        if pinned.len() >= NAMES_MAX {
            pinned.clear();
        }
        pinned.insert(name.to_owned(), (Instant::now(), addresses.clone()));
        Ok(addresses)
    }

    fn pinned(&self, name: &str, fresh: Duration) -> Option<Vec<IpAddr>> {
        let pinned = self.pinned.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, addresses) = pinned.get(name)?;
        (at.elapsed() < fresh).then(|| addresses.clone())
    }
}

/// The client's resolver: what was checked, or what passes the check of addresses (the name of a proxy, which no URL check saw).
impl Resolve for Egress {
    fn resolve(&self, name: Name) -> Resolving {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            let addresses = inner.resolve(name.as_str(), PINNED).await?;
            for address in &addresses {
                inner.permits(*address, None)?;
            }
            Ok(Box::new(
                addresses
                    .into_iter()
                    .map(|address| SocketAddr::new(address, 0)),
            ) as Addrs)
        })
    }
}

/// Returns the IPv4 address inside an IPv6 one, if there is one: mapped, compatible, NAT64 and 6to4 forms lead to it.
fn plain(address: IpAddr) -> IpAddr {
    let IpAddr::V6(six) = address else {
        return address;
    };
    if let Some(four) = six.to_ipv4_mapped() {
        return IpAddr::V4(four);
    }
    let [a, b, c, d, e, f, high, low] = six.segments();
    let four = |high: u16, low: u16| {
        let [one, two] = high.to_be_bytes();
        let [three, four] = low.to_be_bytes();
        IpAddr::V4(Ipv4Addr::new(one, two, three, four))
    };
    match (a, b, c, d, e, f) {
        (0x64, 0xff9b, 0, 0, 0, 0) => four(high, low),
        (0, 0, 0, 0, 0, 0) if (high, low) > (0, 1) => four(high, low),
        (0x2002, b, c, _, _, _) => four(b, c),
        _ => address,
    }
}

fn denied(address: IpAddr, private: bool) -> Option<&'static str> {
    let (link_local, is_private) = match address {
        IpAddr::V4(four) => {
            let shared = four.octets()[0] == 100 && (64..128).contains(&four.octets()[1]);
            (
                four.is_link_local() || four.is_broadcast(),
                four.is_private() || four.is_loopback() || shared,
            )
        }
        IpAddr::V6(six) => (
            six.is_unicast_link_local(),
            six.is_unique_local() || six.is_loopback(),
        ),
    };
    if link_local {
        Some("a link-local address")
    } else if address.is_unspecified() {
        Some("an unspecified address")
    } else if address.is_multicast() {
        Some("a multicast address")
    } else if is_private && !private {
        Some("a private address, and `egress.private` is false")
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
