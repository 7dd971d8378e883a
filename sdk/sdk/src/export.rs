//! The shims between the author's traits and the stable ABI.
//!
//! ```text
//! host thread ─► extern "C" fn (table) ─► Shell: poisoned? ─► guard (catch_unwind) ─► block_on(author's future)
//! any thread  ─► stop, durable          ─► Shared (atomics and watches)
//! ```
//!
//! The only place of this crate with `unsafe` is `table`: it turns the host's task pointer back into a [`Shell`].

mod class;
pub(crate) mod guard;
pub(crate) mod host;
pub(crate) mod log;
mod plugin;
pub(crate) mod runtime;
mod shell;
mod sink;
mod source;
mod table;
mod transform;

#[cfg(test)]
mod tests;

pub use class::Class;
pub use plugin::{PluginDef, init_host, make_plugin};
pub use table::{LocalControl, LocalTask};
