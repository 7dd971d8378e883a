//! What a connector class says about its options; the shape of a plugin's manifest.

use linkspan_types::units;
use serde::{Deserialize, Serialize};

/// What a class does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ClassKind {
    /// Reads an external system and writes topics.
    Source,
    /// Reads topics and writes an external system.
    Sink,
    /// Changes records on their way.
    Transform,
}

impl ClassKind {
    /// Returns `source`, `sink` or `transform`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Sink => "sink",
            Self::Transform => "transform",
        }
    }
}

/// One class of one installed plugin.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Class {
    /// The canonical name, `file-source`.
    pub name: String,
    /// Source, sink or transform.
    pub kind: ClassKind,
    /// Other names it answers to.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// All its options.
    #[serde(default)]
    pub options: Vec<OptionDef>,
    /// What it declares about itself, such as `fenced` or `keys`.
    #[serde(default)]
    pub features: Vec<String>,
}

/// The type of an option's value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OptionType {
    /// Any text.
    #[default]
    String,
    /// `true` or `false`.
    Boolean,
    /// A whole number of 32 bits.
    Int,
    /// A whole number of 64 bits.
    Long,
    /// A number.
    Double,
    /// Texts in order.
    List,
    /// Names and texts; nesting ends here.
    Map,
    /// `7d`, `1s`, `500ms`.
    Duration,
    /// `1GiB`, `64KiB`.
    Bytes,
    /// A file, folder or glob; relative ones resolve against the YAML file. A list of them is accepted.
    Path,
    /// The address of a database; a relative file in `sqlite:…` resolves against the YAML file.
    Url,
    /// The name of a topic.
    Topic,
    /// A text that is never shown.
    Password,
    /// A type of a later SDK; treated as text.
    #[serde(other)]
    Other,
}

impl OptionType {
    /// Returns what the type accepts, as a message says it.
    #[must_use]
    pub fn accepts(self) -> &'static str {
        match self {
            Self::String | Self::Password | Self::Url | Self::Other => "a text",
            Self::Boolean => "true or false",
            Self::Int | Self::Long => "a whole number",
            Self::Double => "a number",
            Self::List => "a list",
            Self::Map => "a map",
            Self::Duration => "a duration such as 500ms, 1s, 5m, 2h or 7d",
            Self::Bytes => "a size such as 64KiB, 10MB or 1GiB",
            Self::Path => "a path",
            Self::Topic => "a topic name",
        }
    }
}

/// One option of a class. Fields that this version does not know are skipped, so that newer plugins load.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct OptionDef {
    /// The flat name, `csv.null.values`; `producer.*` stands for all names below `producer.`.
    pub name: String,
    /// The type of the value.
    #[serde(rename = "type", default)]
    pub kind: OptionType,
    /// It must be set.
    #[serde(default)]
    pub required: bool,
    /// What holds when it is not set.
    #[serde(default)]
    pub default: Option<String>,
    /// Its manual entry.
    #[serde(default)]
    pub docs: String,
    /// `high`, `medium` or `low`.
    #[serde(default)]
    pub importance: Option<String>,
    /// The heading it stands under.
    #[serde(default)]
    pub group: Option<String>,
    /// Its value is never shown.
    #[serde(default)]
    pub secret: bool,
    /// Other names of the option.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// The allowed values; empty = any.
    #[serde(default)]
    pub values: Vec<String>,
    /// The smallest number; durations in milliseconds.
    #[serde(default, deserialize_with = "bound")]
    pub min: Option<i64>,
    /// The largest number.
    #[serde(default, deserialize_with = "bound")]
    pub max: Option<i64>,
}

/// A limit as a manifest writes it: `17`, `"17"`, `"10ms"`, `"64KiB"`. Fractions limit nothing here: the class checks them.
fn bound<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let value = Option::<serde_json::Value>::deserialize(deserializer)?;
    Ok(match value {
        Some(serde_json::Value::Number(number)) => number.as_i64(),
        Some(serde_json::Value::String(text)) => text.parse().ok().or_else(|| {
            let quantity = units::bytes(&text)
                .or_else(|_| units::duration_ms(&text))
                .ok()?;
            i64::try_from(quantity).ok()
        }),
        _ => None,
    })
}

impl OptionDef {
    /// Returns an optional option without limits.
    #[must_use]
    pub fn new(name: &str, kind: OptionType, default: Option<&str>, docs: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            default: default.map(str::to_owned),
            docs: docs.to_owned(),
            ..Self::default()
        }
    }

    /// Limits the number.
    #[must_use]
    pub fn range(self, min: i64, max: i64) -> Self {
        Self {
            min: Some(min),
            max: Some(max),
            ..self
        }
    }

    /// Limits the value to some words.
    #[must_use]
    pub fn one_of(self, values: &[&str]) -> Self {
        Self {
            values: values.iter().map(|value| (*value).to_owned()).collect(),
            ..self
        }
    }

    /// Returns the allowed word that a text stands for: the same one, else the only one that differs in case, or has `-` where
    /// the other has `_`. Kafka's users write `SASL_SSL`, others `sasl_ssl`.
    #[must_use]
    pub fn word(&self, text: &str) -> Option<&str> {
        let known = || self.values.iter().map(String::as_str);
        if let Some(word) = known().find(|word| *word == text) {
            return Some(word);
        }
        let mut alike = known().filter(|word| alike(word, text));
        alike.next().filter(|_| alike.next().is_none())
    }

    /// Returns true when its value may never be shown.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        self.secret || self.kind == OptionType::Password
    }
}

/// Whether two words differ in case, or by `-` for `_`, at most.
fn alike(one: &str, other: &str) -> bool {
    let folded = |byte: u8| match byte {
        b'-' => b'_',
        byte => byte.to_ascii_lowercase(),
    };
    one.len() == other.len() && one.bytes().map(folded).eq(other.bytes().map(folded))
}

/// Decides about a topic's name.
pub type NameTest = Box<dyn Fn(&str) -> bool>;

/// The installed classes.
pub trait Catalog {
    /// Returns the class of that name or alias.
    fn class(&self, name: &str) -> Option<&Class>;
    /// Returns the names of all classes, without aliases.
    fn names(&self) -> Vec<String>;
    /// Says what is wrong with a converter: `role` is `key.converter`, `value.converter` or `header.converter`, `options`
    /// are those below it without their prefix. A catalog that knows no converters finds nothing wrong.
    fn converter_problems(
        &self,
        role: &str,
        class: &str,
        options: &std::collections::BTreeMap<String, String>,
    ) -> Vec<ConverterProblem> {
        let _known_nothing_about = (role, class, options);
        Vec::new()
    }

    /// Says what is wrong with the transforms and predicates of a connector, whose flat options these are. A catalog that
    /// knows no transforms finds nothing wrong.
    fn step_problems(
        &self,
        config: &std::collections::BTreeMap<String, String>,
    ) -> Vec<StepProblem> {
        let _known_nothing_about = config;
        Vec::new()
    }
    /// Returns what decides whether a topic's whole name matches a pattern of `topics.regex`.
    ///
    /// # Errors
    /// What is wrong with the pattern, as a fragment.
    fn topic_pattern(&self, pattern: &str) -> Result<NameTest, String> {
        let _known_nothing_about = pattern;
        Ok(Box::new(|_| false))
    }
    /// Returns the options of steps that name files or addresses, with their types: relative ones start at the YAML file.
    fn step_places(
        &self,
        config: &std::collections::BTreeMap<String, String>,
    ) -> Vec<(String, OptionType)> {
        let _known_nothing_about = config;
        Vec::new()
    }
    /// Returns the topics that the steps of a source may send records of `topic` to; `None` where that is not known before
    /// the records are.
    fn step_topics(
        &self,
        config: &std::collections::BTreeMap<String, String>,
        topic: &str,
    ) -> Option<Vec<String>> {
        let _known_nothing_about = config;
        Some(vec![topic.to_owned()])
    }
    /// Returns the options of steps that hold secrets.
    fn step_secrets(&self, config: &std::collections::BTreeMap<String, String>) -> Vec<String> {
        let _known_nothing_about = config;
        Vec::new()
    }
}

/// What is wrong with a step of a connector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepProblem {
    /// The whole key, such as `transforms.hide.fields`.
    pub key: String,
    /// What is wrong, as a fragment.
    pub message: String,
    /// The keys that exist, where this one is not known.
    pub known: Vec<String>,
}

/// What is wrong with a converter of a connector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConverterProblem {
    /// The option below the converter's prefix; empty: the class itself.
    pub option: String,
    /// What is wrong, as a fragment.
    pub message: String,
    /// The names that exist, where the class or the option is not known.
    pub known: Vec<String>,
}

/// A catalog that is a list.
impl Catalog for Vec<Class> {
    fn class(&self, name: &str) -> Option<&Class> {
        self.iter().find(|class| class.name == name).or_else(|| {
            self.iter()
                .find(|class| class.aliases.iter().any(|alias| alias == name))
        })
    }

    fn names(&self) -> Vec<String> {
        self.iter().map(|class| class.name.clone()).collect()
    }
}
