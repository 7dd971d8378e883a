#![doc = include_str!("../README.md")]

mod options;
mod payload;
mod range;
mod source;

#[cfg(test)]
mod tests;

use linkspan_sdk::prelude::*;

use crate::source::{Generator, GeneratorConnector};

export_plugin! {
    sources: [Generator as "generator-source" { connector: GeneratorConnector }]
}
