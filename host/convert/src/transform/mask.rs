//! `Mask`: personal data, hashed with a key or partly covered, also in nested fields.
//!
//! A hash is HMAC-SHA-256: equal values stay equal, so that they can be joined and counted, and without the key nobody
//! can try out all telephone numbers. Covering keeps the first and last characters that are asked for; a text that would
//! then be shown whole is covered whole.
//!
//! A path leads through structs, maps and the items of arrays. A field that a schema does not have is an error: a typing
//! mistake must not let personal data pass. A key that a map without a schema does not have is passed over, and so is null.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use super::Transform;
use super::side::Side;
use crate::options::{ConfigProblem, OptionDef, Rule, Settings};
use crate::{Error, Record, Value, transform::field_path::FieldPath};

pub(super) const OPTIONS: &[OptionDef] = &[
    OptionDef::list(
        "fields",
        "Paths to the fields: dots lead into nested fields and items of arrays, a name with a dot stands between backticks.",
    )
    .required()
    .rule(Rule::NotEmpty),
    OptionDef::string("method", "hash: HMAC-SHA-256 with `key`. partial: all but the first and last characters is covered.")
        .required()
        .rule(Rule::OneOf(&["hash", "partial"])),
    OptionDef::password("key", "The secret of `hash`, by reference: ${env:NAME} or ${file:path:key}; at least 16 bytes."),
    OptionDef::string("encoding", "How a hash is written.")
        .default("hex")
        .rule(Rule::OneOf(&["hex", "base64"])),
    OptionDef::int("keep.first", "How many characters at the beginning stay.").default("0").rule(Rule::NotNegative),
    OptionDef::int("keep.last", "How many characters at the end stay.").default("0").rule(Rule::NotNegative),
    OptionDef::string("character", "What covers the others, one character.").default("*"),
];

/// The shortest key: a shorter one can be guessed.
const KEY_BYTES_MIN: usize = 16;

#[derive(Debug)]
pub(super) struct Mask {
    side: Side,
    paths: Vec<FieldPath>,
    method: Method,
}

enum Method {
    Hash {
        mac: Hmac<Sha256>,
        base64: bool,
    },
    Partial {
        first: usize,
        last: usize,
        cover: char,
    },
}

/// Shows the method, never the key.
impl std::fmt::Debug for Method {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Hash { .. } => "Hash",
            Self::Partial { .. } => "Partial",
        })
    }
}

impl Mask {
    pub(super) fn configure(settings: &Settings, side: Side) -> Result<Self, Vec<ConfigProblem>> {
        let mut problems = Vec::new();
        let mut paths = Vec::new();
        for field in settings.list("fields") {
            match FieldPath::v2(field) {
                Ok(path) => paths.push(path),
                Err(message) => problems.push(ConfigProblem::new("fields", message)),
            }
        }
        let method = if settings.text("method") == Some("hash") {
            hash(settings)
        } else {
            partial(settings)
        };
        match method {
            Ok(method) if problems.is_empty() => Ok(Self {
                side,
                paths,
                method,
            }),
            Ok(_) => Err(problems),
            Err(problem) => {
                problems.push(problem);
                Err(problems)
            }
        }
    }
}

fn hash(settings: &Settings) -> Result<Method, ConfigProblem> {
    let key = settings.text_or_empty("key");
    if key.len() < KEY_BYTES_MIN {
        let message = format!("is required by `method: hash`, with at least {KEY_BYTES_MIN} bytes");
        return Err(ConfigProblem::new("key", message));
    }
    let mac = Hmac::new_from_slice(key.as_bytes())
        .map_err(|error| ConfigProblem::new("key", error.to_string()))?;
    Ok(Method::Hash {
        mac,
        base64: settings.text("encoding") == Some("base64"),
    })
}

fn partial(settings: &Settings) -> Result<Method, ConfigProblem> {
    let mut covers = settings.text_or_empty("character").chars();
    let (Some(cover), None) = (covers.next(), covers.next()) else {
        return Err(ConfigProblem::new("character", "is one character"));
    };
    let count = |name: &str| usize::try_from(settings.int(name).unwrap_or(0)).unwrap_or(0);
    Ok(Method::Partial {
        first: count("keep.first"),
        last: count("keep.last"),
        cover,
    })
}

impl Transform for Mask {
    fn apply(&mut self, mut record: Record) -> Result<Option<Record>, Error> {
        let part = self.side.of_mut(&mut record);
        for path in &self.paths {
            self.method.walk(&mut part.value, path.steps())?;
        }
        Ok(Some(record))
    }
}

impl Method {
    fn walk(&self, value: &mut Value, steps: &[String]) -> Result<(), Error> {
        if let Value::Array(items) = value {
            for (index, item) in Arc::make_mut(items).iter_mut().enumerate() {
                self.walk(item, steps)
                    .map_err(|error| error.in_item(index))?;
            }
            return Ok(());
        }
        let Some((step, rest)) = steps.split_first() else {
            return self.mask(value);
        };
        match value {
            Value::Null => Ok(()),
            Value::Struct(row) => {
                let position = row.schema().fields().position(step).ok_or_else(|| {
                    Error::data("the schema has no such field to mask").in_field(step)
                })?;
                let values = Arc::make_mut(row).values_mut();
                match values.get_mut(position) {
                    Some(inner) => self.walk(inner, rest).map_err(|error| error.in_field(step)),
                    None => Ok(()),
                }
            }
            Value::Map(map) => {
                let Some(inner) = map.get_str(step) else {
                    return Ok(());
                };
                let mut inner = inner.clone();
                self.walk(&mut inner, rest)
                    .map_err(|error| error.in_field(step))?;
                Arc::make_mut(map).insert(Value::string(step.as_str()), inner);
                Ok(())
            }
            other => Err(Error::data(format!(
                "{} has no field `{step}` to mask",
                other.type_name()
            ))),
        }
    }

    fn mask(&self, value: &mut Value) -> Result<(), Error> {
        let masked = match (self, &*value) {
            (_, Value::Null) => return Ok(()),
            (Self::Hash { mac, base64 }, Value::String(text)) => {
                let digest = digest(mac, text.as_bytes());
                Value::string(if *base64 {
                    BASE64.encode(digest)
                } else {
                    hex(&digest)
                })
            }
            (Self::Hash { mac, .. }, Value::Bytes(bytes)) => {
                Value::bytes(digest(mac, bytes).to_vec())
            }
            (Self::Partial { first, last, cover }, Value::String(text)) => {
                Value::string(covered(text, *first, *last, *cover))
            }
            (_, other) => {
                return Err(Error::data(format!(
                    "{} cannot be masked; make it a string by `Cast` first",
                    other.type_name()
                )));
            }
        };
        *value = masked;
        Ok(())
    }
}

fn digest(mac: &Hmac<Sha256>, bytes: &[u8]) -> [u8; 32] {
    let mut mac = mac.clone();
    mac.update(bytes);
    mac.finalize().into_bytes().into()
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(u32::from(digit), 16))
        .collect()
}

fn covered(text: &str, first: usize, last: usize, cover: char) -> String {
    let length = text.chars().count();
    let shown = first.saturating_add(last);
    let hides = shown < length;
    text.chars()
        .enumerate()
        .map(|(at, letter)| {
            if hides && (at < first || at >= length - last) {
                letter
            } else {
                cover
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::transform::find_transform;
    use crate::{Field, Kind, Map, Schema, SchemaAndValue, Struct};

    fn step(options: &[(&str, &str)]) -> Result<Box<dyn Transform>, Vec<ConfigProblem>> {
        let config: BTreeMap<String, String> = options
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect();
        let (transform, _) = find_transform("Mask$Value").unwrap().build(&config, 0)?;
        Ok(transform)
    }

    fn apply(options: &[(&str, &str)], value: SchemaAndValue) -> Result<Value, Error> {
        let record = Record {
            value,
            ..Record::default()
        };
        let record = step(options).unwrap().apply(record)?;
        Ok(record.unwrap().value.value)
    }

    fn map(entries: &[(&str, Value)]) -> Value {
        let entries = entries.iter().map(|(k, v)| (Value::string(*k), v.clone()));
        Value::from(entries.collect::<Map>())
    }

    const KEY: (&str, &str) = ("key", "0123456789abcdef");

    #[test]
    fn a_hash_is_keyed_and_stable() {
        let hash = |options: &[(&str, &str)], text: &str| {
            let value = SchemaAndValue::schemaless(map(&[("a", Value::string(text))]));
            apply(options, value).unwrap()
        };
        let options = [("fields", "a"), ("method", "hash"), KEY];
        // printf kim | openssl dgst -sha256 -hmac 0123456789abcdef
        let found = "95fc8e9476e9cc3b45e3f7412e312b9f4ffb5b0780e547f37c4db7a6c5eeb960".to_owned();
        assert_eq!(
            hash(&options, "kim"),
            map(&[("a", Value::from(found.clone()))])
        );
        assert_ne!(
            hash(&options, "kin"),
            map(&[("a", Value::from(found.clone()))])
        );
        let other = [
            ("fields", "a"),
            ("method", "hash"),
            ("key", "another-key-of-16"),
        ];
        assert_ne!(hash(&other, "kim"), map(&[("a", Value::from(found))]));
    }

    #[test]
    fn the_middle_is_covered_by_character() {
        let check = |first: &str, last: &str, text: &str, expected: &str| {
            let options = [
                ("fields", "a"),
                ("method", "partial"),
                ("keep.first", first),
                ("keep.last", last),
            ];
            let value = SchemaAndValue::schemaless(map(&[("a", Value::string(text))]));
            assert_eq!(
                apply(&options, value),
                Ok(map(&[("a", Value::string(expected))])),
                "{text}"
            );
        };
        check("0", "0", "secret", "******");
        check("2", "2", "secret", "se**et");
        check("1", "0", "김철수", "김**");
        check("3", "3", "secret", "******");
        check("9", "9", "abc", "***");
        check("1", "1", "", "");
    }

    #[test]
    fn paths_lead_through_structs_maps_and_arrays() {
        let inner = Arc::new(
            Schema::structure(vec![Field::new("phone", Schema::optional(Kind::String))]).unwrap(),
        );
        let fields = vec![Field::new(
            "people",
            Schema::new(Kind::Array(Some(Arc::clone(&inner)))),
        )];
        let outer = Arc::new(Schema::structure(fields).unwrap());
        let person = |phone: Value| {
            Value::from(Struct::from_values(Arc::clone(&inner), vec![phone]).unwrap())
        };
        let row = |phones: Vec<Value>| {
            let people = Value::array(phones.into_iter().map(person).collect());
            Value::from(Struct::from_values(Arc::clone(&outer), vec![people]).unwrap())
        };
        let options = [
            ("fields", "people.phone"),
            ("method", "partial"),
            ("keep.last", "1"),
        ];
        let value = row(vec![Value::string("123"), Value::Null]);
        let masked = apply(
            &options,
            SchemaAndValue::new(Some(Arc::clone(&outer)), value),
        )
        .unwrap();
        assert_eq!(masked, row(vec![Value::string("**3"), Value::Null]));
        let value = row(vec![Value::string("123")]);
        let wrong = [("fields", "people.fone"), ("method", "partial")];
        let error = apply(&wrong, SchemaAndValue::new(Some(outer), value)).unwrap_err();
        assert_eq!(error.place(), "people[0].fone");
        let absent = [("fields", "b.c"), ("method", "partial")];
        let value = map(&[("a", Value::Int64(1))]);
        assert_eq!(
            apply(&absent, SchemaAndValue::schemaless(value.clone())),
            Ok(value)
        );
    }

    #[test]
    fn a_number_is_refused_and_its_value_not_told() {
        let options = [("fields", "a"), ("method", "partial")];
        let value = SchemaAndValue::schemaless(map(&[("a", Value::Int64(4711))]));
        let error = apply(&options, value).unwrap_err().to_string();
        assert!(
            error.contains("`a`") && error.contains("Cast") && !error.contains("4711"),
            "{error}"
        );
    }

    #[test]
    fn options_that_contradict_are_refused() {
        let problem = |options: &[(&str, &str)]| step(options).unwrap_err().remove(0).option;
        assert_eq!(problem(&[("fields", "a"), ("method", "hash")]), "key");
        assert_eq!(
            problem(&[("fields", "a"), ("method", "hash"), ("key", "short")]),
            "key"
        );
        assert_eq!(
            problem(&[("fields", "`a"), ("method", "partial")]),
            "fields"
        );
        assert_eq!(
            problem(&[("fields", "a"), ("method", "partial"), ("character", "**")]),
            "character"
        );
        assert_eq!(
            problem(&[("fields", "a"), ("method", "partial"), ("keep.first", "-1")]),
            "keep.first"
        );
    }
}
