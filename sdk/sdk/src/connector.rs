//! Optional contracts of a whole connector: what is to be done once, not per task.

use std::{collections::BTreeMap, future::Future};

use crate::{
    Result,
    options::{ConfigProblem, Options},
};

/// The keys that one task's configuration gets on top of the connector's.
pub type TaskConfig = BTreeMap<String, String>;

/// One offset that somebody sets. Of a sink the partition is `{"kafka_topic", "kafka_partition"}`, the offset `{"kafka_offset"}`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[non_exhaustive]
pub struct OffsetChange {
    /// The source partition; its values are texts, numbers, true, false or null. `None` was null.
    pub partition: Option<serde_json::Map<String, serde_json::Value>>,
    /// The new offset; `None` resets.
    pub offset: Option<serde_json::Map<String, serde_json::Value>>,
}

/// What came of a look outside, see [`SourceConnector::check`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Checked {
    /// What was tried, for people: `connected to db:5432, the table orders is there`. Empty: there is nothing to try.
    pub tried: String,
    /// What is wrong, each with the option that would be changed; an empty option stands for the connector.
    pub problems: Vec<ConfigProblem>,
}

impl Checked {
    /// Nothing is outside that could be tried.
    #[must_use]
    pub fn nothing() -> Self {
        Self::default()
    }

    /// This was tried, and found good where no problem is added.
    #[must_use]
    pub fn tried(what: impl Into<String>) -> Self {
        Self {
            tried: what.into(),
            problems: Vec::new(),
        }
    }

    /// Adds what is wrong.
    #[must_use]
    pub fn problem(mut self, problem: ConfigProblem) -> Self {
        self.problems.push(problem);
        self
    }
}

macro_rules! connector {
    ($(#[$doc:meta])* $name:ident, $default:expr, $default_doc:literal) => {
        $(#[$doc])*
        ///
        /// Its functions may be called from any thread; they run before and beside tasks, never on one's thread.
        pub trait $name: 'static {
            /// The options, the same type as the task's.
            type Options: Options;

            /// Checks what one option alone cannot show. Must have no side effects and reach for nothing outside.
            fn validate(options: &Self::Options) -> Vec<ConfigProblem> {
                let _ = options;
                Vec::new()
            }

            /// Splits the work into at most `max` tasks and returns what each one's configuration gets on top. More of them fail
            /// the connector, unless its configuration says `tasks.max.enforce: false`.
            ///
            /// Called at each start, and when a task asks for it
            /// ([`request_reconfiguration`](crate::TaskContext::request_reconfiguration)); a task whose part stays the same at
            /// its number then goes on.
            ///
            #[doc = $default_doc]
            ///
            /// # Errors
            /// Fails the start of the connector; a temporary error is tried again.
            fn task_configs(
                options: &Self::Options,
                max: u32,
            ) -> impl Future<Output = Result<Vec<TaskConfig>>> {
                let _ = options;
                std::future::ready(Ok(($default)(max)))
            }

            /// Answers an operation of the class's own, outside of any connector, such as a look at a file that nobody has
            /// described yet. The host passes JSON on and back.
            ///
            /// # Errors
            /// Of kind `unsupported` where the class does not know the operation: the default.
            fn call(operation: &str, body: &serde_json::Value) -> Result<serde_json::Value> {
                let _ = body;
                Err(crate::Error::new(
                    crate::ErrorKind::Unsupported,
                    format!("this class does not know the operation `{operation}`"),
                ))
            }

            /// Tries what a connector of these options needs outside: that it is reached, that it takes the credentials, that tables
            /// and paths are there. `linkspan validate --connect` asks it, with no task around, or with tasks of the same connector
            /// running elsewhere: it must change nothing outside, and come back within seconds.
            ///
            /// The default tries nothing.
            ///
            /// # Errors
            /// What is wrong, where it is one thing and no option's; [`Checked::problem`] takes several.
            fn check(options: &Self::Options) -> impl Future<Output = Result<Checked>> {
                let _ = options;
                std::future::ready(Ok(Checked::nothing()))
            }

            /// Called once when a connector of this class was made, before its first task. May be called again after a crash.
            ///
            /// # Errors
            /// Fails the start of the connector.
            fn created(options: &Self::Options, connector: &str) -> impl Future<Output = Result<()>> {
                let _ = (options, connector);
                std::future::ready(Ok(()))
            }

            /// Checks offsets that somebody sets or resets, before they become the host's (KIP-875). Called while no task runs;
            /// must have no side effects but on offsets that the class keeps outside.
            ///
            /// Returns whether the class has looked at them: the answer to the person says so. The default has not, and any
            /// offsets are taken.
            ///
            /// # Errors
            /// The offsets are none of this class's; nothing is changed then.
            fn alter_offsets(options: &Self::Options, offsets: &[OffsetChange]) -> Result<bool> {
                let _ = (options, offsets);
                Ok(false)
            }

            /// Called once when a connector was deleted, after its last task: removes what it left outside.
            ///
            /// # Errors
            /// Logged by the host; the connector is gone in any case.
            fn deleted(options: &Self::Options, connector: &str) -> impl Future<Output = Result<()>> {
                let _ = (options, connector);
                std::future::ready(Ok(()))
            }
        }
    };
}

connector!(
    /// What a source connector does as a whole. Name it in `export_plugin!` with `connector: MyConnector`.
    SourceConnector,
    |_max: u32| vec![TaskConfig::new()],
    "The default is one task."
);
connector!(
    /// What a sink connector does as a whole. Name it in `export_plugin!` with `connector: MyConnector`.
    SinkConnector,
    |max: u32| (0..max).map(|_| TaskConfig::new()).collect::<Vec<_>>(),
    "The default is `max` equal tasks, which share the partitions."
);
