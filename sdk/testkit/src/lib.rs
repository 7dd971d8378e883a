//! Test a linkspan connector without the host.
//!
//! [`TestHost`] runs a task through the same shims and the same bytes as the real host does, in the test's own process: what it
//! hands over is encoded and checked in full, a panic becomes an error, offsets survive a second open.
//!
//! ```text
//! TestHost::source::<T>(config) ─► SourceTest: open, poll, commit, run, stop, close, reopen
//! TestHost::sink::<T>(config)   ─► SinkTest:   open, assign, put, flush, revoke, close, reopen
//! TestHost::transform::<T>(config) ─► TransformTest: open, apply, close, reopen
//! conformance::{SourceSuite, SinkSuite, TransformSuite} ─► what the host relies on, tried in a few lines
//! ```
//!
//! Not here: threads and pacing of the real host; a test calls each step itself. Call it from a plain `#[test]`: inside of a
//! runtime's `block_on` the sdk's own cannot start.
//!
//! # Examples
//! ```
//! use linkspan_sdk::prelude::*;
//! use linkspan_testkit::TestHost;
//!
//! struct Count { next: u64 }
//!
//! impl SourceTask for Count {
//!     type Options = ();
//!     async fn open(_options: (), ctx: SourceContext) -> Result<Self> {
//!         Ok(Self { next: ctx.offset("count").u64("next")?.unwrap_or(0) })
//!     }
//!     async fn poll(&mut self, out: &mut BatchBuilder) -> Result<Poll> {
//!         if self.next == 3 {
//!             return Ok(Poll::Exhausted);
//!         }
//!         out.to("numbers").json(&self.next)?;
//!         self.next += 1;
//!         out.offset("count", [("next", self.next)]);
//!         Ok(Poll::More)
//!     }
//! }
//!
//! let mut source = TestHost::source::<Count>([("topic", "numbers")]);
//! let records = source.run(100).unwrap();
//! assert_eq!(records.iter().map(|record| record.value.text()).collect::<Vec<_>>(), ["0", "1", "2"]);
//! source.reopen().unwrap();
//! assert!(source.run(100).unwrap().is_empty()); // resumed at its committed offset
//! ```

pub mod conformance;
mod host;
mod record;
mod sink;
mod source;
mod transform;

pub use host::{Config, IntoConfig, LogLine, ReportedFile, TestHost};
pub use record::{TestData, TestRecord};
pub use sink::{Put, Rejected, RejectedError, SinkTest, rejected};
pub use source::{Polled, SourceTest};
pub use transform::{Made, TransformTest};
