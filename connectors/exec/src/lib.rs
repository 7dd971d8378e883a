#![doc = include_str!("../README.md")]

mod child;
mod options;
mod settings;
mod singer;
mod sink;
mod source;

#[cfg(test)]
mod tests;

use linkspan_sdk::prelude::*;

use crate::sink::{ExecSink, ExecSinkConnector};
use crate::source::{ExecSource, ExecSourceConnector};

export_plugin! {
    sources: [ExecSource as "exec-source" { connector: ExecSourceConnector }],
    sinks: [ExecSink as "exec-sink" { connector: ExecSinkConnector }],
}
