//! Options of authentication, the same for `http-source` and `http-sink`. Aiven's names are aliases.

use std::collections::BTreeMap;

use linkspan_sdk::OptionValue;
use linkspan_sdk::prelude::*;
use url::Url;

/// How a request shows who sends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AuthType {
    None,
    Basic,
    Bearer,
    ApiKey,
    Static,
    OAuth2ClientCredentials,
    OAuth2Refresh,
    Jwt,
}

impl OptionValue for AuthType {
    // Not declared as words, since Aiven's are taken too.
    const KIND: &'static str = "string";

    fn parse(_name: &str, text: &str) -> Result<Self, String> {
        Ok(match text.trim().to_ascii_lowercase().as_str() {
            "none" => Self::None,
            "basic" => Self::Basic,
            "bearer" => Self::Bearer,
            "api_key" | "apikey" => Self::ApiKey,
            "static" => Self::Static,
            "oauth2_client_credentials" | "oauth2" => Self::OAuth2ClientCredentials,
            "oauth2_refresh" => Self::OAuth2Refresh,
            "jwt" => Self::Jwt,
            _ => return Err("`none`, `basic`, `bearer`, `api_key`, `static`, `oauth2_client_credentials` (`oauth2`), `oauth2_refresh` or `jwt`".to_owned()),
        })
    }
}

/// Where an API key goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum KeyPlace {
    Header,
    Query,
}

/// Where the client's credentials go when a token is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientPlace {
    Header,
    Body,
}

impl OptionValue for ClientPlace {
    const KIND: &'static str = "string";

    fn parse(_name: &str, text: &str) -> Result<Self, String> {
        match text.trim().to_ascii_lowercase().as_str() {
            "header" => Ok(Self::Header),
            "url" | "body" => Ok(Self::Body),
            _ => Err("`header` or `url`".to_owned()),
        }
    }
}

/// The signature of a JWT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum JwtAlgorithm {
    #[option(name = "HS256")]
    Hs256,
    #[option(name = "HS512")]
    Hs512,
    #[option(name = "RS256")]
    Rs256,
    #[option(name = "ES256")]
    Es256,
}

/// Who sends the requests.
#[derive(Debug, Clone, Options)]
#[options(validate = "AuthOptions::check")]
pub(crate) struct AuthOptions {
    /// `none`, `basic`, `bearer`, `api_key`, `static` (a whole `Authorization` header), `oauth2_client_credentials`
    /// (`oauth2`), `oauth2_refresh` or `jwt`.
    #[option(
        name = "auth.type",
        default = "none",
        alias = "http.authorization.type",
        importance = "high",
        group = "auth"
    )]
    pub(crate) kind: AuthType,
    /// The user of `basic`.
    #[option(name = "auth.username", group = "auth")]
    pub(crate) username: Option<String>,
    /// The password of `basic`.
    #[option(name = "auth.password", group = "auth")]
    pub(crate) password: Option<Secret>,
    /// The token of `bearer`.
    #[option(name = "auth.token", group = "auth")]
    pub(crate) token: Option<Secret>,
    /// The whole `Authorization` header of `static`.
    #[option(
        name = "auth.authorization",
        alias = "http.headers.authorization",
        group = "auth"
    )]
    pub(crate) authorization: Option<Secret>,
    /// The key of `api_key`.
    #[option(name = "auth.api.key", group = "auth")]
    pub(crate) api_key: Option<Secret>,
    /// The header or query parameter of `api_key`.
    #[option(name = "auth.api.key.name", default = "X-API-Key", group = "auth")]
    pub(crate) api_key_name: String,
    /// Where the key goes: `header` or `query`.
    #[option(name = "auth.api.key.in", default = "header", group = "auth")]
    pub(crate) api_key_in: KeyPlace,
    /// Where tokens come from.
    #[option(name = "oauth2.access.token.url", group = "oauth2")]
    pub(crate) token_url: Option<String>,
    /// The client's id.
    #[option(name = "oauth2.client.id", group = "oauth2")]
    pub(crate) client_id: Option<String>,
    /// The client's secret.
    #[option(name = "oauth2.client.secret", group = "oauth2")]
    pub(crate) client_secret: Option<Secret>,
    /// What the token is to be good for.
    #[option(name = "oauth2.client.scope", alias = "oauth2.scope", group = "oauth2")]
    pub(crate) scope: Option<String>,
    /// Where id and secret go: `header` (Basic) or `url` (fields of the form).
    #[option(
        name = "oauth2.client.authorization.mode",
        default = "header",
        group = "oauth2"
    )]
    pub(crate) client_place: ClientPlace,
    /// The field of the answer that holds the token.
    #[option(
        name = "oauth2.response.token.property",
        default = "access_token",
        group = "oauth2"
    )]
    pub(crate) token_property: String,
    /// The refresh token of `oauth2_refresh`. A newer one that the server hands out is used while the task lives.
    #[option(name = "oauth2.refresh.token", group = "oauth2")]
    pub(crate) refresh_token: Option<Secret>,
    /// `HS256`, `HS512`, `RS256` or `ES256`.
    #[option(name = "jwt.algorithm", default = "HS256", group = "jwt")]
    pub(crate) jwt_algorithm: JwtAlgorithm,
    /// The key: a secret for HS256 and HS512, a private key as PEM for the others.
    #[option(name = "jwt.key", group = "jwt")]
    pub(crate) jwt_key: Option<Secret>,
    /// The key's id, the header `kid`.
    #[option(name = "jwt.key.id", group = "jwt")]
    pub(crate) jwt_key_id: Option<String>,
    /// Claims such as `iss`, `sub` and `aud`; `iat` and `exp` are added.
    #[option(name = "jwt.claims", default = "{}", group = "jwt")]
    pub(crate) jwt_claims: BTreeMap<String, String>,
    /// How long a token is good.
    #[option(name = "jwt.lifetime", default = "10m", min = "1s", group = "jwt")]
    pub(crate) jwt_lifetime: Duration,
}

impl AuthOptions {
    /// Returns every secret that is set.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        [
            &self.password,
            &self.token,
            &self.authorization,
            &self.api_key,
            &self.client_secret,
            &self.refresh_token,
            &self.jwt_key,
        ]
        .into_iter()
        .flatten()
    }

    fn check(&self) -> Vec<ConfigProblem> {
        let mut problems = Vec::new();
        let mut needs = |option: &str, is_set: bool| {
            if !is_set {
                problems.push(ConfigProblem::new(
                    option,
                    "is missing; this `auth.type` needs it",
                ));
            }
        };
        match self.kind {
            AuthType::None => {}
            AuthType::Basic => {
                needs("auth.username", self.username.is_some());
                needs("auth.password", self.password.is_some());
            }
            AuthType::Bearer => needs("auth.token", self.token.is_some()),
            AuthType::Static => needs("auth.authorization", self.authorization.is_some()),
            AuthType::ApiKey => needs("auth.api.key", self.api_key.is_some()),
            AuthType::OAuth2ClientCredentials | AuthType::OAuth2Refresh => {
                needs("oauth2.access.token.url", self.token_url.is_some());
                if self.kind == AuthType::OAuth2Refresh {
                    needs("oauth2.refresh.token", self.refresh_token.is_some());
                } else {
                    needs("oauth2.client.id", self.client_id.is_some());
                    needs("oauth2.client.secret", self.client_secret.is_some());
                }
            }
            AuthType::Jwt => needs("jwt.key", self.jwt_key.is_some()),
        }
        if self
            .token_url
            .as_deref()
            .is_some_and(|url| Url::parse(url).is_err())
        {
            problems.push(ConfigProblem::new(
                "oauth2.access.token.url",
                "is not a URL",
            ));
        }
        problems
    }
}
