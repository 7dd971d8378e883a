//! How each type of an option is read from text.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use serde_json::Value;

use super::{ByteSize, PathList, Secret, units};
use crate::TopicName;

/// A type that an option can have. Implement it for a type of your own, or derive `OptionEnum` for an enum of words.
pub trait OptionValue: Sized {
    /// The type word of the manifest: `string`, `boolean`, `int`, `long`, `double`, `list`, `map`, `duration`, `bytes`, `path`,
    /// `topic` or `password`.
    const KIND: &'static str;

    /// The words it takes, empty for any.
    const WORDS: &'static [&'static str] = &[];

    /// Whether its value must never be shown.
    const SECRET: bool = false;

    /// Reads the text of the option `name`.
    ///
    /// # Errors
    /// Returns what the text must be, as a fragment that fits after "it must be".
    fn parse(name: &str, text: &str) -> Result<Self, String>;

    /// Reads a bound (`min`, `max`), where a plain number needs no unit.
    ///
    /// # Errors
    /// As [`OptionValue::parse`].
    fn parse_bound(text: &str) -> Result<Self, String> {
        Self::parse("", text)
    }
}

impl OptionValue for String {
    const KIND: &'static str = "string";

    fn parse(_name: &str, text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }
}

impl OptionValue for bool {
    const KIND: &'static str = "boolean";

    fn parse(_name: &str, text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.eq_ignore_ascii_case("true") {
            Ok(true)
        } else if text.eq_ignore_ascii_case("false") {
            Ok(false)
        } else {
            Err("`true` or `false`".to_owned())
        }
    }
}

macro_rules! number {
    ($($type:ty => $kind:literal, $expected:expr;)*) => {$(
        impl OptionValue for $type {
            const KIND: &'static str = $kind;

            fn parse(_name: &str, text: &str) -> Result<Self, String> {
                text.trim().parse().map_err(|_| $expected.to_string())
            }
        }
    )*};
}

number! {
    i32 => "int", format!("a whole number from {} to {}", i32::MIN, i32::MAX);
    u32 => "int", format!("a whole number from 0 to {}", u32::MAX);
    u16 => "int", format!("a whole number from 0 to {}", u16::MAX);
    u8 => "int", format!("a whole number from 0 to {}", u8::MAX);
    i64 => "long", "a whole number";
    u64 => "long", "a whole number without sign";
    usize => "long", "a whole number without sign";
}

impl OptionValue for f64 {
    const KIND: &'static str = "double";

    fn parse(_name: &str, text: &str) -> Result<Self, String> {
        match text.trim().parse::<Self>() {
            Ok(number) if number.is_finite() => Ok(number),
            _ => Err("a number".to_owned()),
        }
    }
}

impl OptionValue for Duration {
    const KIND: &'static str = "duration";

    fn parse(name: &str, text: &str) -> Result<Self, String> {
        units::duration(text, name.ends_with(".ms"))
            .ok_or_else(|| "a duration with a unit, such as 500ms, 5s, 30m, 1h or 7d".to_owned())
    }

    fn parse_bound(text: &str) -> Result<Self, String> {
        Self::parse(".ms", text)
    }
}

impl OptionValue for ByteSize {
    const KIND: &'static str = "bytes";

    fn parse(name: &str, text: &str) -> Result<Self, String> {
        units::size(text, name.ends_with(".bytes"))
            .map(Self)
            .ok_or_else(|| "a size with a unit, such as 64KiB, 10MB or 1GiB".to_owned())
    }

    fn parse_bound(text: &str) -> Result<Self, String> {
        Self::parse(".bytes", text)
    }
}

impl OptionValue for PathBuf {
    const KIND: &'static str = "path";

    fn parse(_name: &str, text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("a path".to_owned());
        }
        Ok(Self::from(text))
    }
}

impl OptionValue for PathList {
    const KIND: &'static str = "path";

    fn parse(name: &str, text: &str) -> Result<Self, String> {
        if text.trim_start().starts_with('[') {
            if let Ok(paths) = Vec::<String>::parse(name, text) {
                return Ok(Self(paths));
            }
        }
        // A glob may begin with a bracket too.
        PathBuf::parse(name, text).map(|_| Self(vec![text.to_owned()]))
    }
}

impl OptionValue for TopicName {
    const KIND: &'static str = "topic";

    fn parse(_name: &str, text: &str) -> Result<Self, String> {
        Self::try_new(text).map_err(|error| format!("a topic name: {error}"))
    }
}

impl OptionValue for Secret {
    const KIND: &'static str = "password";
    const SECRET: bool = true;

    fn parse(_name: &str, text: &str) -> Result<Self, String> {
        Ok(Self::new(text))
    }
}

/// Returns an item of a list or map as text: a text as it is, a number or boolean as JSON writes it.
fn scalar(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

impl<T: OptionValue> OptionValue for Vec<T> {
    const KIND: &'static str = "list";
    const SECRET: bool = T::SECRET;

    fn parse(name: &str, text: &str) -> Result<Self, String> {
        let expected = || "a list: JSON such as [\"a\",\"b\"], or a,b".to_owned();
        let item = |text: &str| {
            T::parse(name, text).map_err(|expected| format!("a list; each item {expected}"))
        };
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Ok(Self::new());
        }
        if trimmed.starts_with('[') {
            let items: Vec<Value> = serde_json::from_str(trimmed).map_err(|_| expected())?;
            return items
                .into_iter()
                .map(|value| item(&scalar(value).ok_or_else(expected)?))
                .collect();
        }
        trimmed.split(',').map(|text| item(text.trim())).collect()
    }
}

impl<T: OptionValue> OptionValue for BTreeMap<String, T> {
    const KIND: &'static str = "map";
    const SECRET: bool = T::SECRET;

    fn parse(name: &str, text: &str) -> Result<Self, String> {
        let expected = || "a map: JSON such as {\"a\":\"b\"}".to_owned();
        if text.trim().is_empty() {
            return Ok(Self::new());
        }
        let map: BTreeMap<String, Value> = serde_json::from_str(text).map_err(|_| expected())?;
        map.into_iter()
            .map(|(key, value)| {
                let text = scalar(value).ok_or_else(expected)?;
                let value = T::parse(name, &text)
                    .map_err(|expected| format!("a map; the value of `{key}` {expected}"))?;
                Ok((key, value))
            })
            .collect()
    }
}
