#![doc = include_str!("../README.md")]

mod options;
mod sequence;
mod sink;

#[cfg(test)]
mod tests;

use linkspan_sdk::prelude::*;

use crate::sink::{Blackhole, BlackholeConnector};

export_plugin! {
    sinks: [Blackhole as "blackhole-sink" { connector: BlackholeConnector }]
}
