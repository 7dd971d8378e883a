//! Asking a host: the one that holds a data directory of this machine, over its socket, or one elsewhere, over the network.
//!
//! Both speak the same `/api/v1`, and refuse in the same words. Not here: which host is meant (see `target`, `context`).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use linkspan_types::HIDDEN;
use serde_json::Value;

use crate::exit::{Exit, Failure};
use crate::net::{self, Stream};
use crate::socket;

/// How long a host elsewhere may take to accept a connection.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// The largest answer that is read at once; streams have no such bound.
const ANSWER_BYTES_MAX: usize = 256 << 20;

/// A host that takes commands.
#[derive(Debug, Clone)]
pub(crate) enum Host {
    /// It holds this data directory.
    Beside(PathBuf),
    /// It is reached over the network.
    Elsewhere(Arc<Remote>),
}

/// A host elsewhere.
pub(crate) struct Remote {
    /// Its address, without a slash at its end.
    url: String,
    uri: Uri,
    authorization: Option<HeaderValue>,
    ca_file: Option<PathBuf>,
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remote")
            .field("url", &self.url)
            .field(
                "authorization",
                &self.authorization.as_ref().map(|_| HIDDEN),
            )
            .field("ca_file", &self.ca_file)
            .finish()
    }
}

/// Who asks a host elsewhere. `Debug` shows no secret.
#[derive(Clone)]
pub(crate) enum Credentials {
    /// A bearer token.
    Token(String),
    /// A user with a password.
    User(String, String),
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl Credentials {
    fn header(&self) -> String {
        match self {
            Self::Token(token) => format!("Bearer {token}"),
            Self::User(user, password) => {
                let pair = STANDARD.encode(format!("{user}:{password}"));
                format!("Basic {pair}")
            }
        }
    }
}

impl Remote {
    /// A host at an address of http or https, with who asks if it wants to know.
    ///
    /// # Errors
    /// The address is none, carries a user or a query, or would send a token over an open line.
    pub(crate) fn new(
        url: &str,
        credentials: Option<&Credentials>,
        ca_file: Option<PathBuf>,
    ) -> Result<Self, Failure> {
        let invalid = |why: &str| {
            Failure::new(
                Exit::Invalid,
                "LS0220",
                format!("the address of the host: {why}"),
            )
            .help("write http://HOST:PORT or https://HOST:PORT")
        };
        let url = url.trim_end_matches('/');
        let uri: Uri = url.parse().map_err(|_| invalid("it is none"))?;
        let host = uri.host().ok_or_else(|| invalid("it names no host"))?;
        let secure = uri.scheme_str() == Some("https");
        if !secure && uri.scheme_str() != Some("http") {
            return Err(invalid("it begins with neither http:// nor https://"));
        }
        if uri.authority().is_some_and(|of| of.as_str().contains('@')) {
            return Err(invalid("it holds a user or password").help(
                "a token belongs into a file (--token-file) or LINKSPAN_TOKEN, a user to --user",
            ));
        }
        if uri.query().is_some() || url.contains('#') {
            return Err(invalid("it ends with a path, without `?` and `#`"));
        }
        let authorization = credentials.map(|credentials| {
            HeaderValue::try_from(credentials.header()).map(|mut value| {
                value.set_sensitive(true);
                value
            })
        });
        let authorization = authorization.transpose().map_err(|_| {
            Failure::new(
                Exit::Invalid,
                "LS0220",
                "the token holds a character that no token has, perhaps a line break",
            )
        })?;
        if authorization.is_some() && !secure && !is_this_machine(host) {
            return Err(Failure::new(
                Exit::Invalid,
                "LS0226",
                format!(
                    "the token or password would go to `{host}` over http, where others can read it"
                ),
            )
            .help("use https, or leave it out"));
        }
        Ok(Self {
            url: url.to_owned(),
            uri,
            authorization,
            ca_file,
        })
    }

    async fn connect(&self) -> Result<Box<dyn Stream>, String> {
        let roots = || match &self.ca_file {
            Some(file) => net::roots_of(file),
            None => Ok(net::system_roots()),
        };
        tokio::time::timeout(CONNECT_WITHIN, net::connect(&self.uri, roots))
            .await
            .unwrap_or_else(|_| Err(format!("no answer within {} s", CONNECT_WITHIN.as_secs())))
    }
}

/// Whether what goes to `host` stays on this machine.
fn is_this_machine(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost"
        || bare
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

impl Host {
    /// The host that holds `data`.
    pub(crate) fn beside(data: &Path) -> Self {
        Self::Beside(data.to_owned())
    }

    /// Asks for `path`; the answer comes piece by piece.
    pub(crate) async fn get(&self, path: &str) -> Result<Response<Incoming>, Failure> {
        self.send("GET", path, None).await
    }

    /// Hands something over; the answer comes piece by piece.
    pub(crate) async fn post_stream(&self, path: &str, body: String) -> Result<Incoming, Failure> {
        Ok(self.send("POST", path, Some(body)).await?.into_body())
    }

    /// Asks, and reads a JSON answer. An answer without a body is null.
    pub(crate) async fn call(
        &self,
        method: &str,
        path: &str,
        body: Option<String>,
    ) -> Result<Value, Failure> {
        let answer = self.send(method, path, body).await?;
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect();
        let bytes = body.await.map_err(|error| {
            let message = format!("the host stopped answering: {error}");
            Failure::new(Exit::Environment, "LS0706", message)
        })?;
        let bytes = bytes.to_bytes();
        if bytes.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&bytes).map_err(|error| {
            let message = format!("the host's answer is not JSON: {error}");
            Failure::new(Exit::Runtime, "LS0601", message)
        })
    }

    fn silent(&self, error: &str) -> Failure {
        match self {
            Self::Beside(data) => Failure::new(
                Exit::Environment,
                "LS0706",
                format!(
                    "the host that holds `{}` does not answer: {error}",
                    data.display()
                ),
            )
            .help("it may be starting or stopping; try again, or see its output"),
            Self::Elsewhere(remote) => Failure::new(
                Exit::Environment,
                "LS0706",
                format!("the host at {} does not answer: {error}", remote.url),
            )
            .help(if error.contains("no secure connection") {
                "the host's certificate is not trusted, or not for this name: --ca-file (LINKSPAN_CA_FILE) names an authority of your own"
            } else {
                "see whether it runs and listens there; `linkspan doctor` looks at what is in the way"
            }),
        }
    }

    async fn connect(&self) -> Result<Box<dyn Stream>, String> {
        match self {
            Self::Beside(data) => match socket::connect(data).await {
                Ok(stream) => Ok(Box::new(stream)),
                Err(error) => Err(error.to_string()),
            },
            Self::Elsewhere(remote) => remote.connect().await,
        }
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<String>,
    ) -> Result<Response<Incoming>, Failure> {
        let failed = |error: String| self.silent(&error);
        let stream = self.connect().await.map_err(failed)?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| failed(error.to_string()))?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "the connection to the host ended");
            }
        });
        let request = self
            .request(method, path, body)
            .map_err(|error| failed(error.to_string()))?;
        let response = sender
            .send_request(request)
            .await
            .map_err(|error| failed(error.to_string()))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX)
            .collect()
            .await
            .map_err(|error| failed(error.to_string()))?
            .to_bytes();
        Err(self.refused(status.as_u16(), &body))
    }

    fn request(
        &self,
        method: &str,
        path: &str,
        body: Option<String>,
    ) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
        let mut request = Request::builder()
            .method(method)
            .header(USER_AGENT, concat!("linkspan/", env!("CARGO_PKG_VERSION")));
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let request = match self {
            Self::Beside(_) => request.uri(path).header(HOST, "localhost"),
            Self::Elsewhere(remote) => {
                let below = remote.uri.path().trim_end_matches('/');
                let host = remote.uri.authority().map_or("", |host| host.as_str());
                let request = request.uri(format!("{below}{path}")).header(HOST, host);
                match &remote.authorization {
                    Some(token) => request.header(AUTHORIZATION, token),
                    None => request,
                }
            }
        };
        request.body(Full::new(Bytes::from(body.unwrap_or_default())))
    }

    /// Turns the refusal of a host into a failure of the command.
    fn refused(&self, status: u16, body: &[u8]) -> Failure {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |name: &str| body.get(name).and_then(Value::as_str);
        let code = text("code").and_then(linkspan_config::codes::find);
        let message = text("message").map_or_else(|| format!("status {status}"), str::to_owned);
        let code = code.map_or("LS0601", |code| code.code);
        let failure = Failure::new(crate::target::exit_of(status, code), code, message);
        match (text("help"), status, self) {
            (Some(help), ..) => failure.help(help),
            (None, 401, Self::Elsewhere(_)) => failure.help(
                "name a token (--token-file FILE, LINKSPAN_TOKEN) or a user (--user NAME, LINKSPAN_PASSWORD), or use `linkspan context add` with one of them",
            ),
            _ => failure,
        }
    }
}

/// A small runtime for commands that only call.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            Failure::new(
                Exit::Environment,
                "LS0704",
                format!("could not start the async runtime: {error}"),
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, token: Option<&str>) -> Result<(), &'static str> {
        let token = token.map(|token| Credentials::Token(token.to_owned()));
        let made = Remote::new(url, token.as_ref(), None);
        made.map(drop).map_err(|failure| failure.code)
    }

    #[test]
    fn an_address_is_http_or_https_and_nothing_more() {
        for good in [
            "http://127.0.0.1:8083",
            "https://linkspan.example.org/",
            "http://[::1]:1",
            "https://proxy.example.org/hub/a",
        ] {
            assert_eq!(check(good, None), Ok(()), "{good}");
        }
        for bad in [
            "127.0.0.1:8083",
            "ftp://a",
            "http://",
            "http://user:secret@host",
            "http://host/?a=b",
            "http://host/#a",
        ] {
            assert_eq!(check(bad, None), Err("LS0220"), "{bad}");
        }
    }

    #[test]
    fn a_token_goes_over_an_open_line_only_within_this_machine() {
        assert_eq!(check("http://127.0.0.1:8083", Some("t")), Ok(()));
        assert_eq!(check("http://localhost:8083", Some("t")), Ok(()));
        assert_eq!(check("https://example.org", Some("t")), Ok(()));
        assert_eq!(check("http://example.org", Some("t")), Err("LS0226"));
        assert_eq!(
            check("http://127.0.0.1.example.org", Some("t")),
            Err("LS0226")
        );
        assert_eq!(check("https://example.org", Some("a\nb")), Err("LS0220"));
    }

    #[test]
    fn a_token_is_never_shown() {
        let user = Credentials::User("anna".to_owned(), "canary-2".to_owned());
        assert_eq!(user.header(), "Basic YW5uYTpjYW5hcnktMg==");
        let remote = Remote::new("https://example.org", Some(&user), None).unwrap();
        let shown = format!("{remote:?} {user:?}");
        assert!(
            shown.contains(HIDDEN) && !shown.contains("canary"),
            "{shown}"
        );
    }
}
