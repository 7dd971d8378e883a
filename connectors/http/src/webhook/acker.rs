//! Tells callers that their records are durable.

use linkspan_sdk::{Durable, Seq};
use tokio::sync::{mpsc, oneshot};

/// What a caller hears in the end; a caller whose sender is dropped hears 503.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The records are in the log.
    Durable,
    /// Records under the request's name are in the log already.
    Repeated,
}

/// Callers that wait for one batch.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) seq: Seq,
    pub(super) callers: Vec<(oneshot::Sender<Outcome>, Outcome)>,
}

/// Answers callers in the order of batches until the sender is dropped, or the task is closed. One task wakes each caller once,
/// where callers that watch by themselves would all wake at each commit.
pub(super) async fn run(mut waiting: mpsc::UnboundedReceiver<Waiting>, mut durable: Durable) {
    while let Some(batch) = waiting.recv().await {
        if durable.wait_for(batch.seq).await.is_err() {
            // The task is closed: this and all later batches are not known to be durable, and their callers are told 503.
            return;
        }
        for (caller, outcome) in batch.callers {
            // A caller that went away meanwhile hears nothing; its records are there.
            let _gone = caller.send(outcome).is_err();
        }
    }
}
