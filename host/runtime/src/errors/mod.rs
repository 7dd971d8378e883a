//! What happens to a record that fails: retried, set aside as a dead letter, skipped, or the end of its task.
//!
//! ```text
//!            temporary              permanent, of the record
//! failure ──► Retrier ── gave up ──► ErrorPolicy ── tolerance none ──► the task fails
//!                                                └─ tolerance all ───► Letter ──► topic, or skipped and counted
//! ```
//! Not here: what a sink does with it ([`crate::sink`]), what a source does ([`crate::source`]).

mod letter;
mod policy;
mod retry;

pub(crate) use self::letter::{Letter, LetterTopic, Place, ensure_topic, log_record};
pub(crate) use self::policy::ErrorPolicy;
pub(crate) use self::retry::{Attempts, Retrier, Verdict};
