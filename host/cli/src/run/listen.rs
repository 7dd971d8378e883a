//! The network listener of a run that lasts: Kafka Connect's REST interface and `/api/v1`, for whom it is meant.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use linkspan_config::AccessSettings;
use linkspan_rest::connect::ConnectHost;
use linkspan_rest::listen::Limits;
use linkspan_rest::{Access, Audit, Front, Names, Tls};
use linkspan_types::error_chain;
use tokio::net::TcpListener;

use super::access;
use crate::args::RunArgs;
use crate::exit::{Exit, Failure};
use crate::terminal;

/// Where it listens unless told otherwise: Kafka Connect's port, on this machine only.
const DEFAULT: &str = "127.0.0.1:8083";

/// How often certificate and key are looked at.
const TLS_LOOK_EVERY: Duration = Duration::from_secs(2);
/// How often a host that everybody can reach says so.
const WARN_EVERY: Duration = Duration::from_secs(3600);

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

    /// What an address that others can reach lacks.
    fn lacks(&self, access: &AccessSettings) -> Option<&'static str> {
        if self.address.ip().to_canonical().is_loopback() {
            return None;
        }
        match (access.asks(), access.tls.is_some()) {
            (true, true) => None,
            (true, false) => Some("no TLS"),
            (false, true) => Some("no users"),
            (false, false) => Some("neither users nor TLS"),
        }
    }

    /// Refuses an address that others can reach without users and TLS, unless that is wanted.
    ///
    /// # Errors
    /// It says what to write (exit 2).
    pub(super) fn check(&self, access: &AccessSettings, insecure: bool) -> Result<(), Failure> {
        let Some(lacks) = self.lacks(access).filter(|_| !insecure) else {
            return Ok(());
        };
        let users = "`users: {anna: {role: admin, password.hash: \"...\"}}` (`linkspan users hash` prints the hash)";
        let tls = "`listen: {tls: {cert: hub.pem, key: hub.key}}`";
        let write = match (access.asks(), access.tls.is_some()) {
            (false, false) => format!("{users} and {tls}"),
            (false, true) => users.to_owned(),
            (true, _) => tls.to_owned(),
        };
        Err(Failure::new(
            Exit::Invalid,
            "LS0622",
            format!("others can reach {}, and the host has {lacks}", self.address),
        )
        .help(format!("write {write} under `host:`, or listen on 127.0.0.1; configs/host/secured.yaml is an example")))
    }
}

/// Reads `--listen`, then `host.listen`; `None`: nowhere.
///
/// # Errors
/// It is no address (exit 2).
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

/// What stands between the network and the host.
pub(super) struct Door {
    pub(super) access: Arc<Access>,
    pub(super) tls: Option<Tls>,
    pub(super) audit: Arc<Audit>,
    /// Names that the operator declared.
    pub(super) names: Vec<String>,
    /// What an address that others can reach does without.
    pub(super) lacks: Option<&'static str>,
}

impl Door {
    /// Makes what the settings say.
    ///
    /// # Errors
    /// Certificate or key cannot be used, or there are no random numbers (exit 3).
    pub(super) fn new(
        wish: &Wish,
        settings: &AccessSettings,
        audit: Arc<Audit>,
    ) -> Result<Self, Failure> {
        Ok(Self {
            access: access::access(settings)?,
            tls: access::tls(settings)?,
            audit,
            names: settings.names.clone(),
            lacks: wish.lacks(settings),
        })
    }
}

/// Serves until the runtime ends.
pub(super) fn serve(
    runtime: &tokio::runtime::Runtime,
    (listener, address): (TcpListener, SocketAddr),
    api: axum::Router,
    host: Arc<dyn ConnectHost>,
    door: Door,
) {
    let scheme = if door.tls.is_some() { "https" } else { "http" };
    if let Some(tls) = door.tls.clone() {
        runtime.spawn(renew(tls));
    }
    if let Some(lacks) = door.lacks {
        runtime.spawn(async move {
            let mut ticks = tokio::time::interval(WARN_EVERY);
            loop {
                ticks.tick().await;
                let message = format!(
                    "others can reach {address}, and the host has {lacks} (--insecure-listen)"
                );
                terminal::warning("LS0622", &message);
            }
        });
    }
    let front = Front::new(Names::new(address, door.names), api, host)
        .guarded(door.access)
        .audited(door.audit);
    let answer = move |request| {
        let front = front.clone();
        async move { front.respond(request).await }
    };
    runtime.spawn(linkspan_rest::listen::serve(
        listener,
        door.tls,
        Limits::default(),
        answer,
    ));
    terminal::note(&format!("REST on {scheme}://{address}"));
}

/// Takes over certificate and key when their files change.
async fn renew(tls: Tls) {
    let mut ticks = tokio::time::interval(TLS_LOOK_EVERY);
    loop {
        ticks.tick().await;
        let files = tls.clone();
        let look = move || files.changed().then(|| read_again(&files));
        // One that panics is one look less.
        drop(tokio::task::spawn_blocking(look).await);
    }
}

/// Reads certificate and key again, and says what came of it.
pub(super) fn read_again(tls: &Tls) {
    match tls.reload() {
        Ok(()) => terminal::note("TLS: certificate and key were read again"),
        Err(error) => terminal::warning(
            "LS0629",
            &format!("TLS: {}; the old pair stays", error_chain(&error)),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_can_reach_needs_users_and_tls() {
        let users = |asks: bool, secure: bool| AccessSettings {
            tokens: asks
                .then(|| linkspan_config::TokenSetting {
                    name: "t".to_owned(),
                    role: linkspan_config::AccessRole::Viewer,
                    secret: linkspan_config::TokenSecret::Sha256([0; 32]),
                    expires_ms: None,
                })
                .into_iter()
                .collect(),
            tls: secure.then(|| linkspan_config::TlsSettings {
                cert: "c".into(),
                key: "k".into(),
            }),
            ..AccessSettings::default()
        };
        for (address, asks, secure, insecure, told) in [
            ("127.0.0.1:1", false, false, false, None),
            ("[::1]:1", false, false, false, None),
            ("[::ffff:127.0.0.1]:1", false, false, false, None),
            (
                "0.0.0.0:1",
                false,
                false,
                false,
                Some("neither users nor TLS"),
            ),
            ("[::]:1", true, false, false, Some("no TLS")),
            ("10.0.0.1:1", false, true, false, Some("no users")),
            ("10.0.0.1:1", true, true, false, None),
            ("10.0.0.1:1", false, false, true, None),
        ] {
            let wish = parse(Some(address)).unwrap().unwrap();
            let checked = wish.check(&users(asks, secure), insecure);
            let message = checked.err().map(|failure| failure.message);
            assert_eq!(message.is_some(), told.is_some(), "{address}");
            assert!(
                message
                    .unwrap_or_default()
                    .contains(told.unwrap_or_default())
            );
        }
    }

    #[test]
    fn addresses_are_numbers_or_localhost() {
        let at =
            |text: Option<&str>| parse(text).map(|wish| wish.map(|wish| wish.address.to_string()));
        assert_eq!(at(None).unwrap().as_deref(), Some(DEFAULT));
        assert_eq!(at(Some("none")).unwrap(), None);
        assert_eq!(
            at(Some("localhost:1")).unwrap().as_deref(),
            Some("127.0.0.1:1")
        );
        assert_eq!(at(Some("[::1]:0")).unwrap().as_deref(), Some("[::1]:0"));
        for bad in ["8083", "example.org:1"] {
            assert_eq!(at(Some(bad)).unwrap_err().exit, Exit::Invalid, "{bad}");
        }
    }
}
