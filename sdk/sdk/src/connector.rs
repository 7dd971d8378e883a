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
