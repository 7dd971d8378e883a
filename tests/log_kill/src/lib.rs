//! The log as a process that dies: what is written, what was promised, and whether the promise was kept.
//!
//! ```text
//!  logload run ── commits ──► data directory ──► (kill -9, power cut, failed call) ──► open again ──► Judge
//!       └──────── acks over a pipe ──────────────────────────────────────────────────────────────────┘
//! ```
//!
//! Every commit can be computed from its thread and number (`plan`), so the judge knows what a whole commit is.
//! The faults themselves and their negative controls are in `tests/`.

mod ack;
mod careless;
mod judge;
mod load;
mod plan;

pub use ack::{Ack, Line};
pub use judge::{Judge, Verdict};
pub use load::{Clocks, Load, small_options};
pub use plan::{Part, Plan, topic_name};
