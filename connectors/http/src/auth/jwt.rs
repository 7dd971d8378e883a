//! JSON Web Tokens (RFC 7519), signed here: HS256 and HS512 by a secret, RS256 and ES256 by a private key.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use linkspan_sdk::Secret;
use rustls::SignatureScheme;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::sign::SigningKey;
use serde_json::{Map, Value, json};
use sha2::{Sha256, Sha512};

use super::options::{AuthOptions, JwtAlgorithm};
use crate::error::CallError;

/// Makes tokens.
#[derive(Debug)]
pub(super) struct Signer {
    options: AuthOptions,
    /// For the algorithms with a private key.
    private: Option<Arc<dyn SigningKey>>,
}

impl Signer {
    pub(super) fn new(options: &AuthOptions) -> Result<Self, CallError> {
        let private = match options.jwt_algorithm {
            JwtAlgorithm::Hs256 | JwtAlgorithm::Hs512 => None,
            JwtAlgorithm::Rs256 | JwtAlgorithm::Es256 => {
                let pem = options.jwt_key.as_ref().map_or("", Secret::expose);
                let unusable = |_| {
                    CallError::Token(
                        "`jwt.key` is no private key as PEM that this algorithm can use".to_owned(),
                    )
                };
                let key = PrivateKeyDer::from_pem_slice(pem.as_bytes())
                    .map_err(|error| unusable(error.to_string()))?;
                Some(
                    rustls::crypto::ring::sign::any_supported_type(&key)
                        .map_err(|error| unusable(error.to_string()))?,
                )
            }
        };
        Ok(Self {
            options: options.clone(),
            private,
        })
    }

    /// Makes a token that is good from now on.
    pub(super) fn sign(&self) -> Result<(Secret, Option<Duration>), CallError> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let token = self.token(now)?;
        Ok((Secret::new(token), Some(self.options.jwt_lifetime)))
    }

    fn token(&self, now: u64) -> Result<String, CallError> {
        let name = match self.options.jwt_algorithm {
            JwtAlgorithm::Hs256 => "HS256",
            JwtAlgorithm::Hs512 => "HS512",
            JwtAlgorithm::Rs256 => "RS256",
            JwtAlgorithm::Es256 => "ES256",
        };
        let mut header = Map::from_iter([
            ("alg".to_owned(), json!(name)),
            ("typ".to_owned(), json!("JWT")),
        ]);
        header.extend(
            self.options
                .jwt_key_id
                .clone()
                .map(|id| ("kid".to_owned(), Value::from(id))),
        );
        let mut claims: Map<String, Value> = self
            .options
            .jwt_claims
            .iter()
            .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
            .collect();
        claims.insert("iat".to_owned(), json!(now));
        claims.insert(
            "exp".to_owned(),
            json!(now + self.options.jwt_lifetime.as_secs()),
        );
        let encode =
            |map: Map<String, Value>| URL_SAFE_NO_PAD.encode(Value::Object(map).to_string());
        let signed = format!("{}.{}", encode(header), encode(claims));
        let signature = self.signature(signed.as_bytes())?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    fn signature(&self, signed: &[u8]) -> Result<Vec<u8>, CallError> {
        let secret = self
            .options
            .jwt_key
            .as_ref()
            .map_or("", Secret::expose)
            .as_bytes();
        let failed = || CallError::Token("`jwt.key` does not fit `jwt.algorithm`".to_owned());
        let with_key = |scheme: SignatureScheme| {
            let signer = self
                .private
                .as_ref()
                .and_then(|key| key.choose_scheme(&[scheme]))
                .ok_or_else(failed)?;
            signer.sign(signed).map_err(|_| failed())
        };
        match self.options.jwt_algorithm {
            JwtAlgorithm::Hs256 => {
                let mut mac = Hmac::<Sha256>::new_from_slice(secret).map_err(|_| failed())?;
                mac.update(signed);
                Ok(mac.finalize().into_bytes().to_vec())
            }
            JwtAlgorithm::Hs512 => {
                let mut mac = Hmac::<Sha512>::new_from_slice(secret).map_err(|_| failed())?;
                mac.update(signed);
                Ok(mac.finalize().into_bytes().to_vec())
            }
            JwtAlgorithm::Rs256 => with_key(SignatureScheme::RSA_PKCS1_SHA256),
            JwtAlgorithm::Es256 => {
                fixed(&with_key(SignatureScheme::ECDSA_NISTP256_SHA256)?).ok_or_else(failed)
            }
        }
    }
}

/// Turns `SEQUENCE { INTEGER r, INTEGER s }` (DER) into r and s of 32 bytes each, as RFC 7518 §3.4 wants them.
fn fixed(der: &[u8]) -> Option<Vec<u8>> {
    let rest = der.strip_prefix(&[0x30])?;
    let (_, rest) = rest.split_first()?;
    let (r, rest) = integer(rest)?;
    let (s, rest) = integer(rest)?;
    rest.is_empty().then(|| [r, s].concat())
}

fn integer(der: &[u8]) -> Option<([u8; 32], &[u8])> {
    let (length, rest) = der.strip_prefix(&[0x02])?.split_first()?;
    let (digits, rest) = rest.split_at_checked(usize::from(*length))?;
    let digits = match digits {
        [0, digits @ ..] => digits,
        digits => digits,
    };
    let mut number = [0; 32];
    let start = number.len().checked_sub(digits.len())?;
    number.get_mut(start..)?.copy_from_slice(digits);
    Some((number, rest))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use linkspan_sdk::options::Options as _;

    use super::*;

    fn signer(options: &[(&str, &str)]) -> Result<Signer, CallError> {
        let config: BTreeMap<String, String> = options
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        Signer::new(&AuthOptions::from_config(&config).unwrap())
    }

    #[test]
    fn an_hs256_token_is_what_another_library_makes() {
        let claims = r#"{"sub":"1234567890"}"#;
        let signer = signer(&[
            ("auth.type", "jwt"),
            ("jwt.key", "your-256-bit-secret"),
            ("jwt.claims", claims),
            ("jwt.lifetime", "60s"),
        ])
        .unwrap();
        // Signed with Python's `hmac` over the same header and claims.
        let expected = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwiaWF0IjoxNTE2MjM5MDIyLCJleHAiOjE1MTYyMzkwODJ9.zcoIf7Ep09IS-8SQNvr_k8x2s7pgW628Hoxtyp6fVG4";
        assert_eq!(signer.token(1_516_239_022).unwrap(), expected);
    }

    #[test]
    fn keys_of_both_kinds_sign() {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let es = signer(&[
            ("auth.type", "jwt"),
            ("jwt.algorithm", "ES256"),
            ("jwt.key", &pair.serialize_pem()),
            ("jwt.key.id", "k1"),
        ])
        .unwrap();
        let token = es.token(0).unwrap();
        let parts: Vec<&str> = token.split('.').collect();
        let header: Value =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[0]).unwrap()).unwrap();
        assert_eq!(header, json!({"alg": "ES256", "typ": "JWT", "kid": "k1"}));
        assert_eq!(URL_SAFE_NO_PAD.decode(parts[2]).unwrap().len(), 64);
        let wrong = signer(&[
            ("auth.type", "jwt"),
            ("jwt.algorithm", "RS256"),
            ("jwt.key", &pair.serialize_pem()),
        ])
        .unwrap();
        assert!(
            wrong
                .token(0)
                .unwrap_err()
                .to_string()
                .contains("jwt.algorithm")
        );
        let none = signer(&[
            ("auth.type", "jwt"),
            ("jwt.algorithm", "RS256"),
            ("jwt.key", "secret-text"),
        ])
        .unwrap_err();
        assert!(!none.to_string().contains("secret-text"), "{none}");
    }

    #[test]
    fn a_der_signature_becomes_two_numbers_of_32_bytes() {
        let mut der = vec![0x30, 0x27, 0x02, 0x21, 0x00];
        der.extend([0xff; 32]);
        der.extend([0x02, 0x02, 0x01, 0x02]);
        let fixed = fixed(&der).unwrap();
        assert_eq!(&fixed[..32], [0xff; 32]);
        assert_eq!(&fixed[60..], [0, 0, 1, 2]);
        assert!(super::fixed(&der[..10]).is_none());
    }
}
