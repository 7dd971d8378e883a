//! Who asks: users with passwords (`Authorization: Basic`), and bearer tokens.
//!
//! ```text
//! request ─► none sent ─────────────────────────────────► 401
//!         ├► bearer ─► SHA-256 ─► compare with all ──┬──► Caller
//!         └► basic ──► was right lately ─────────────┤
//!                   └► too many failures ─► 429      │
//!                   └► argon2id, two at a time ──────┴──► after a pause: 401
//! ```
//! Secrets are compared in constant time, and an unknown user costs as much as a wrong password. What a caller may do stands
//! with the routes ([`crate::Role`]). Not here: where users come from.

mod password;
mod throttle;

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use linkspan_types::{Clock as _, SystemClock};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};
use tokio::sync::Semaphore;
use tokio::time::Instant;

pub use self::password::{NewPassword, NewToken, RandomError, Verifier, VerifierError};
use self::throttle::Throttle;
use crate::refusal::Refusal;
use crate::role::{Caller, Role};

/// How long a failed attempt waits for its answer.
const FAILED_PAUSE: Duration = Duration::from_millis(300);
/// Passwords that are checked at the same time; each takes tens of megabytes.
const CHECKS_MAX: usize = 2;
/// How long a password that was right need not be checked again.
const KNOWN_FOR: Duration = Duration::from_secs(300);
/// How many of those are remembered.
const KNOWN_MAX: usize = 256;
/// The longest header of credentials that is looked at.
const CREDENTIALS_BYTES_MAX: usize = 4096;

/// Failed attempts of this process, for metrics.
static FAILURES: AtomicU64 = AtomicU64::new(0);

/// How often a wrong password or token was sent to this process.
pub(crate) fn failures() -> u64 {
    FAILURES.load(Ordering::Relaxed)
}

/// A user.
#[derive(Debug, Clone)]
pub struct User {
    /// The name.
    pub name: String,
    /// What the user may do.
    pub role: Role,
    /// Knows the password when it sees it.
    pub password: Verifier,
}

/// A bearer token.
#[derive(Clone)]
pub struct Token {
    /// Its name.
    pub name: String,
    /// What its bearer may do.
    pub role: Role,
    /// SHA-256 of the token.
    pub sha256: [u8; 32],
    /// From when on it is worth nothing, in milliseconds since 1970 UTC.
    pub expires_ms: Option<i64>,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("name", &self.name)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

/// Why a request is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Denied {
    /// It says nothing of who asks.
    Silent,
    /// What it says is wrong.
    Wrong,
    /// Its address sent too many wrong ones.
    TooMany,
}

impl Denied {
    pub(crate) fn refusal(self) -> Refusal {
        match self {
            Self::Silent => Refusal::new(401, "LS0627", "this host wants to know who asks")
                .help("send a user and password, or a bearer token"),
            Self::Wrong => Refusal::new(
                401,
                "LS0627",
                "the user, the password or the token is wrong",
            ),
            Self::TooMany => Refusal::new(
                429,
                "LS0628",
                "too many wrong passwords or tokens came from this address",
            )
            .help("try again in a second"),
        }
    }
}

/// A credential that was right, hashed, with who sent it and how long that holds.
type Known = HashMap<[u8; 32], (Caller, Instant)>;

/// Who there is.
struct People {
    users: Vec<User>,
    tokens: Vec<Token>,
    /// Costs as much as the password of a user who exists.
    nobody: Verifier,
}

impl People {
    fn new(users: Vec<User>, tokens: Vec<Token>) -> Self {
        let costly = users.iter().map(|user| &user.password);
        let costly = costly.max_by_key(|password| password.cost()).cloned();
        Self {
            nobody: costly.map_or_else(|| Verifier::plain(""), Verifier::unmatched),
            users,
            tokens,
        }
    }

    fn is_empty(&self) -> bool {
        self.users.is_empty() && self.tokens.is_empty()
    }
}

/// Everybody who may ask.
pub struct Access {
    people: RwLock<Arc<People>>,
    /// Hides what is remembered from who reads this process's memory from outside.
    salt: [u8; 32],
    known: Mutex<Known>,
    throttle: Throttle,
    /// How long a failed attempt waits for its answer.
    pause: Duration,
    checks: Semaphore,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("users", &self.people().users)
            .field("tokens", &self.people().tokens)
            .finish_non_exhaustive()
    }
}

impl Access {
    /// Lets these in; without any everybody is let in as admin.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn new(users: Vec<User>, tokens: Vec<Token>) -> Result<Self, RandomError> {
        Ok(Self {
            people: RwLock::new(Arc::new(People::new(users, tokens))),
            salt: password::random()?,
            known: Mutex::default(),
            throttle: Throttle::default(),
            pause: FAILED_PAUSE,
            checks: Semaphore::new(CHECKS_MAX),
        })
    }

    /// Lets these in from now on, and nobody else; passwords that were right are asked for again.
    pub fn replace(&self, users: Vec<User>, tokens: Vec<Token>) {
        let people = Arc::new(People::new(users, tokens));
        *self.people.write().unwrap_or_else(PoisonError::into_inner) = people;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.clear();
    }

    fn people(&self) -> Arc<People> {
        Arc::clone(&self.people.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Finds out who sent a request.
    ///
    /// # Errors
    /// Nobody who may ask; the answer to a wrong one comes late.
    pub(crate) async fn caller(
        self: &Arc<Self>,
        headers: &HeaderMap,
        from: IpAddr,
    ) -> Result<Caller, Denied> {
        let people = self.people();
        if people.is_empty() {
            return Ok(Caller::local());
        }
        let Some(sent) = headers.get(AUTHORIZATION) else {
            return Err(Denied::Silent);
        };
        let sent = sent.as_bytes();
        let found = if sent.len() > CREDENTIALS_BYTES_MAX {
            None
        } else if let Some(token) = scheme(sent, b"bearer ") {
            bearer(&people, token)
        } else if let Some(pair) = scheme(sent, b"basic ") {
            if let Some(caller) = self.known(pair) {
                return Ok(caller);
            }
            if self.throttle.is_shut(from, Instant::now()) {
                return Err(Denied::TooMany);
            }
            self.basic(&people, pair).await
        } else {
            None
        };
        if let Some(caller) = found {
            return Ok(caller);
        }
        FAILURES.fetch_add(1, Ordering::Relaxed);
        if !self.throttle.failed(from, Instant::now()) {
            return Err(Denied::TooMany);
        }
        tracing::warn!(%from, code = "LS0627", "a wrong password or token");
        tokio::time::sleep(self.pause).await;
        Err(Denied::Wrong)
    }

    async fn basic(&self, people: &Arc<People>, pair: &[u8]) -> Option<Caller> {
        let decoded = STANDARD.decode(pair.trim_ascii()).ok()?;
        let (name, password) = {
            let at = decoded.iter().position(|byte| *byte == b':')?;
            let (name, rest) = decoded.split_at(at);
            (name.to_vec(), rest.get(1..)?.to_vec())
        };
        let user = people
            .users
            .iter()
            .find(|user| user.name.as_bytes() == name);
        let verifier = user.map_or(&people.nobody, |user| &user.password).clone();
        // It is never closed.
        let slot = self.checks.acquire().await.ok()?;
        let checked = tokio::task::spawn_blocking(move || verifier.holds(&password)).await;
        drop(slot);
        let user = user.filter(|_| checked.unwrap_or(false))?;
        let caller = caller(&user.name, user.role);
        self.remember(people, pair, caller.clone());
        Some(caller)
    }

    fn key(&self, pair: &[u8]) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.salt);
        hash.update(pair.trim_ascii());
        hash.finalize().into()
    }

    fn known(&self, pair: &[u8]) -> Option<Caller> {
        let key = self.key(pair);
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (caller, until) = known.get(&key)?;
        (Instant::now() < *until).then(|| caller.clone())
    }

    fn remember(&self, people: &Arc<People>, pair: &[u8], caller: Caller) {
        let now = Instant::now();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // Who was replaced meanwhile is not remembered.
        if !Arc::ptr_eq(people, &self.people()) {
            return;
        }
        if known.len() >= KNOWN_MAX {
            known.retain(|_, (_, until)| now < *until);
        }
        if known.len() < KNOWN_MAX {
            known.insert(self.key(pair), (caller, now + KNOWN_FOR));
        }
    }
}

fn bearer(people: &People, token: &[u8]) -> Option<Caller> {
    let digest: [u8; 32] = Sha256::digest(token.trim_ascii()).into();
    let now_ms = SystemClock::default().now_ms();
    let mut found = None;
    // All of them, whichever it is: how long this takes says nothing.
    for token in &people.tokens {
        let same: Choice = token.sha256.ct_eq(&digest);
        if bool::from(same) {
            found = Some(token);
        }
    }
    let token = found.filter(|token| token.expires_ms.is_none_or(|at| now_ms < at))?;
    Some(caller(&token.name, token.role))
}

fn caller(user: &str, role: Role) -> Caller {
    Caller {
        user: user.to_owned(),
        role,
        auth: true,
    }
}

/// What follows a scheme's word, whatever its case.
fn scheme<'h>(header: &'h [u8], word: &[u8]) -> Option<&'h [u8]> {
    let (found, rest) = header.split_at_checked(word.len())?;
    found.eq_ignore_ascii_case(word).then_some(rest)
}

#[cfg(test)]
mod tests;
