//! Bodies: JSON whose scalars become strings with the text they were written with (golden/rest/NOTES.md, 11–14).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::value::RawValue;

use super::host::InitialState;
use crate::refusal::Refusal;

/// A flat configuration with possible nulls.
pub(super) type Nullable = BTreeMap<String, Option<String>>;

fn unreadable(what: impl std::fmt::Display) -> Refusal {
    Refusal::new(400, "LS0606", format!("the body cannot be read: {what}"))
}

/// The text of a body: UTF-8 with or without a byte order mark, or UTF-16 as Jackson finds it.
fn text(body: &[u8]) -> Result<String, Refusal> {
    let utf16 = |bytes: &[u8], read: fn([u8; 2]) -> u16| {
        let units = bytes
            .chunks_exact(2)
            .map(|pair| read([*pair.first().unwrap_or(&0), *pair.get(1).unwrap_or(&0)]));
        char::decode_utf16(units)
            .collect::<Result<String, _>>()
            .map_err(|error| unreadable(format!("it is UTF-16 with {error}")))
    };
    match body {
        [0xEF, 0xBB, 0xBF, rest @ ..] => utf8(rest),
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0, first, ..] if *first != 0 => utf16(body, u16::from_be_bytes),
        [first, 0, ..] if *first != 0 => utf16(body, u16::from_le_bytes),
        _ => utf8(body),
    }
}

fn utf8(body: &[u8]) -> Result<String, Refusal> {
    std::str::from_utf8(body)
        .map(str::to_owned)
        .map_err(|error| unreadable(format!("byte {} is not UTF-8", error.valid_up_to() + 1)))
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    let text = text(body)?;
    if text.trim().is_empty() {
        return Err(unreadable("it is empty; a JSON object is expected"));
    }
    serde_json::from_str(&text).map_err(unreadable)
}

/// A scalar as the text it was written with.
fn scalar(raw: &RawValue, what: &str) -> Result<Option<String>, Refusal> {
    let text = raw.get();
    match text.as_bytes().first() {
        Some(b'"') => serde_json::from_str(text)
            .map(Some)
            .map_err(|error| unreadable(format!("`{}`: {error}", what.escape_debug()))),
        Some(b'n') => Ok(None),
        Some(b'{' | b'[') => Err(unreadable(format!(
            "`{}` takes a text, a number or a boolean, found {}; lists and maps are written as text",
            what.escape_debug(),
            if text.starts_with('{') {
                "an object"
            } else {
                "a list"
            }
        ))),
        _ => Ok(Some(text.to_owned())),
    }
}

fn flat(raw: BTreeMap<String, Box<RawValue>>) -> Result<Nullable, Refusal> {
    raw.into_iter()
        .map(|(key, value)| {
            let value = scalar(&value, &key)?;
            Ok((key, value))
        })
        .collect()
}

/// A configuration; null is a value here.
pub(super) fn nullable(body: &[u8]) -> Result<Nullable, Refusal> {
    flat(parse(body)?)
}

pub(super) fn without_nulls(config: Nullable) -> Result<BTreeMap<String, String>, Refusal> {
    let nulls: Vec<&str> = config
        .iter()
        .filter(|(_, value)| value.is_none())
        .map(|(key, _)| key.as_str())
        .collect();
    if !nulls.is_empty() {
        return Err(Refusal::new(
            400,
            "LS0606",
            format!(
                "Null value can not be supplied as connector configuration value: {}",
                nulls.join(", ")
            ),
        ));
    }
    Ok(config
        .into_iter()
        .filter_map(|(key, value)| Some((key, value?)))
        .collect())
}

/// The body of `POST /connectors`.
#[derive(Debug)]
pub(super) struct Create {
    pub(super) name: Option<String>,
    pub(super) config: BTreeMap<String, String>,
    pub(super) initial: InitialState,
}

#[derive(Debug, Deserialize)]
#[serde(transparent)]
struct Fields(BTreeMap<String, Box<RawValue>>);

pub(super) fn create(body: &[u8]) -> Result<Create, Refusal> {
    const KNOWN: [&str; 3] = ["name", "config", "initial_state"];
    let Fields(mut fields) = parse(body)?;
    if let Some(unknown) = fields.keys().find(|key| !KNOWN.contains(&key.as_str())) {
        return Err(unreadable(format!(
            "`{}` is no field of it; it takes {}",
            unknown.escape_debug(),
            KNOWN.join(", ")
        )));
    }
    let name = match fields.remove("name") {
        Some(raw) => scalar(&raw, "name")?,
        None => None,
    };
    let initial = match fields.remove("initial_state") {
        Some(raw) => initial_state(&raw)?,
        None => InitialState::default(),
    };
    let Some(config) = fields.remove("config").filter(|raw| raw.get() != "null") else {
        return Err(unreadable("it has no `config`"));
    };
    let config: BTreeMap<String, Box<RawValue>> = serde_json::from_str(config.get())
        .map_err(|error| unreadable(format!("`config`: {error}")))?;
    Ok(Create {
        name,
        config: without_nulls(flat(config)?)?,
        initial,
    })
}

fn initial_state(raw: &RawValue) -> Result<InitialState, Refusal> {
    if raw.get() == "null" {
        return Ok(InitialState::default());
    }
    serde_json::from_str::<String>(raw.get())
        .ok()
        .and_then(|text| InitialState::parse(&text))
        .ok_or_else(|| {
            unreadable(format!(
                "`initial_state` takes RUNNING, PAUSED or STOPPED, found {}",
                raw.get().escape_debug()
            ))
        })
}

/// The level that `PUT /admin/loggers/…` sets; `None` when it is missing.
pub(super) fn level(body: &[u8]) -> Result<Option<String>, Refusal> {
    let Fields(fields) = parse(body)?;
    match fields.get("level") {
        Some(raw) => scalar(raw, "level"),
        None => Ok(None),
    }
}

/// Any JSON that is one document.
pub(super) fn document(body: &[u8]) -> Result<serde_json::Value, Refusal> {
    let value: serde_json::Value = parse(body)?;
    Ok(value)
}

/// Whether a body is JSON at all.
pub(super) fn is_json(body: &[u8]) -> bool {
    parse::<IgnoredAny>(body).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(body: &[u8]) -> Result<BTreeMap<String, String>, Refusal> {
        without_nulls(nullable(body)?)
    }

    #[test]
    fn scalars_keep_the_text_they_were_written_with() {
        let body =
            br#"{"a":1.50,"b":1e3,"c":-0.0,"d":true,"e":"x","e":"y","f":12345678901234567890123}"#;
        let config = config(body).unwrap();
        let pairs: Vec<_> = config.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(
            pairs,
            [
                "a=1.50",
                "b=1e3",
                "c=-0.0",
                "d=true",
                "e=y",
                "f=12345678901234567890123"
            ]
        );
    }

    #[test]
    fn every_encoding_that_jackson_finds() {
        let json = r#"{"a":"서"}"#;
        let be: Vec<u8> = json.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let le: Vec<u8> = json.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let marked = [&[0xEF, 0xBB, 0xBF], json.as_bytes()].concat();
        for body in [json.as_bytes(), &be, &le, &marked] {
            assert_eq!(config(body).unwrap().get("a").unwrap(), "서");
        }
    }

    #[test]
    fn what_cannot_be_read_says_what_and_where() {
        for (body, expected) in [
            (&b"{"[..], "EOF while parsing an object at line 1 column 1"),
            (b"", "it is empty"),
            (b"[]", "expected a map"),
            (
                b"{\"a\":{}}",
                "`a` takes a text, a number or a boolean, found an object",
            ),
            (b"{\"a\":1} x", "trailing characters at line 1 column 9"),
            (b"{\"a\":\"\xff\"}", "byte 7 is not UTF-8"),
            (b"{\"a\":\"\\ud800\"}", "a"),
        ] {
            let refusal = config(body).unwrap_err();
            assert_eq!(refusal.error_code, 400);
            assert!(refusal.message.contains(expected), "{}", refusal.message);
        }
        let null = config(b"{\"a\":null}").unwrap_err();
        assert!(null.message.starts_with("Null value can not be supplied"));
    }

    #[test]
    fn initial_states() {
        let create = |state: &str| {
            let body = format!(r#"{{"name":"x","config":{{}},"initial_state":{state}}}"#);
            super::create(body.as_bytes()).map(|create| create.initial)
        };
        assert_eq!(create("null").unwrap(), InitialState::Running);
        assert_eq!(create("\"pAused\"").unwrap(), InitialState::Paused);
        for bad in ["1", "\" STOPPED \"", "\"STARTED\"", "[\"STOPPED\"]", "true"] {
            assert_eq!(create(bad).unwrap_err().error_code, 400, "{bad}");
        }
        let field = super::create(br#"{"initialState":"x","config":{}}"#).unwrap_err();
        assert!(field.message.contains("`initialState` is no field"));
    }
}
