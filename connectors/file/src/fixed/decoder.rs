//! The records of a fixed-width file as rows.

use linkspan_sdk::prelude::*;

use super::Fault;
use super::cutter::{Cutter, Step};
use super::field::{self, Context};
use super::layout::RecordType;

/// Reads rows of one file after the other.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) cutter: Cutter,
    pub(crate) ctx: Context,
    /// By type; `None` for those that are not handed out.
    schemas: Vec<Option<RowSchema>>,
    scratch: String,
    padded: Vec<u8>,
}

impl Rows {
    /// Registers the schemas of all types that are handed out.
    pub(crate) fn new(cutter: Cutter, ctx: Context, task: &SourceContext) -> Result<Self> {
        let schema = |kind: &RecordType| {
            kind.emit
                .then(|| task.register_schema(kind.schema()))
                .transpose()
        };
        let schemas = cutter
            .layout
            .types
            .iter()
            .map(schema)
            .collect::<Result<_>>()?;
        Ok(Self {
            cutter,
            ctx,
            schemas,
            scratch: String::new(),
            padded: Vec::new(),
        })
    }

    /// Finds the first record of `bytes`.
    pub(crate) fn next(&self, bytes: &[u8], last: bool) -> Result<Step, Fault> {
        self.cutter.next(bytes, last)
    }

    pub(crate) fn kind(&self, kind: usize) -> Option<&RecordType> {
        self.cutter.layout.types.get(kind)
    }

    pub(crate) fn schema(&self, kind: usize) -> Option<&RowSchema> {
        self.schemas.get(kind).and_then(Option::as_ref)
    }

    /// Writes the fields of a record's own bytes; the first that cannot be read is left in `bad`.
    pub(crate) fn write_row(
        &mut self,
        kind: usize,
        body: &[u8],
        row: &mut RowWriter<'_, '_>,
        bad: &mut Option<Fault>,
    ) -> Result<()> {
        let Some(kind) = self.cutter.layout.types.get(kind) else {
            return Err(Error::internal("a record type is missing"));
        };
        let body = whole(body, kind, &self.ctx, &mut self.padded);
        let mut half = false;
        for (at, (_, field)) in kind.named().enumerate() {
            match field.read(body, &self.ctx, &mut half, &mut self.scratch) {
                Ok(cell) => field::set(row, at, cell.as_ref())?,
                Err(fault) => {
                    *bad = Some(fault);
                    return Err(Error::data_invalid("a field cannot be read"));
                }
            }
        }
        Ok(())
    }

    /// Returns a field of a record as an exact number with its scale; `None` where it is null or no number.
    pub(crate) fn number(
        &mut self,
        kind: usize,
        body: &[u8],
        name: &str,
    ) -> Result<Option<(i128, u32)>, Fault> {
        use crate::column::{Cell, ColumnType};
        let Some(kind) = self.cutter.layout.types.get(kind) else {
            return Ok(None);
        };
        let body = whole(body, kind, &self.ctx, &mut self.padded);
        let Some((_, field)) = kind.named().find(|(named, _)| *named == name) else {
            return Ok(None);
        };
        let scale = match field.kind {
            ColumnType::Decimal { scale, .. } => u32::from(scale),
            _ => 0,
        };
        let cell = field.read(body, &self.ctx, &mut false, &mut self.scratch)?;
        Ok(cell.and_then(|cell| match cell {
            Cell::Int8(n) => Some((i128::from(n), 0)),
            Cell::Int16(n) => Some((i128::from(n), 0)),
            Cell::Int32(n) => Some((i128::from(n), 0)),
            Cell::Int64(n) => Some((i128::from(n), 0)),
            Cell::Decimal(n) => Some((n, scale)),
            _ => None,
        }))
    }
}

/// A record that ends too early, filled up.
fn whole<'a>(
    body: &'a [u8],
    kind: &RecordType,
    ctx: &Context,
    padded: &'a mut Vec<u8>,
) -> &'a [u8] {
    if body.len() >= kind.len {
        return body;
    }
    padded.clear();
    padded.extend_from_slice(body);
    let space = ctx.encoding.space();
    while padded.len() < kind.len {
        padded.push(*space.get(padded.len() % space.len()).unwrap_or(&b' '));
    }
    padded
}
