//! Templates of URLs, headers and bodies, in the language of Jinja.
//!
//! What a template of a URL puts in is percent-encoded, so that a value can be a part of a path or a query and nothing else; `| safe` passes
//! it as it is. In bodies `| tojson` writes any value as JSON. A name that is not there is an error, never an empty text.

use linkspan_sdk::{Error, Result};
use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, Output, State, UndefinedBehavior};
use serde::Serialize;

/// How much work one rendering may do.
const FUEL: u64 = 100_000;
/// The name that every template has inside of its own environment.
const NAME: &str = "t";

/// What a template makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Url,
    Text,
}

/// A template, or a text without any.
#[derive(Debug, Clone)]
pub(crate) enum Template {
    Fixed(String),
    Rendered {
        option: String,
        environment: Box<Environment<'static>>,
    },
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// Says what is wrong with it and where.
    pub(crate) fn parse(option: &str, text: &str, kind: Kind) -> Result<Self, String> {
        if !text.contains("{{") && !text.contains("{%") && !text.contains("{#") {
            return Ok(Self::Fixed(text.to_owned()));
        }
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(FUEL));
        environment.set_auto_escape_callback(move |_| match kind {
            Kind::Url => AutoEscape::Custom("url".into()),
            Kind::Text => AutoEscape::None,
        });
        environment.set_formatter(format);
        environment.add_filter("tojson", to_json);
        environment
            .add_template_owned(NAME, text.to_owned())
            .map_err(|error| format!("is not a template: {}", told(&error)))?;
        Ok(Self::Rendered {
            option: option.to_owned(),
            environment: Box::new(environment),
        })
    }

    /// Returns the text of a template that has nothing to put in.
    pub(crate) fn fixed(&self) -> Option<&str> {
        match self {
            Self::Fixed(text) => Some(text),
            Self::Rendered { .. } => None,
        }
    }

    /// Renders the template.
    ///
    /// # Errors
    /// A name is not there, or a filter fails: of kind `data_invalid`.
    pub(crate) fn render(&self, values: &Value) -> Result<String> {
        match self {
            Self::Fixed(text) => Ok(text.clone()),
            Self::Rendered {
                option,
                environment,
            } => environment
                .get_template(NAME)
                .and_then(|template| template.render(values.clone()))
                .map_err(|error| Error::data_invalid(format!("`{option}`: {}", told(&error)))),
        }
    }
}

/// An expression, such as when to stop.
#[derive(Debug, Clone)]
pub(crate) struct Condition {
    option: String,
    source: String,
    environment: Box<Environment<'static>>,
}

impl Condition {
    pub(crate) fn parse(option: &str, source: &str) -> Result<Self, String> {
        let mut environment = Environment::new();
        environment.set_fuel(Some(FUEL));
        environment
            .compile_expression(source)
            .map_err(|error| format!("is not an expression: {}", told(&error)))?;
        Ok(Self {
            option: option.to_owned(),
            source: source.to_owned(),
            environment: Box::new(environment),
        })
    }

    pub(crate) fn holds(&self, values: &Value) -> Result<bool> {
        let evaluated = self
            .environment
            .compile_expression(&self.source)
            .and_then(|expression| expression.eval(values.clone()));
        evaluated
            .map(|value| value.is_true())
            .map_err(|error| Error::data_invalid(format!("`{}`: {}", self.option, told(&error))))
    }
}

/// Turns what serde can write into values of templates.
pub(crate) fn values(of: &impl Serialize) -> Value {
    Value::from(minijinja::value::Serde(of))
}

fn to_json(value: &Value) -> Result<String, minijinja::Error> {
    use minijinja::ErrorKind::{BadSerialization, UndefinedError};
    if value.is_undefined() {
        return Err(minijinja::Error::from(UndefinedError));
    }
    serde_json::to_string(value)
        .map_err(|error| minijinja::Error::new(BadSerialization, error.to_string()))
}

fn format(
    out: &mut Output<'_>,
    state: &mut State<'_, '_>,
    value: &Value,
) -> Result<(), minijinja::Error> {
    if matches!(state.auto_escape(), AutoEscape::Custom(_))
        && !value.is_safe()
        && !value.is_undefined()
    {
        let text = if value.is_none() {
            String::new()
        } else {
            value.to_string()
        };
        return out
            .write_str(&percent_encode(&text))
            .map_err(minijinja::Error::from);
    }
    minijinja::escape_formatter(out, state, value)
}

/// Encodes everything but RFC 3986's unreserved characters.
fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

fn told(error: &minijinja::Error) -> String {
    let detail = error
        .detail()
        .map_or_else(String::new, |detail| format!(": {detail}"));
    let line = error
        .line()
        .map_or_else(String::new, |line| format!(" in line {line}"));
    format!("{}{detail}{line}", error.kind())
}
