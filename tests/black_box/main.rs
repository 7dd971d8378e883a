//! The real program with its real plugins, seen from outside: exit codes, what it says, what it writes.
//!
//! Start reading at [`quickstart`]; every other module is one kind of trouble.

#[cfg(test)]
mod backups;
#[cfg(test)]
mod bad_config;
#[cfg(test)]
mod bad_data;
#[cfg(test)]
mod bad_plugins;
#[cfg(test)]
mod cli;
#[cfg(test)]
#[path = "../golden_rest/client.rs"]
mod client;
#[cfg(test)]
mod columnar;
#[cfg(test)]
mod config_show;
#[cfg(test)]
mod configs;
#[cfg(test)]
mod connect_files;
#[cfg(test)]
mod control;
#[cfg(test)]
mod converters;
#[cfg(test)]
mod documents;
#[cfg(test)]
mod door;
#[cfg(test)]
mod errors;
#[cfg(test)]
mod files;
#[cfg(test)]
mod groups;
#[cfg(test)]
mod hooks;
#[cfg(test)]
mod host_log;
#[cfg(test)]
mod inputs;
#[cfg(test)]
mod interface;
#[cfg(test)]
mod jobs;
#[cfg(test)]
mod legacy;
#[cfg(test)]
mod lifecycle;
#[cfg(test)]
mod log_tools;
#[cfg(test)]
mod outputs;
#[cfg(test)]
mod outside;
#[cfg(test)]
mod pipeline;
#[cfg(test)]
mod places;
#[cfg(test)]
mod quickstart;
#[cfg(test)]
mod regex;
#[cfg(test)]
mod retention;
#[cfg(test)]
mod runs;
#[cfg(test)]
mod schedules;
#[cfg(test)]
#[path = "../../connectors/sql/src/tests/servers.rs"]
#[expect(
    clippy::allow_attributes,
    reason = "each target uses its part of the shared module"
)]
#[allow(dead_code, reason = "as above")]
mod servers;
#[cfg(test)]
mod sql_source;
#[cfg(test)]
#[path = "../support/mod.rs"]
#[expect(
    clippy::allow_attributes,
    reason = "each target uses its part of the shared module, one uses all of it"
)]
#[allow(dead_code, reason = "as above")]
mod support;
#[cfg(test)]
mod symbols;

#[cfg(test)]
mod tasks;
#[cfg(test)]
mod terminal;
#[cfg(test)]
mod topics;
#[cfg(test)]
mod transforms;
