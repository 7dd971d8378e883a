//! OAuth 2.0 (RFC 6749): client credentials (§4.4) and refresh tokens (§6).

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use linkspan_sdk::Secret;
use reqwest::Method;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::Value;
use url::form_urlencoded::Serializer;
use url::{Url, form_urlencoded};

use super::options::{AuthOptions, AuthType, ClientPlace};
use crate::client::{Call, Client};
use crate::error::CallError;
use crate::mask::Mask;

/// What is asked for at the token's URL.
#[derive(Debug)]
pub(super) struct Grant {
    options: AuthOptions,
    /// Guards the newest refresh token, for a moment.
    refresh_token: Mutex<Option<Secret>>,
}

impl Grant {
    pub(super) fn new(options: &AuthOptions) -> Self {
        Self {
            options: options.clone(),
            refresh_token: Mutex::new(options.refresh_token.clone()),
        }
    }

    /// Fetches a token; returns it with its lifetime, where the server says one.
    pub(super) async fn fetch(
        &self,
        client: &Client,
        mask: &Mask,
    ) -> Result<(Secret, Option<Duration>), CallError> {
        let options = &self.options;
        let url = options.token_url.as_deref().unwrap_or_default();
        let url = Url::parse(url)
            .map_err(|error| CallError::Token(format!("`oauth2.access.token.url`: {error}")))?;
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        let mut form = Serializer::new(String::new());
        match options.kind {
            AuthType::OAuth2Refresh => {
                let token = self
                    .refresh_token
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .clone();
                form.append_pair("grant_type", "refresh_token");
                form.append_pair("refresh_token", token.as_ref().map_or("", Secret::expose));
            }
            _ => {
                form.append_pair("grant_type", "client_credentials");
            }
        }
        if let Some(scope) = &options.scope {
            form.append_pair("scope", scope);
        }
        self.identify(&mut headers, &mut form, mask)?;
        let body = Bytes::from(form.finish());
        let answer = client
            .send_bare(Call {
                method: Method::POST,
                url,
                headers,
                body,
            })
            .await?;
        let told = || format!("{}; check `oauth2.*`", answer.told(mask));
        if answer.status.is_server_error() || answer.status.as_u16() == 429 {
            return Err(CallError::TokenLater(answer.told(mask)));
        }
        if !answer.status.is_success() {
            return Err(CallError::Token(told()));
        }
        let fields: Value =
            serde_json::from_slice(&answer.body).map_err(|_| CallError::Token(told()))?;
        let property = options.token_property.as_str();
        let token = fields
            .get(property)
            .and_then(Value::as_str)
            .filter(|token| !token.is_empty());
        let token = token.ok_or_else(|| {
            CallError::Token(format!(
                "the answer has no field `{property}` (`oauth2.response.token.property`)"
            ))
        })?;
        if let Some(newer) = fields.get("refresh_token").and_then(Value::as_str) {
            mask.cover(newer);
            *self
                .refresh_token
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = Some(Secret::new(newer));
        }
        Ok((Secret::new(token), lifetime(&fields)))
    }

    fn identify(
        &self,
        headers: &mut HeaderMap,
        form: &mut Serializer<'_, String>,
        mask: &Mask,
    ) -> Result<(), CallError> {
        let Some(id) = &self.options.client_id else {
            return Ok(());
        };
        let secret = self
            .options
            .client_secret
            .as_ref()
            .map_or("", Secret::expose);
        match self.options.client_place {
            ClientPlace::Header => {
                // RFC 6749 §2.3.1: both are form-encoded first.
                let encode = |text: &str| {
                    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>()
                };
                let pair = STANDARD.encode(format!("{}:{}", encode(id), encode(secret)));
                mask.cover(&pair);
                let mut value = HeaderValue::from_str(&format!("Basic {pair}")).map_err(|_| {
                    CallError::Token("no header can hold the client's id and secret".to_owned())
                })?;
                value.set_sensitive(true);
                headers.insert(AUTHORIZATION, value);
            }
            ClientPlace::Body => {
                form.append_pair("client_id", id);
                form.append_pair("client_secret", secret);
            }
        }
        Ok(())
    }
}

/// `expires_in` is seconds, as a number or, with some servers, as a text.
fn lifetime(fields: &Value) -> Option<Duration> {
    let seconds = match fields.get("expires_in")? {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.parse().ok()?,
        _ => return None,
    };
    Duration::try_from_secs_f64(seconds).ok()
}
