//! Passwords and tokens: how they are made, and how one that was sent is recognised.
//!
//! A password is stored as an argon2id hash (RFC 9106, as a PHC string), a token as its SHA-256: it is long and random, so
//! that nobody can try them all.

use std::fmt;
use std::sync::Arc;

use argon2::password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tokio_rustls::rustls::crypto::ring;

/// What a new hash costs: OWASP's first recommendation, 19 MiB and two passes.
const NEW_KIB: u32 = 19 << 10;
const NEW_PASSES: u32 = 2;
const NEW_LANES: u32 = 1;
/// Bytes of a new salt.
const SALT_BYTES: usize = 16;
/// What a token of this host begins with, so that scanners of leaked secrets know it.
const TOKEN_BEGINS: &str = "lsp_";

/// The system gives no random numbers.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random numbers")]
pub struct RandomError;

/// A hash that this host does not take.
#[derive(Debug, thiserror::Error)]
#[error("a password hash cannot be read: {0}")]
pub struct VerifierError(argon2::password_hash::Error);

/// Random bytes.
pub(super) fn random<const N: usize>() -> Result<[u8; N], RandomError> {
    let mut bytes = [0_u8; N];
    let source = ring::default_provider().secure_random;
    source.fill(&mut bytes).map_err(|_| RandomError)?;
    Ok(bytes)
}

#[derive(Clone)]
enum Kept {
    Argon2(Arc<str>),
    Digest([u8; 32]),
}

/// Knows a password when it sees it.
#[derive(Clone)]
pub struct Verifier(Kept);

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(linkspan_types::HIDDEN)
    }
}

impl Verifier {
    /// For an argon2id hash.
    ///
    /// # Errors
    /// It is none.
    pub fn hashed(phc: &str) -> Result<Self, VerifierError> {
        PasswordHash::new(phc).map_err(VerifierError)?;
        Ok(Self(Kept::Argon2(phc.into())))
    }

    /// For a password that is known; only its SHA-256 is kept.
    #[must_use]
    pub fn plain(password: &str) -> Self {
        Self(Kept::Digest(Sha256::digest(password).into()))
    }

    /// Whether this is the password. Takes tens of milliseconds and megabytes.
    pub(super) fn holds(&self, password: &[u8]) -> bool {
        match &self.0 {
            Kept::Argon2(phc) => PasswordHash::new(phc)
                .is_ok_and(|hash| Argon2::default().verify_password(password, &hash).is_ok()),
            Kept::Digest(digest) => {
                let sent: [u8; 32] = Sha256::digest(password).into();
                bool::from(digest.ct_eq(&sent))
            }
        }
    }

    /// Its memory times its passes; 0 where nothing is hashed.
    pub(super) fn cost(&self) -> u64 {
        let Kept::Argon2(phc) = &self.0 else { return 0 };
        let params = PasswordHash::new(phc)
            .ok()
            .and_then(|hash| Params::try_from(&hash).ok());
        params.map_or(0, |params| {
            u64::from(params.m_cost()) * u64::from(params.t_cost())
        })
    }

    /// One that costs the same and that no password fits.
    #[must_use]
    pub(super) fn unmatched(self) -> Self {
        match self.0 {
            Kept::Digest(_) => Self(Kept::Digest([0; 32])),
            // Another hash of the same form: who knew a password for it would have broken argon2.
            Kept::Argon2(phc) => {
                let (front, hash) = phc.rsplit_once('$').unwrap_or((&phc, ""));
                let hash = "A".repeat(hash.len());
                Self(Kept::Argon2(format!("{front}${hash}").into()))
            }
        }
    }
}

/// A password's hash for the configuration.
#[derive(Debug)]
pub struct NewPassword {
    /// The PHC string.
    pub hash: String,
}

impl NewPassword {
    /// Hashes a password with a salt of its own.
    ///
    /// # Errors
    /// No random numbers.
    pub fn of(password: &str) -> Result<Self, RandomError> {
        let salt = SaltString::encode_b64(&random::<SALT_BYTES>()?).map_err(|_| RandomError)?;
        let params = Params::new(NEW_KIB, NEW_PASSES, NEW_LANES, None).map_err(|_| RandomError)?;
        let hash = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password(password.as_bytes(), &salt)
            .map_err(|_| RandomError)?;
        Ok(Self {
            hash: hash.to_string(),
        })
    }
}

/// A token, and what the configuration keeps of it.
pub struct NewToken {
    /// The token, for its bearer.
    pub token: String,
    /// 64 hex digits.
    pub sha256: String,
}

impl fmt::Debug for NewToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewToken").finish_non_exhaustive()
    }
}

impl NewToken {
    /// Makes one of 256 random bits.
    ///
    /// # Errors
    /// No random numbers.
    pub fn new() -> Result<Self, RandomError> {
        let token = format!("{TOKEN_BEGINS}{}", URL_SAFE_NO_PAD.encode(random::<32>()?));
        let sha256 = Sha256::digest(&token)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Ok(Self { token, sha256 })
    }
}
