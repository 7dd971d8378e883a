//! Signatures of request bodies: Standard Webhooks, GitHub, Stripe, and a scheme of one's own.
//!
//! The raw body is what is signed; a signature is compared in constant time, against every secret that is configured.
//!
//! | scheme | header | signed | written as |
//! |---|---|---|---|
//! | `standard_webhooks` | `webhook-signature: v1,SIG v1,SIG` | `ID.TIME.BODY` | base64 |
//! | `github` | `X-Hub-Signature-256: sha256=SIG` | `BODY` | hex |
//! | `stripe` | `Stripe-Signature: t=TIME,v1=SIG,v1=SIG` | `TIME.BODY` | hex |
//! | `custom` | as configured | `BODY` or `TIME.BODY` | hex or base64 |
//!
//! Sources: the Standard Webhooks specification; GitHub's and Stripe's documentation of webhook signatures.

use std::time::Duration;

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::{Sha256, Sha512};

use super::options::{Algorithm, HmacOptions, Scheme, SignatureEncoding};

/// Most signatures of one request that are looked at.
const SIGNATURES_MAX: usize = 16;

/// Why a request is not taken for its sender's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SignatureError {
    #[error("header `{0}` is missing or not text")]
    Missing(String),
    #[error("the signature's time is not a number of seconds")]
    Time,
    #[error("the signature's time is {apart} s from this machine's, more than {tolerance} s")]
    Old { apart: u64, tolerance: u64 },
    #[error("no signature fits the body and a configured secret")]
    Wrong,
}

/// Checks requests by one scheme.
#[derive(Debug)]
pub(crate) struct Verifier {
    options: HmacOptions,
    keys: Vec<Vec<u8>>,
}

impl Verifier {
    pub(crate) fn new(options: &HmacOptions) -> Self {
        let key = |text: &str| match options.scheme {
            // The options' check refuses what is no key.
            Scheme::StandardWebhooks => standard_key(text).unwrap_or_default(),
            Scheme::Github | Scheme::Stripe | Scheme::Custom => text.as_bytes().to_vec(),
        };
        let keys = options
            .secrets
            .iter()
            .map(|secret| key(secret.expose()))
            .collect();
        Self {
            options: options.clone(),
            keys,
        }
    }

    /// Checks one request; `now` is in seconds since 1970.
    ///
    /// # Errors
    /// Says what is wrong, without a secret and without the right signature.
    pub(crate) fn check(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: u64,
    ) -> Result<(), SignatureError> {
        match self.options.scheme {
            Scheme::StandardWebhooks => self.standard(headers, body, now),
            Scheme::Github => self.github(headers, body),
            Scheme::Stripe => self.stripe(headers, body, now),
            Scheme::Custom => self.custom(headers, body, now),
        }
    }

    fn standard(&self, headers: &HeaderMap, body: &[u8], now: u64) -> Result<(), SignatureError> {
        let id = text(headers, "webhook-id")?;
        let time = text(headers, "webhook-timestamp")?;
        let signatures = text(headers, "webhook-signature")?;
        self.recent(time, now)?;
        let found = signatures
            .split(' ')
            .take(SIGNATURES_MAX)
            .filter_map(|one| one.strip_prefix("v1,"));
        let decoded = found.filter_map(|one| STANDARD.decode(one).ok());
        self.any(decoded, &[id.as_bytes(), b".", time.as_bytes(), b".", body])
    }

    fn github(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), SignatureError> {
        let signature = text(headers, "x-hub-signature-256")?;
        let decoded = signature.strip_prefix("sha256=").and_then(from_hex);
        self.any(decoded.into_iter(), &[body])
    }

    fn stripe(&self, headers: &HeaderMap, body: &[u8], now: u64) -> Result<(), SignatureError> {
        let header = text(headers, "stripe-signature")?;
        let fields = || {
            header
                .split(',')
                .take(SIGNATURES_MAX)
                .filter_map(|one| one.trim().split_once('='))
        };
        let time = fields()
            .find(|(name, _)| *name == "t")
            .map(|(_, time)| time);
        let time = time.ok_or(SignatureError::Time)?;
        self.recent(time, now)?;
        let decoded = fields()
            .filter(|(name, _)| *name == "v1")
            .filter_map(|(_, one)| from_hex(one));
        self.any(decoded, &[time.as_bytes(), b".", body])
    }

    fn custom(&self, headers: &HeaderMap, body: &[u8], now: u64) -> Result<(), SignatureError> {
        let header = text(headers, &self.options.header)?;
        let written = header
            .strip_prefix(self.options.prefix.as_str())
            .ok_or(SignatureError::Wrong)?;
        let decoded = match self.options.encoding {
            SignatureEncoding::Hex => from_hex(written),
            SignatureEncoding::Base64 => STANDARD.decode(written).ok(),
        };
        match &self.options.timestamp_header {
            None => self.any(decoded.into_iter(), &[body]),
            Some(name) => {
                let time = text(headers, name)?;
                self.recent(time, now)?;
                self.any(decoded.into_iter(), &[time.as_bytes(), b".", body])
            }
        }
    }

    fn recent(&self, time: &str, now: u64) -> Result<(), SignatureError> {
        let time: u64 = time.trim().parse().map_err(|_| SignatureError::Time)?;
        let apart = time.abs_diff(now);
        if Duration::from_secs(apart) <= self.options.tolerance {
            return Ok(());
        }
        Err(SignatureError::Old {
            apart,
            tolerance: self.options.tolerance.as_secs(),
        })
    }

    fn any(
        &self,
        signatures: impl Iterator<Item = Vec<u8>>,
        signed: &[&[u8]],
    ) -> Result<(), SignatureError> {
        let sha512 =
            self.options.scheme == Scheme::Custom && self.options.algorithm == Algorithm::Sha512;
        for signature in signatures {
            for key in &self.keys {
                let fits = if sha512 {
                    fits::<Hmac<Sha512>>(key, signed, &signature)
                } else {
                    fits::<Hmac<Sha256>>(key, signed, &signature)
                };
                if fits {
                    return Ok(());
                }
            }
        }
        Err(SignatureError::Wrong)
    }
}

fn fits<M: Mac + hmac::digest::KeyInit>(key: &[u8], signed: &[&[u8]], signature: &[u8]) -> bool {
    let Ok(mut mac) = <M as Mac>::new_from_slice(key) else {
        return false;
    };
    for part in signed {
        mac.update(part);
    }
    // Takes the same time wherever the first difference is.
    mac.verify_slice(signature).is_ok()
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Result<&'h str, SignatureError> {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .ok_or_else(|| SignatureError::Missing(name.to_owned()))
}

/// Returns the key behind a secret of Standard Webhooks: base64, with or without `whsec_` in front.
pub(crate) fn standard_key(secret: &str) -> Option<Vec<u8>> {
    let key = STANDARD
        .decode(secret.strip_prefix("whsec_").unwrap_or(secret))
        .ok()?;
    (!key.is_empty()).then_some(key)
}

/// Reads lower or upper case hex.
pub(crate) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text
        .chars()
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty()
        .then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

#[cfg(test)]
mod tests;
