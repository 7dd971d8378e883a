//! Rows to copybook records: the way back.

use linkspan_sdk::prelude::*;

use super::frame::{Frames, RecordFormat};
use super::plan::Plan;
use crate::encode::Refused;
use crate::encoding::TextEncoding;
use crate::fixed::encoder::OnUnmappable;

/// Writes records that a copybook describes.
#[derive(Debug)]
pub(crate) struct CopybookEncoder {
    plan: Plan,
    frames: Frames,
    /// The length of all `fixed` records, where it is more than their fields.
    len: Option<usize>,
    on_unmappable: OnUnmappable,
}

impl CopybookEncoder {
    pub(crate) fn new(
        plan: Plan,
        frames: Frames,
        len: Option<usize>,
        on_unmappable: OnUnmappable,
    ) -> Self {
        Self {
            plan,
            frames,
            len,
            on_unmappable,
        }
    }

    /// Appends a record. What a refused record had appended is the caller's to cut off.
    pub(crate) fn encode(&mut self, value: &Datum<'_>, out: &mut Vec<u8>) -> Result<(), Refused> {
        let row = match value.data() {
            Data::Typed { .. } if !value.is_null() => value.row().map_err(Refused::Record)?,
            _ => {
                return Err(Refused::Record(Error::data_invalid(
                    "the value is not a row with columns, as `copybook` needs; text and JSON without a schema have none",
                )));
            }
        };
        let schema = std::sync::Arc::clone(row.schema());
        let tree = row.to_value().map_err(Refused::Record)?;
        let start = out.len();
        let word = self.frames.format == RecordFormat::Rdw;
        if word {
            out.extend_from_slice(&[0; 4]);
        }
        let body = out.len();
        if let Err(why) = self
            .plan
            .encode(&tree, &schema, self.on_unmappable.fallback(), out)
        {
            let fails = self.on_unmappable == OnUnmappable::Fail && why.contains("`on.unmappable`");
            return Err(if fails {
                Refused::File(Error::unsupported(why))
            } else {
                Refused::Record(Error::data_invalid(why))
            });
        }
        match self.frames.format {
            RecordFormat::Rdw => {
                let own = if self.frames.includes_word { 4 } else { 0 };
                let length = u16::try_from(out.len() - body + own).map_err(|_| {
                    Refused::Record(Error::data_invalid(
                        "the record is longer than a descriptor word can say",
                    ))
                })?;
                let bytes = if self.frames.little {
                    length.to_le_bytes()
                } else {
                    length.to_be_bytes()
                };
                if let Some(slot) = out.get_mut(start..start + 2) {
                    slot.copy_from_slice(&bytes);
                }
            }
            RecordFormat::Fixed => {
                let planned = if self.plan.varies { 0 } else { self.plan.len };
                let space = *self.plan.settings.encoding.space().first().unwrap_or(&b' ');
                let len = self.len.unwrap_or(planned).max(out.len() - body);
                out.resize(body + len, space);
            }
            RecordFormat::Lines
                if matches!(self.plan.settings.encoding, TextEncoding::Ebcdic(_)) =>
            {
                out.push(0x15)
            }
            RecordFormat::Lines | RecordFormat::Bdw => out.push(b'\n'),
        }
        Ok(())
    }
}
