//! Keeps secrets out of every text that leaves this plugin.

use std::borrow::Cow;
use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use linkspan_sdk::Secret;

/// The least length of a text that is covered: shorter ones would cover half of any message.
const COVERED_MIN: usize = 4;
/// Most texts that are covered; tokens that were replaced long ago go first.
const COVERED_MAX: usize = 256;

/// The secrets of one task, with the forms in which they travel. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Mask(Arc<RwLock<Vec<String>>>);

impl std::fmt::Debug for Mask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mask")
    }
}

impl Mask {
    /// Covers a secret as it is, percent-encoded, as JSON writes it, and in base64.
    pub(crate) fn cover(&self, secret: &str) {
        if secret.len() < COVERED_MIN {
            return;
        }
        let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        let json = serde_json::Value::from(secret).to_string();
        let forms = [
            secret.to_owned(),
            encoded.replace('+', "%20"),
            encoded,
            json.strip_prefix('"')
                .and_then(|rest| rest.strip_suffix('"'))
                .unwrap_or(&json)
                .to_owned(),
            STANDARD.encode(secret),
        ];
        let mut covered = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for form in forms {
            if !covered.contains(&form) {
                covered.push(form);
            }
        }
        let surplus = covered.len().saturating_sub(COVERED_MAX);
        covered.drain(..surplus);
    }

    /// Returns the text without the secrets.
    pub(crate) fn apply<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let covered = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut text = Cow::Borrowed(text);
        // Longer ones first, so that none leaves a piece of another.
        let mut forms: Vec<&String> = covered.iter().collect();
        forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
        for form in forms {
            if text.contains(form.as_str()) {
                text = Cow::Owned(text.replace(form.as_str(), Secret::HIDDEN));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_covered_in_every_form() {
        let mask = Mask::default();
        mask.cover("p@ss \"word\"");
        for text in [
            "p@ss \"word\"",
            "p%40ss+%22word%22",
            "p%40ss%20%22word%22",
            "p@ss \\\"word\\\"",
            &STANDARD.encode("p@ss \"word\""),
        ] {
            assert_eq!(mask.apply(&format!("a {text} b")), "a [hidden] b", "{text}");
        }
        assert_eq!(mask.apply("p@ss word"), "p@ss word");
        mask.cover("abc");
        assert_eq!(
            mask.apply("abc"),
            "abc",
            "too short to be told from other text"
        );
    }
}
