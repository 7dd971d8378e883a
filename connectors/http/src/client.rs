//! Requests and answers: limits of time and size, redirects, TLS, a proxy, and the egress policy around them.
//!
//! ```text
//! send ─► egress check ─► credentials ─► exchange ─► answer with its whole body
//!   ▲                                       │ 401: a new token, once
//!   └──────────── redirect: checked anew ◄──┘
//! ```
//! Not here: what an answer means (see `source` and `sink`), and trying again (see `retry`).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use linkspan_sdk::prelude::*;
use linkspan_sdk::tracing::warn;
use reqwest::header::{self, HeaderMap};
use reqwest::{Method, StatusCode, redirect};
use tokio::time::timeout;
use url::Url;

use crate::answer::{Answer, content_type, excerpt};
use crate::auth::Auth;
use crate::egress::{Egress, EgressOptions};
use crate::error::{CallError, chain, find};
use crate::mask::Mask;
use crate::tls::use_ring;

/// How requests are made, the same for `http-source` and `http-sink`.
#[derive(Debug, Clone, Options)]
pub(crate) struct ClientOptions {
    /// How long a connection may take to be made.
    #[option(
        name = "connect.timeout",
        default = "5s",
        min = "1ms",
        group = "connection"
    )]
    pub(crate) connect_timeout: Duration,
    /// How long the server may be silent.
    #[option(
        name = "read.timeout",
        default = "30s",
        min = "1ms",
        group = "connection"
    )]
    pub(crate) read_timeout: Duration,
    /// The largest body of an answer, decompressed. It guards memory.
    #[option(
        name = "max.response.bytes",
        default = "32MiB",
        min = 1,
        max = 1_073_741_824,
        group = "connection"
    )]
    pub(crate) max_response_bytes: ByteSize,
    /// How many redirects are followed. Each is checked as the first URL was; credentials stay with the first origin.
    #[option(name = "redirects.max", default = "3", max = 20, group = "connection")]
    pub(crate) redirects_max: u32,
    /// What `User-Agent` says. Default: `linkspan/VERSION`.
    #[option(name = "user.agent", group = "connection")]
    pub(crate) user_agent: Option<String>,
    /// A proxy for all requests, `http://user:password@host:port`, `https://…` or `socks5://…`. The environment's proxies are
    /// not used.
    #[option(name = "proxy", group = "connection")]
    pub(crate) proxy: Option<Secret>,
    /// Certificates of further authorities, PEM.
    #[option(name = "tls.ca", group = "tls")]
    pub(crate) tls_ca: Option<PathBuf>,
    /// The client's certificate chain for mutual TLS, PEM.
    #[option(name = "tls.certificate", group = "tls")]
    pub(crate) tls_certificate: Option<PathBuf>,
    /// The private key of the client's certificate, PEM.
    #[option(name = "tls.key", group = "tls")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Whether the server's certificate and name are checked. Without that anybody in between reads and changes everything.
    #[option(name = "tls.verify", default = "true", group = "tls")]
    pub(crate) tls_verify: bool,
    #[option(nest = "")]
    pub(crate) egress: EgressOptions,
}

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// What came of an answer so far.
struct Begun {
    status: StatusCode,
    headers: HeaderMap,
    body: BytesMut,
}

impl Begun {
    fn answer(&self, request: &str, body: Bytes) -> Answer {
        Answer {
            status: self.status,
            headers: self.headers.clone(),
            body,
            request: request.to_owned(),
        }
    }
}

/// Makes requests. Clones share connections.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    inner: reqwest::Client,
    egress: Egress,
    mask: Mask,
    request_timeout: Duration,
    options: Arc<ClientOptions>,
}

impl Client {
    /// Prepares a client.
    ///
    /// # Errors
    /// A file of TLS or the proxy's URL cannot be used: of kind `config_invalid`.
    pub(crate) fn new(
        options: &ClientOptions,
        request_timeout: Duration,
        mask: &Mask,
    ) -> Result<Self> {
        use_ring();
        let egress = Egress::new(&options.egress);
        let authorities = authorities(options)?;
        let built = build(options, &egress, mask, authorities.clone(), false)?.build();
        let inner = match built {
            Ok(inner) => inner,
            // A machine without any certificate authority can still talk without TLS, or with those that are configured.
            Err(error) => {
                warn!(error = %chain(&error), "the system's certificate authorities cannot be used; only those of `tls.ca` are");
                let again = build(options, &egress, mask, authorities, true)?.build();
                again.map_err(|error| {
                    Error::config_invalid(format!(
                        "the HTTP client cannot be made: {}",
                        mask.apply(&chain(&error))
                    ))
                })?
            }
        };
        if !options.tls_verify {
            warn!("`tls.verify` is false: anybody in between can read and change what is sent");
        }
        Ok(Self {
            inner,
            egress,
            mask: mask.clone(),
            request_timeout,
            options: Arc::new(options.clone()),
        })
    }

    pub(crate) const fn mask(&self) -> &Mask {
        &self.mask
    }

    /// Sends a request with credentials, follows redirects, and fetches a new token once where one was refused.
    ///
    /// # Errors
    /// There is no answer, or none that can be read to its end. An answer of any status is an answer.
    pub(crate) async fn send(&self, auth: &Auth, mut call: Call) -> Result<Answer, CallError> {
        let origin = call.url.origin();
        let mut renewed = false;
        let mut hops = Vec::new();
        loop {
            let mut sent = call.clone();
            let token = if sent.url.origin() == origin {
                auth.apply(self, &mut sent.headers, &mut sent.url).await?
            } else {
                None
            };
            let answer = self.exchange(sent).await?;
            if let Some(token) = token.filter(|_| {
                answer.status == StatusCode::UNAUTHORIZED && auth.can_renew() && !renewed
            }) {
                auth.renew(&token).await;
                renewed = true;
                continue;
            }
            let Some(next) = redirected(&answer, &call, &self.mask)? else {
                return Ok(answer);
            };
            hops.push(self.named(&next.method, &next.url));
            if hops.len() > usize::try_from(self.options.redirects_max).unwrap_or(0) {
                return Err(CallError::Redirects {
                    answer: answer.told(&self.mask),
                    most: self.options.redirects_max,
                    chain: hops.join(" → "),
                });
            }
            call = next;
        }
    }

    /// Sends a request as it is: no credentials, no redirects.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub(crate) async fn send_bare(&self, call: Call) -> Result<Answer, CallError> {
        self.exchange(call).await
    }

    async fn exchange(&self, call: Call) -> Result<Answer, CallError> {
        let request = self.named(&call.method, &call.url);
        self.egress
            .check(&call.url)
            .await
            .map_err(|source| CallError::Egress {
                request: request.clone(),
                source,
            })?;
        let mut sent = reqwest::Request::new(call.method, call.url);
        *sent.headers_mut() = call.headers;
        if !call.body.is_empty() {
            *sent.body_mut() = Some(call.body.into());
        }
        let mut begun = None;
        let talk = self.talk(sent, &request, &mut begun);
        let outcome = timeout(self.request_timeout, talk).await;
        outcome.unwrap_or_else(|_| {
            Err(CallError::TimeOut {
                so_far: self.so_far(begun.as_ref()),
                request,
                limit: self.request_timeout,
                option: "request.timeout",
            })
        })
    }

    /// Sends and reads; what came so far is in `begun` when the time is over.
    async fn talk(
        &self,
        sent: reqwest::Request,
        request: &str,
        begun: &mut Option<Begun>,
    ) -> Result<Answer, CallError> {
        let mut response = self
            .inner
            .execute(sent)
            .await
            .map_err(|error| self.failed(request, error, None))?;
        let most = self.options.max_response_bytes;
        let announced = response.content_length();
        let begun = begun.insert(Begun {
            status: response.status(),
            headers: response.headers().clone(),
            body: BytesMut::new(),
        });
        loop {
            let chunk = response.chunk().await;
            let more = chunk
                .as_ref()
                .map_or(0, |chunk| chunk.as_ref().map_or(0, Bytes::len));
            if begun.body.len() + more > most.as_usize()
                || announced.is_some_and(|length| length > most.as_u64())
            {
                let shown = chunk.ok().flatten().unwrap_or_default();
                let body = if begun.body.is_empty() {
                    shown
                } else {
                    begun.body.split().freeze()
                };
                return Err(CallError::TooLarge {
                    answer: begun.answer(request, body).told(&self.mask),
                    limit: most.as_u64(),
                });
            }
            match chunk {
                Ok(Some(chunk)) => begun.body.extend_from_slice(&chunk),
                Ok(None) => {
                    let body = begun.body.split().freeze();
                    return Ok(begun.answer(request, body));
                }
                Err(error) if error.is_timeout() => {
                    return Err(self.failed(request, error, Some(begun)));
                }
                Err(error) => {
                    let body = begun.body.split().freeze();
                    return Err(CallError::Cut {
                        received: body.len(),
                        answer: begun.answer(request, body).told(&self.mask),
                        told: self.mask.apply(&chain(&error.without_url())).into_owned(),
                    });
                }
            }
        }
    }

    /// Tells what came of an answer before its time was over.
    fn so_far(&self, begun: Option<&Begun>) -> String {
        begun.map_or_else(
            || "nothing came".to_owned(),
            |begun| {
                format!(
                    "it began with {} ({}), {} bytes `{}`",
                    begun.status,
                    content_type(&begun.headers),
                    begun.body.len(),
                    excerpt(&begun.body, &self.mask)
                )
            },
        )
    }

    fn failed(&self, request: &str, error: reqwest::Error, begun: Option<&Begun>) -> CallError {
        let request = request.to_owned();
        let error = error.without_url();
        let told = self.mask.apply(&chain(&error)).into_owned();
        if error.is_timeout() {
            let (limit, option) = if error.is_connect() {
                (self.options.connect_timeout, "connect.timeout")
            } else {
                (self.options.read_timeout, "read.timeout")
            };
            return CallError::TimeOut {
                request,
                limit,
                option,
                so_far: self.so_far(begun),
            };
        }
        if find::<rustls::Error>(&error)
            .is_some_and(|error| matches!(error, rustls::Error::InvalidCertificate(_)))
        {
            return CallError::Tls { request, told };
        }
        if error.is_builder()
            || error.is_request()
                && find::<std::io::Error>(&error).is_none()
                && find::<hyper::Error>(&error).is_none()
                && !error.is_connect()
        {
            return CallError::Malformed { request, told };
        }
        CallError::Unreachable { request, told }
    }

    /// Returns method and URL as errors tell them: without credentials.
    pub(crate) fn named(&self, method: &Method, url: &Url) -> String {
        let mut url = url.clone();
        // Fails only for URLs that have no host, and those have no credentials.
        let _bare = url.set_password(None).is_ok() && url.set_username("").is_ok();
        self.mask.apply(&format!("{method} {url}")).into_owned()
    }
}

/// Returns the request that a redirect asks for. 301, 302 and 303 make a GET of anything but HEAD (RFC 9110 §15.4), which a request that
/// changes something must not become.
fn redirected(answer: &Answer, call: &Call, mask: &Mask) -> Result<Option<Call>, CallError> {
    let status = answer.status;
    if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let refuse = |why: &str| CallError::Redirect {
        answer: answer.told(mask),
        why: why.to_owned(),
    };
    let location = answer
        .headers
        .get(header::LOCATION)
        .ok_or_else(|| refuse("it has no `Location`"))?;
    let location = location
        .to_str()
        .map_err(|_| refuse("its `Location` is not text"))?;
    let url = call
        .url
        .join(location)
        .map_err(|_| refuse("its `Location` is not a URL"))?;
    let keeps =
        matches!(status.as_u16(), 307 | 308) || matches!(call.method, Method::GET | Method::HEAD);
    if !keeps {
        return Err(refuse(
            "it would turn this request into a GET; set the URL that it points to",
        ));
    }
    let mut next = Call {
        url,
        ..call.clone()
    };
    if next.url.origin() != call.url.origin() {
        for name in [
            header::AUTHORIZATION,
            header::COOKIE,
            header::PROXY_AUTHORIZATION,
        ] {
            next.headers.remove(name);
        }
    }
    Ok(Some(next))
}

fn authorities(options: &ClientOptions) -> Result<Vec<reqwest::Certificate>> {
    let Some(path) = &options.tls_ca else {
        return Ok(Vec::new());
    };
    let wrong =
        |told: String| Error::config_invalid(format!("`tls.ca`: `{}`: {told}", path.display()));
    let pem = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let found =
        reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| wrong(chain(&error)))?;
    if found.is_empty() {
        Err(wrong("holds no certificate as PEM".to_owned()))
    } else {
        Ok(found)
    }
}

fn build(
    options: &ClientOptions,
    egress: &Egress,
    mask: &Mask,
    authorities: Vec<reqwest::Certificate>,
    only: bool,
) -> Result<reqwest::ClientBuilder> {
    let agent = options
        .user_agent
        .clone()
        .unwrap_or_else(|| concat!("linkspan/", env!("CARGO_PKG_VERSION")).to_owned());
    let mut builder = reqwest::Client::builder()
        .user_agent(agent)
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .no_proxy()
        .connect_timeout(options.connect_timeout)
        .read_timeout(options.read_timeout)
        .dns_resolver(egress.clone());
    if only || !options.tls_verify {
        builder = builder
            .tls_certs_only(authorities)
            .tls_danger_accept_invalid_certs(!options.tls_verify);
    } else if !authorities.is_empty() {
        builder = builder.tls_certs_merge(authorities);
    }
    if let (Some(certificate), Some(key)) = (&options.tls_certificate, &options.tls_key) {
        let read = |option: &str, path: &PathBuf| {
            std::fs::read(path).map_err(|error| {
                Error::config_invalid(format!("`{option}`: `{}`: {error}", path.display()))
            })
        };
        let mut pem = read("tls.certificate", certificate)?;
        pem.push(b'\n');
        pem.extend(read("tls.key", key)?);
        let identity = reqwest::Identity::from_pem(&pem).map_err(|error| {
            Error::config_invalid(format!(
                "`tls.certificate` and `tls.key`: {}",
                chain(&error)
            ))
        })?;
        builder = builder.identity(identity);
    }
    if let Some(proxy) = &options.proxy {
        mask.cover(proxy.expose());
        if let Some(password) = Url::parse(proxy.expose())
            .ok()
            .as_ref()
            .and_then(Url::password)
        {
            mask.cover(password);
        }
        let proxy = reqwest::Proxy::all(proxy.expose()).map_err(|_| {
            Error::config_invalid("`proxy` is not a URL such as `http://user:password@host:port`")
        })?;
        builder = builder.proxy(proxy);
    }
    Ok(builder)
}
