//! `format: fixed`: the records of a file, as the reader takes them.

use linkspan_sdk::prelude::*;
use serde_json::{Value as Json, json};

use super::Fault;
use super::cutter::Step;
use super::decoder::Rows;
use super::layout::RecordEnd;
use crate::content::{Content, Part};
use crate::control::{self, Control, Look, Totalled};
use crate::decode::{Decode, Drained, Piece, Problem, Start, Target, Wants};
use crate::format::{Bad, Reason};

/// Reads fixed-width files, one after the other.
#[derive(Debug)]
pub(crate) struct FixedRecords {
    rows: Rows,
    control: Control,
    record_bytes_max: usize,
    /// Records of the file before the position.
    number: u64,
    /// The figures of the file that were checked.
    facts: Option<Json>,
    /// The record that was looked at last: its type and its own bytes.
    looked: Option<(usize, usize)>,
}

impl FixedRecords {
    pub(crate) fn new(rows: Rows, control: Control, record_bytes_max: usize) -> Self {
        Self {
            rows,
            control,
            record_bytes_max,
            number: 0,
            facts: None,
            looked: None,
        }
    }

    fn bad(&self, fault: Fault) -> Problem {
        Problem::Bad(Bad {
            at: fault.at,
            reason: Reason::Other(fault.message),
            record: Some(self.number + 1),
        })
    }

    /// A record whose type cannot be told has no end where nothing marks one.
    fn is_lost(&self, bytes: &[u8]) -> bool {
        let cutter = &self.rows.cutter;
        cutter.end == RecordEnd::None
            && cutter.layout.tell(bytes).is_none()
            && cutter.layout.common_len().is_none()
    }

    /// Uses the first record of `bytes`: how many bytes that are, and how many records it made; `None`: it is not whole.
    fn take(
        &mut self,
        bytes: &[u8],
        position: u64,
        last: bool,
        target: &mut Target<'_>,
    ) -> Result<Option<(usize, u64)>, Problem> {
        let step = match self.rows.next(bytes, last) {
            Ok(step) => step,
            Err(fault) if self.is_lost(bytes) => {
                let message = format!(
                    "record {}, byte {position}: {}; where the next one begins cannot be told",
                    self.number + 1,
                    fault.message
                );
                return Err(Problem::File(Error::data_invalid(message)));
            }
            Err(fault) => return Err(self.bad(fault)),
        };
        let (kind, body, len) = match step {
            Step::Record { kind, body, len } => (kind, body, len),
            Step::End(len) => return Ok(Some((len, 0))),
            Step::More
                if bytes.len() > target.line_bytes_max
                    && self.rows.cutter.end != RecordEnd::None =>
            {
                return Err(Bad::too_long(target.line_bytes_max, false).into());
            }
            Step::More => return Ok(None),
        };
        let Some(schema) = self.rows.schema(kind).cloned() else {
            self.number += 1;
            return Ok(Some((len, 0)));
        };
        let topic = self.rows.kind(kind).and_then(|kind| kind.topic.clone());
        let record = match &topic {
            Some(topic) => target.out.to(topic),
            None => target.record(position),
        };
        let mut bad = None;
        let body = bytes.get(..body).unwrap_or_default();
        let sent = record.row(&schema, |row| {
            self.rows.write_row(kind, body, row, &mut bad)
        });
        match (sent, bad) {
            (_, Some(fault)) => Err(self.bad(fault)),
            (Err(error), None) => Err(Problem::Batch(error)),
            (Ok(()), None) => {
                self.number += 1;
                Ok(Some((len, 1)))
            }
        }
    }
}

impl Decode for FixedRecords {
    fn begin(&mut self, start: &Start<'_>) -> Result<(), Problem> {
        let stored = start
            .state
            .and_then(|state| state.get("record"))
            .and_then(Json::as_u64);
        self.number = if start.position == 0 {
            0
        } else {
            stored.unwrap_or(0)
        };
        Ok(())
    }

    fn wants(&self) -> Wants {
        Wants::Bytes
    }

    fn drain(
        &mut self,
        piece: Piece<'_>,
        position: u64,
        last: bool,
        target: &mut Target<'_>,
    ) -> Drained {
        let bytes = piece.bytes();
        let mut drained = Drained::default();
        while !target.is_full() {
            let rest = bytes.get(drained.consumed..).unwrap_or_default();
            if rest.is_empty() {
                break;
            }
            match self.take(rest, position + drained.consumed as u64, last, target) {
                Ok(Some((len, records))) => {
                    drained.consumed += len;
                    drained.records += records;
                }
                Ok(None) => break,
                Err(problem) => {
                    drained.bad = Some(problem);
                    break;
                }
            }
        }
        drained
    }

    fn extent(&mut self, bytes: &[u8], last: bool) -> Option<usize> {
        let extent = self.rows.cutter.extent(bytes, last);
        self.number += u64::from(extent.is_some());
        extent
    }

    fn state(&self) -> Option<Json> {
        Some(json!({"record": self.number}))
    }

    fn wants_check(&self) -> bool {
        self.control.is_set()
    }

    fn check(&mut self, content: &dyn Content, part: &Part) -> Result<(), Problem> {
        let control = self.control.clone();
        let max = self.record_bytes_max;
        self.facts = Some(control::check(&control, self, content, part, max)?);
        Ok(())
    }

    fn facts(&self) -> Option<&Json> {
        self.facts.as_ref()
    }
}

impl Totalled for FixedRecords {
    fn rewind(&mut self) {
        self.looked = None;
    }

    fn look(&mut self, bytes: &[u8], last: bool) -> Result<Look, Fault> {
        Ok(match self.rows.next(bytes, last)? {
            Step::Record { kind, body, len } => {
                self.looked = Some((kind, body));
                Look::Record(len)
            }
            Step::End(len) => Look::Skip(len),
            Step::More => Look::More,
        })
    }

    fn pass(&mut self, bytes: &[u8], last: bool) -> Option<usize> {
        self.rows.cutter.extent(bytes, last)
    }

    fn is(&self, record: &str) -> bool {
        let kind = self.looked.and_then(|(kind, _)| self.rows.kind(kind));
        kind.is_some_and(|kind| kind.name == record)
    }

    fn is_handed_out(&self) -> bool {
        let kind = self.looked.and_then(|(kind, _)| self.rows.kind(kind));
        kind.is_some_and(|kind| kind.emit)
    }

    fn number(&mut self, bytes: &[u8], field: &str) -> Result<Option<(i128, u32)>, Fault> {
        let Some((kind, body)) = self.looked else {
            return Ok(None);
        };
        self.rows
            .number(kind, bytes.get(..body).unwrap_or_default(), field)
    }
}
