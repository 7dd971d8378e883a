//! The network listener of a run that lasts: Kafka Connect's REST interface and `/api/v1`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use linkspan_rest::connect::ConnectHost;
use linkspan_rest::{Front, Names};
use tokio::net::TcpListener;

use crate::args::RunArgs;
use crate::exit::{Exit, Failure};
use crate::terminal;

/// Where it listens unless told otherwise: Kafka Connect's port, on this machine only.
const DEFAULT: &str = "127.0.0.1:8083";

/// Where to listen, and whether somebody said so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wish {
    address: SocketAddr,
    said: bool,
}

/// What a host without a listener calls itself.
pub(super) const UNHEARD: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

impl Wish {
    /// Whether somebody asked for it.
    pub(super) fn said(&self) -> bool {
        self.said
    }
}

/// Reads `--listen`, then `host.listen`; `None`: nowhere.
///
/// # Errors
/// It is no address, or not one of this machine's own (exit 2).
pub(super) fn wish(args: &RunArgs, setting: Option<&str>) -> Result<Option<Wish>, Failure> {
    if args.once {
        return Ok(None);
    }
    parse(args.listen.as_deref().or(setting))
}

fn parse(said: Option<&str>) -> Result<Option<Wish>, Failure> {
    if said == Some("none") {
        return Ok(None);
    }
    let text = said.unwrap_or(DEFAULT);
    let written = text
        .strip_prefix("localhost:")
        .map(|port| format!("127.0.0.1:{port}"));
    let address: SocketAddr = written.as_deref().unwrap_or(text).parse().map_err(|_| {
        Failure::new(
            Exit::Invalid,
            "LS0220",
            format!("--listen {text}: expected ADDRESS:PORT such as {DEFAULT}, or none"),
        )
    })?;
    if !address.ip().is_loopback() {
        return Err(Failure::new(
            Exit::Invalid,
            "LS0622",
            format!("--listen {text}: others could reach this address, and this version has neither users nor TLS yet"),
        )
        .help("listen on 127.0.0.1 and put a proxy that authenticates in front of it"));
    }
    Ok(Some(Wish {
        address,
        said: said.is_some(),
    }))
}

/// Takes the port. One that nobody asked for and that is taken is a warning only.
///
/// # Errors
/// The port cannot be had (exit 3).
pub(super) fn bind(
    runtime: &tokio::runtime::Runtime,
    wish: &Wish,
) -> Result<Option<(TcpListener, SocketAddr)>, Failure> {
    let bound = runtime.block_on(async {
        let listener = TcpListener::bind(wish.address).await?;
        let address = listener.local_addr()?;
        Ok::<_, std::io::Error>((listener, address))
    });
    match bound {
        Ok(bound) => Ok(Some(bound)),
        Err(error) if !wish.said => {
            terminal::warning(
                "LS0705",
                &format!(
                    "no REST interface: could not listen on {}: {error} (choose another address with `--listen`, or `--listen none`)",
                    wish.address
                ),
            );
            Ok(None)
        }
        Err(error) => Err(Failure::new(
            Exit::Environment,
            "LS0705",
            format!("could not listen on {}: {error}", wish.address),
        )
        .help("another program has the port; choose another one with `--listen`")),
    }
}

/// Serves until the runtime ends.
pub(super) fn serve(
    runtime: &tokio::runtime::Runtime,
    (listener, address): (TcpListener, SocketAddr),
    api: axum::Router,
    host: Arc<dyn ConnectHost>,
) {
    let front = Front::new(Names::new(address, Vec::new()), api, host);
    runtime.spawn(linkspan_rest::listen::serve(listener, move |request| {
        let front = front.clone();
        async move { front.respond(request).await }
    }));
    terminal::note(&format!("REST on http://{address}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_this_machine() {
        let at =
            |text: Option<&str>| parse(text).map(|wish| wish.map(|wish| wish.address.to_string()));
        assert_eq!(at(None).unwrap().as_deref(), Some(DEFAULT));
        assert_eq!(at(Some("none")).unwrap(), None);
        assert_eq!(
            at(Some("localhost:1")).unwrap().as_deref(),
            Some("127.0.0.1:1")
        );
        assert_eq!(at(Some("[::1]:0")).unwrap().as_deref(), Some("[::1]:0"));
        for bad in ["0.0.0.0:8083", "10.0.0.1:1", "8083", "example.org:1"] {
            assert_eq!(at(Some(bad)).unwrap_err().exit, Exit::Invalid, "{bad}");
        }
    }
}
