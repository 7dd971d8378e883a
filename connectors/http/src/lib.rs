#![doc = include_str!("../README.md")]

mod rate;
mod tls;
mod webhook;

#[cfg(test)]
mod tests;

use linkspan_sdk::prelude::*;

use crate::webhook::Webhook;

export_plugin! {
    sources: [Webhook as "webhook-source" { features: ["unbounded"] }],
}
