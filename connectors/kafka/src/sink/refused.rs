//! Records that Kafka refuses: which error says so, and whether another try can help.

use linkspan_sdk::prelude::*;
use rdkafka::error::RDKafkaErrorCode as Code;

use super::KafkaSink;
use crate::error;
use crate::producer::{Sender, Undelivered};

impl KafkaSink {
    /// Makes one error of what was refused: the first decides, what follows it follows from it.
    pub(super) fn refusal(
        &mut self,
        sender: &Sender,
        records: &Records<'_>,
        refused: &[Undelivered],
    ) -> Option<Error> {
        let one = refused.first()?;
        let record = records.into_iter().nth(one.index);
        Some(self.refused(sender, one.code, record.as_ref()))
    }

    /// A topic that is gone is looked for again, and created again where that is wanted.
    pub(super) fn is_temporary(&self, code: Code) -> bool {
        error::of(code).temporary
            || matches!(code, Code::UnknownTopicOrPartition | Code::UnknownTopic)
    }

    pub(super) fn refused(
        &mut self,
        sender: &Sender,
        code: Code,
        record: Option<&Record<'_>>,
    ) -> Error {
        let (target, place) = match record {
            Some(record) => {
                let target = self.target(record.topic());
                let place = format!(
                    "write to topic `{target}` (record of `{}` partition {} offset {})",
                    record.original_topic(),
                    record.partition(),
                    record.offset()
                );
                (target, place)
            }
            None => (
                String::new(),
                format!("write to topic `{}`", self.options.position_topic),
            ),
        };
        match code {
            Code::KeySerialization | Code::ValueSerialization => Error::data_invalid(format!(
                "{place}: the value cannot be written as bytes or JSON"
            )),
            Code::UnknownPartition if self.options.preserve_partition => {
                let count = self.known.get(&target).copied().unwrap_or_default();
                Error::data_invalid(format!(
                    "Kafka at {}: {place}: the topic there has {count} partitions; add partitions, or set `preserve.partition: false`",
                    sender.place()
                ))
            }
            Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition => {
                self.known.clear();
                error::away(format!(
                    "Kafka at {}: {place}: the topic is gone; it is looked for again",
                    sender.place()
                ))
            }
            Code::MessageSizeTooLarge => {
                let size = record.map_or(0, |record| {
                    record.key().as_bytes().map_or(0, <[u8]>::len)
                        + record.value().as_bytes().map_or(0, <[u8]>::len)
                });
                error::from_code(
                    code,
                    sender.place(),
                    &format!("{place}, {size} bytes of key and value"),
                    "",
                )
            }
            Code::MessageTimedOut | Code::TimedOutQueue => {
                let last = sender.events().last();
                let reason = last.map_or_else(
                    || "no broker took it in time".to_owned(),
                    |(_, reason)| reason,
                );
                error::from_code(code, sender.place(), &place, &reason)
            }
            code => error::from_code(code, sender.place(), &place, ""),
        }
    }
}
