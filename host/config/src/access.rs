//! `host: users, tokens, listen.names, listen.tls.*`: who may use the REST interface, and over which line.
//!
//! ```text
//! listen: { address: "0.0.0.0:8083", names: [hub.example.org], tls: { cert: hub.pem, key: hub.key } }
//! users:
//!   anna: { role: admin, password.hash: "$argon2id$..." }     what `linkspan users hash` prints
//!   ops: { role: operator, password: "${env:OPS_PASSWORD}" }   a plain one only from outside of the file
//! tokens:
//!   grafana: { role: viewer, sha256: 9f86d0..., expires: 2027-01-01 }
//! ```
//!
//! Secrets are never shown: neither their texts in messages nor these settings by `Debug`. Not here: checking a password.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use chrono::{DateTime, NaiveDate, NaiveTime};

use crate::check::items;
use crate::codes;
use crate::diagnostic::Severity;
use crate::framework::{self, FrameworkOption};
use crate::placeholder::Resolver;
use crate::report::{Draft, Report};
use crate::settings::{Body, Reader, Setting};
use crate::source::Span;
use crate::vocabulary::Vocabulary;
use crate::yaml::{Entry, Kind};

/// The fewest characters of a token: what is shorter can be guessed.
const TOKEN_CHARS_MIN: usize = 16;
/// The most memory that one check of a password may take, in KiB.
const HASH_KIB_MAX: u32 = 256 << 10;
/// The most passes and lanes of one check.
const HASH_COST_MAX: u32 = 64;

/// What somebody may do; each may do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AccessRole {
    /// Sees everything but the values of records.
    Viewer,
    /// Pauses, restarts, moves offsets, reads and writes records.
    Operator,
    /// Makes, changes and deletes.
    Admin,
}

impl AccessRole {
    fn find(word: &str) -> Option<Self> {
        Some(match word {
            "viewer" => Self::Viewer,
            "operator" => Self::Operator,
            "admin" => Self::Admin,
            _ => return None,
        })
    }
}

/// A text that `Debug` does not show.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(pub String);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(linkspan_types::HIDDEN)
    }
}

/// How a user is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PasswordSetting {
    /// An argon2id hash as a PHC string.
    Hash(Hidden),
    /// The password itself, from a provider.
    Plain(Hidden),
}

/// One user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserSetting {
    /// The name that is typed.
    pub name: String,
    /// What the user may do.
    pub role: AccessRole,
    /// What is asked for.
    pub password: PasswordSetting,
}

/// How a token is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenSecret {
    /// Its SHA-256.
    Sha256([u8; 32]),
    /// The token itself, from a provider.
    Plain(Hidden),
}

/// One bearer token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenSetting {
    /// Its name, which stands in the audit trail.
    pub name: String,
    /// What its bearer may do.
    pub role: AccessRole,
    /// How it is known.
    pub secret: TokenSecret,
    /// From when on it is worth nothing, in milliseconds since 1970 UTC.
    pub expires_ms: Option<i64>,
}

/// Certificate chain and key, PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    /// The chain, the host's own certificate first.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Who may use the REST interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessSettings {
    /// Users with passwords.
    pub users: Vec<UserSetting>,
    /// Bearer tokens.
    pub tokens: Vec<TokenSetting>,
    /// Names that the host answers to besides addresses and `localhost`.
    pub names: Vec<String>,
    /// TLS, where it is wanted.
    pub tls: Option<TlsSettings>,
}

impl AccessSettings {
    /// Whether anybody has to say who asks.
    #[must_use]
    pub fn asks(&self) -> bool {
        !(self.users.is_empty() && self.tokens.is_empty())
    }
}

/// Takes the entries about users and tokens out of those of the host.
pub(crate) fn split(entries: &[Entry]) -> (Vec<Entry>, Vec<Entry>) {
    let about = |key: &str| {
        ["users", "tokens"].iter().any(|section| {
            key.strip_prefix(section)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    };
    entries.iter().cloned().partition(|entry| about(&entry.key))
}

/// What placeholders are read with.
#[derive(Clone, Copy)]
pub(crate) struct Around<'a> {
    pub(crate) resolver: &'a Resolver,
    pub(crate) unset_env: Severity,
}

/// Reads users and tokens from `own`, the listener's part from `settings`.
pub(crate) fn read(
    report: &mut Report,
    own: &[Entry],
    settings: &BTreeMap<String, Setting>,
    around: Around<'_>,
) -> AccessSettings {
    let users = gather(report, own, "users", &framework::USER)
        .iter()
        .filter_map(|one| user(report, one, around))
        .collect();
    let tokens = gather(report, own, "tokens", &framework::TOKEN)
        .iter()
        .filter_map(|one| token(report, one, around))
        .collect();
    AccessSettings {
        users,
        tokens,
        names: names(report, settings),
        tls: tls(report, settings),
    }
}

/// One entry below `users:` or `tokens:`.
struct One {
    name: String,
    span: Span,
    entries: Vec<Entry>,
}

/// Puts together what is said of each name: `users: {anna: {role: …}}`, and `users.anna.role` of `--set`.
fn gather(
    report: &mut Report,
    own: &[Entry],
    section: &str,
    options: &[FrameworkOption],
) -> Vec<One> {
    let mut found: Vec<One> = Vec::new();
    let mut add = |name: &str, span: Span, entries: Vec<Entry>| {
        match found.iter_mut().find(|one| one.name == name) {
            Some(one) => one.entries.extend(entries),
            None => found.push(One {
                name: name.to_owned(),
                span,
                entries,
            }),
        };
    };
    for entry in own {
        if let Some(rest) = entry
            .key
            .strip_prefix(section)
            .and_then(|rest| rest.strip_prefix('.'))
        {
            let known = options.iter().find_map(|option| {
                let name = rest.strip_suffix(option.def.name.as_str())?;
                Some((name.strip_suffix('.')?, option.def.name.clone()))
            });
            let (name, key) = known.unwrap_or_else(|| match rest.split_once('.') {
                Some((name, key)) => (name, key.to_owned()),
                None => (rest, String::new()),
            });
            let inner = match (&entry.value.kind, key.is_empty()) {
                (Kind::Map(inner), true) => inner.clone(),
                _ => vec![Entry {
                    key,
                    ..entry.clone()
                }],
            };
            add(name, entry.key_span, inner);
            continue;
        }
        if entry.key != section {
            continue;
        }
        let Kind::Map(ones) = &entry.value.kind else {
            if !matches!(entry.value.kind, Kind::Null) {
                let message = format!("`{section}` takes a map, found {}", entry.value.shape());
                report.push(Draft::error(&codes::WRONG_SHAPE, entry.value.span, message));
            }
            continue;
        };
        for one in ones.iter().filter(|one| !one.key.starts_with("x-")) {
            let inner = match &one.value.kind {
                Kind::Map(inner) => inner.clone(),
                Kind::Null => Vec::new(),
                Kind::Scalar(_) | Kind::List(_) => {
                    report.conceal(one.value.span);
                    let message = format!("`{section}` takes a map for each name");
                    let draft = Draft::error(&codes::WRONG_SHAPE, one.value.span, message);
                    report.push(draft.label("for example `{role: viewer, …}`"));
                    continue;
                }
            };
            add(&one.key, one.key_span, inner);
        }
    }
    found
}

/// Reads the options of one user or token; `None` where what it may do is not known.
fn options(
    report: &mut Report,
    one: &One,
    what: &str,
    table: &[FrameworkOption],
    around: Around<'_>,
) -> Option<(BTreeMap<String, Setting>, AccessRole)> {
    let mut vocabulary = Vocabulary::default();
    for option in table {
        vocabulary.add(&option.def, option.built, None);
    }
    for entry in &one.entries {
        if !matches!(entry.key.as_str(), "role" | "expires") {
            report.conceal(entry.value.span);
        }
    }
    let plain = !one.name.is_empty()
        && one.name.len() <= 64
        && one
            .name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._@+-".contains(c));
    if !plain {
        let message = format!(
            "the name of a {what} has letters, digits and `.`, `_`, `@`, `+`, `-`, at most 64: `{}`",
            one.name.escape_debug()
        );
        report.push(Draft::error(&codes::BAD_NAME, one.span, message));
    }
    let settings = Reader {
        report,
        vocabulary: &vocabulary,
        resolver: around.resolver,
        unset_env: around.unset_env,
        owner: format!("{what} `{}`", one.name.escape_debug()),
        span: one.span,
    }
    .read(&[Body {
        entries: &one.entries,
        explicit: true,
    }]);
    let role = AccessRole::find(settings.get("role")?.resolved.as_deref()?)?;
    Some((settings, role))
}

/// Exactly one of two options, and the one that is there.
fn either<'s>(
    report: &mut Report,
    one: &One,
    what: &str,
    settings: &'s BTreeMap<String, Setting>,
    [stored, plain]: [&'static str; 2],
) -> Option<(&'static str, &'s Setting)> {
    let there = one
        .entries
        .iter()
        .any(|entry| plain.starts_with(entry.key.as_str()) || stored.starts_with(&entry.key));
    match (settings.get(stored), settings.get(plain)) {
        (Some(_), Some(second)) => {
            let message = format!("{what} `{}` has both `{stored}` and `{plain}`", one.name);
            report.push(Draft::error(&codes::SET_TWICE, second.span, message));
            None
        }
        (Some(setting), None) => Some((stored, setting)),
        (None, Some(setting)) if setting.late => Some((plain, setting)),
        (None, Some(setting)) => {
            let message = format!(
                "{what} `{}`: `{plain}` stands in the file as it is",
                one.name
            );
            let draft = Draft::error(&codes::PLAIN_SECRET, setting.span, message);
            let help = if plain == "password" {
                "`linkspan users hash` makes a `password.hash`; or write `${env:NAME}` or `${file:path:key}`"
            } else {
                "`linkspan users token` makes a token and its `sha256`; or write `${env:NAME}` or `${file:path:key}`"
            };
            report.push(draft.help(help));
            None
        }
        // What is there and wrong was reported.
        (None, None) if there => None,
        (None, None) => {
            let message = format!("{what} `{}` has neither `{stored}` nor `{plain}`", one.name);
            let draft = Draft::error(&codes::MISSING_OPTION, one.span, message);
            report.push(draft.label(format!("add `{stored}:`")));
            None
        }
    }
}

fn user(report: &mut Report, one: &One, around: Around<'_>) -> Option<UserSetting> {
    let (settings, role) = options(report, one, "user", &framework::USER, around)?;
    let (which, setting) = either(
        report,
        one,
        "user",
        &settings,
        ["password.hash", "password"],
    )?;
    let text = setting.resolved.clone()?;
    let password = if which == "password" {
        if text.is_empty() {
            let message = format!("user `{}`: the password is empty", one.name);
            report.push(Draft::error(&codes::NO_VALUE, setting.span, message));
            return None;
        }
        PasswordSetting::Plain(Hidden(text))
    } else {
        if let Err(why) = hash_holds(&text) {
            let message = format!(
                "user `{}`: `password.hash` is no hash of a password: {why}",
                one.name
            );
            let draft = Draft::error(&codes::BAD_HASH, setting.span, message);
            report.push(draft.help("`linkspan users hash` makes one"));
            return None;
        }
        PasswordSetting::Hash(Hidden(text))
    };
    Some(UserSetting {
        name: one.name.clone(),
        role,
        password,
    })
}

fn token(report: &mut Report, one: &One, around: Around<'_>) -> Option<TokenSetting> {
    let (settings, role) = options(report, one, "token", &framework::TOKEN, around)?;
    let expires_ms = match settings.get("expires") {
        None => None,
        Some(setting) => {
            let text = setting.resolved.as_deref()?;
            let ms = moment(text);
            if ms.is_none() {
                let message = format!(
                    "token `{}`: `expires` takes a day such as 2027-01-31 or a time such as 2027-01-31T12:00:00Z",
                    one.name
                );
                report.push(Draft::error(&codes::WRONG_TYPE, setting.span, message));
            }
            ms
        }
    };
    let (which, setting) = either(report, one, "token", &settings, ["sha256", "token"])?;
    let text = setting.resolved.clone()?;
    let secret = if which == "token" {
        if text.chars().count() < TOKEN_CHARS_MIN {
            let message = format!(
                "token `{}` has fewer than {TOKEN_CHARS_MIN} characters and could be guessed",
                one.name
            );
            let draft = Draft::error(&codes::BAD_HASH, setting.span, message);
            report.push(draft.help("`linkspan users token` makes one"));
            return None;
        }
        TokenSecret::Plain(Hidden(text))
    } else {
        let Some(digest) = digest_of(&text) else {
            let message = format!("token `{}`: `sha256` takes 64 hex digits", one.name);
            let draft = Draft::error(&codes::BAD_HASH, setting.span, message);
            report.push(draft.help("`linkspan users token` prints it beside the token"));
            return None;
        };
        TokenSecret::Sha256(digest)
    };
    Some(TokenSetting {
        name: one.name.clone(),
        role,
        secret,
        expires_ms,
    })
}

/// A day (its first moment, UTC) or a time.
fn moment(text: &str) -> Option<i64> {
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Some(day.and_time(NaiveTime::MIN).and_utc().timestamp_millis());
    }
    let time = DateTime::parse_from_rfc3339(text).ok()?;
    Some(time.timestamp_millis())
}

fn digest_of(text: &str) -> Option<[u8; 32]> {
    let hex = text.strip_prefix("sha256:").unwrap_or(text).as_bytes();
    let mut digest = [0_u8; 32];
    if hex.len() != 2 * digest.len() {
        return None;
    }
    for (pair, byte) in hex.chunks_exact(2).zip(&mut digest) {
        let digit = |at: usize| char::from(*pair.get(at)?).to_digit(16);
        *byte = u8::try_from(digit(0)? * 16 + digit(1)?).ok()?;
    }
    Some(digest)
}

/// Checks the form of `$argon2id$v=19$m=19456,t=2,p=1$SALT$HASH`, and that checking it stays affordable.
fn hash_holds(text: &str) -> Result<(), &'static str> {
    let parts: Vec<&str> = text.split('$').collect();
    let ["", kind, version, costs, salt, hash] = parts.as_slice() else {
        return Err("it has not the form `$argon2id$v=19$m=…,t=…,p=…$salt$hash`");
    };
    if *kind != "argon2id" {
        return Err("only argon2id is taken");
    }
    if *version != "v=19" {
        return Err("only version 19 of argon2id is taken");
    }
    let mut given = BTreeMap::new();
    for cost in costs.split(',') {
        let (name, value) = cost.split_once('=').ok_or("a cost has no value")?;
        let value: u32 = value.parse().map_err(|_| "a cost is no number")?;
        given.insert(name, value);
    }
    let within =
        |name: &str, max: u32| given.get(name).is_some_and(|cost| (1..=max).contains(cost));
    if !within("m", HASH_KIB_MAX) || !within("t", HASH_COST_MAX) || !within("p", HASH_COST_MAX) {
        return Err("its costs `m`, `t` and `p` are missing or beyond 256 MiB, 64 and 64");
    }
    let base64 = |text: &str, min: usize| {
        text.len() >= min
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"+/".contains(&b))
    };
    if base64(salt, 11) && base64(hash, 22) {
        Ok(())
    } else {
        Err("its salt or its hash is cut off")
    }
}

fn names(report: &mut Report, settings: &BTreeMap<String, Setting>) -> Vec<String> {
    let Some(setting) = settings.get("listen.names") else {
        return Vec::new();
    };
    let names = items(setting.resolved.as_deref().unwrap_or_default());
    let plain = |name: &String| {
        !name.is_empty()
            && name.len() <= 253
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-._".contains(c))
    };
    if let Some(bad) = names.iter().find(|name| !plain(name)) {
        let message = format!(
            "`listen.names` takes names such as hub.example.org, without scheme and port; found `{}`",
            bad.escape_debug()
        );
        report.push(Draft::error(&codes::WRONG_TYPE, setting.span, message));
    }
    names
}

fn tls(report: &mut Report, settings: &BTreeMap<String, Setting>) -> Option<TlsSettings> {
    let path = |setting: &Setting| setting.resolved.clone().map(PathBuf::from);
    match (
        settings.get("listen.tls.cert"),
        settings.get("listen.tls.key"),
    ) {
        (Some(cert), Some(key)) => Some(TlsSettings {
            cert: path(cert)?,
            key: path(key)?,
        }),
        (Some(one), None) => {
            half(report, one, "listen.tls.cert", "listen.tls.key");
            None
        }
        (None, Some(one)) => {
            half(report, one, "listen.tls.key", "listen.tls.cert");
            None
        }
        (None, None) => None,
    }
}

fn half(report: &mut Report, setting: &Setting, there: &str, missing: &str) {
    let message = format!("host: `{there}` needs `{missing}` beside it");
    let draft = Draft::error(&codes::MISSING_OPTION, setting.span, message);
    report.push(draft.label(format!("add `{missing}:`")));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_whole_and_affordable() {
        let good = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzYWx0$RdescudvJCsgt3ub+b27dWzkzjyqgmDKVdkQdn0Pp3E";
        assert_eq!(hash_holds(good), Ok(()));
        for bad in [
            "",
            "secret",
            "$2b$12$abcdefghijklmnopqrstuv",
            "$argon2i$v=19$m=19456,t=2,p=1$c29tZXNhbHRzYWx0$RdescudvJCsgt3ub+b27dWzkzjyqgmDKVdkQdn0Pp3E",
            "$argon2id$v=16$m=19456,t=2,p=1$c29tZXNhbHRzYWx0$RdescudvJCsgt3ub+b27dWzkzjyqgmDKVdkQdn0Pp3E",
            "$argon2id$v=19$m=4294967295,t=2,p=1$c29tZXNhbHRzYWx0$RdescudvJCsgt3ub+b27dWzkzjyqgmDKVdkQdn0Pp3E",
            "$argon2id$v=19$m=19456,t=2$c29tZXNhbHRzYWx0$RdescudvJCsgt3ub+b27dWzkzjyqgmDKVdkQdn0Pp3E",
            "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzYWx0$Rd",
        ] {
            assert!(hash_holds(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn digests_and_times() {
        assert_eq!(digest_of(&"ab".repeat(32)), Some([0xAB; 32]));
        assert_eq!(
            digest_of(&format!("sha256:{}", "0F".repeat(32))),
            Some([0x0F; 32])
        );
        for bad in ["", "ab", &"zz".repeat(32), &"é".repeat(32)] {
            assert_eq!(digest_of(bad), None, "{bad}");
        }
        assert_eq!(moment("1970-01-02"), Some(86_400_000));
        assert_eq!(moment("1970-01-01T09:00:00+09:00"), Some(0));
        assert_eq!(moment("tomorrow"), None);
    }
}
