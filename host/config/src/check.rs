//! Whether a text is a value of an option: types, ranges, allowed words, units.
//!
//! A check also normalises what has several spellings: options whose name ends in `.ms` or `.bytes` come out as plain
//! numbers, booleans in small letters, words of a list of allowed ones as that list spells them. All else keeps its text.

use linkspan_types::TopicName;
use linkspan_types::units::{self, UnitError};
use serde_json::Value;

use crate::codes::{self, Code};
use crate::option::{OptionDef, OptionType};
use crate::vocabulary::{closest, listing};

/// Why a text is not a value of the option.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) code: &'static Code,
    pub(crate) message: String,
    pub(crate) label: String,
    pub(crate) help: Option<String>,
}

/// Checks a text. `quote` allows the message to repeat it; secrets and resolved placeholders never are.
pub(crate) fn check(def: &OptionDef, name: &str, text: &str, quote: bool) -> Result<String, Fault> {
    let subject = Subject {
        def,
        name,
        text,
        quote: quote && !def.is_secret(),
    };
    let value = subject.typed()?;
    subject.allowed(value)
}

struct Subject<'a> {
    def: &'a OptionDef,
    name: &'a str,
    text: &'a str,
    quote: bool,
}

impl Subject<'_> {
    fn fault(&self, code: &'static Code, message: String, label: impl Into<String>) -> Fault {
        Fault {
            code,
            message,
            label: label.into(),
            help: None,
        }
    }

    fn found(&self) -> String {
        if self.quote {
            format!(", found `{}`", self.text.escape_debug())
        } else {
            String::new()
        }
    }

    fn wrong_type(&self, accepts: &str, label: &str) -> Fault {
        self.fault(
            &codes::WRONG_TYPE,
            format!("`{}` takes {accepts}{}", self.name, self.found()),
            label,
        )
    }

    fn typed(&self) -> Result<String, Fault> {
        let in_unit = |unit: &str| self.name.ends_with(unit);
        match self.def.kind {
            OptionType::Duration => self.quantity(Quantity::Duration, in_unit(".ms")),
            OptionType::Bytes => self.quantity(Quantity::Bytes, in_unit(".bytes")),
            OptionType::Int | OptionType::Long if in_unit(".ms") => {
                self.quantity(Quantity::Duration, true)
            }
            OptionType::Int | OptionType::Long if in_unit(".bytes") => {
                self.quantity(Quantity::Bytes, true)
            }
            OptionType::Int | OptionType::Long => self.whole_number(),
            OptionType::Double => match self.text.parse::<f64>() {
                Ok(number) if number.is_finite() => {
                    self.double_in_range(number).map(|()| self.text.to_owned())
                }
                Ok(_) | Err(_) => Err(self.wrong_type("a number", "not a number")),
            },
            OptionType::Boolean => match self.text.to_ascii_lowercase().as_str() {
                word @ ("true" | "false") => Ok(word.to_owned()),
                "yes" | "on" | "y" | "1" => {
                    Err(self.wrong_type("true or false", "did you mean `true`?"))
                }
                "no" | "off" | "n" | "0" => {
                    Err(self.wrong_type("true or false", "did you mean `false`?"))
                }
                _ => Err(self.wrong_type("true or false", "neither true nor false")),
            },
            OptionType::List => match self.text.trim_start().starts_with('[') {
                true if !matches!(serde_json::from_str(self.text), Ok(Value::Array(_))) => {
                    Err(self.wrong_type("a list, or JSON of a list", "not a list"))
                }
                true | false => Ok(self.text.to_owned()),
            },
            OptionType::Map => match serde_json::from_str(self.text) {
                Ok(Value::Object(_)) => Ok(self.text.to_owned()),
                Ok(_) | Err(_) => Err(self.wrong_type("a map", "not a map")),
            },
            OptionType::Topic => self.topic(self.text).map(|()| self.text.to_owned()),
            OptionType::Path if self.text.is_empty() => Err(self.wrong_type("a path", "empty")),
            OptionType::Path
            | OptionType::Url
            | OptionType::String
            | OptionType::Password
            | OptionType::Other => Ok(self.text.to_owned()),
        }
    }

    fn topic(&self, text: &str) -> Result<(), Fault> {
        match TopicName::try_new(text) {
            Ok(_) => Ok(()),
            Err(_) if !self.quote => Err(self.fault(
                &codes::BAD_NAME,
                format!("`{}` is not a topic name", self.name),
                "",
            )),
            Err(error) => Err(self.fault(
                &codes::BAD_NAME,
                format!("`{}`: {error}", self.name),
                "not a topic name",
            )),
        }
    }

    fn whole_number(&self) -> Result<String, Fault> {
        let number: i128 = self
            .text
            .parse()
            .map_err(|_| self.wrong_type("a whole number", "not a whole number"))?;
        let (low, high) = match self.def.kind {
            OptionType::Int => (i128::from(i32::MIN), i128::from(i32::MAX)),
            _ => (i128::from(i64::MIN), i128::from(i64::MAX)),
        };
        let low = self.def.min.map_or(low, i128::from);
        let high = self.def.max.map_or(high, i128::from);
        if number < low || number > high {
            return Err(self.range_fault(&low.to_string(), &high.to_string()));
        }
        Ok(self.text.to_owned())
    }

    fn double_in_range(&self, number: f64) -> Result<(), Fault> {
        // A bound beyond 2^53 loses digits, which no range of a fraction depends on.
        #[expect(clippy::cast_precision_loss, reason = "bounds of fractions are small")]
        let bound = |bound: i64| bound as f64;
        let low = self.def.min.map_or(f64::MIN, bound);
        let high = self.def.max.map_or(f64::MAX, bound);
        if number < low || number > high {
            return Err(self.range_fault(&low.to_string(), &high.to_string()));
        }
        Ok(())
    }

    fn range_fault(&self, low: &str, high: &str) -> Fault {
        self.fault(
            &codes::OUT_OF_RANGE,
            format!(
                "`{}` must lie between {low} and {high}{}",
                self.name,
                self.found()
            ),
            "out of range",
        )
    }

    /// `plain`: the name carries the unit, so that a bare number is welcome and numbers come out.
    fn quantity(&self, quantity: Quantity, plain: bool) -> Result<String, Fault> {
        let accepts = quantity.accepts();
        let bare = self
            .text
            .parse::<i64>()
            .ok()
            .filter(|number| plain || (*number < 0 && self.def.min == Some(-1)));
        let number = match bare {
            Some(number) => number,
            None => {
                let read = quantity.read(self.text).map_err(|error| match error {
                    UnitError::NoUnit => {
                        let mut fault = self.fault(
                            &codes::UNIT_MISSING,
                            format!("`{}` has no unit{}", self.name, self.found()),
                            "a number without a unit",
                        );
                        fault.help = Some(format!("write {accepts}"));
                        fault
                    }
                    UnitError::Malformed => self.wrong_type(accepts, quantity.not_one()),
                    UnitError::TooLarge => self.range_fault("0", &i64::MAX.to_string()),
                })?;
                i64::try_from(read).map_err(|_| self.range_fault("0", &i64::MAX.to_string()))?
            }
        };
        let low = self.def.min.unwrap_or(0);
        let high = self.def.max.unwrap_or(i64::MAX);
        if number < low || number > high {
            return Err(self.range_fault(&quantity.print(low, plain), &quantity.print(high, plain)));
        }
        Ok(if plain {
            number.to_string()
        } else {
            self.text.to_owned()
        })
    }

    /// Returns the value in the allowed words' own spelling.
    fn allowed(&self, value: String) -> Result<String, Fault> {
        if self.def.values.is_empty() {
            return Ok(value);
        }
        let is_list = self.def.kind == OptionType::List;
        let items = if is_list {
            items(&value)
        } else {
            vec![value.clone()]
        };
        let known = || self.def.values.iter().map(String::as_str);
        let mut words = Vec::with_capacity(items.len());
        for item in &items {
            if let Some(word) = self.def.word(item) {
                words.push(word);
                continue;
            }
            let found = if self.quote {
                format!(", found `{}`", item.escape_debug())
            } else {
                String::new()
            };
            let label = match closest(item, known()) {
                Some(word) if self.quote => format!("did you mean `{word}`?"),
                Some(_) | None => "not one of them".to_owned(),
            };
            return Err(self.fault(
                &codes::NOT_ALLOWED,
                format!("`{}` is one of {}{found}", self.name, listing(known())),
                label,
            ));
        }
        Ok(match words.as_slice() {
            words if words == items => value,
            [word] if !is_list => (*word).to_owned(),
            words => Value::from(words.to_vec()).to_string(),
        })
    }
}

/// Reads a list's text: JSON, or Connect's `a,b`.
pub(crate) fn items(text: &str) -> Vec<String> {
    if let Ok(Value::Array(values)) = serde_json::from_str(text) {
        return values
            .into_iter()
            .map(|value| match value {
                Value::String(text) => text,
                Value::Null
                | Value::Bool(_)
                | Value::Number(_)
                | Value::Array(_)
                | Value::Object(_) => value.to_string(),
            })
            .collect();
    }
    text.split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .map(str::to_owned)
        .collect()
}

#[derive(Clone, Copy)]
enum Quantity {
    Duration,
    Bytes,
}

impl Quantity {
    fn read(self, text: &str) -> Result<u64, UnitError> {
        match self {
            Self::Duration => units::duration_ms(text),
            Self::Bytes => units::bytes(text),
        }
    }

    fn accepts(self) -> &'static str {
        match self {
            Self::Duration => OptionType::Duration.accepts(),
            Self::Bytes => OptionType::Bytes.accepts(),
        }
    }

    fn not_one(self) -> &'static str {
        match self {
            Self::Duration => "not a duration",
            Self::Bytes => "not a size",
        }
    }

    fn print(self, number: i64, plain: bool) -> String {
        match self {
            Self::Duration if !plain => units::duration_text(number),
            Self::Bytes if !plain => u64::try_from(number).map_or_else(
                |_| number.to_string(),
                |number| linkspan_types::ByteCount(number).to_string(),
            ),
            Self::Duration | Self::Bytes => number.to_string(),
        }
    }
}
