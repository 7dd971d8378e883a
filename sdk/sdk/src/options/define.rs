//! What derived code calls to declare options.

use super::{ConfigProblem, Field, OptionDef, OptionValue};

/// What a declaration says beyond what reading needs.
#[derive(Debug, Clone, Copy)]
pub struct Described {
    /// What it is, for people.
    pub docs: &'static str,
    /// A heading.
    pub group: &'static str,
    /// `high`, `medium` or `low`.
    pub importance: &'static str,
    /// Another type word than the type's own.
    pub kind: Option<&'static str>,
    /// Whether the field is an `Option`.
    pub optional: bool,
    /// The least value.
    pub min: Option<&'static str>,
    /// The greatest value.
    pub max: Option<&'static str>,
}

/// Makes the declaration of one field.
#[must_use]
pub fn define<T: OptionValue>(field: &Field, described: &Described) -> OptionDef {
    let owned = |words: &[&str]| {
        words
            .iter()
            .map(|word| (*word).to_owned())
            .collect::<Vec<_>>()
    };
    OptionDef {
        name: field.name.to_owned(),
        kind: described.kind.unwrap_or(T::KIND).to_owned(),
        required: field.default.is_none() && !described.optional,
        default: field.default.map(str::to_owned),
        docs: described.docs.to_owned(),
        importance: described.importance.to_owned(),
        group: described.group.to_owned(),
        secret: field.secret,
        aliases: owned(field.aliases),
        values: owned(if field.values.is_empty() {
            T::WORDS
        } else {
            field.values
        }),
        min: described.min.map(str::to_owned),
        max: described.max.map(str::to_owned),
    }
}

/// Puts a nest's prefix in front of names.
#[must_use]
pub fn with_prefix(prefix: &str, mut definitions: Vec<OptionDef>) -> Vec<OptionDef> {
    for definition in &mut definitions {
        definition.name = prefixed(prefix, &definition.name);
        for alias in &mut definition.aliases {
            *alias = prefixed(prefix, alias);
        }
    }
    definitions
}

/// Puts a nest's prefix in front of the options of problems.
#[must_use]
pub fn problems_with_prefix(prefix: &str, mut problems: Vec<ConfigProblem>) -> Vec<ConfigProblem> {
    for problem in &mut problems {
        problem.option = prefixed(prefix, &problem.option);
    }
    problems
}

fn prefixed(prefix: &str, name: &str) -> String {
    if prefix.is_empty() {
        name.to_owned()
    } else {
        format!("{prefix}.{name}")
    }
}
