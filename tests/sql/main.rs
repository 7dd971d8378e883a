//! The SQL connectors in the real program: kills, outages, bad rows, and the pipelines that people copy, on private servers.
//!
//! [`kills`] is the proof of exactly-once, [`outages`] of recovery, [`letters`] of one bad row among many, [`counts`] of what a failed load says it did; [`recipes`] runs what
//! `configs/servers` ships. What needs no host is tested beside the connector, `connectors/sql/src/tests`.
//!
//! Settings: `KILL_ROUNDS` (kills that land in each transfer, 3) and `KILL_SEED`; `OUTAGE_SECONDS` (how long a server stays away
//! at least, 0). The long run of the acceptance is `KILL_ROUNDS=50 cargo test --release -p linkspan --test sql kills`.

#[cfg(test)]
mod counts;
#[cfg(test)]
mod kills;
#[cfg(test)]
mod letters;
#[cfg(test)]
mod outages;
#[cfg(test)]
mod place;
#[cfg(test)]
mod recipes;
#[cfg(test)]
#[path = "../../connectors/sql/src/tests/servers.rs"]
#[expect(
    clippy::allow_attributes,
    reason = "each target uses its part of the shared module"
)]
#[allow(dead_code, reason = "as above")]
mod servers;
#[cfg(test)]
#[path = "../support/mod.rs"]
#[expect(
    clippy::allow_attributes,
    reason = "each target uses its part of the shared module, one uses all of it"
)]
#[allow(dead_code, reason = "as above")]
mod support;
