//! `format: copybook`: the records of a file, as the reader takes them.

use std::sync::Arc;

use linkspan_sdk::prelude::*;
use serde_json::{Value as Json, json};

use super::Fault;
use super::decode::{Decoded, Stop};
use super::frame::{Framed, Frames, RecordFormat};
use super::plan::Plan;
use crate::content::{Content, Part};
use crate::control::{self, Control, Look, Totalled};
use crate::decode::{Decode, Drained, Piece, Problem, Start, Target, Wants};
use crate::fixed::scalar;
use crate::format::{Bad, Reason};

const END_OF_FILE: u8 = 0x1a;

/// What is set about the records of a file.
#[derive(Debug, Clone)]
pub(crate) struct RecordSettings {
    pub(crate) frames: Frames,
    /// The length of all records, where it is more than their fields.
    pub(crate) len: Option<usize>,
    /// Records of these segments are not handed out.
    pub(crate) skipped: Vec<String>,
    pub(crate) control: Control,
    pub(crate) record_bytes_max: usize,
}

/// Reads copybook files, one after the other.
#[derive(Debug)]
pub(crate) struct CopybookRecords {
    plan: Plan,
    settings: RecordSettings,
    schema: RowSchema,
    /// Records of the file before the position.
    number: u64,
    block_left: usize,
    facts: Option<Json>,
    looked: Option<Decoded>,
    padded: Vec<u8>,
}

/// Where a record is, or why it is not found.
enum Cut {
    Record(Framed),
    End(usize),
    More,
}

impl CopybookRecords {
    pub(crate) fn new(plan: Plan, settings: RecordSettings, ctx: &SourceContext) -> Result<Self> {
        let schema = ctx.register_schema(plan.schema.clone())?;
        Ok(Self {
            plan,
            settings,
            schema,
            number: 0,
            block_left: 0,
            facts: None,
            looked: None,
            padded: Vec::new(),
        })
    }

    fn cut(&self, bytes: &[u8], last: bool) -> Result<Cut, Fault> {
        if bytes.first() == Some(&END_OF_FILE) && bytes.iter().all(|byte| *byte == END_OF_FILE) {
            return Ok(if last {
                Cut::End(bytes.len())
            } else {
                Cut::More
            });
        }
        if self.settings.frames.format != RecordFormat::Fixed {
            let framed = self.settings.frames.next(
                bytes,
                self.block_left,
                last,
                self.settings.record_bytes_max,
            )?;
            return Ok(framed.map_or(Cut::More, Cut::Record));
        }
        let len = match (self.settings.len, self.plan.measure(bytes)) {
            (Some(len), _) | (None, Ok(len)) => len,
            (None, Err(Stop::Short(_))) if !last => return Ok(Cut::More),
            (None, Err(Stop::Short(fault) | Stop::Fault(fault))) => return Err(fault),
        };
        if bytes.len() >= len {
            return Ok(Cut::Record(Framed {
                before: 0,
                body: len,
                len,
                block_left: 0,
            }));
        }
        if !last {
            return Ok(Cut::More);
        }
        let hint = if self.settings.len.is_some() {
            "`copybook.record.length`"
        } else {
            "the copybook"
        };
        Err(Fault::new(
            0,
            format!(
                "the record length {len} of {hint} does not divide the file: {} bytes are left at its end",
                bytes.len()
            ),
        ))
    }

    /// Where the next record begins can still be told.
    fn finds_next(&self, bytes: &[u8]) -> bool {
        match self.settings.frames.format {
            RecordFormat::Lines => true,
            RecordFormat::Fixed => {
                self.settings.len.is_some() || self.plan.measure(bytes).is_ok() || !self.plan.varies
            }
            RecordFormat::Rdw | RecordFormat::Bdw => false,
        }
    }

    fn decode(&mut self, body: &[u8]) -> Result<Decoded, Fault> {
        let format = self.settings.frames.format;
        let pads = format == RecordFormat::Lines && !self.plan.varies && body.len() < self.plan.len;
        let decoded = if pads {
            self.padded.clear();
            self.padded.extend_from_slice(body);
            let space = *self.plan.settings.encoding.space().first().unwrap_or(&b' ');
            self.padded.resize(self.plan.len, space);
            self.plan.decode(&self.padded)
        } else {
            self.plan.decode(body)
        };
        let decoded = decoded.map_err(Stop::fault)?;
        if format != RecordFormat::Fixed && decoded.len < body.len() {
            let left = body.len() - decoded.len;
            return Err(Fault::new(
                decoded.len,
                format!("{left} bytes are left behind the last field of the copybook"),
            ));
        }
        Ok(decoded)
    }

    fn is_skipped(&self, decoded: &Decoded) -> bool {
        decoded
            .segments
            .iter()
            .any(|segment| self.settings.skipped.contains(segment))
    }

    fn bad(&self, fault: Fault) -> Problem {
        Problem::Bad(Bad {
            at: fault.at,
            reason: Reason::Other(fault.message),
            record: Some(self.number + 1),
        })
    }

    fn take(
        &mut self,
        bytes: &[u8],
        position: u64,
        last: bool,
        target: &mut Target<'_>,
    ) -> Result<Option<(usize, u64)>, Problem> {
        let framed = match self.cut(bytes, last) {
            Ok(Cut::Record(framed)) => framed,
            Ok(Cut::End(len)) => return Ok(Some((len, 0))),
            Ok(Cut::More)
                if bytes.len() > target.line_bytes_max
                    && self.settings.frames.format == RecordFormat::Lines =>
            {
                return Err(Bad::too_long(target.line_bytes_max, false).into());
            }
            Ok(Cut::More) => return Ok(None),
            Err(fault) if !self.finds_next(bytes) => {
                let at = position + fault.at as u64;
                let message = format!(
                    "record {}, byte {at}: {}; where the next one begins cannot be told",
                    self.number + 1,
                    fault.message
                );
                return Err(Problem::File(Error::data_invalid(message)));
            }
            Err(fault) => return Err(self.bad(fault)),
        };
        let body = bytes
            .get(framed.before..framed.before + framed.body)
            .unwrap_or_default();
        let decoded = self.decode(body).map_err(|fault| {
            self.bad(Fault {
                at: fault.at + framed.before,
                ..fault
            })
        })?;
        let skipped = self.is_skipped(&decoded);
        if !skipped {
            let row = Struct::from_values(Arc::clone(self.schema.schema()), decoded.values)
                .map_err(|error| Problem::Batch(error.into()))?;
            target
                .record(position)
                .value(&self.schema, &Value::Struct(row))
                .map_err(Problem::Batch)?;
        }
        self.number += 1;
        self.block_left = framed.block_left;
        Ok(Some((framed.len, u64::from(!skipped))))
    }
}

impl Decode for CopybookRecords {
    fn begin(&mut self, start: &Start<'_>) -> Result<(), Problem> {
        let stored = |key: &str| {
            start
                .state
                .filter(|_| start.position > 0)
                .and_then(|state| state.get(key))
                .and_then(Json::as_u64)
        };
        self.number = stored("record").unwrap_or(0);
        self.block_left = stored("block")
            .and_then(|left| usize::try_from(left).ok())
            .unwrap_or(0);
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
        let len = match self.cut(bytes, last) {
            Ok(Cut::Record(framed)) => {
                self.block_left = framed.block_left;
                Some(framed.len)
            }
            Ok(Cut::End(len)) => Some(len),
            Ok(Cut::More) => None,
            Err(_) => last.then_some(bytes.len()),
        };
        self.number += u64::from(len.is_some());
        len
    }

    fn state(&self) -> Option<Json> {
        Some(json!({"record": self.number, "block": self.block_left}))
    }

    fn wants_check(&self) -> bool {
        self.settings.control.is_set()
    }

    fn check(&mut self, content: &dyn Content, part: &Part) -> Result<(), Problem> {
        let control = self.settings.control.clone();
        let before = self.block_left;
        let max = self.settings.record_bytes_max;
        let checked = control::check(&control, self, content, part, max);
        self.block_left = before;
        self.facts = Some(checked?);
        Ok(())
    }

    fn facts(&self) -> Option<&Json> {
        self.facts.as_ref()
    }
}

impl Totalled for CopybookRecords {
    fn rewind(&mut self) {
        self.looked = None;
        self.block_left = 0;
    }

    fn look(&mut self, bytes: &[u8], last: bool) -> Result<Look, Fault> {
        let framed = match self.cut(bytes, last)? {
            Cut::Record(framed) => framed,
            Cut::End(len) => return Ok(Look::Skip(len)),
            Cut::More => return Ok(Look::More),
        };
        let body = bytes
            .get(framed.before..framed.before + framed.body)
            .unwrap_or_default();
        self.looked = Some(self.decode(body)?);
        self.block_left = framed.block_left;
        Ok(Look::Record(framed.len))
    }

    fn pass(&mut self, bytes: &[u8], last: bool) -> Option<usize> {
        match self.cut(bytes, last) {
            Ok(Cut::Record(framed)) => {
                self.block_left = framed.block_left;
                Some(framed.len)
            }
            _ => None,
        }
    }

    fn is(&self, record: &str) -> bool {
        let segments = self.looked.as_ref().map(|looked| &looked.segments);
        segments.is_some_and(|segments| {
            segments
                .iter()
                .any(|segment| segment.eq_ignore_ascii_case(record))
        })
    }

    fn is_handed_out(&self) -> bool {
        self.looked
            .as_ref()
            .is_some_and(|looked| !self.is_skipped(looked))
    }

    fn number(&mut self, _bytes: &[u8], field: &str) -> Result<Option<(i128, u32)>, Fault> {
        let Some(looked) = &self.looked else {
            return Ok(None);
        };
        Ok(find(&looked.values, self.schema.schema(), field))
    }
}

/// Finds a number by its column's name, in groups too.
fn find(values: &[Value], schema: &Schema, field: &str) -> Option<(i128, u32)> {
    for (value, column) in values.iter().zip(schema.fields()) {
        if let Value::Struct(inner) = value {
            if let Some(found) = find(inner.values(), &column.schema, field) {
                return Some(found);
            }
        } else if column.name.eq_ignore_ascii_case(field)
            && let Ok(Some(scalar::Scalar::Number(unscaled, scale))) =
                scalar::Scalar::of_value(value, &column.schema)
        {
            return Some((unscaled, scale));
        }
    }
    None
}
