//! Which batches of a source are durable.

use std::fmt;

use tokio::sync::watch;

use crate::{Error, Result};

/// The number of a batch of one task, growing from 1. [`crate::BatchBuilder::seq`] tells the one being built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Seq(pub u64);

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A watch of the highest batch that is durable, with all before it. Clone it into whatever acknowledges upstream.
///
/// # Examples
/// A webhook answers its caller when the batch with the request's records is durable:
/// ```
/// use linkspan_sdk::prelude::*;
///
/// async fn answer(mut durable: Durable, seq: Seq) -> Result<&'static str> {
///     durable.wait_for(seq).await?;
///     Ok("202 Accepted")
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Durable(watch::Receiver<u64>);

impl Durable {
    pub(crate) const fn new(receiver: watch::Receiver<u64>) -> Self {
        Self(receiver)
    }

    /// Returns the highest durable batch, `Seq(0)` before the first.
    #[must_use]
    pub fn get(&self) -> Seq {
        Seq(*self.0.borrow())
    }

    /// Waits until a batch and all before it are durable, and returns the highest that is.
    ///
    /// # Errors
    /// Of kind `stopped` when the task is closed before.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn wait_for(&mut self, seq: Seq) -> Result<Seq> {
        match self.0.wait_for(|highest| *highest >= seq.0).await {
            Ok(highest) => Ok(Seq(*highest)),
            Err(_) => Err(Error::stopped("the task is closed")),
        }
    }

    /// Waits until more is durable than when this watch last told, and returns the highest that is.
    ///
    /// # Errors
    /// Of kind `stopped` when the task is closed before.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn changed(&mut self) -> Result<Seq> {
        match self.0.changed().await {
            Ok(()) => Ok(Seq(*self.0.borrow_and_update())),
            Err(_) => Err(Error::stopped("the task is closed")),
        }
    }
}
