//! `sql-source`: tables and queries become records, all of them or what is new and changed.
//!
//! ```text
//! options ─ plan (tables → tasks) ─► task: followers ─ follow ─► columns, horizon, query
//!                                                        │            reader (bytes of rows)
//!                                                        ▼                  │
//!                                         state (position, seen) ◄── shape (row → record)
//! ```
//! Start at `follow` for one round, `state` for what an offset holds, `horizon` for why nothing that commits late is lost.

mod columns;
mod follow;
mod horizon;
mod options;
mod plan;
mod position;
mod query;
mod reader;
mod seen;
mod shape;
mod state;
mod tables;
mod task;

#[cfg(test)]
pub(crate) use options::SqlSourceOptions;
pub(crate) use task::{JdbcSource, JdbcSourceConnector, SqlSource, SqlSourceConnector};
