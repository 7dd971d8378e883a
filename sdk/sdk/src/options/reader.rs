//! Reading one struct's options out of a flat configuration, all problems kept.

use std::collections::BTreeMap;

use super::{ConfigProblem, OptionValue};

/// The declaration of one field, as the derive macro writes it. Authors do not need it.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// The option's name, without the prefix of its nest.
    pub name: &'static str,
    /// Other names it answers to.
    pub aliases: &'static [&'static str],
    /// What a missing option is.
    pub default: Option<&'static str>,
    /// The words it takes, empty for any.
    pub values: &'static [&'static str],
    /// Whether its value must not be shown.
    pub secret: bool,
}

/// Reads options one by one. Made by [`super::Options::from_config`]; used by derived code.
#[derive(Debug)]
pub struct Reader<'c> {
    config: &'c BTreeMap<String, String>,
    prefix: String,
    problems: Vec<ConfigProblem>,
}

impl<'c> Reader<'c> {
    pub(super) const fn new(config: &'c BTreeMap<String, String>) -> Self {
        Self {
            config,
            prefix: String::new(),
            problems: Vec::new(),
        }
    }

    pub(super) fn into_problems(self) -> Vec<ConfigProblem> {
        self.problems
    }

    /// Reads an option that has a default or is required.
    pub fn required<T: OptionValue>(&mut self, field: &Field) -> Option<T> {
        match self.text(field)? {
            Some((name, text)) => self.parse(field, &name, &text),
            None => {
                let name = self.full_name(field);
                self.problem(name, "is missing".to_owned());
                None
            }
        }
    }

    /// Reads an option that may be missing. The outer `None` says that there was a problem.
    pub fn optional<T: OptionValue>(&mut self, field: &Field) -> Option<Option<T>> {
        match self.text(field)? {
            Some((name, text)) => self.parse(field, &name, &text).map(Some),
            None => Some(None),
        }
    }

    /// Checks a value that was read against its bounds, both given as text.
    pub fn bounds<T: OptionValue + PartialOrd>(
        &mut self,
        field: &Field,
        value: &T,
        min: Option<&str>,
        max: Option<&str>,
    ) {
        let bound = |text: Option<&str>| text.and_then(|text| T::parse_bound(text).ok());
        let (low, high) = (bound(min), bound(max));
        let name = self.full_name(field);
        if low.is_some_and(|low| *value < low) {
            self.problem(
                name,
                format!("must be at least {}", min.unwrap_or_default()),
            );
        } else if high.is_some_and(|high| *value > high) {
            self.problem(name, format!("must be at most {}", max.unwrap_or_default()));
        }
    }

    /// Reads a nested struct, whose names have a prefix.
    pub fn nested<T>(
        &mut self,
        prefix: &str,
        read: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<T> {
        let before = self.prefix.len();
        if !prefix.is_empty() {
            self.prefix.push_str(prefix);
            self.prefix.push('.');
        }
        let value = read(self);
        self.prefix.truncate(before);
        value
    }

    fn full_name(&self, field: &Field) -> String {
        format!("{}{}", self.prefix, field.name)
    }

    fn problem(&mut self, option: String, message: String) {
        self.problems.push(ConfigProblem { option, message });
    }

    /// Finds the text under any of the names, or the default. The outer `None` says that there was a problem.
    fn text(&mut self, field: &Field) -> Option<Option<(String, String)>> {
        let mut found: Option<(String, &String)> = None;
        let names = std::iter::once(self.full_name(field)).chain(
            field
                .aliases
                .iter()
                .map(|alias| format!("{}{alias}", self.prefix)),
        );
        let mut twice = None;
        for name in names {
            let Some(text) = self.config.get(&name) else {
                continue;
            };
            match &found {
                Some((first, _)) => twice = Some((first.clone(), name)),
                None => found = Some((name, text)),
            }
        }
        if let Some((first, second)) = twice {
            self.problem(
                second,
                format!("is another name of `{first}`, which is set too"),
            );
            return None;
        }
        let default = || {
            field
                .default
                .map(|text| (self.full_name(field), text.to_owned()))
        };
        Some(
            found
                .map(|(name, text)| (name, text.clone()))
                .or_else(default),
        )
    }

    fn parse<T: OptionValue>(&mut self, field: &Field, name: &str, text: &str) -> Option<T> {
        let listed = |same: fn(&str, &str) -> bool| {
            let mut words = field.values.iter().copied();
            words.find(|word| same(word, text))
        };
        let exact = listed(|word, text| word == text);
        let word = exact.or_else(|| listed(str::eq_ignore_ascii_case));
        if !field.values.is_empty() && word.is_none() {
            let message = format!(
                "is {}; it must be {}",
                quoted(field, text),
                one_of(field.values)
            );
            self.problem(name.to_owned(), message);
            return None;
        }
        match T::parse(name, word.unwrap_or(text)) {
            Ok(value) => Some(value),
            Err(expected) => {
                let message = format!("is {}; it must be {expected}", quoted(field, text));
                self.problem(name.to_owned(), message);
                None
            }
        }
    }
}

fn quoted(field: &Field, text: &str) -> String {
    if field.secret {
        "not valid".to_owned()
    } else {
        format!("`{text}`")
    }
}

/// Returns `a`, `a` or `b`, `a`, `b` or `c`.
#[must_use]
pub fn one_of(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}
