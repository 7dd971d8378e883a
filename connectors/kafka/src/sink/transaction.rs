//! `exactly-once`: a batch is a transaction of its records and the positions behind them.

use linkspan_sdk::{prelude::*, tracing};
use rdkafka::error::KafkaError;
use rdkafka::producer::Producer as _;

use super::{KafkaSink, METADATA};
use crate::error;
use crate::positions::{self, Positions};
use crate::producer::{Outgoing, Sender};

/// How long one try of a transaction's end takes.
const SLICE: Duration = Duration::from_millis(500);

impl KafkaSink {
    /// Records and positions in one transaction.
    pub(super) fn put_once(&mut self, records: Records<'_>) -> Result<Progress> {
        let progress = records.progress().with_metadata(METADATA);
        let Some(sender) = self.sender.take() else {
            return Err(Error::internal("a batch without a producer"));
        };
        let done = self.transact(&sender, &records);
        match done {
            Ok(positions) => {
                self.by_hand.retain(|at| !positions.contains_key(at));
                self.positions.extend(positions);
                self.sender = Some(sender);
                Ok(progress)
            }
            Err(Ended { error, known }) => {
                if known {
                    self.sender = Some(sender);
                } else {
                    tracing::debug!("the producer is closed, its transaction may have any end");
                }
                Err(error)
            }
        }
    }

    fn transact(
        &mut self,
        sender: &Sender,
        records: &Records<'_>,
    ) -> std::result::Result<Positions, Ended> {
        begin(sender).map_err(Ended::unknown)?;
        let sent = self.send_all(sender, records);
        let positions = match sent {
            Ok((positions, refused)) => match self.refusal(sender, records, &refused) {
                None => positions,
                Some(error) => return Err(abort(sender, error)),
            },
            Err(error) => return Err(abort(sender, error)),
        };
        for ((topic, partition), position) in &positions {
            let written = positions::entry(self.ctx.connector(), topic, *partition, position)
                .and_then(|entry| send_entry(sender, self.options.position_topic.as_str(), &entry));
            if let Err(error) = written {
                return Err(abort(sender, error));
            }
        }
        let undelivered = sender.settle(true).map_err(Ended::unknown)?;
        if let Some(error) = self.refusal(sender, records, &undelivered) {
            return Err(abort(sender, error));
        }
        self.commit(sender)
            .map(|()| positions)
            .map_err(Ended::unknown)
    }

    /// Commits; a try that ran out of time goes on where it was.
    pub(super) fn commit(&self, sender: &Sender) -> Result<()> {
        let undelivered = sender.settle(true)?;
        if let Some(one) = undelivered.first() {
            return Err(error::from_code(
                one.code,
                sender.place(),
                "write a position",
                "",
            ));
        }
        let doing = "commit a transaction";
        let slices = self
            .options
            .delivery_timeout
            .as_millis()
            .div_ceil(SLICE.as_millis())
            .max(1);
        for _ in 0..slices {
            match sender.inner().commit_transaction(SLICE) {
                Ok(()) => return Ok(()),
                Err(KafkaError::Transaction(failed)) if failed.is_retriable() => sender.serve(),
                Err(failed) => {
                    return Err(error::from_call(
                        &failed,
                        sender.place(),
                        doing,
                        sender.events().last(),
                    ));
                }
            }
            if self.ctx.stopped() {
                return Err(Error::stopped("the task was asked to stop"));
            }
        }
        let why = sender
            .events()
            .last()
            .map_or_else(|| "no answer".to_owned(), |(_, reason)| reason);
        Err(error::away(format!(
            "Kafka at {}: {doing}: {why}; the batch is tried again",
            sender.place()
        )))
    }
}

/// How a transaction failed, and whether it is known to be undone.
struct Ended {
    error: Error,
    known: bool,
}

impl Ended {
    const fn unknown(error: Error) -> Self {
        Self {
            error,
            known: false,
        }
    }
}

pub(super) fn begin(sender: &Sender) -> Result<()> {
    let begun = sender.inner().begin_transaction();
    begun.map_err(|failed| {
        error::from_call(
            &failed,
            sender.place(),
            "begin a transaction",
            sender.events().last(),
        )
    })
}

/// Undoes a transaction.
fn abort(sender: &Sender, error: Error) -> Ended {
    sender.purge();
    let aborted = sender.inner().abort_transaction(SLICE * 20);
    let known = aborted.is_ok();
    if let Err(failed) = aborted {
        tracing::debug!(%failed, "a transaction could not be aborted");
        // Fenced: that is the news, not the record that came in between.
        let why = crate::error::from_call(&failed, sender.place(), "abort a transaction", None);
        if why.kind() == ErrorKind::Conflict {
            return Ended::unknown(why);
        }
    }
    Ended { error, known }
}

pub(super) fn send_entry(sender: &Sender, topic: &str, entry: &positions::Entry) -> Result<()> {
    let outgoing = Outgoing {
        topic,
        partition: Some(positions::PARTITION),
        timestamp: None,
        key: Some(&entry.key),
        value: Some(&entry.value),
        headers: None,
    };
    // No record of a batch has this number, so that a failure names the position topic.
    let sent = sender.send(usize::MAX, outgoing);
    sent.map_err(|code| match code {
        Some(code) => error::from_code(
            code,
            sender.place(),
            &format!("write to position topic `{topic}`"),
            "",
        ),
        None => Error::stopped("the task was asked to stop"),
    })
}
