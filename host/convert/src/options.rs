//! Option tables of converters, transforms and predicates, and how text becomes an option's value.
//!
//! The rules are Connect's `ConfigDef`: text is trimmed, `true` and `false` in any case are booleans, lists are divided at
//! commas. One table gives validation, documentation and the JSON Schema for editors.

use std::collections::BTreeMap;
use std::fmt;

use crate::java;

/// The most items of a list.
const LIST_ITEMS_MAX: usize = 10_000;

/// The type of an option's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionType {
    /// Text.
    String,
    /// Text divided at commas.
    List,
    /// `true` or `false`.
    Boolean,
    /// A whole number of 32 bits.
    Int,
    /// Text that is shown nowhere.
    Password,
}

impl OptionType {
    /// Returns the name as the options of plugins have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::List => "list",
            Self::Boolean => "boolean",
            Self::Int => "int",
            Self::Password => "password",
        }
    }
}

/// What else must be true of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Nothing.
    Any,
    /// Text of at least one character; a list of at least one item, none of them empty.
    NotEmpty,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// One of these words, upper or lower case.
    OneOfIgnoringCase(&'static [&'static str]),
    /// A whole number that is not negative.
    NotNegative,
}

/// One option.
#[derive(Debug, Clone, Copy)]
pub struct OptionDef {
    /// The name, with dots.
    pub name: &'static str,
    /// The type.
    pub kind: OptionType,
    /// What it is where it is not given; an option without default that is not required may stay away.
    pub default: Option<&'static str>,
    /// Whether it must be given.
    pub required: bool,
    /// What else must be true.
    pub rule: Rule,
    /// What it does, for people.
    pub docs: &'static str,
}

impl OptionDef {
    const fn new(name: &'static str, kind: OptionType, docs: &'static str) -> Self {
        Self {
            name,
            kind,
            default: None,
            required: false,
            rule: Rule::Any,
            docs,
        }
    }

    /// Returns an option of text.
    #[must_use]
    pub const fn string(name: &'static str, docs: &'static str) -> Self {
        Self::new(name, OptionType::String, docs)
    }

    /// Returns an option of a list.
    #[must_use]
    pub const fn list(name: &'static str, docs: &'static str) -> Self {
        Self::new(name, OptionType::List, docs)
    }

    /// Returns an option of a boolean, with its default.
    #[must_use]
    pub const fn boolean(name: &'static str, default: &'static str, docs: &'static str) -> Self {
        Self::new(name, OptionType::Boolean, docs).default(default)
    }

    /// Returns an option of a whole number.
    #[must_use]
    pub const fn int(name: &'static str, docs: &'static str) -> Self {
        Self::new(name, OptionType::Int, docs)
    }

    /// Returns an option that is a secret.
    #[must_use]
    pub const fn password(name: &'static str, docs: &'static str) -> Self {
        Self::new(name, OptionType::Password, docs)
    }

    /// Makes the option required.
    #[must_use]
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// Gives the option a default.
    #[must_use]
    pub const fn default(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }

    /// Gives the option a rule.
    #[must_use]
    pub const fn rule(mut self, rule: Rule) -> Self {
        self.rule = rule;
        self
    }
}

/// `replace.null.with.default`, which many transforms have.
pub(crate) const REPLACE_NULL: OptionDef = OptionDef::boolean(
    "replace.null.with.default",
    "true",
    "Whether a field that is null and has a default is read as its default.",
);

/// What is wrong with one option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblem {
    /// The option, without the prefix of its step.
    pub option: String,
    /// What is wrong, as a fragment; the value is named only where it is a word of a fixed list.
    pub message: String,
}

impl ConfigProblem {
    /// Returns a problem.
    #[must_use]
    pub fn new(option: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            option: option.into(),
            message: message.into(),
        }
    }
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "option `{}`: {}", self.option, self.message)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Parsed {
    Text(String),
    List(Vec<String>),
    Boolean(bool),
    Int(i32),
}

/// The values of a table's options.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    values: BTreeMap<&'static str, Parsed>,
}

/// Shows which options are set, never their values.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

impl Settings {
    /// Reads the options of a table; options that the table does not have are not looked at.
    ///
    /// # Errors
    /// Names all that is wrong.
    pub fn parse(
        table: &[OptionDef],
        config: &BTreeMap<String, String>,
    ) -> Result<Self, Vec<ConfigProblem>> {
        let mut values = BTreeMap::new();
        let mut problems = Vec::new();
        for option in table {
            let text = config.get(option.name).map(String::as_str);
            match text.or(option.default) {
                None if option.required => {
                    problems.push(ConfigProblem::new(option.name, "is required"));
                }
                None => {}
                Some(text) => match parse(option, text) {
                    Ok(value) => {
                        values.insert(option.name, value);
                    }
                    Err(message) => problems.push(ConfigProblem::new(option.name, message)),
                },
            }
        }
        if problems.is_empty() {
            Ok(Self { values })
        } else {
            Err(problems)
        }
    }

    /// Returns text, `None` where it is not given.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.values.get(name) {
            Some(Parsed::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// Returns text, empty where it is not given.
    #[must_use]
    pub fn text_or_empty(&self, name: &str) -> &str {
        self.text(name).unwrap_or_default()
    }

    /// Returns a list, empty where it is not given.
    #[must_use]
    pub fn list(&self, name: &str) -> &[String] {
        match self.values.get(name) {
            Some(Parsed::List(items)) => items,
            _ => &[],
        }
    }

    /// Returns a boolean, false where it is not given.
    #[must_use]
    pub fn boolean(&self, name: &str) -> bool {
        matches!(self.values.get(name), Some(Parsed::Boolean(true)))
    }

    /// Returns a number, `None` where it is not given.
    #[must_use]
    pub fn int(&self, name: &str) -> Option<i32> {
        match self.values.get(name) {
            Some(Parsed::Int(number)) => Some(*number),
            _ => None,
        }
    }
}

/// `String.trim`: everything up to the blank counts as one.
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches(|letter: char| letter <= ' ')
}

fn parse(option: &OptionDef, text: &str) -> Result<Parsed, String> {
    let text = trim(text);
    let value = match option.kind {
        OptionType::String | OptionType::Password => Parsed::Text(text.to_owned()),
        OptionType::List => Parsed::List(items(text)?),
        OptionType::Boolean if text.eq_ignore_ascii_case("true") => Parsed::Boolean(true),
        OptionType::Boolean if text.eq_ignore_ascii_case("false") => Parsed::Boolean(false),
        OptionType::Boolean => return Err("is `true` or `false`".to_owned()),
        OptionType::Int => {
            let number = java::parse_int32(text);
            Parsed::Int(number.ok_or("is a whole number of at most 32 bits")?)
        }
    };
    check(option.rule, &value)?;
    Ok(value)
}

fn items(text: &str) -> Result<Vec<String>, String> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let items: Vec<String> = text.split(',').map(|item| trim(item).to_owned()).collect();
    if items.len() > LIST_ITEMS_MAX {
        return Err(format!("has at most {LIST_ITEMS_MAX} items"));
    }
    Ok(items)
}

fn check(rule: Rule, value: &Parsed) -> Result<(), String> {
    match (rule, value) {
        (Rule::NotEmpty, Parsed::Text(text)) if text.is_empty() => {
            Err("must not be empty".to_owned())
        }
        (Rule::NotEmpty, Parsed::List(items)) if items.is_empty() => {
            Err("needs at least one item".to_owned())
        }
        (Rule::NotEmpty, Parsed::List(items)) if items.iter().any(String::is_empty) => {
            Err("must not have an empty item".to_owned())
        }
        (Rule::OneOf(words), Parsed::Text(text)) if !words.contains(&text.as_str()) => {
            Err(format!("is one of {}", words.join(", ")))
        }
        (Rule::OneOfIgnoringCase(words), Parsed::Text(text))
            if !words.iter().any(|word| word.eq_ignore_ascii_case(text)) =>
        {
            Err(format!("is one of {}", words.join(", ")))
        }
        (Rule::NotNegative, Parsed::Int(number)) if *number < 0 => {
            Err("must not be negative".to_owned())
        }
        _ => Ok(()),
    }
}
