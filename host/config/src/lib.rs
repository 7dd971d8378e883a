//! YAML to a validated plan; diagnostics with file, line and column.
//!
//! Not here: plugins (a [`Catalog`] brings the options of the installed classes), the log, anything async.
//!
//! ```text
//! files ─► yaml (located trees) ─► document (sections, overlays, --set)
//!                                     │
//!        params ─► Resolver ──────────┤
//!                                     ▼
//!        settings: nested maps ─► flat options ─► check against a vocabulary (framework + class)
//!                                     │
//!                                     ▼
//!        Plan { host, topics, connectors }        Report ─► Diagnostics (redacted, sorted)
//! ```
//!
//! Start with [`load`]. Everything that is wrong is reported in one go; a [`Plan`] exists only without errors. Its values
//! hold placeholders as they were written: [`ConnectorPlan::resolved`] replaces them in memory, at the edge.

pub mod codes;
pub mod framework;

mod access;
mod address;
mod check;
mod connect_files;
mod connector;
mod diagnostic;
mod document;
mod flow;
mod host;
mod jobs;
mod lints;
mod load;
mod logging;
mod option;
mod params;
mod placeholder;
mod plan;
mod providers;
mod report;
mod schema;
mod settings;
mod source;
mod vocabulary;
mod yaml;

pub use access::{
    AccessRole, AccessSettings, Hidden, PasswordSetting, TlsSettings, TokenSecret, TokenSetting,
    UserSetting,
};
pub use connect_files::{KeyFate, KeyReport, MADE_BY_REST, MapProblem, connector_of_map};
pub use diagnostic::{Diagnostic, Diagnostics, Severity, Snippet};
pub use flow::{Stages, stages};
pub use host::DATA_DEFAULT;
pub use jobs::{Action, Hook, JobPlan, Missed, Overlap, Schedule};
pub use linkspan_types::units::{DurationError, parse_duration};
pub use load::{Request, host_settings, load, load_part};
pub use logging::{LoggingFormat, LoggingOutput, LoggingSettings};
pub use option::{
    Catalog, Class, ClassKind, ConverterProblem, NameTest, OptionDef, OptionType, StepProblem,
};
pub use placeholder::Resolver;
pub use plan::{
    ConnectorPlan, Durability, HostSettings, LogSettings, Plan, ResolvedConfig, RestartPolicy,
    TopicPlan,
};
pub use schema::json_schema;
pub use source::Location;
pub use vocabulary::Built;
pub use yaml::{DEPTH_MAX, FILE_BYTES_MAX, NODES_MAX, from_yaml, to_yaml};

#[cfg(test)]
mod tests;
