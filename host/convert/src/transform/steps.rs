//! The chain of a connector: from `transforms`, `transforms.NAME.…`, `predicates`, `predicates.NAME.…` to steps.
//!
//! Reading ([`read_steps`]) finds everything that is wrong at once and knows no record; building
//! ([`StepConfig::build`]) makes the steps of one task. A step or predicate of a class that is not built in is a
//! plugin's; the caller knows those ([`PluginClasses`]) and makes them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::registry::{TransformName, find_transform};
use super::{Touches, Transform};
use crate::options::{ConfigProblem, trim};
use crate::predicate::{Predicate, find_predicate};
use crate::{Error, Record};

/// The most steps of one connector.
const STEPS_MAX: usize = 100;

/// The chain as it is configured.
#[derive(Debug, Clone, Default)]
pub struct StepsConfig {
    /// The steps in order.
    pub steps: Vec<StepConfig>,
    /// Options that no step or predicate knows.
    pub unknown: Vec<UnknownKey>,
    /// What is wrong.
    pub problems: Vec<KeyProblem>,
}

/// One step as it is configured.
#[derive(Clone)]
pub struct StepConfig {
    /// The name of the step.
    pub name: String,
    /// The class as it was written.
    pub class: String,
    /// The built-in class; `None` where it must be a plugin's.
    pub builtin: Option<TransformName>,
    /// The options of the class, without the prefix.
    pub options: BTreeMap<String, String>,
    /// Which records it is for.
    pub condition: Option<PredicateConfig>,
}

/// Shows no option's value.
impl std::fmt::Debug for StepConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StepConfig")
            .field("name", &self.name)
            .field("class", &self.class)
            .finish_non_exhaustive()
    }
}

/// The condition of a step as it is configured.
#[derive(Clone)]
pub struct PredicateConfig {
    /// The name of the predicate.
    pub name: String,
    /// Its class.
    pub class: String,
    /// Whether the class is built in; otherwise it is a plugin's.
    pub builtin: bool,
    /// Its options, without the prefix.
    pub options: BTreeMap<String, String>,
    /// Whether the step is for the records that it does not hold for.
    pub negate: bool,
}

/// Shows no option's value.
impl std::fmt::Debug for PredicateConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PredicateConfig")
            .field("name", &self.name)
            .field("class", &self.class)
            .field("negate", &self.negate)
            .finish_non_exhaustive()
    }
}

/// What a class is used for in a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClassUse {
    /// A step: its `type`.
    Transform,
    /// The condition of a step.
    Predicate,
}

impl ClassUse {
    /// Returns `transform` or `predicate`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Transform => "transform",
            Self::Predicate => "predicate",
        }
    }
}

/// The transforms and predicates of plugins, as far as reading a chain needs to know them. A built-in class goes before
/// a plugin's of the same name.
pub trait PluginClasses {
    /// Returns the names of their classes for a use.
    fn names(&self, class_use: ClassUse) -> Vec<String>;

    /// Returns the names of a class's options, other names included; `None` where no plugin offers the class for this
    /// use.
    fn options(&self, class_use: ClassUse, class: &str) -> Option<Vec<String>>;

    /// Says what is wrong with the options of a class. An option named `type` stands for the class itself.
    fn problems(&self, class: &str, options: &BTreeMap<String, String>) -> Vec<ConfigProblem>;
}

/// No plugins: only what is built in.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoPlugins;

impl PluginClasses for NoPlugins {
    fn names(&self, _class_use: ClassUse) -> Vec<String> {
        Vec::new()
    }

    fn options(&self, _class_use: ClassUse, _class: &str) -> Option<Vec<String>> {
        None
    }

    fn problems(&self, _class: &str, _options: &BTreeMap<String, String>) -> Vec<ConfigProblem> {
        Vec::new()
    }
}

/// A key of the configuration with what is wrong about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyProblem {
    /// The whole key, `transforms.NAME.option`.
    pub key: String,
    /// What is wrong, as a fragment.
    pub message: String,
}

/// A key that nothing knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownKey {
    /// The whole key.
    pub key: String,
    /// What could be meant: whole keys.
    pub known: Vec<String>,
}

/// Reads the chain from a connector's flat options.
#[must_use]
pub fn read_steps(config: &BTreeMap<String, String>, plugins: &dyn PluginClasses) -> StepsConfig {
    let mut reader = Reader {
        config,
        plugins,
        out: StepsConfig::default(),
        used_predicates: BTreeSet::new(),
    };
    let steps = reader.names("transforms");
    let predicates = reader.names("predicates");
    for name in &steps {
        reader.step(name, &predicates);
    }
    for name in &predicates {
        reader.predicate(name);
    }
    reader.strangers("transforms.", &steps);
    reader.strangers("predicates.", &predicates);
    reader.out
}

impl StepsConfig {
    /// Returns the topics that records of `topic` may go to; `None` where a step decides it by the record, or is a
    /// plugin's.
    #[must_use]
    pub fn topics_after(&self, topic: &str) -> Option<BTreeSet<Arc<str>>> {
        let mut topics = BTreeSet::from([Arc::from(topic)]);
        for step in &self.steps {
            let (mut transform, _) = step.builtin.as_ref()?.build(&step.options, 0).ok()?;
            let mut after = BTreeSet::new();
            for topic in topics {
                after.insert(transform.routed(&topic)?);
                if step.condition.is_some() {
                    after.insert(topic);
                }
            }
            topics = after;
        }
        Some(topics)
    }
}

struct Reader<'a> {
    config: &'a BTreeMap<String, String>,
    plugins: &'a dyn PluginClasses,
    out: StepsConfig,
    used_predicates: BTreeSet<String>,
}

impl Reader<'_> {
    fn problem(&mut self, key: impl Into<String>, message: impl Into<String>) {
        self.out.problems.push(KeyProblem {
            key: key.into(),
            message: message.into(),
        });
    }

    /// The names in a list, each once.
    fn names(&mut self, key: &str) -> Vec<String> {
        let text = self.config.get(key).map_or("", |text| trim(text));
        let mut names: Vec<String> = Vec::new();
        if text.is_empty() {
            return names;
        }
        for name in text.split(',').map(trim) {
            if name.is_empty() {
                self.problem(key, "has an empty name");
            } else if names.iter().any(|known| known == name) {
                self.problem(key, format!("names `{name}` twice"));
            } else {
                names.push(name.to_owned());
            }
        }
        if names.len() > STEPS_MAX {
            self.problem(key, format!("has at most {STEPS_MAX} names"));
            names.clear();
        }
        names
    }

    /// The options under a prefix.
    fn under(&self, prefix: &str) -> BTreeMap<String, String> {
        let from = self.config.range(prefix.to_owned()..);
        from.take_while(|(key, _)| key.starts_with(prefix))
            .filter_map(|(key, text)| Some((key.strip_prefix(prefix)?.to_owned(), text.clone())))
            .collect()
    }

    fn step(&mut self, name: &str, predicates: &[String]) {
        let prefix = format!("transforms.{name}.");
        let mut options = self.under(&prefix);
        let condition = self.condition(&prefix, &mut options, predicates);
        let Some(class) = options.remove("type") else {
            self.problem(format!("{prefix}type"), "is required");
            return;
        };
        let class = trim(&class).to_owned();
        let builtin = find_transform(&class);
        let more = ["type", "predicate", "negate"];
        if let Some(builtin) = &builtin {
            let table = builtin.options();
            let known = table.iter().map(|option| option.name).chain(more);
            self.unknown(&prefix, &options, known);
            if let Err(problems) = builtin.build(&options, 0) {
                self.problems(&prefix, problems);
            }
        } else if !self.of_plugin(ClassUse::Transform, &prefix, &class, &options, &more) {
            let builtin = super::transform_classes().iter().map(|class| class.name);
            self.no_class(ClassUse::Transform, &prefix, &class, builtin.collect());
            return;
        }
        self.out.steps.push(StepConfig {
            name: name.to_owned(),
            class,
            builtin,
            options,
            condition,
        });
    }

    fn problems(&mut self, prefix: &str, problems: Vec<ConfigProblem>) {
        for problem in problems {
            self.problem(format!("{prefix}{}", problem.option), problem.message);
        }
    }

    /// Checks what is configured for a plugin's class; returns false where no plugin offers it.
    fn of_plugin(
        &mut self,
        class_use: ClassUse,
        prefix: &str,
        class: &str,
        options: &BTreeMap<String, String>,
        more: &[&str],
    ) -> bool {
        let Some(own) = self.plugins.options(class_use, class) else {
            return false;
        };
        let known = own.iter().map(String::as_str).chain(more.iter().copied());
        self.unknown(prefix, options, known);
        self.problems(prefix, self.plugins.problems(class, options));
        true
    }

    fn no_class(
        &mut self,
        class_use: ClassUse,
        prefix: &str,
        class: &str,
        mut builtin: Vec<&'static str>,
    ) {
        builtin.sort_unstable();
        let what = class_use.word();
        let mut message = format!(
            "`{class}` is no {what}; built in are {}",
            builtin.join(", ")
        );
        let plugins = self.plugins.names(class_use);
        if !plugins.is_empty() {
            message.push_str(", and plugins offer ");
            message.push_str(&plugins.join(", "));
        }
        self.problem(format!("{prefix}type"), message);
    }

    fn unknown<'n>(
        &mut self,
        prefix: &str,
        options: &BTreeMap<String, String>,
        known: impl Iterator<Item = &'n str>,
    ) {
        let known: Vec<&str> = known.collect();
        for name in options
            .keys()
            .filter(|name| !known.contains(&name.as_str()))
        {
            self.out.unknown.push(UnknownKey {
                key: format!("{prefix}{name}"),
                known: known.iter().map(|name| format!("{prefix}{name}")).collect(),
            });
        }
    }

    /// Takes `predicate` and `negate` out of a step's options.
    fn condition(
        &mut self,
        prefix: &str,
        options: &mut BTreeMap<String, String>,
        predicates: &[String],
    ) -> Option<PredicateConfig> {
        let negate = options.remove("negate");
        let name = options.remove("predicate");
        let negated = match negate.as_deref().map(trim) {
            None => false,
            Some(text) if text.eq_ignore_ascii_case("true") => true,
            Some(text) if text.eq_ignore_ascii_case("false") => false,
            Some(_) => {
                self.problem(format!("{prefix}negate"), "is `true` or `false`");
                false
            }
        };
        let Some(name) = name else {
            if negate.is_some() {
                self.problem(format!("{prefix}negate"), "needs a `predicate` beside it");
            }
            return None;
        };
        let name = trim(&name).to_owned();
        if !predicates.contains(&name) {
            let known = if predicates.is_empty() {
                "there are none under `predicates`".to_owned()
            } else {
                format!("`predicates` has {}", predicates.join(", "))
            };
            self.problem(
                format!("{prefix}predicate"),
                format!("names `{name}`, which is not defined; {known}"),
            );
            return None;
        }
        self.used_predicates.insert(name.clone());
        let mut options = self.under(&format!("predicates.{name}."));
        let class = options.remove("type").unwrap_or_default();
        let class = trim(&class).to_owned();
        Some(PredicateConfig {
            name,
            builtin: find_predicate(&class).is_some(),
            class,
            options,
            negate: negated,
        })
    }

    fn predicate(&mut self, name: &str) {
        let prefix = format!("predicates.{name}.");
        let mut options = self.under(&prefix);
        let Some(class) = options.remove("type") else {
            self.problem(format!("{prefix}type"), "is required");
            return;
        };
        let class = trim(&class);
        let Some(found) = find_predicate(class) else {
            if !self.of_plugin(ClassUse::Predicate, &prefix, class, &options, &["type"]) {
                let builtin = crate::predicate::predicate_classes()
                    .iter()
                    .map(|class| class.name);
                self.no_class(ClassUse::Predicate, &prefix, class, builtin.collect());
            }
            return;
        };
        let known = found.options.iter().map(|option| option.name);
        self.unknown(&prefix, &options, known.chain(["type"]));
        if let Err(problems) = found.build(&options) {
            self.problems(&prefix, problems);
        }
    }

    /// Options of steps that the list does not name.
    fn strangers(&mut self, prefix: &str, names: &[String]) {
        let list = prefix.trim_end_matches('.');
        let keys: Vec<String> = self.under(prefix).into_keys().collect();
        for key in keys {
            let named = names.iter().any(|name| {
                key.strip_prefix(name.as_str())
                    .is_some_and(|rest| rest.starts_with('.'))
            });
            if !named {
                let mut known: Vec<String> = names
                    .iter()
                    .map(|name| format!("{prefix}{name}.type"))
                    .collect();
                known.push(list.to_owned());
                self.out.unknown.push(UnknownKey {
                    key: format!("{prefix}{key}"),
                    known,
                });
            }
        }
    }
}

impl StepConfig {
    /// Makes a built-in step. `now_ms` decides the century of two-digit years. `None` for a plugin's. A condition that
    /// is a plugin's is left out: whoever has the plugins asks it before the step.
    ///
    /// # Errors
    /// What [`read_steps`] finds too.
    pub fn build(&self, now_ms: i64) -> Result<Option<Step>, Vec<ConfigProblem>> {
        let Some(builtin) = &self.builtin else {
            return Ok(None);
        };
        let (transform, touches) = builtin.build(&self.options, now_ms)?;
        Ok(Some(Step {
            name: Arc::from(self.name.as_str()),
            condition: self.build_condition()?,
            transform,
            touches,
        }))
    }

    /// Makes the condition alone; `None` where there is none, or it is a plugin's.
    ///
    /// # Errors
    /// What [`read_steps`] finds too.
    pub fn build_condition(&self) -> Result<Option<Condition>, Vec<ConfigProblem>> {
        let Some(condition) = self.condition.as_ref().filter(|found| found.builtin) else {
            return Ok(None);
        };
        let found = find_predicate(&condition.class)
            .ok_or_else(|| vec![ConfigProblem::new("type", "is no predicate")])?;
        Ok(Some(Condition {
            predicate: found.build(&condition.options)?,
            negate: condition.negate,
        }))
    }
}

/// Which records a step is for.
#[derive(Debug)]
pub struct Condition {
    predicate: Box<dyn Predicate>,
    negate: bool,
}

impl Condition {
    /// Returns whether a record is meant.
    ///
    /// # Errors
    /// The predicate cannot decide.
    pub fn holds(&self, record: &Record) -> Result<bool, Error> {
        Ok(self.predicate.test(record)? != self.negate)
    }
}

/// A step of one task.
#[derive(Debug)]
pub struct Step {
    /// The name of the step.
    pub name: Arc<str>,
    condition: Option<Condition>,
    transform: Box<dyn Transform>,
    /// Which halves of a record it needs as values.
    pub touches: Touches,
}

impl Step {
    /// Applies the step to a record, if it is meant for it.
    ///
    /// # Errors
    /// Why the record is refused.
    pub fn apply(&mut self, record: Record) -> Result<Option<Record>, Error> {
        if let Some(condition) = &self.condition
            && !condition.holds(&record)?
        {
            return Ok(Some(record));
        }
        self.transform.apply(record)
    }
}

#[cfg(test)]
mod tests;
