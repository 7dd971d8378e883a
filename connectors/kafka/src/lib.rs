#![doc = include_str!("../README.md")]

mod client;
mod connection;
mod error;
mod metadata;
mod options;
mod origin;
mod outside;
mod passthrough;
mod positions;
mod producer;
mod sink;
mod source;
mod target;

#[cfg(test)]
mod tests;

use linkspan_sdk::prelude::*;

use crate::sink::{KafkaSink, KafkaSinkConnector};
use crate::source::{KafkaSource, KafkaSourceConnector};

export_plugin! {
    sources: [KafkaSource as "kafka-source" { connector: KafkaSourceConnector }],
    sinks: [KafkaSink as "kafka-sink" { connector: KafkaSinkConnector }],
}
