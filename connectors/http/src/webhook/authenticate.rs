//! Who calls: nothing, user and password, a token, or a signature of the body.

use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use linkspan_sdk::Secret;
use sha2::Sha256;

use super::options::{AuthType, WebhookOptions};
use super::signature::{SignatureError, Verifier};

/// What a caller must show.
#[derive(Debug)]
pub(super) enum Authenticator {
    Nobody,
    Basic { user: String, password: Secret },
    Bearer(Vec<Secret>),
    Signed(Verifier),
}

/// Why a caller is refused with 401; the text goes into the answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error("user and password are missing or wrong")]
    Basic,
    #[error("the token is missing or wrong")]
    Bearer,
    #[error(transparent)]
    Signature(#[from] SignatureError),
}

impl Authenticator {
    pub(super) fn new(options: &WebhookOptions) -> Self {
        let auth = &options.auth;
        match (auth.kind, &auth.username, &auth.password) {
            (AuthType::None, _, _) => Self::Nobody,
            (AuthType::Basic, user, password) => Self::Basic {
                user: user.clone().unwrap_or_default(),
                password: password.clone().unwrap_or_else(|| Secret::new("")),
            },
            (AuthType::Bearer, _, _) => Self::Bearer(auth.tokens.clone()),
            (AuthType::Hmac, _, _) => Self::Signed(Verifier::new(&options.hmac)),
        }
    }

    /// Checks what the headers alone can show, before a byte of the body is read.
    pub(super) fn check_headers(&self, headers: &HeaderMap) -> Result<(), Refused> {
        match self {
            Self::Nobody | Self::Signed(_) => Ok(()),
            Self::Basic { user, password } => {
                let shown =
                    credentials(headers, "Basic").and_then(|text| STANDARD.decode(text).ok());
                let wanted = format!("{user}:{}", password.expose());
                shown
                    .filter(|shown| same(shown, wanted.as_bytes()))
                    .map(|_| ())
                    .ok_or(Refused::Basic)
            }
            Self::Bearer(tokens) => {
                let shown = credentials(headers, "Bearer").ok_or(Refused::Bearer)?;
                // Every token is compared, so that the time tells nothing about which one fits.
                let fitting = tokens
                    .iter()
                    .filter(|token| {
                        !token.expose().is_empty()
                            && same(shown.as_bytes(), token.expose().as_bytes())
                    })
                    .count();
                if fitting > 0 {
                    Ok(())
                } else {
                    Err(Refused::Bearer)
                }
            }
        }
    }

    /// Checks the signature of the body.
    pub(super) fn check_body(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: u64,
    ) -> Result<(), Refused> {
        match self {
            Self::Nobody | Self::Basic { .. } | Self::Bearer(_) => Ok(()),
            Self::Signed(verifier) => Ok(verifier.check(headers, body, now)?),
        }
    }

    /// Returns what `WWW-Authenticate` says to a caller that was refused.
    pub(super) const fn challenge(&self) -> Option<HeaderValue> {
        match self {
            Self::Nobody | Self::Signed(_) => None,
            Self::Basic { .. } => Some(HeaderValue::from_static(
                "Basic realm=\"webhook\", charset=\"UTF-8\"",
            )),
            Self::Bearer(_) => Some(HeaderValue::from_static("Bearer")),
        }
    }
}

fn credentials<'h>(headers: &'h HeaderMap, scheme: &str) -> Option<&'h str> {
    let (found, rest) = headers
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .split_once(' ')?;
    found.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}

/// Compares in a time that does not depend on where the first difference is.
fn same(shown: &[u8], wanted: &[u8]) -> bool {
    let mac = |bytes: &[u8]| {
        // Any key does: only equality counts. A key of 32 bytes is always taken.
        let mut mac = Hmac::<Sha256>::new_from_slice(&[0x6c; 32]).ok()?;
        mac.update(bytes);
        Some(mac)
    };
    let (Some(shown), Some(wanted)) = (mac(shown), mac(wanted)) else {
        return false;
    };
    shown.verify(&wanted.finalize().into_bytes()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_compared_whole() {
        assert!(same(b"token", b"token"));
        for wrong in ["tokem", "toke", "token ", ""] {
            assert!(!same(wrong.as_bytes(), b"token"), "{wrong}");
        }
    }
}
