//! From what stands under `host:` to who may ask the REST interface, and over which line.

use std::sync::Arc;

use linkspan_config::{AccessRole, AccessSettings, Hidden, PasswordSetting, TokenSecret};
use linkspan_rest::{Access, Role, Tls, Token, User, Verifier};
use linkspan_types::error_chain;
use sha2::{Digest as _, Sha256};

use crate::exit::{Exit, Failure};

fn role(role: AccessRole) -> Role {
    match role {
        AccessRole::Viewer => Role::Viewer,
        AccessRole::Operator => Role::Operator,
        AccessRole::Admin => Role::Admin,
    }
}

/// Who may ask.
///
/// # Errors
/// A hash cannot be read (exit 2), or there are no random numbers (exit 3).
pub(super) fn access(settings: &AccessSettings) -> Result<Arc<Access>, Failure> {
    let (users, tokens) = people(settings)?;
    Access::new(users, tokens)
        .map(Arc::new)
        .map_err(|error| Failure::new(Exit::Environment, "LS0704", error_chain(&error)))
}

/// The users and tokens of the settings.
///
/// # Errors
/// A hash cannot be read (exit 2).
pub(super) fn people(settings: &AccessSettings) -> Result<(Vec<User>, Vec<Token>), Failure> {
    let users = settings
        .users
        .iter()
        .map(|user| {
            let password = match &user.password {
                PasswordSetting::Plain(Hidden(password)) => Verifier::plain(password),
                PasswordSetting::Hash(Hidden(hash)) => Verifier::hashed(hash).map_err(|error| {
                    let message = format!("user `{}`: {}", user.name, error_chain(&error));
                    Failure::new(Exit::Invalid, "LS0231", message)
                        .help("`linkspan users hash` makes one")
                })?,
            };
            Ok(User {
                name: user.name.clone(),
                role: role(user.role),
                password,
            })
        })
        .collect::<Result<Vec<_>, Failure>>()?;
    let tokens = settings.tokens.iter().map(|token| Token {
        name: token.name.clone(),
        role: role(token.role),
        sha256: match &token.secret {
            TokenSecret::Sha256(digest) => *digest,
            TokenSecret::Plain(Hidden(token)) => Sha256::digest(token).into(),
        },
        expires_ms: token.expires_ms,
    });
    Ok((users, tokens.collect()))
}

/// The listener's certificate and key, where it has some.
///
/// # Errors
/// They cannot be used (exit 3).
pub(super) fn tls(settings: &AccessSettings) -> Result<Option<Tls>, Failure> {
    let Some(files) = &settings.tls else {
        return Ok(None);
    };
    Tls::open(&files.cert, &files.key).map(Some).map_err(|error| {
        let message = format!("TLS of the REST interface: {}", error_chain(&error));
        Failure::new(Exit::Environment, "LS0629", message)
            .help("`host.listen.tls.cert` is the PEM chain, the host's own certificate first; `host.listen.tls.key` its key")
    })
}
