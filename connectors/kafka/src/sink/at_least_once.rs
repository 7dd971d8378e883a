//! `at-least-once`: a batch of an idempotent producer.

use linkspan_sdk::prelude::*;
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::producer::Producer as _;

use super::KafkaSink;
use crate::producer::{Sender, Undelivered};

impl KafkaSink {
    pub(super) fn put_at_least_once(
        &mut self,
        records: Records<'_>,
        report: &mut Report,
    ) -> Result<Progress> {
        let progress = records.progress();
        let Some(sender) = self.sender.take() else {
            return Err(Error::internal("a batch without a producer"));
        };
        let outcome = self.deliver(&sender, &records, report);
        // A fatal error ends the producer; the next batch makes another.
        if sender.inner().client().fatal_error().is_none() {
            self.sender = Some(sender);
        }
        outcome.map(|()| progress)
    }

    fn deliver(
        &mut self,
        sender: &Sender,
        records: &Records<'_>,
        report: &mut Report,
    ) -> Result<()> {
        let (_, mut refused) = match self.send_all(sender, records) {
            Ok(sent) => sent,
            Err(error) => {
                sender.purge();
                return Err(error);
            }
        };
        refused.extend(sender.settle(false)?);
        refused = self.alone(sender, records, refused)?;
        if let Some(one) = refused.iter().find(|one| self.is_temporary(one.code)) {
            let record = records.into_iter().nth(one.index);
            return Err(self.refused(sender, one.code, record.as_ref()));
        }
        refused.sort_unstable_by_key(|one| one.index);
        let mut refused = refused.into_iter().peekable();
        for (index, record) in records.into_iter().enumerate() {
            let Some(one) = refused.next_if(|one| one.index == index) else {
                continue;
            };
            let error = self.refused(sender, one.code, Some(&record));
            if error.kind() != ErrorKind::DataInvalid {
                return Err(error);
            }
            report.reject(&record, error);
        }
        Ok(())
    }

    /// A broker refuses a whole batch for one record that is too large: each is sent again alone, and the good ones pass.
    fn alone(
        &mut self,
        sender: &Sender,
        records: &Records<'_>,
        refused: Vec<Undelivered>,
    ) -> Result<Vec<Undelivered>> {
        let (mut left, mut scratch) = (Vec::new(), (Vec::new(), Vec::new()));
        for one in refused {
            let record = records.into_iter().nth(one.index);
            let Some(record) = record.filter(|_| one.code == Code::MessageSizeTooLarge) else {
                left.push(one);
                continue;
            };
            let target = self.target(record.topic());
            match self.send(sender, one.index, &target, &record, &mut scratch) {
                Ok(()) => left.extend(sender.settle(false)?),
                Err(Some(code)) => left.push(Undelivered {
                    index: one.index,
                    code,
                }),
                Err(None) => return Err(Error::stopped("the task was asked to stop")),
            }
        }
        Ok(left)
    }
}
