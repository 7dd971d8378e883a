//! What `linkspan validate --connect` tries: whether endpoints answer, and take the credentials. Sends no record.
//!
//! `HEAD` is what is sent, as the connector sends: through the proxy, with TLS and credentials, checked by the egress policy. Many
//! endpoints know no `HEAD`; so a status tells little, but that somebody answers, and 401 that the credentials are not taken.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use linkspan_sdk::prelude::*;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};
use tokio::time::timeout;
use url::Url;

use crate::auth::Auth;
use crate::client::{Call, Client};
use crate::template::{Kind, Template};

/// Most endpoints that are tried.
const ENDPOINTS_MAX: usize = 16;
/// How long all of them may take.
const LIMIT: Duration = Duration::from_secs(20);

/// One that is tried.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) option: &'static str,
    /// With templates in it, as it is configured.
    pub(crate) url: String,
    pub(crate) headers: BTreeMap<String, String>,
    /// Whether the connector reads with GET: where `HEAD` is refused, that is asked.
    pub(crate) reads: bool,
}

/// Tries endpoints one after the other, each once.
pub(crate) async fn look(client: &Client, auth: &Auth, endpoints: &[Endpoint]) -> Checked {
    let mut seen = BTreeSet::new();
    let mut told = Vec::new();
    let mut problems = Vec::new();
    let all = async {
        for endpoint in endpoints {
            let Some((url, whole)) = address(&endpoint.url) else {
                told.push("a URL that depends on a record is not tried".to_owned());
                continue;
            };
            if seen.len() == ENDPOINTS_MAX || !seen.insert(url.to_string()) {
                continue;
            }
            match one(client, auth, endpoint, url, whole).await {
                Ok(answer) => told.push(answer),
                Err(message) => problems.push(ConfigProblem::new(endpoint.option, message)),
            }
        }
    };
    if timeout(LIMIT, all).await.is_err() {
        let option = endpoints.first().map_or("url", |endpoint| endpoint.option);
        let message = format!("no answer within {} s", LIMIT.as_secs());
        problems.push(ConfigProblem::new(option, message));
    }
    told.sort();
    told.dedup();
    problems
        .into_iter()
        .fold(Checked::tried(told.join("; ")), Checked::problem)
}

/// Returns what came, or what is wrong. `whole`: the URL is one that the connector uses, not the beginning of one.
async fn one(
    client: &Client,
    auth: &Auth,
    endpoint: &Endpoint,
    url: Url,
    whole: bool,
) -> std::result::Result<String, String> {
    let mut call = Call {
        method: Method::HEAD,
        url,
        headers: headers(&endpoint.headers),
        body: Bytes::new(),
    };
    let ask = async |call: Call| {
        let answer = client.send(auth, call).await;
        answer.map_err(|error| Error::from(error).chain())
    };
    let mut answer = ask(call.clone()).await?;
    let refused = |status| matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
    if refused(answer.status) && whole && endpoint.reads {
        call.method = Method::GET;
        answer = ask(call).await?;
    }
    // Who sends may be let in for POST only, which is not tried.
    let is_refusal = answer.status == StatusCode::PROXY_AUTHENTICATION_REQUIRED
        || (whole && answer.status == StatusCode::UNAUTHORIZED)
        || (whole && endpoint.reads && refused(answer.status));
    if is_refusal {
        return Err(format!(
            "{}: the credentials are not taken; check `auth.type` and what belongs to it",
            answer.told(client.mask())
        ));
    }
    Ok(format!(
        "{} answered with {}",
        client.mask().apply(&answer.request),
        answer.status
    ))
}

/// Returns what can be asked of a URL with templates: all of it, or its folder before the first template.
fn address(url: &str) -> Option<(Url, bool)> {
    let template = Template::parse("url", url, Kind::Url).ok()?;
    if let Some(fixed) = template.fixed() {
        return Some((Url::parse(fixed).ok().filter(Url::has_host)?, true));
    }
    let before = url.get(..url.find('{')?)?;
    let (scheme, rest) = before.split_once("://")?;
    let (place, _) = rest.rsplit_once('/')?;
    let url = Url::parse(&format!("{scheme}://{place}/")).ok()?;
    url.has_host().then_some((url, false))
}

/// The headers that are the same for all requests.
fn headers(configured: &BTreeMap<String, String>) -> HeaderMap {
    let fixed = configured.iter().filter_map(|(name, value)| {
        let template = Template::parse("headers", value, Kind::Text).ok()?;
        let name: HeaderName = name.parse().ok()?;
        let mut value = HeaderValue::from_str(template.fixed()?).ok()?;
        value.set_sensitive(true);
        Some((name, value))
    });
    fixed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_asked_of_a_url() {
        let cases = [
            ("http://a/b?c=d", Some(("http://a/b?c=d", true))),
            (
                "https://a/v1/{{ partition }}/x",
                Some(("https://a/v1/", false)),
            ),
            ("https://a/v1/x{{ page }}", Some(("https://a/v1/", false))),
            ("https://{{ value.host }}/x", None),
            ("{{ value.url }}", None),
        ];
        for (url, expected) in cases {
            let found = address(url);
            let found = found.as_ref().map(|(url, whole)| (url.as_str(), *whole));
            assert_eq!(found, expected, "{url}");
        }
    }
}
