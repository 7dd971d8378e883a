//! The options that are known at one place of the configuration: found by name or alias, suggested when misspelt.

use crate::option::{OptionDef, OptionType};

/// How much of an option this version does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Built {
    /// All of it.
    Yes,
    /// These values only; others are known and refused.
    Only(&'static [&'static str]),
    /// Nothing: setting it is refused.
    No,
}

/// One known option.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Term<'a> {
    pub(crate) def: &'a OptionDef,
    pub(crate) built: Built,
    /// An option of the other kind of connector, with the words that say so.
    pub(crate) misplaced: Option<&'a str>,
}

/// All options known at a place.
#[derive(Debug, Default)]
pub(crate) struct Vocabulary<'a> {
    terms: Vec<Term<'a>>,
}

impl<'a> Vocabulary<'a> {
    /// Adds an option; the first of a name holds.
    pub(crate) fn add(&mut self, def: &'a OptionDef, built: Built, misplaced: Option<&'a str>) {
        self.terms.push(Term {
            def,
            built,
            misplaced,
        });
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Term<'a>> {
        self.terms.iter()
    }

    /// Returns the option and its canonical name.
    pub(crate) fn find(&self, name: &str) -> Option<(Term<'a>, String)> {
        let exact = self
            .terms
            .iter()
            .find(|term| term.def.name == name)
            .or_else(|| {
                self.terms
                    .iter()
                    .find(|term| term.def.aliases.iter().any(|alias| alias == name))
            });
        if let Some(term) = exact {
            return Some((*term, term.def.name.clone()));
        }
        let below = |pattern: &str| {
            pattern
                .strip_suffix('*')
                .is_some_and(|prefix| name.len() > prefix.len() && name.starts_with(prefix))
        };
        self.terms
            .iter()
            .find(|term| below(&term.def.name))
            // An entry of the class's own map is not an option of the other side: a sink's `topic.creation.config.x`.
            .filter(|term| term.misplaced.is_none() || self.below_map(name).is_none())
            .map(|term| (*term, name.to_owned()))
    }

    /// Returns true when options exist whose names begin with `name.`.
    pub(crate) fn has_below(&self, name: &str) -> bool {
        let under = |known: &str| {
            known
                .strip_prefix(name)
                .is_some_and(|rest| rest.starts_with('.'))
        };
        self.terms
            .iter()
            .any(|term| under(&term.def.name) || term.def.aliases.iter().any(|alias| under(alias)))
    }

    /// Returns the map option that the name reaches into, and the key there.
    pub(crate) fn below_map<'n>(&self, name: &'n str) -> Option<(Term<'a>, &'n str)> {
        let maps = self
            .terms
            .iter()
            .filter(|term| term.def.kind == OptionType::Map);
        maps.flat_map(|term| {
            let names = std::iter::once(&term.def.name).chain(&term.def.aliases);
            names.map(move |known| (*term, known))
        })
        .find_map(|(term, known)| {
            Some((term, name.strip_prefix(known.as_str())?.strip_prefix('.')?))
        })
        .filter(|(_, key)| !key.is_empty())
    }

    /// Returns the names that may be used below `prefix`, in the order of declaration.
    pub(crate) fn names(&self, prefix: &str) -> Vec<&'a str> {
        let usable = self
            .terms
            .iter()
            .filter(|term| term.built != Built::No && term.misplaced.is_none());
        // The short name that people write stands first among the aliases of a host's option: `connector`.
        let shown = usable.map(|term| match term.def.name.as_str() {
            "connector.class" => "connector",
            name => name,
        });
        if prefix.is_empty() {
            return shown.collect();
        }
        shown
            .filter_map(|name| name.strip_prefix(prefix)?.strip_prefix('.'))
            .collect()
    }

    /// Returns the closest known name.
    pub(crate) fn suggest(&self, name: &str) -> Option<&'a str> {
        let names = self
            .terms
            .iter()
            .filter(|term| term.misplaced.is_none())
            .flat_map(|term| {
                std::iter::once(term.def.name.as_str())
                    .chain(term.def.aliases.iter().map(String::as_str))
            });
        closest(name, names)
    }
}

/// Returns the candidate that the word was probably meant to be.
pub(crate) fn closest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let limit = (lower.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| {
            let known = candidate.to_lowercase();
            // `nullValues`, `null_values` and `null-values` are the same word.
            let bare = |text: &str| {
                text.chars()
                    .filter(|c| !matches!(c, '.' | '_' | '-'))
                    .collect::<String>()
            };
            let distance = if bare(&known) == bare(&lower) {
                0
            } else {
                strsim::damerau_levenshtein(&lower, &known)
            };
            (distance, candidate)
        })
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, candidate)| (*distance, candidate.len()))
        .map(|(_, candidate)| candidate)
}

/// Returns `a, b, c`, shortened when there are many.
pub(crate) fn listing<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const NAMES_MAX: usize = 24;
    let names: Vec<&str> = names.into_iter().collect();
    let shown = names
        .get(..NAMES_MAX.min(names.len()))
        .unwrap_or_default()
        .join(", ");
    if names.len() > NAMES_MAX {
        format!("{shown}, ... ({} in all)", names.len())
    } else {
        shown
    }
}
