#![doc = include_str!("../README.md")]

mod answer;
mod auth;
mod client;
mod egress;
mod error;
mod mask;
mod outside;
mod own;
mod rate;
mod retry;
mod sink;
mod source;
mod template;
mod tls;
mod webhook;

#[cfg(test)]
mod tests;

use linkspan_sdk::prelude::*;

use crate::sink::{HttpSink, HttpSinkConnector};
use crate::source::{HttpSource, HttpSourceConnector};
use crate::webhook::Webhook;

export_plugin! {
    sources: [
        HttpSource as "http-source" {
            aliases: ["HttpSourceConnector"],
            connector: HttpSourceConnector,
        },
        Webhook as "webhook-source" { features: ["unbounded"] },
    ],
    sinks: [HttpSink as "http-sink" {
        aliases: ["HttpSinkConnector", "io.aiven.kafka.connect.http.HttpSinkConnector"],
        connector: HttpSinkConnector,
    }],
}
