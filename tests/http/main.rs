//! HTTP connectors with the real program: the shapes of well-known APIs, the recipes that people copy, and `kill -9` loops.
//!
//! Settings of the loops: `KILL_ROUNDS` (kills, 4), `KILL_SEED`. The long form is `KILL_ROUNDS=100 cargo test -p linkspan --test http kill`.

#[cfg(test)]
mod examples;
#[cfg(test)]
mod kill;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod server;
#[cfg(test)]
#[path = "../support/mod.rs"]
#[expect(
    clippy::allow_attributes,
    reason = "each target uses its part of the shared module, one uses all of it"
)]
#[allow(dead_code, reason = "as above")]
mod support;
