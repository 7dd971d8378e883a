#![doc = include_str!("../README.md")]

mod catalog;
mod connect;
mod dialect;
mod errors;
mod sink;
mod source;
mod types;
mod url;

#[cfg(test)]
mod tests;

use linkspan_sdk::prelude::*;

use crate::sink::{SqlSink, SqlSinkConnector};
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
    sinks: [
        SqlSink as "sql-sink" {
            aliases: [
                "JdbcSinkConnector",
                "io.confluent.connect.jdbc.JdbcSinkConnector",
                "io.aiven.connect.jdbc.JdbcSinkConnector",
                "io.debezium.connector.jdbc.JdbcSinkConnector",
            ],
            connector: SqlSinkConnector,
        },
    ],
}
