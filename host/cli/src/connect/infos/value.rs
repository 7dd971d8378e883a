//! Types of options and how a text becomes a value, by the rules of Kafka's `ConfigDef`.

use super::{KeyInfo, ValueInfo};

/// The type of an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Boolean,
    Short,
    Int,
    Long,
    Double,
    List,
    Class,
    Password,
}

impl Kind {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Text => "STRING",
            Self::Boolean => "BOOLEAN",
            Self::Short => "SHORT",
            Self::Int => "INT",
            Self::Long => "LONG",
            Self::Double => "DOUBLE",
            Self::List => "LIST",
            Self::Class => "CLASS",
            Self::Password => "PASSWORD",
        }
    }

    /// Reads a text; the value is shown as Java prints it.
    fn parse(self, text: &str) -> Result<String, String> {
        let text = text.trim();
        let number = |range: std::ops::RangeInclusive<i64>| {
            text.strip_prefix('+')
                .unwrap_or(text)
                .parse::<i64>()
                .ok()
                .filter(|number| range.contains(number))
                .map(|number| number.to_string())
                .ok_or_else(|| format!("not a number of type {}", self.word()))
        };
        match self {
            Self::Text | Self::Class => Ok(text.to_owned()),
            Self::Boolean if text.eq_ignore_ascii_case("true") => Ok("true".to_owned()),
            Self::Boolean if text.eq_ignore_ascii_case("false") => Ok("false".to_owned()),
            Self::Boolean => Err("expected value to be either true or false".to_owned()),
            Self::Short => number(i64::from(i16::MIN)..=i64::from(i16::MAX)),
            Self::Int => number(i64::from(i32::MIN)..=i64::from(i32::MAX)),
            Self::Long => number(i64::MIN..=i64::MAX),
            Self::Double => text
                .parse::<f64>()
                .map(|_| text.to_owned())
                .map_err(|_| "not a number of type DOUBLE".to_owned()),
            Self::List if text.is_empty() => Ok(String::new()),
            Self::List => Ok(text.split(',').map(str::trim).collect::<Vec<_>>().join(",")),
            Self::Password => Ok(linkspan_types::HIDDEN.to_owned()),
        }
    }
}

/// The value of an option: given, its default, or missing.
pub(super) fn read(key: &KeyInfo, kind: Kind, given: Option<Option<&str>>) -> ValueInfo {
    let mut errors = Vec::new();
    let value = match given {
        Some(Some(text)) => match kind.parse(text) {
            Ok(value) => Some(value),
            Err(why) => {
                errors.push(format!(
                    "Invalid value for configuration {}: {why}",
                    key.name
                ));
                None
            }
        },
        // An explicit null: an error for lists only, as Kafka has it.
        Some(None) => {
            if kind == Kind::List {
                errors.push(format!(
                    "Invalid value null for configuration {}: null values are not allowed",
                    key.name
                ));
            }
            None
        }
        None if key.required => {
            errors.push(format!(
                "Missing required configuration \"{}\" which has no default value.",
                key.name
            ));
            None
        }
        None => key.default_value.clone(),
    };
    ValueInfo {
        name: key.name.clone(),
        value,
        recommended_values: Vec::new(),
        errors,
        visible: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_values_as_java_prints_them() {
        for (kind, text, expected) in [
            (Kind::Boolean, " TRUE ", Some("true")),
            (Kind::Boolean, "yes", None),
            (Kind::Int, "+5", Some("5")),
            (Kind::Int, "2147483648", None),
            (Kind::Short, "40000", None),
            (Kind::Long, "-2", Some("-2")),
            (Kind::List, " a , b ,", Some("a,b,")),
            (Kind::List, "", Some("")),
            (Kind::Text, " x ", Some("x")),
            (Kind::Password, "secret", Some("[hidden]")),
        ] {
            assert_eq!(
                kind.parse(text).ok().as_deref(),
                expected,
                "{kind:?} {text:?}"
            );
        }
    }
}
