//! The author's contract of a source.

use std::time::Duration;

use crate::{BatchBuilder, Result, SourceContext, options::Options};

/// What a source says after a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Poll {
    /// There may be more at once: the host polls again as soon as it has room.
    More,
    /// Nothing more for now: the host polls again after this time, in milliseconds rounded up.
    Idle(Duration),
    /// Nothing more, ever: the task is done. A bounded job ends when all its sources are.
    Exhausted,
}

/// A source's task: reads from a system outside and hands batches of records to the host.
///
/// Implement it on the state of one task. The host gives each task a thread of its own; all methods are called on that thread,
/// one at a time, in the order `open`, `poll`…, `close`. Futures need not be `Send`, and code that blocks is legal: it holds up
/// this task only. While it blocks it should look at [`crate::TaskContext::stopped`] now and then.
///
/// A task that was stopped, failed or panicked is dropped; its successor starts with `open` and the committed offsets.
///
/// # Examples
/// ```
/// use linkspan_sdk::prelude::*;
///
/// #[derive(Options)]
/// struct TickOptions {
///     topic: TopicName,
///     /// Time between two ticks.
///     #[option(default = "1s")]
///     every: Duration,
/// }
///
/// struct Ticks {
///     options: TickOptions,
///     next: u64,
/// }
///
/// impl SourceTask for Ticks {
///     type Options = TickOptions;
///
///     async fn open(options: TickOptions, ctx: SourceContext) -> Result<Self> {
///         Ok(Self { next: ctx.offset("clock").u64("next")?.unwrap_or(0), options })
///     }
///
///     async fn poll(&mut self, out: &mut BatchBuilder) -> Result<Poll> {
///         out.to(&self.options.topic).json(&self.next)?;
///         self.next += 1;
///         out.offset("clock", [("next", self.next)]);
///         Ok(Poll::Idle(self.options.every))
///     }
/// }
///
/// export_plugin! { sources: [Ticks as "tick-source"] }
/// # fn main() {}
/// ```
#[expect(
    async_fn_in_trait,
    reason = "the futures run on the task's own thread and need not be Send"
)]
pub trait SourceTask: Sized + 'static {
    /// The options, usually with `#[derive(Options)]`.
    type Options: Options;

    /// Opens the task: connects, and resumes from the committed offsets that `ctx` reads.
    ///
    /// Called once, on the task's thread. `ctx` may be kept and cloned.
    ///
    /// # Errors
    /// A temporary error is tried again with back-off by the host, with a new task; a permanent one fails the task.
    async fn open(options: Self::Options, ctx: SourceContext) -> Result<Self>;

    /// Takes the next records for this task, in source order, and puts them with their offsets into `out`.
    ///
    /// Called again and again until stop, exhaustion or an error. Records and offsets of one call are one batch: they become
    /// durable together, or not at all. Return when `out.is_full()` or when what is there is worth sending; a poll that waits
    /// for a first record may wait as long as it likes.
    ///
    /// # Errors
    /// What `out` holds is dropped with the error, so that nothing of it is committed. A temporary error is polled again after
    /// a back-off, on the same instance: the task must then hand out the same records again. A permanent one fails the task.
    ///
    /// # Cancel safety
    /// The future is kept across calls of the host, and dropped only at stop.
    async fn poll(&mut self, out: &mut BatchBuilder) -> Result<Poll>;

    /// Closes the task: the last call, also after an error of `poll`, but not after a panic. The default does nothing.
    ///
    /// # Errors
    /// Logged by the host; nothing else follows from it.
    async fn close(&mut self) -> Result<()> {
        Ok(())
    }
}
