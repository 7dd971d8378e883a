//! The conformance suite: what the host relies on, tried on a connector in a few lines.
//!
//! ```text
//! SourceSuite::<T>::new(setup) ─► check() ─► Verdict { passed, skipped, failed }
//! SinkSuite::<T>::new(setup)   ─► run()   ─► the same, and panics with every failed check
//! TransformSuite::<T>::new(setup, records) ─► the same for a transform or a predicate
//! ```
//!
//! Each check runs on a thread of its own with a limit, in a fresh folder, through the same shims and bytes as under the host; a
//! connector that hangs fails its check instead of the test program. What a check tries is said at its [`Check`].
//!
//! A crash is played by dropping the task without its `close`: what lies in memory is gone, what `Drop` frees is freed. What only a
//! real crash shows (a process that is killed, a machine that loses power) is not here.
//!
//! # Examples
//! ```
//! use linkspan_sdk::prelude::*;
//! use linkspan_testkit::conformance::SourceSuite;
//!
//! /// Counts.
//! #[derive(Options)]
//! struct CountOptions {
//!     /// Topic to fill.
//!     topic: TopicName,
//!     /// Where it ends.
//!     #[option(default = "20")]
//!     count: u64,
//! }
//!
//! struct Count { options: CountOptions, next: u64 }
//!
//! impl SourceTask for Count {
//!     type Options = CountOptions;
//!     async fn open(options: CountOptions, ctx: SourceContext) -> Result<Self> {
//!         Ok(Self { next: ctx.offset("count").u64("next")?.unwrap_or(0), options })
//!     }
//!     async fn poll(&mut self, out: &mut BatchBuilder) -> Result<Poll> {
//!         if self.next >= self.options.count {
//!             return Ok(Poll::Exhausted);
//!         }
//!         out.to(&self.options.topic).json(&self.next)?;
//!         self.next += 1;
//!         out.offset("count", [("next", self.next)]);
//!         Ok(Poll::More)
//!     }
//! }
//!
//! SourceSuite::<Count>::new(|_folder| [("topic", "numbers")]).run();
//! ```

mod check;
mod config;
mod leak;
pub mod oracle;
mod probe;
mod scratch;
mod sink;
mod sink_drive;
mod source;
mod transform;

pub use check::{Check, Failure, STOP_LIMIT, Verdict};
pub use sink::SinkSuite;
pub use source::SourceSuite;
pub use transform::TransformSuite;
