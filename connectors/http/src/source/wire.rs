//! Asking: rate limits, retries, and what a status means.

use std::time::{Duration, Instant, SystemTime};

use linkspan_sdk::prelude::*;
use reqwest::StatusCode;
use reqwest::header::{ETAG, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use tokio::time::sleep;

use super::options::{HttpSourceOptions, StreamOptions};
use super::state::Validators;
use super::stream::hash;
use crate::answer::Answer;
use crate::auth::Auth;
use crate::client::{Call, Client};
use crate::mask::Mask;
use crate::rate::Bucket;
use crate::retry::{Codes, Retries, forbidden, later};

/// Tries of a `--once` job where `max.retries` is not set.
const BOUNDED_RETRIES: i32 = 5;
/// The longest pause that an exhausted rate limit of an answer that is otherwise good makes.
const PAUSE_MAX: Duration = Duration::from_secs(3600);

/// What all streams of a task ask through.
#[derive(Debug)]
pub(super) struct Wire {
    client: Client,
    auth: Auth,
    bucket: Option<Bucket>,
    /// The server's rate limit is used up until then.
    not_before: Option<Instant>,
    retries: Retries,
    retry_codes: Codes,
    pub(super) response_bytes_max: u64,
}

/// What came of a request.
#[derive(Debug)]
pub(super) enum Asked {
    Answer(Answer),
    /// Nothing changed, or an answer that stands for no records.
    Nothing,
    /// A stored token of a page is no longer taken.
    Stale(String),
}

impl Wire {
    pub(super) fn new(options: &HttpSourceOptions, bounded: bool) -> Result<Self> {
        let mask = Mask::default();
        let client = Client::new(&options.client, options.request_timeout, &mask)?;
        let most = options
            .max_retries
            .unwrap_or(if bounded { BOUNDED_RETRIES } else { -1 });
        Ok(Self {
            auth: Auth::new(&options.auth, &mask)?,
            client,
            bucket: options
                .rate_limit
                .map(|rate| Bucket::new(rate, Instant::now())),
            not_before: None,
            retries: Retries::new(most, options.retry_backoff, options.retry_backoff_max),
            retry_codes: options.retry_codes.clone(),
            response_bytes_max: options.client.max_response_bytes.as_u64(),
        })
    }

    pub(super) const fn mask(&self) -> &Mask {
        self.client.mask()
    }

    /// Asks, after the waits that rate limits want. `resumed` says that the page's token was stored by an earlier life.
    ///
    /// # Errors
    /// As [`Client::send`]; a status that is no success.
    pub(super) async fn ask(
        &mut self,
        stream: &StreamOptions,
        call: Call,
        resumed: bool,
    ) -> Result<Asked> {
        self.wait().await;
        let outcome = match self.client.send(&self.auth, call).await {
            Ok(answer) => self.meaning(stream, answer, resumed),
            Err(error) => Err(error.into()),
        };
        match outcome {
            Ok(asked) => {
                self.retries.reset();
                Ok(asked)
            }
            Err(error) => Err(self.retries.failed(error)),
        }
    }

    async fn wait(&mut self) {
        let now = Instant::now();
        if let Some(wait) = self
            .not_before
            .take()
            .and_then(|until| until.checked_duration_since(now))
        {
            sleep(wait).await;
        }
        while let Some(Err(wait)) = self
            .bucket
            .as_mut()
            .map(|bucket| bucket.take(Instant::now()))
        {
            sleep(wait).await;
        }
    }

    fn meaning(&mut self, stream: &StreamOptions, answer: Answer, resumed: bool) -> Result<Asked> {
        let status = answer.status;
        let told = answer.told(self.client.mask());
        let wait = answer.retry_after(SystemTime::now());
        if status == StatusCode::NOT_MODIFIED
            || status == StatusCode::NO_CONTENT
            || stream.ignore_codes.holds(status)
        {
            return Ok(Asked::Nothing);
        }
        if status.is_success() {
            self.not_before = wait.map(|wait| Instant::now() + wait.min(PAUSE_MAX));
            return Ok(Asked::Answer(answer));
        }
        if self.retry_codes.holds(status) {
            return Err(later(status, told, wait));
        }
        if resumed && matches!(status.as_u16(), 400 | 404 | 410 | 422) {
            return Ok(Asked::Stale(told));
        }
        Err(match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => forbidden(told),
            StatusCode::NOT_FOUND | StatusCode::GONE => {
                Error::not_found(format!("{told}; check `url`"))
            }
            _ => Error::new(
                ErrorKind::DataInvalid,
                format!("{told}; check `url`, `params` and `headers`"),
            ),
        })
    }
}

/// Asks only for what changed since the answer that these validators are of.
pub(super) fn if_changed(call: &mut Call, validators: Option<&Validators>) {
    let Some(validators) = validators.filter(|known| known.url == hash(&[call.url.as_str()]))
    else {
        return;
    };
    for (name, text) in [
        (IF_NONE_MATCH, &validators.etag),
        (IF_MODIFIED_SINCE, &validators.modified),
    ] {
        if let Some(value) = text
            .as_deref()
            .and_then(|text| HeaderValue::from_str(text).ok())
        {
            call.headers.insert(name, value);
        }
    }
}

/// Returns the validators of an answer, where it has any.
pub(super) fn validators(url: &str, answer: &Answer) -> Option<Validators> {
    let text = |name| {
        answer
            .headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
            .map(str::to_owned)
    };
    let (etag, modified) = (text(ETAG), text(LAST_MODIFIED));
    (etag.is_some() || modified.is_some()).then(|| Validators {
        url: hash(&[url]),
        etag,
        modified,
    })
}
