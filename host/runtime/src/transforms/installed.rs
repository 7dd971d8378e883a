//! The transforms and predicates that the installed plugins offer.

use std::collections::BTreeMap;

use linkspan_convert::transform::{ClassUse, ConfigProblem, PluginClasses};
use linkspan_plugin::{Class, ClassKind, Registry};

/// A transform that only answers whether a record is meant: it can be a predicate, and no step.
const FEATURE_PREDICATE: &str = "predicate";

/// The plugins of a host, as reading a chain needs to know them. Asks a class itself whether its options are right.
#[derive(Debug, Clone, Copy)]
pub struct InstalledClasses<'r> {
    registry: &'r Registry,
}

impl<'r> InstalledClasses<'r> {
    /// Returns those of a registry.
    #[must_use]
    pub const fn new(registry: &'r Registry) -> Self {
        Self { registry }
    }

    /// Returns the class that answers to a name, if it is for this use.
    #[must_use]
    pub fn find(&self, class_use: ClassUse, name: &str) -> Option<Class> {
        let class = self.registry.class(name)?;
        (use_of(&class) == Some(class_use)).then_some(class)
    }

    /// Returns what a class is used for in a chain; `None` for sources and sinks.
    #[must_use]
    pub fn use_of(class: &Class) -> Option<ClassUse> {
        use_of(class)
    }
}

fn use_of(class: &Class) -> Option<ClassUse> {
    match class.kind() {
        ClassKind::Source | ClassKind::Sink => None,
        ClassKind::Transform if class.has_feature(FEATURE_PREDICATE) => Some(ClassUse::Predicate),
        ClassKind::Transform => Some(ClassUse::Transform),
    }
}

impl PluginClasses for InstalledClasses<'_> {
    fn names(&self, class_use: ClassUse) -> Vec<String> {
        let mut names: Vec<String> = self
            .registry
            .classes()
            .iter()
            .filter(|class| use_of(class) == Some(class_use))
            .map(|class| class.name().to_owned())
            .collect();
        names.sort_unstable();
        names
    }

    fn options(&self, class_use: ClassUse, class: &str) -> Option<Vec<String>> {
        let class = self.find(class_use, class)?;
        let names = |option: &linkspan_plugin::OptionDef| {
            std::iter::once(option.name.clone()).chain(option.aliases.clone())
        };
        Some(class.options().iter().flat_map(names).collect())
    }

    fn problems(&self, class: &str, options: &BTreeMap<String, String>) -> Vec<ConfigProblem> {
        let Some(class) = self.registry.class(class) else {
            return Vec::new();
        };
        match class.validate(options) {
            Ok(problems) => problems
                .into_iter()
                .map(|problem| ConfigProblem::new(problem.option, problem.message))
                .collect(),
            Err(error) => vec![ConfigProblem::new("type", error.message)],
        }
    }
}
