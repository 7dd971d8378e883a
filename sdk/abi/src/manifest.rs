//! The manifest: what a plugin says about itself, as JSON text.
//!
//! ```json
//! {"name": "acme", "version": "1.2.0", "sdk_version": "0.1.0", "abi_version": "1.0.0", "batch_format": 1,
//!  "classes": [{"name": "acme-source", "kind": "source", "aliases": [], "docs": "…", "options": [{"name": "topic", "type": "topic", …}],
//!               "features": ["fenced"]}]}
//! ```
//! Unknown keys are ignored, so that a later plugin can say more.

use serde_json::{Map, Value as Json, json};

/// What a plugin says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Manifest {
    /// The plugin's name, unique among the plugins of a host.
    pub name: String,
    /// The plugin's version.
    pub version: String,
    /// The version of the sdk it was built with.
    pub sdk_version: String,
    /// The version of this crate it was built with.
    pub abi_version: String,
    /// The highest batch format it reads.
    pub batch_format: u32,
    /// The connector and transform classes it offers.
    pub classes: Vec<Class>,
}

/// A class that a plugin offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Class {
    /// What `connector:` names.
    pub name: String,
    /// What it is.
    pub kind: ClassKind,
    /// Other names it answers to.
    pub aliases: Vec<String>,
    /// What it does, for people.
    pub docs: String,
    /// Its options.
    pub options: Vec<OptionDef>,
    /// Words that the host knows, such as `fenced`.
    pub features: Vec<String>,
}

/// What a class is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClassKind {
    /// Reads an external system into topics.
    Source,
    /// Writes topics to an external system.
    Sink,
    /// Maps records to records.
    Transform,
}

impl ClassKind {
    /// Returns the word in the manifest.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Sink => "sink",
            Self::Transform => "transform",
        }
    }

    /// Returns the kind of a word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Source, Self::Sink, Self::Transform]
            .into_iter()
            .find(|kind| kind.as_str() == word)
    }
}

/// The definition of an option.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OptionDef {
    /// The dotted name.
    pub name: String,
    /// One of `string boolean int long double list map duration bytes path topic password`.
    pub kind: String,
    /// Whether it must be given.
    pub required: bool,
    /// The default, as text.
    pub default: Option<String>,
    /// What it means, for people.
    pub docs: String,
    /// `high`, `medium` or `low`.
    pub importance: String,
    /// A heading to sort it under.
    pub group: String,
    /// Whether its value must never be shown.
    pub secret: bool,
    /// Other names it answers to.
    pub aliases: Vec<String>,
    /// The words it takes, empty for any.
    pub values: Vec<String>,
    /// The least value, as text.
    pub min: Option<String>,
    /// The greatest value, as text.
    pub max: Option<String>,
}

/// Why a manifest is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("manifest: {what}")]
pub struct ManifestError {
    what: String,
}

fn refuse(what: impl Into<String>) -> ManifestError {
    ManifestError { what: what.into() }
}

impl Manifest {
    /// Returns the JSON text.
    #[must_use]
    pub fn to_json(&self) -> String {
        let classes: Vec<Json> = self.classes.iter().map(Class::to_value).collect();
        json!({
            "name": self.name,
            "version": self.version,
            "sdk_version": self.sdk_version,
            "abi_version": self.abi_version,
            "batch_format": self.batch_format,
            "classes": classes,
        })
        .to_string()
    }

    /// Reads the JSON text.
    ///
    /// # Errors
    /// Names what is missing or of the wrong type.
    pub fn from_json(text: &str) -> Result<Self, ManifestError> {
        let json: Json = serde_json::from_str(text).map_err(|error| refuse(error.to_string()))?;
        let Json::Object(object) = json else {
            return Err(refuse("not a JSON object"));
        };
        Ok(Self {
            name: required(&object, "name")?,
            version: required(&object, "version")?,
            sdk_version: required(&object, "sdk_version")?,
            abi_version: required(&object, "abi_version")?,
            batch_format: object
                .get("batch_format")
                .and_then(Json::as_u64)
                .and_then(|format| u32::try_from(format).ok())
                .ok_or_else(|| refuse("`batch_format` is not a number"))?,
            classes: items(&object, "classes")?
                .iter()
                .map(Class::from_value)
                .collect::<Result<_, _>>()?,
        })
    }
}

impl Class {
    /// Returns the JSON object.
    #[must_use]
    pub fn to_value(&self) -> Json {
        let options: Vec<Json> = self.options.iter().map(OptionDef::to_value).collect();
        json!({
            "name": self.name,
            "kind": self.kind.as_str(),
            "aliases": self.aliases,
            "docs": self.docs,
            "options": options,
            "features": self.features,
        })
    }

    fn from_value(json: &Json) -> Result<Self, ManifestError> {
        let object = json
            .as_object()
            .ok_or_else(|| refuse("a class is not an object"))?;
        let kind = required(object, "kind")?;
        Ok(Self {
            name: required(object, "name")?,
            kind: ClassKind::from_word(&kind)
                .ok_or_else(|| refuse(format!("unknown class kind `{kind}`")))?,
            aliases: texts(object, "aliases")?,
            docs: optional(object, "docs")?.unwrap_or_default(),
            options: items(object, "options")?
                .iter()
                .map(OptionDef::from_value)
                .collect::<Result<_, _>>()?,
            features: texts(object, "features")?,
        })
    }
}

impl OptionDef {
    /// Returns the JSON object.
    #[must_use]
    pub fn to_value(&self) -> Json {
        json!({
            "name": self.name,
            "type": self.kind,
            "required": self.required,
            "default": self.default,
            "docs": self.docs,
            "importance": self.importance,
            "group": self.group,
            "secret": self.secret,
            "aliases": self.aliases,
            "values": self.values,
            "min": self.min,
            "max": self.max,
        })
    }

    /// Reads the JSON object.
    ///
    /// # Errors
    /// Names what is missing or of the wrong type.
    pub fn from_value(json: &Json) -> Result<Self, ManifestError> {
        let object = json
            .as_object()
            .ok_or_else(|| refuse("an option is not an object"))?;
        Ok(Self {
            name: required(object, "name")?,
            kind: required(object, "type")?,
            required: flag(object, "required")?,
            default: optional(object, "default")?,
            docs: optional(object, "docs")?.unwrap_or_default(),
            importance: optional(object, "importance")?.unwrap_or_default(),
            group: optional(object, "group")?.unwrap_or_default(),
            secret: flag(object, "secret")?,
            aliases: texts(object, "aliases")?,
            values: texts(object, "values")?,
            min: optional(object, "min")?,
            max: optional(object, "max")?,
        })
    }
}

type Object = Map<String, Json>;

fn required(object: &Object, key: &str) -> Result<String, ManifestError> {
    optional(object, key)?.ok_or_else(|| refuse(format!("`{key}` is missing")))
}

fn optional(object: &Object, key: &str) -> Result<Option<String>, ManifestError> {
    match object.get(key) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(refuse(format!("`{key}` is not a string"))),
    }
}

fn flag(object: &Object, key: &str) -> Result<bool, ManifestError> {
    match object.get(key) {
        None | Some(Json::Null) => Ok(false),
        Some(Json::Bool(flag)) => Ok(*flag),
        Some(_) => Err(refuse(format!("`{key}` is not a boolean"))),
    }
}

fn items<'a>(object: &'a Object, key: &str) -> Result<&'a [Json], ManifestError> {
    match object.get(key) {
        None | Some(Json::Null) => Ok(&[]),
        Some(Json::Array(items)) => Ok(items),
        Some(_) => Err(refuse(format!("`{key}` is not an array"))),
    }
}

fn texts(object: &Object, key: &str) -> Result<Vec<String>, ManifestError> {
    items(object, key)?
        .iter()
        .map(|item| {
            item.as_str()
                .map(str::to_owned)
                .ok_or_else(|| refuse(format!("`{key}` holds something that is not a string")))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_survives_the_round_trip() {
        let manifest = Manifest {
            name: "acme".to_owned(),
            version: "1.2.0".to_owned(),
            sdk_version: "0.1.0".to_owned(),
            abi_version: "1.0.0".to_owned(),
            batch_format: 1,
            classes: vec![Class {
                name: "acme-source".to_owned(),
                kind: ClassKind::Source,
                aliases: vec!["AcmeSource".to_owned()],
                docs: "Reads.".to_owned(),
                options: vec![OptionDef {
                    name: "topic".to_owned(),
                    kind: "topic".to_owned(),
                    required: true,
                    min: Some("1".to_owned()),
                    ..OptionDef::default()
                }],
                features: vec!["fenced".to_owned()],
            }],
        };
        assert_eq!(Manifest::from_json(&manifest.to_json()).unwrap(), manifest);
    }

    #[test]
    fn garbage_is_refused_by_name() {
        let check = |text: &str, expected: &str| {
            let error = Manifest::from_json(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check("[]", "not a JSON object");
        check("{}", "`name` is missing");
        check(r#"{"name":1}"#, "`name` is not a string");
        check(
            r#"{"name":"a","version":"1","sdk_version":"1","abi_version":"1","batch_format":1,"classes":[{"name":"x","kind":"bridge"}]}"#,
            "unknown class kind `bridge`",
        );
    }
}
