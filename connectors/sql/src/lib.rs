#![doc = include_str!("../README.md")]
#![expect(dead_code, reason = "the classes that use these modules follow")]

mod catalog;
mod connect;
mod dialect;
mod errors;
mod types;
mod url;

#[cfg(test)]
mod tests;
