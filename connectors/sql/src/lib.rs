#![doc = include_str!("../README.md")]
#![expect(dead_code, reason = "what only the sink uses waits for it")]

mod catalog;
mod connect;
mod dialect;
mod errors;
mod source;
mod types;
mod url;

#[cfg(test)]
mod tests;

use linkspan_sdk::prelude::*;

use crate::source::{JdbcSource, JdbcSourceConnector, SqlSource, SqlSourceConnector};

export_plugin! {
    sources: [
        SqlSource as "sql-source" { connector: SqlSourceConnector },
        JdbcSource as "JdbcSourceConnector" {
            aliases: [
                "io.confluent.connect.jdbc.JdbcSourceConnector",
                "io.aiven.connect.jdbc.JdbcSourceConnector",
                "JdbcSource",
            ],
            connector: JdbcSourceConnector,
        },
    ],
}
