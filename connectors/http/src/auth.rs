//! How requests show who sends them.
//!
//! Credentials go to the origin of the configured URL only, never along with a redirect to another one. A token is fetched when it is first
//! needed and kept until shortly before it ends; an answer 401 makes one new fetch.

mod jwt;
mod oauth;
mod options;

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use linkspan_sdk::Secret;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use tokio::sync::Mutex;
use url::Url;

use crate::client::Client;
use crate::error::CallError;
use crate::mask::Mask;

pub(crate) use options::{AuthOptions, AuthType, KeyPlace};

/// A token is replaced this long before its end.
const BEFORE_END: Duration = Duration::from_secs(30);

/// A way of showing who sends a request.
#[derive(Debug)]
pub(crate) struct Auth {
    way: Way,
    mask: Mask,
}

#[derive(Debug)]
enum Way {
    Nothing,
    Header(HeaderName, HeaderValue),
    Query(String, Secret),
    /// Tokens that have to be fetched or made. The lock is held while one is fetched, so that all wait for the same one.
    Token {
        maker: Box<Maker>,
        token: Mutex<Option<Token>>,
    },
}

#[derive(Debug)]
enum Maker {
    OAuth(oauth::Grant),
    Jwt(jwt::Signer),
}

/// A token with its end.
#[derive(Debug, Clone)]
struct Token {
    value: Secret,
    ends: Option<Instant>,
}

impl Auth {
    /// Prepares what the options say.
    ///
    /// # Errors
    /// A key cannot be read, or a header cannot hold a value.
    pub(crate) fn new(options: &AuthOptions, mask: &Mask) -> Result<Self, CallError> {
        for secret in options.secrets() {
            mask.cover(secret.expose());
        }
        let unusable = |what: &str| {
            CallError::Token(format!(
                "`{what}` holds a character that no header can hold"
            ))
        };
        let header = |name: HeaderName, text: String, what: &str| {
            mask.cover(&text);
            let mut value = HeaderValue::from_str(&text).map_err(|_| unusable(what))?;
            value.set_sensitive(true);
            Ok(Way::Header(name, value))
        };
        let text = |secret: &Option<Secret>| {
            secret
                .as_ref()
                .map_or_else(String::new, |secret| secret.expose().to_owned())
        };
        let way = match options.kind {
            AuthType::None => Way::Nothing,
            AuthType::Basic => {
                let user = options.username.clone().unwrap_or_default();
                let pair = STANDARD.encode(format!("{user}:{}", text(&options.password)));
                mask.cover(&pair);
                header(AUTHORIZATION, format!("Basic {pair}"), "auth.password")?
            }
            AuthType::Bearer => header(
                AUTHORIZATION,
                format!("Bearer {}", text(&options.token)),
                "auth.token",
            )?,
            AuthType::Static => header(
                AUTHORIZATION,
                text(&options.authorization),
                "auth.authorization",
            )?,
            AuthType::ApiKey => match options.api_key_in {
                KeyPlace::Header => {
                    let name = options
                        .api_key_name
                        .parse()
                        .map_err(|_| unusable("auth.api.key.name"))?;
                    header(name, text(&options.api_key), "auth.api.key")?
                }
                KeyPlace::Query => Way::Query(
                    options.api_key_name.clone(),
                    Secret::new(text(&options.api_key)),
                ),
            },
            AuthType::OAuth2ClientCredentials | AuthType::OAuth2Refresh => Way::Token {
                maker: Box::new(Maker::OAuth(oauth::Grant::new(options))),
                token: Mutex::default(),
            },
            AuthType::Jwt => Way::Token {
                maker: Box::new(Maker::Jwt(jwt::Signer::new(options)?)),
                token: Mutex::default(),
            },
        };
        Ok(Self {
            way,
            mask: mask.clone(),
        })
    }

    /// Returns whether a refused request may be sent again with a new token.
    pub(crate) const fn can_renew(&self) -> bool {
        matches!(self.way, Way::Token { .. })
    }

    /// Puts the credentials into a request; returns the token that was used, for [`Auth::renew`].
    pub(crate) async fn apply(
        &self,
        client: &Client,
        headers: &mut HeaderMap,
        url: &mut Url,
    ) -> Result<Option<Secret>, CallError> {
        match &self.way {
            Way::Nothing => Ok(None),
            Way::Header(name, value) => {
                headers.insert(name.clone(), value.clone());
                Ok(None)
            }
            Way::Query(name, key) => {
                url.query_pairs_mut().append_pair(name, key.expose());
                Ok(None)
            }
            Way::Token { maker, token } => {
                let value = self.token(client, maker, token).await?;
                let mut header = HeaderValue::from_str(&format!("Bearer {}", value.expose()))
                    .map_err(|_| {
                        CallError::Token("it holds a character that no header can hold".to_owned())
                    })?;
                header.set_sensitive(true);
                headers.insert(AUTHORIZATION, header);
                Ok(Some(value))
            }
        }
    }

    /// Forgets a token that was refused, unless another request has replaced it already.
    pub(crate) async fn renew(&self, refused: &Secret) {
        if let Way::Token { token, .. } = &self.way {
            let mut token = token.lock().await;
            if token.as_ref().is_some_and(|known| known.value == *refused) {
                *token = None;
            }
        }
    }

    async fn token(
        &self,
        client: &Client,
        maker: &Maker,
        token: &Mutex<Option<Token>>,
    ) -> Result<Secret, CallError> {
        let mut token = token.lock().await;
        if let Some(known) = token
            .as_ref()
            .filter(|known| known.ends.is_none_or(|ends| Instant::now() < ends))
        {
            return Ok(known.value.clone());
        }
        let (value, lifetime) = match maker {
            // Boxed: a fetch is a request, which could otherwise contain itself.
            Maker::OAuth(grant) => Box::pin(grant.fetch(client, &self.mask)).await?,
            Maker::Jwt(signer) => signer.sign()?,
        };
        self.mask.cover(value.expose());
        let ends = lifetime
            .map(|lifetime| Instant::now() + lifetime.saturating_sub(BEFORE_END.min(lifetime / 2)));
        *token = Some(Token {
            value: value.clone(),
            ends,
        });
        Ok(value)
    }
}
