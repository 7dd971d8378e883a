//! The author's contract of a transform.

use std::fmt;

use linkspan_abi::batch::SourceBatchWriter;

use crate::{
    Record, RecordBuilder, Records, Result, TransformContext, batch::Writing, options::Options,
};

/// A transform: maps records to records, none, one or several out of each in.
///
/// Implement it on the state of one step of one task. All methods are called on the task's thread, one at a time.
///
/// # Examples
/// ```
/// use linkspan_sdk::prelude::*;
///
/// #[derive(Options)]
/// struct DropEmptyOptions {}
///
/// struct DropEmpty;
///
/// impl Transform for DropEmpty {
///     type Options = DropEmptyOptions;
///
///     async fn open(_options: DropEmptyOptions, _ctx: TransformContext) -> Result<Self> {
///         Ok(Self)
///     }
///
///     async fn apply(&mut self, records: Records<'_>, out: &mut Applied) -> Result<()> {
///         for record in records {
///             if !record.value().is_null() {
///                 out.keep(&record)?;
///             }
///         }
///         Ok(())
///     }
/// }
///
/// export_plugin! { transforms: [DropEmpty as "DropEmpty"] }
/// # fn main() {}
/// ```
#[expect(
    async_fn_in_trait,
    reason = "the futures run on the task's own thread and need not be Send"
)]
pub trait Transform: Sized + 'static {
    /// The options, usually with `#[derive(Options)]`.
    type Options: Options;

    /// Opens the step. Called once, on the task's thread.
    ///
    /// # Errors
    /// Fails the task, or restarts it where the error is temporary.
    async fn open(options: Self::Options, ctx: TransformContext) -> Result<Self>;

    /// Maps a batch. A record that is neither kept nor emitted is filtered; its offset is committed all the same.
    ///
    /// # Errors
    /// Nothing of the batch is used; what follows is decided by `errors.tolerance`.
    async fn apply(&mut self, records: Records<'_>, out: &mut Applied) -> Result<()>;

    /// Closes the step. The default does nothing.
    ///
    /// # Errors
    /// Logged by the host.
    async fn close(&mut self) -> Result<()> {
        Ok(())
    }
}

/// What a transform hands out. Every record remembers which input record it came from.
pub struct Applied {
    pub(crate) writer: SourceBatchWriter,
}

impl Applied {
    pub(crate) fn new() -> Self {
        Self {
            writer: SourceBatchWriter::new(),
        }
    }

    /// Hands a record on as it is.
    ///
    /// # Errors
    /// The batch would pass its bounds.
    pub fn keep(&mut self, record: &Record<'_>) -> Result<()> {
        self.like(record).value_data(record.value().data())
    }

    /// Starts a record with topic, partition, time, key and headers of an input record; what is set again replaces nothing but
    /// the value. To change key or headers start with [`Applied::emit`].
    #[must_use = "a record is written when its value is"]
    pub fn like(&mut self, record: &Record<'_>) -> RecordBuilder<'_> {
        let mut builder = self.emit(record, record.topic()).key(record.key().data());
        if let Some(timestamp) = record.timestamp() {
            builder = builder.timestamp(timestamp);
        }
        for (name, value) in record.headers() {
            builder = builder.header(name, value.data());
        }
        builder
    }

    /// Starts a record that came from an input record, for a topic.
    #[must_use = "a record is written when its value is"]
    pub fn emit(
        &mut self,
        from: &Record<'_>,
        topic: &(impl AsRef<str> + ?Sized),
    ) -> RecordBuilder<'_> {
        let writing = Writing::begin(&mut self.writer, topic.as_ref(), from.index());
        RecordBuilder::new(writing)
    }

    /// Returns the number of records so far.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.writer.count()
    }

    /// Returns whether there is no record.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Debug for Applied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Applied")
            .field("records", &self.len())
            .finish()
    }
}
