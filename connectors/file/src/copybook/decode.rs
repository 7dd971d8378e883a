//! The bytes of a record as values.

use linkspan_sdk::Struct;
use linkspan_sdk::prelude::*;

use super::number;
use super::plan::{Column, Kind, Node, Number, Plan, Storage};
use super::{Fault, hex};
use crate::encoding::{TextEncoding, Undecodable};

/// Why a record was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stop {
    Fault(Fault),
    /// It goes on behind the bytes at hand.
    Short(Fault),
}

impl Stop {
    pub(crate) fn fault(self) -> Fault {
        match self {
            Self::Fault(fault) | Self::Short(fault) => fault,
        }
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// A record that was read.
#[derive(Debug)]
pub(crate) struct Decoded {
    pub(crate) values: Vec<Value>,
    /// Bytes that its fields take.
    pub(crate) len: usize,
    /// The groups that segment fields chose.
    pub(crate) segments: Vec<String>,
}

/// What decoding remembers of the fields before.
#[derive(Debug)]
struct Walk<'a> {
    plan: &'a Plan,
    record: &'a [u8],
    watched: Vec<Option<Watched>>,
    segments: Vec<String>,
    text: String,
}

#[derive(Debug)]
struct Watched {
    number: Option<i128>,
    text: String,
}

impl Plan {
    /// Reads a record.
    pub(crate) fn decode(&self, record: &[u8]) -> Result<Decoded, Stop> {
        let mut walk = self.walk(record);
        let mut values = vec![Value::Null; self.schema.fields().len()];
        let len = walk.group(&self.nodes, 0, &mut Some(&mut values), 0)?;
        Ok(Decoded {
            values,
            len,
            segments: walk.segments,
        })
    }

    /// Returns the length of the record that begins here, as its counters say.
    pub(crate) fn measure(&self, bytes: &[u8]) -> Result<usize, Stop> {
        if !self.varies {
            return Ok(self.len);
        }
        self.walk(bytes).group(&self.nodes, 0, &mut None, 0)
    }

    fn walk<'a>(&'a self, record: &'a [u8]) -> Walk<'a> {
        let watched = (0..self.watched).map(|_| None).collect();
        Walk {
            plan: self,
            record,
            watched,
            segments: Vec::new(),
            text: String::new(),
        }
    }
}

impl Walk<'_> {
    /// Reads the nodes of a group from `at` on; returns where they end. Without `out` only what is watched is read.
    fn group(
        &mut self,
        nodes: &[Node],
        mut at: usize,
        out: &mut Option<&mut Vec<Value>>,
        base: usize,
    ) -> Result<usize, Stop> {
        let mut starts = Vec::with_capacity(nodes.len());
        // Where an item that shares no bytes begins at the earliest.
        let mut reach = at;
        for (index, node) in nodes.iter().enumerate() {
            let shared = node
                .redefines
                .and_then(|sibling| starts.get(sibling).copied());
            let start = shared.unwrap_or_else(|| reach.max(at));
            starts.push(start);
            let shown = self.is_shown(node);
            let skipped =
                node.slot.is_none() && node.watch.is_none() && !matches!(node.kind, Kind::Group(_));
            if !shown && node.segment.is_some() {
                // Room for what follows; the last item of a record leaves none.
                let followed = nodes
                    .iter()
                    .skip(index + 1)
                    .any(|next| next.redefines.is_none());
                if shared.is_none() && followed {
                    reach = start.saturating_add(self.room(node)?);
                }
                continue;
            }
            if !shown || skipped {
                if shared.is_none() {
                    at = start.saturating_add(self.room(node)?);
                }
                continue;
            }
            let end = self.node(node, start, out, base)?;
            at = if shared.is_some() { at.max(end) } else { end };
        }
        Ok(at.max(reach))
    }

    /// Whether the watched fields choose it.
    fn is_shown(&mut self, node: &Node) -> bool {
        let Some((watch, values)) = &node.segment else {
            return node.slot.is_some() || node.redefines.is_none();
        };
        let found = self.watched.get(*watch).and_then(Option::as_ref);
        let chosen = found.is_some_and(|found| values.contains(&found.text));
        if chosen && !self.segments.contains(&node.cobol) {
            self.segments.push(node.cobol.clone());
        }
        chosen
    }

    fn count(&self, node: &Node) -> Result<usize, Stop> {
        let Some(table) = &node.occurs else {
            return Ok(1);
        };
        let Some(counter) = table.counter else {
            return Ok(table.max);
        };
        let number = self
            .watched
            .get(counter)
            .and_then(Option::as_ref)
            .and_then(|watched| watched.number);
        let count = number
            .and_then(|number| usize::try_from(number).ok())
            .filter(|count| (table.min..=table.max).contains(count));
        count.ok_or_else(|| {
            let found = number.map_or_else(|| "unknown".to_owned(), |number| number.to_string());
            let message = format!(
                "{} occurs {} to {} times, but the field it depends on is {found}",
                node.cobol, table.min, table.max
            );
            Stop::Fault(Fault::new(0, message))
        })
    }

    fn room(&self, node: &Node) -> Result<usize, Stop> {
        Ok(node.len.saturating_mul(self.count(node)?))
    }

    fn node(
        &mut self,
        node: &Node,
        start: usize,
        out: &mut Option<&mut Vec<Value>>,
        base: usize,
    ) -> Result<usize, Stop> {
        let count = self.count(node)?;
        let (flat, mut at) = (self.plan.settings.flat, start);
        let mut items = Vec::new();
        for index in 0..count {
            let place = base + node.slot.unwrap_or(0) + index * node.stride;
            at = match &node.kind {
                Kind::Group(children) if flat => self.group(children, at, out, place)?,
                Kind::Group(children) => {
                    let Some(schema) = node.schema.as_ref().filter(|_| out.is_some()) else {
                        at = self.group(children, at, &mut None, 0)?;
                        continue;
                    };
                    let mut values = vec![Value::Null; schema.fields().len()];
                    let end = self.group(children, at, &mut Some(&mut values), 0)?;
                    let made = Struct::from_values(std::sync::Arc::clone(schema), values);
                    items.push(Value::Struct(
                        made.map_err(|error| Fault::new(at, error.to_string()))?,
                    ));
                    end
                }
                _ => {
                    let end = at + node.len;
                    if out.is_some() || node.watch.is_some() {
                        let value = self.leaf(node, at)?;
                        match out {
                            Some(values) if flat && node.slot.is_some() => {
                                put(values, place, value)
                            }
                            _ => items.push(value),
                        }
                    } else if end > self.record.len() {
                        return Err(Stop::Short(self.ends_before(node, at)));
                    }
                    end
                }
            };
        }
        if let (Some(values), Some(slot), false) = (out, node.slot, flat) {
            let value = if node.occurs.is_some() {
                Value::Array(items)
            } else {
                items.pop().unwrap_or(Value::Null)
            };
            put(values, base + slot, value);
        }
        Ok(at)
    }

    fn ends_before(&self, node: &Node, at: usize) -> Fault {
        Fault::new(
            at,
            format!(
                "{}: the record ends before it, after {} bytes",
                place(node, at),
                self.record.len()
            ),
        )
    }

    fn leaf(&mut self, node: &Node, at: usize) -> Result<Value, Stop> {
        let raw = self
            .record
            .get(at..at + node.len)
            .ok_or_else(|| Stop::Short(self.ends_before(node, at)))?;
        let (value, number) = match &node.kind {
            Kind::Number(kind) => self.number(node, kind, raw, at)?,
            kind => (self.string(node, kind, raw, at)?, None),
        };
        if let Some(slot) = node.watch.and_then(|watch| self.watched.get_mut(watch)) {
            let text = match (&value, number) {
                (Value::String(text), _) => text.clone(),
                (_, Some(number)) => number.to_string(),
                _ => String::new(),
            };
            *slot = Some(Watched { number, text });
        }
        Ok(value)
    }

    fn string(&mut self, node: &Node, kind: &Kind, raw: &[u8], at: usize) -> Result<Value, Stop> {
        let encoding = self.plan.settings.encoding;
        self.text.clear();
        let decoded = match (kind, encoding) {
            (Kind::Double, TextEncoding::Ebcdic(page)) => page.decode_double(raw, &mut self.text),
            (Kind::National, _) => {
                TextEncoding::Utf16(crate::encoding::Order::Big).decode(raw, &mut self.text)
            }
            _ => encoding.decode(raw, &mut self.text),
        };
        if let Err(Undecodable { at: bad, len }) = decoded {
            let bytes = raw.get(bad..bad + len).unwrap_or_default();
            let message = format!(
                "{}: the bytes {} are no character of the encoding",
                place(node, at),
                hex(bytes)
            );
            return Err(Fault::new(at + bad, message).into());
        }
        // A full-width space fills up double-byte text.
        let trimmed = match kind {
            Kind::Text { right: true } => self.text.trim_start_matches(' '),
            Kind::Double | Kind::National => self.text.trim_end_matches([' ', '\u{3000}']),
            _ => self.text.trim_end_matches(' '),
        };
        Ok(Value::String(trimmed.to_owned()))
    }

    fn number(
        &self,
        node: &Node,
        kind: &Number,
        raw: &[u8],
        at: usize,
    ) -> Result<(Value, Option<i128>), Stop> {
        let what = match kind.storage {
            Storage::Packed => "packed number",
            Storage::Zoned(_) => "number",
            Storage::Binary { .. } => "binary number",
        };
        let found = match kind.storage {
            Storage::Packed => number::unpack(raw, kind.digits),
            Storage::Binary { little } => Some(number::from_binary(raw, kind.signed, little)),
            Storage::Zoned(zoned) => {
                let space = if zoned.ebcdic { 0x40 } else { b' ' };
                if raw.iter().all(|byte| *byte == space) {
                    return Ok((Value::Null, None));
                }
                number::unzone(raw, zoned)
            }
        };
        let value = found.and_then(|number| {
            Some(match kind.column {
                Column::Int32 => Value::Int32(number.try_into().ok()?),
                Column::Int64 => Value::Int64(number.try_into().ok()?),
                Column::Decimal => Value::decimal(number),
            })
        });
        match value {
            Some(value) => Ok((value, found)),
            None => Err(Fault::new(
                at,
                format!(
                    "{}: {} is no {what} of {} digits",
                    place(node, at),
                    hex(raw),
                    kind.digits
                ),
            )
            .into()),
        }
    }
}

fn put(values: &mut [Value], at: usize, value: Value) {
    if let Some(slot) = values.get_mut(at) {
        *slot = value;
    }
}

/// A field in an error: its name and its bytes in the record, counted from 1.
fn place(node: &Node, at: usize) -> String {
    format!("{} (bytes {} to {})", node.cobol, at + 1, at + node.len)
}
