#![doc = include_str!("../README.md")]

mod avro;
mod avro_write;
mod lane;
mod options;
mod parquet;
mod parquet_write;
mod rows;
mod sink;
mod source;

#[cfg(test)]
mod tests;

use linkspan_sdk::prelude::*;

use crate::sink::ColumnarSink;
use crate::source::{ColumnarSource, ColumnarSourceConnector};

export_plugin! {
    sources: [ColumnarSource as "columnar-source" { connector: ColumnarSourceConnector }],
    sinks: [ColumnarSink as "columnar-sink"],
}
