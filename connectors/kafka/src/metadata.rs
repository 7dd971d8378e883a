//! Questions to the cluster that block: asked in slices, so that a stop, a wrong password and a dead network end them.

use linkspan_sdk::prelude::*;
use rdkafka::error::{KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::metadata::MetadataTopic;
use rdkafka::types::RDKafkaRespErr;

use crate::client::Events;
use crate::error;

/// How long one slice of a question takes.
const SLICE: Duration = Duration::from_millis(500);

/// Who asks what.
pub(crate) struct Question<'a> {
    pub(crate) events: &'a Events,
    /// The brokers, for messages.
    pub(crate) place: &'a str,
    /// What is being done, for messages: `read the partitions of topic …`.
    pub(crate) doing: &'a str,
    /// How long it may take in all.
    pub(crate) limit: Duration,
}

impl Question<'_> {
    /// Asks until there is an answer, no time or no hope left. `pump` lets the client say what it knows.
    pub(crate) fn ask<T>(
        &self,
        pump: impl Fn(),
        call: impl Fn(Duration) -> KafkaResult<T>,
    ) -> Result<T> {
        let slices = self.limit.as_millis().div_ceil(SLICE.as_millis()).max(1);
        for slice in 1..=slices {
            let failed = match call(SLICE) {
                Ok(answer) => {
                    self.events.forget();
                    return Ok(answer);
                }
                Err(failed) => failed,
            };
            pump();
            if self.events.task().stopped() {
                return Err(Error::stopped("the task was asked to stop"));
            }
            if let Some((code, reason)) = self.events.hopeless() {
                return Err(error::from_code(code, self.place, self.doing, &reason));
            }
            let code = failed.rdkafka_error_code();
            // A coordinator that just became one reads its topic first, and says so at once.
            let loads = matches!(
                code,
                Some(
                    Code::CoordinatorLoadInProgress
                        | Code::CoordinatorNotAvailable
                        | Code::NotCoordinator
                )
            );
            if loads {
                std::thread::park_timeout(SLICE);
            }
            let waits = loads
                || matches!(
                    code,
                    Some(Code::OperationTimedOut | Code::BrokerTransportFailure | Code::InProgress)
                );
            if !waits || slice == slices {
                return Err(error::from_call(
                    &failed,
                    self.place,
                    self.doing,
                    self.events.last(),
                ));
            }
        }
        Err(Error::internal("a question without a slice"))
    }
}

/// Returns a topic's partitions in order, or why there are none: `None` where the topic does not exist.
pub(crate) fn partitions(topic: &MetadataTopic) -> std::result::Result<Option<Vec<i32>>, Code> {
    match topic.error().map(code) {
        Some(Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::InvalidTopic) => {
            return Ok(None);
        }
        Some(Code::LeaderNotAvailable) | None => {}
        Some(other) => return Err(other),
    }
    let mut partitions: Vec<i32> = topic
        .partitions()
        .iter()
        .map(rdkafka::metadata::MetadataPartition::id)
        .collect();
    partitions.sort_unstable();
    Ok(Some(partitions))
}

fn code(error: RDKafkaRespErr) -> Code {
    error.into()
}
