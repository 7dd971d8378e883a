//! A class that a plugin offers, as plain data and function pointers.

use std::{collections::BTreeMap, fmt, sync::Arc};

use linkspan_abi::manifest::{self, ClassKind};
use serde_json::json;

use super::{runtime::block_on, shell::Task, sink::Sink, source::Source, transform::Step};
use crate::{
    Checked, ConfigProblem, Error, OffsetChange, OptionDef, Options, Result, SinkConnector,
    SinkTask, SourceConnector, SourceTask, TaskConfig, Transform, context::TaskContext,
};

pub(crate) type Config = BTreeMap<String, String>;

/// A class of a plugin, made by `export_plugin!`.
#[derive(Clone)]
pub struct Class {
    pub(crate) name: String,
    kind: ClassKind,
    aliases: Vec<String>,
    docs: String,
    features: Vec<String>,
    definitions: fn() -> Vec<OptionDef>,
    validate: Vec<fn(&Config) -> Vec<ConfigProblem>>,
    pub(crate) make: fn(TaskContext) -> Box<dyn Task>,
    pub(crate) task_configs: fn(&Config, u32) -> Result<Vec<TaskConfig>>,
    pub(crate) created: Option<Hook>,
    pub(crate) deleted: Option<Hook>,
    pub(crate) call: Option<Operation>,
    pub(crate) alter_offsets: Option<AlterHook>,
    pub(crate) check: Option<CheckHook>,
}

type Hook = fn(&Config, &str) -> Result<()>;
type Operation = fn(&str, &serde_json::Value) -> Result<serde_json::Value>;
type CheckHook = fn(&Config) -> Result<Checked>;
type AlterHook = fn(&Config, &[OffsetChange]) -> Result<bool>;

impl Class {
    fn new<O: Options>(
        name: &str,
        kind: ClassKind,
        make: fn(TaskContext) -> Box<dyn Task>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            aliases: Vec::new(),
            docs: O::DOCS.to_owned(),
            features: Vec::new(),
            definitions: O::definitions,
            validate: vec![problems::<O>],
            make,
            task_configs: |_, _| Ok(vec![TaskConfig::new()]),
            created: None,
            deleted: None,
            call: None,
            alter_offsets: None,
            check: None,
        }
    }

    /// Makes a source class.
    #[must_use]
    pub fn source<T: SourceTask>(name: &str) -> Self {
        Self::new::<T::Options>(name, ClassKind::Source, |context| {
            Box::new(Source::<T>::new(context))
        })
    }

    /// Makes a sink class.
    #[must_use]
    pub fn sink<T: SinkTask>(name: &str) -> Self {
        let mut class = Self::new::<T::Options>(name, ClassKind::Sink, |context| {
            Box::new(Sink::<T>::new(context))
        });
        class.task_configs = |_, max| Ok((0..max.max(1)).map(|_| TaskConfig::new()).collect());
        class
    }

    /// Makes a transform class.
    #[must_use]
    pub fn transform<T: Transform>(name: &str) -> Self {
        Self::new::<T::Options>(name, ClassKind::Transform, |context| {
            Box::new(Step::<T>::new(context))
        })
    }

    /// Adds other names.
    #[must_use]
    pub fn aliases(mut self, aliases: &[&str]) -> Self {
        self.aliases = aliases.iter().map(|alias| (*alias).to_owned()).collect();
        self
    }

    /// Declares features.
    #[must_use]
    pub fn features(mut self, features: &[&str]) -> Self {
        self.features = features
            .iter()
            .map(|feature| (*feature).to_owned())
            .collect();
        self
    }

    /// Documents the class otherwise than by its options' documentation.
    #[must_use]
    pub fn docs(mut self, docs: &str) -> Self {
        docs.clone_into(&mut self.docs);
        self
    }

    /// Adds what a source connector does as a whole.
    #[must_use]
    pub fn source_connector<C: SourceConnector>(mut self) -> Self {
        self.validate.push(|config| {
            C::Options::from_config(config)
                .map_or_else(|_| Vec::new(), |options| C::validate(&options))
        });
        self.task_configs =
            |config, max| block_on(C::task_configs(&options::<C::Options>(config)?, max));
        self.call = Some(C::call);
        self.created =
            Some(|config, name| block_on(C::created(&options::<C::Options>(config)?, name)));
        self.deleted =
            Some(|config, name| block_on(C::deleted(&options::<C::Options>(config)?, name)));
        self.alter_offsets =
            Some(|config, offsets| C::alter_offsets(&options::<C::Options>(config)?, offsets));
        self.check = Some(|config| block_on(C::check(&options::<C::Options>(config)?)));
        self
    }

    /// Adds what a sink connector does as a whole.
    #[must_use]
    pub fn sink_connector<C: SinkConnector>(mut self) -> Self {
        self.validate.push(|config| {
            C::Options::from_config(config)
                .map_or_else(|_| Vec::new(), |options| C::validate(&options))
        });
        self.task_configs =
            |config, max| block_on(C::task_configs(&options::<C::Options>(config)?, max));
        self.call = Some(C::call);
        self.created =
            Some(|config, name| block_on(C::created(&options::<C::Options>(config)?, name)));
        self.deleted =
            Some(|config, name| block_on(C::deleted(&options::<C::Options>(config)?, name)));
        self.alter_offsets =
            Some(|config, offsets| C::alter_offsets(&options::<C::Options>(config)?, offsets));
        self.check = Some(|config| block_on(C::check(&options::<C::Options>(config)?)));
        self
    }

    /// Returns whether the class answers to a name.
    #[must_use]
    pub fn is_called(&self, name: &str) -> bool {
        self.name == name || self.aliases.iter().any(|alias| alias == name)
    }

    pub(crate) fn problems(&self, config: &Config) -> Vec<ConfigProblem> {
        self.validate
            .iter()
            .flat_map(|validate| validate(config))
            .collect()
    }

    pub(crate) fn to_manifest(&self) -> manifest::Class {
        manifest::Class {
            name: self.name.clone(),
            kind: self.kind,
            aliases: self.aliases.clone(),
            docs: self.docs.clone(),
            options: (self.definitions)(),
            features: self.features.clone(),
        }
    }

    pub(crate) fn make(&self, context: TaskContext) -> Box<dyn Task> {
        (self.make)(context)
    }
}

impl fmt::Debug for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Class")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

fn problems<O: Options>(config: &Config) -> Vec<ConfigProblem> {
    O::from_config(config).err().unwrap_or_default()
}

fn options<O: Options>(config: &Config) -> Result<O> {
    O::from_config(config).map_err(|problems| config_error(&problems))
}

/// Makes one error of all problems.
pub(crate) fn config_error(problems: &[ConfigProblem]) -> Error {
    let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let list: Vec<_> = problems
        .iter()
        .map(|problem| json!({"option": problem.option, "message": problem.message}))
        .collect();
    Error::config_invalid(format!("options: {}", texts.join("; ")))
        .detail(json!({"problems": list}))
}

/// Hands the context's parts over.
pub(crate) fn context(
    start: crate::context::TaskStart,
    shared: &Arc<crate::shared::Shared>,
) -> TaskContext {
    TaskContext::new(Arc::new(start), Arc::clone(shared))
}
