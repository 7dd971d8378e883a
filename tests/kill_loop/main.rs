//! Lines go file → log (4 partitions) → file while the process is killed with SIGKILL again and again.
//!
//! In the end every line is in the output exactly once, and the lines of each partition are in order.
//! A negative control switches the sink's position off: the same check must then find doubled lines.
//!
//! [`letters`] does the same with bad lines, each of which must become exactly one dead letter; [`spool`] with a spool of small files,
//! [`columnar`] with Parquet and Avro files.
//!
//! Settings: `KILL_ROUNDS` (kills that land in a transfer, 8), `KILL_LINES` (100,000), `KILL_SEED`.
//! The long run of the acceptance is `KILL_ROUNDS=50 KILL_LINES=1000000 cargo test --release -p linkspan --test kill_loop`.

#[cfg(test)]
mod columnar;
#[cfg(test)]
mod judge;
#[cfg(test)]
mod letters;
#[cfg(test)]
mod rounds;
#[cfg(test)]
mod spool;
#[cfg(test)]
#[path = "../support/mod.rs"]
#[expect(
    clippy::allow_attributes,
    reason = "each target uses its part of the shared module, one uses all of it"
)]
#[allow(dead_code, reason = "as above")]
mod support;
