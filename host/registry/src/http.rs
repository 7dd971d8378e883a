//! Requests, on a thread of their own; the asking thread waits.

use std::sync::{OnceLock, mpsc};
use std::time::Duration;

use reqwest::{Certificate, Client, Method, StatusCode, Url};
use serde::de::DeserializeOwned;

use crate::answers::ErrorAnswer;
use crate::{Error, Options, Reason, Text};

/// The largest answer that is read.
const ANSWER_BYTES_MAX: usize = 8 << 20;
/// How much of an answer that is no JSON is shown.
const SHOWN_CHARS: usize = 300;
const CONTENT_TYPE: &str = "application/vnd.schemaregistry.v1+json";

/// A client and the addresses that it asks.
#[derive(Debug)]
pub(crate) struct Http {
    client: Client,
    bases: Vec<Base>,
    token: Option<Hidden>,
    timeout: Duration,
}

#[derive(Debug, Clone)]
struct Base {
    /// Without user and password.
    url: Url,
    user: Option<(String, Hidden)>,
}

/// A text that is not shown.
#[derive(Clone)]
struct Hidden(String);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[hidden]")
    }
}

/// One question.
struct Asked {
    method: Method,
    path: Vec<String>,
    body: Option<Vec<u8>>,
}

impl Http {
    pub(crate) fn new(options: &Options) -> Result<Self, Error> {
        let config = |message: String| {
            Error::new(Reason::Config, "its addresses", "use its options", message)
        };
        // Whoever is first in this process decides; it is the same provider everywhere.
        let _installed_before = rustls::crypto::ring::default_provider()
            .install_default()
            .is_err();
        let mut builder = Client::builder()
            .timeout(options.timeout)
            .user_agent("linkspan");
        if let Some(path) = &options.ca_location {
            let pem = std::fs::read(path).map_err(|error| config(format!("`{path}`: {error}")))?;
            let certificates = Certificate::from_pem_bundle(&pem)
                .map_err(|error| config(format!("`{path}`: {error}")))?;
            builder = certificates
                .into_iter()
                .fold(builder, reqwest::ClientBuilder::add_root_certificate);
        }
        let client = builder.build().map_err(|error| config(error.to_string()))?;
        let user_info = options
            .user_info
            .as_deref()
            .and_then(|text| text.split_once(':'));
        let bases = options
            .urls
            .iter()
            .map(|text| base(text, user_info).map_err(config));
        let bases = bases.collect::<Result<Vec<_>, _>>()?;
        if bases.is_empty() {
            return Err(config("there is no address".to_owned()));
        }
        Ok(Self {
            client,
            bases,
            token: options.token.clone().map(Hidden),
            timeout: options.timeout,
        })
    }

    pub(crate) fn place(&self) -> String {
        let all: Vec<&str> = self
            .bases
            .iter()
            .map(|base| base.url.as_str().trim_end_matches('/'))
            .collect();
        all.join(", ")
    }

    pub(crate) fn get<T: DeserializeOwned>(&self, path: &[&str], doing: &str) -> Result<T, Error> {
        self.ask(Method::GET, path, None, doing)
    }

    pub(crate) fn post<T: DeserializeOwned>(
        &self,
        path: &[&str],
        schema: Text<'_>,
        doing: &str,
    ) -> Result<T, Error> {
        let body = serde_json::json!({"schema": schema.schema, "schemaType": schema.schema_type});
        self.ask(
            Method::POST,
            path,
            Some(body.to_string().into_bytes()),
            doing,
        )
    }

    /// Asks one address after the other; what one knows for certain ends it.
    fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &[&str],
        body: Option<Vec<u8>>,
        doing: &str,
    ) -> Result<T, Error> {
        let asked = Asked {
            method,
            path: path.iter().map(|part| (*part).to_owned()).collect(),
            body,
        };
        let mut last = None;
        for base in &self.bases {
            let place = base.url.as_str().trim_end_matches('/');
            match self.one(base, &asked, place, doing) {
                Ok(bytes) => {
                    return serde_json::from_slice(&bytes)
                        .map_err(|error| Error::answer(place, doing, &format!("the answer is not a registry's: {error}; check `schema.registry.url`")));
                }
                Err(error) if error.is_temporary() => last = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(last.unwrap_or_else(|| Error::answer("no address", doing, "nobody was asked")))
    }

    fn one(&self, base: &Base, asked: &Asked, place: &str, doing: &str) -> Result<Vec<u8>, Error> {
        let unavailable = |message: String| Error::new(Reason::Unavailable, place, doing, message);
        let mut url = base.url.clone();
        url.path_segments_mut()
            .map_err(|()| {
                Error::new(
                    Reason::Config,
                    place,
                    doing,
                    "the address cannot have a path",
                )
            })?
            .pop_if_empty()
            .extend(&asked.path);
        let mut request = self
            .client
            .request(asked.method.clone(), url)
            .header("Accept", CONTENT_TYPE);
        if let Some(body) = &asked.body {
            request = request
                .header("Content-Type", CONTENT_TYPE)
                .body(body.clone());
        }
        match (&self.token, &base.user) {
            (Some(token), _) => request = request.bearer_auth(&token.0),
            (None, Some((user, password))) => request = request.basic_auth(user, Some(&password.0)),
            (None, None) => {}
        }
        let (answer_in, answer_out) = mpsc::sync_channel(1);
        let runtime =
            runtime().map_err(|error| unavailable(format!("no thread for requests: {error}")))?;
        let asking = runtime.spawn(async move {
            // Nobody waits any more: then the answer is of no use either.
            drop(answer_in.send(answer(request).await));
        });
        let limit = self.timeout + Duration::from_secs(1);
        let (status, bytes) = match answer_out.recv_timeout(limit) {
            Ok(Ok(answer)) => answer,
            Ok(Err(message)) => return Err(unavailable(message)),
            Err(_) => {
                asking.abort();
                return Err(unavailable(format!(
                    "no answer within {} ms",
                    self.timeout.as_millis()
                )));
            }
        };
        if status.is_success() {
            return Ok(bytes);
        }
        Err(refused(status, &bytes, place, doing))
    }
}

async fn answer(request: reqwest::RequestBuilder) -> Result<(StatusCode, Vec<u8>), String> {
    // The chain of causes says what happened; the address is said by the caller, without secrets.
    let chain = |error: reqwest::Error| {
        let error = error.without_url();
        let mut text = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(next) = cause {
            text = format!("{text}: {next}");
            cause = next.source();
        }
        text
    };
    let mut response = request.send().await.map_err(chain)?;
    let status = response.status();
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(chain)? {
        if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(format!("the answer has more than {ANSWER_BYTES_MAX} bytes"));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok((status, bytes))
}

fn refused(status: StatusCode, bytes: &[u8], place: &str, doing: &str) -> Error {
    let answer = serde_json::from_slice::<ErrorAnswer>(bytes)
        .ok()
        .filter(|answer| !answer.message.is_empty());
    let (code, message) = match answer {
        Some(answer) => (
            answer.error_code,
            format!("{} ({status}, code {})", answer.message, answer.error_code),
        ),
        None => {
            let text: String = String::from_utf8_lossy(bytes)
                .chars()
                .take(SHOWN_CHARS)
                .collect();
            (0, format!("{status} {text}"))
        }
    };
    let reason = match (status.as_u16(), code) {
        (401 | 403, _) => Reason::Permission,
        (404, _) => Reason::NotFound,
        (409, _) => Reason::Incompatible,
        (400 | 422, _) => Reason::Invalid,
        (408 | 429 | 500.., _) => Reason::Unavailable,
        _ => Reason::Answer,
    };
    let hint = match reason {
        Reason::Permission => "; check `basic.auth.user.info` or `bearer.auth.token`",
        Reason::NotFound if code == 0 => "; check the path in `schema.registry.url`",
        _ => "",
    };
    Error::new(reason, place, doing, format!("{message}{hint}"))
}

fn base(text: &str, user_info: Option<(&str, &str)>) -> Result<Base, String> {
    // The text may hold a password: it is not repeated.
    let mut url =
        Url::parse(text.trim()).map_err(|error| format!("an address is none: {error}"))?;
    let mut user = user_info.map(|(user, password)| (user.to_owned(), Hidden(password.to_owned())));
    if user.is_none() && !url.username().is_empty() {
        let password = url.password().unwrap_or_default().to_owned();
        user = Some((url.username().to_owned(), Hidden(password)));
    }
    // Fails only for addresses without a host, which have neither.
    let _without = url
        .set_username("")
        .and_then(|()| url.set_password(None))
        .is_ok();
    Ok(Base { url, user })
}

/// The one thread that talks to registries.
fn runtime() -> std::io::Result<&'static tokio::runtime::Runtime> {
    static RUNTIME: OnceLock<Option<tokio::runtime::Runtime>> = OnceLock::new();
    let made = RUNTIME.get_or_init(|| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder
            .worker_threads(1)
            .thread_name("schema-registry")
            .enable_all()
            .build()
            .ok()
    });
    made.as_ref()
        .ok_or_else(|| std::io::Error::other("the runtime for requests could not be made"))
}
