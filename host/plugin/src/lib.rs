//! Finds, probes, checks and loads plugins; calls them behind walls.
//!
//! ```text
//! Registry::discover ─► files of the search directories
//!    elf      does it export our symbol? (reads a few pages, never runs it)
//!    cache    was this very file probed before?
//!    probe    `linkspan plugin-probe FILE` in a child: a truncated file is SIGBUS there, not here
//!    rules    same file or bytes again, shadowed, name and class conflicts
//! Class::create_task ─► load (once a plugin, never unloaded) ─► Task, owned by one thread
//!                                                              TaskControl: stop and durable, from any thread
//! plugin ─► host_api ─► HostServices
//! ```
//!
//! It also re-exports what the runtime needs of `linkspan-abi`, so that nothing else in the host names that crate.
//! Not here: what a task means and when it restarts (`linkspan-runtime`).

mod cache;
mod discover;
mod elf;
mod error;
mod finding;
mod host_api;
mod load;
mod probe;
mod registry;
mod services;
mod task;

pub use discover::Search;
pub use error::{ConfigProblem, PluginError, Status};
pub use finding::{Finding, Severity};
pub use linkspan_abi::{
    ABI_VERSION, BatchError, ErrorKind, JsonError, RowError, SchemaError, batch, json,
    manifest::{self, ClassKind, OptionDef},
    row, schema, tagged, value,
};
pub use probe::probe_main;
pub use registry::{Checked, Class, Occasion, PluginInfo, Registry};
pub use services::HostServices;
pub use task::{SourceBuf, Task, TaskControl};
