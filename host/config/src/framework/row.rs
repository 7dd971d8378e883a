//! One line of the tables of options.

use super::FrameworkOption;
use crate::option::{ClassKind, OptionDef, OptionType};
use crate::vocabulary::Built;

/// One line of the tables below.
#[derive(Clone, Copy)]
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) alias: &'static str,
    pub(super) kind: OptionType,
    pub(super) default: Option<&'static str>,
    pub(super) docs: &'static str,
    pub(super) values: &'static [&'static str],
    pub(super) range: Option<(i64, i64)>,
    pub(super) built: Built,
    pub(super) side: Option<ClassKind>,
    /// It is accepted and does nothing here; the docs say why.
    pub(super) idle: bool,
}

/// Returns an option with a type.
pub(super) const fn row(name: &'static str, kind: OptionType, docs: &'static str) -> Row {
    Row {
        name,
        alias: "",
        kind,
        default: None,
        docs,
        values: &[],
        range: None,
        built: Built::Yes,
        side: None,
        idle: false,
    }
}

/// Returns an option that a later version builds.
pub(super) const fn later(name: &'static str, docs: &'static str) -> Row {
    Row {
        built: Built::No,
        ..row(name, OptionType::String, docs)
    }
}

impl Row {
    pub(super) const fn default(self, text: &'static str) -> Self {
        Self {
            default: Some(text),
            ..self
        }
    }

    pub(super) const fn range(self, min: i64, max: i64) -> Self {
        Self {
            range: Some((min, max)),
            ..self
        }
    }

    pub(super) const fn values(self, values: &'static [&'static str]) -> Self {
        Self { values, ..self }
    }

    /// The values that this version does; the others are known.
    pub(super) const fn only(self, values: &'static [&'static str]) -> Self {
        Self {
            built: Built::Only(values),
            ..self
        }
    }

    pub(super) const fn alias(self, alias: &'static str) -> Self {
        Self { alias, ..self }
    }

    /// Accepted without effect.
    pub(super) const fn idle(self) -> Self {
        Self { idle: true, ..self }
    }

    pub(super) const fn of_source(self) -> Self {
        Self {
            side: Some(ClassKind::Source),
            ..self
        }
    }

    pub(super) const fn of_sink(self) -> Self {
        Self {
            side: Some(ClassKind::Sink),
            ..self
        }
    }

    pub(super) fn option(&self) -> FrameworkOption {
        let mut def = OptionDef::new(self.name, self.kind, self.default, self.docs);
        def.values = self
            .values
            .iter()
            .map(|value| (*value).to_owned())
            .collect();
        def.aliases = Some(self.alias.to_owned())
            .filter(|alias| !alias.is_empty())
            .into_iter()
            .collect();
        (def.min, def.max) = self.range.unzip();
        def.group = self.idle.then(|| "ignored".to_owned());
        FrameworkOption {
            def,
            built: self.built,
            kind: self.side,
        }
    }
}
