//! Values as the bytes of a record: the way back.
//!
//! Of items that share bytes the chosen segment is written, else the first. FILLER is written as spaces, or as zeros where it is a
//! binary or packed number.

use linkspan_sdk::Schema;
use linkspan_sdk::prelude::*;

use super::number;
use super::plan::{Kind, Node, Number, Plan, Storage};
use crate::encoding::{Fallback, TextEncoding, Unmappable};
use crate::fixed::scalar::Scalar;

/// The value of a column with its schema.
pub(crate) type Cell<'v> = (&'v Value, &'v Schema);

struct Writer<'a> {
    plan: &'a Plan,
    fallback: Fallback,
    out: &'a mut Vec<u8>,
    start: usize,
    watched: Vec<Option<(Option<i128>, String)>>,
}

impl Plan {
    /// Appends the record of a row: a struct whose columns are those of the plan's schema, in any order. The error says which
    /// field does not fit; what was appended is then the caller's to cut off.
    pub(crate) fn encode(
        &self,
        row: &Value,
        schema: &Schema,
        fallback: Fallback,
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        let Value::Struct(row) = row else {
            return Err("the value is not a row with columns, as `copybook` needs; text and JSON without a schema have none".to_owned());
        };
        for column in schema.fields() {
            if self.schema.position(&column.name).is_none() {
                return Err(format!(
                    "the copybook has no field for the column `{}`; drop it with a transform",
                    column.name
                ));
            }
        }
        let null = Value::Null;
        let none = Schema::optional(linkspan_sdk::Kind::String);
        let cells: Vec<Cell<'_>> = self
            .schema
            .fields()
            .iter()
            .map(|field| match schema.position(&field.name) {
                Some(at) => (
                    row.values().get(at).unwrap_or(&null),
                    schema
                        .fields()
                        .get(at)
                        .map_or(&none, |field| &*field.schema),
                ),
                None => (&null, &none),
            })
            .collect();
        let start = out.len();
        let watched = (0..self.watched).map(|_| None).collect();
        let mut writer = Writer {
            plan: self,
            fallback,
            out,
            start,
            watched,
        };
        writer.group(&self.nodes, &cells, 0)
    }
}

impl Writer<'_> {
    fn at(&self) -> usize {
        self.out.len() - self.start
    }

    fn group(&mut self, nodes: &[Node], cells: &[Cell<'_>], base: usize) -> Result<(), String> {
        let mut starts = Vec::with_capacity(nodes.len());
        let mut reach = self.at();
        for (index, node) in nodes.iter().enumerate() {
            let shared = node
                .redefines
                .and_then(|sibling| starts.get(sibling).copied());
            let start = shared.unwrap_or_else(|| reach.max(self.at()));
            starts.push(start);
            let chosen = match &node.segment {
                Some((watch, values)) => {
                    let found = self.watched.get(*watch).and_then(Option::as_ref);
                    found.is_some_and(|(_, text)| values.contains(text))
                }
                // Where segments choose among the others, the first is written only if none of them is.
                None => node.redefines.is_none(),
            };
            if !chosen {
                // Room for what follows; the last item of a record leaves none.
                let followed = nodes
                    .iter()
                    .skip(index + 1)
                    .any(|next| next.redefines.is_none());
                if shared.is_none() && followed {
                    reach = start + node.len_max();
                }
                continue;
            }
            self.fill(start);
            self.node(node, cells, base)?;
        }
        self.fill(reach);
        Ok(())
    }

    fn fill(&mut self, to: usize) {
        let space = if matches!(self.plan.settings.encoding, TextEncoding::Ebcdic(_)) {
            0x40
        } else {
            b' '
        };
        if let Some(missing) = to.checked_sub(self.at()) {
            self.out.extend(std::iter::repeat_n(space, missing));
        }
    }

    fn count(&self, node: &Node) -> Result<usize, String> {
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
            .and_then(|(number, _)| *number);
        let count = number
            .and_then(|number| usize::try_from(number).ok())
            .filter(|count| (table.min..=table.max).contains(count));
        count.ok_or_else(|| {
            format!(
                "{} occurs {} to {} times; the field it depends on says otherwise",
                node.cobol, table.min, table.max
            )
        })
    }

    fn node(&mut self, node: &Node, cells: &[Cell<'_>], base: usize) -> Result<(), String> {
        let count = self.count(node)?;
        let flat = self.plan.settings.flat;
        let null = Value::Null;
        let none = Schema::optional(linkspan_sdk::Kind::String);
        for index in 0..count {
            let place = base + node.slot.unwrap_or(0) + if flat { index * node.stride } else { 0 };
            let cell = node
                .slot
                .and_then(|_| cells.get(place))
                .copied()
                .unwrap_or((&null, &none));
            let cell = match (cell, flat, &node.occurs) {
                ((Value::Array(items), schema), false, Some(_)) => {
                    if items.len() != count {
                        return Err(format!(
                            "{} has {} items, and {count} are needed",
                            node.cobol,
                            items.len()
                        ));
                    }
                    let item = match &schema.kind {
                        linkspan_sdk::Kind::Array(item) => &**item,
                        _ => &none,
                    };
                    (items.get(index).unwrap_or(&null), item)
                }
                (cell, _, _) => cell,
            };
            match &node.kind {
                Kind::Group(children) if flat => self.group(children, cells, place)?,
                Kind::Group(children) => {
                    let inner = inner_cells(node, cell, &null, &none);
                    self.group(children, &inner, 0)?;
                }
                kind => self.leaf(node, kind, cell)?,
            }
        }
        Ok(())
    }

    fn leaf(&mut self, node: &Node, kind: &Kind, (value, schema): Cell<'_>) -> Result<(), String> {
        let scalar = Scalar::of_value(value, schema)
            .map_err(|what| format!("{}: {what} is no value of a field", node.cobol))?;
        let number = match kind {
            Kind::Number(number) => self.number(node, number, scalar.as_ref())?,
            _ => {
                self.text(node, kind, scalar.as_ref())?;
                None
            }
        };
        if let Some(slot) = node.watch.and_then(|watch| self.watched.get_mut(watch)) {
            let text = scalar
                .as_ref()
                .and_then(Scalar::text)
                .unwrap_or_default()
                .into_owned();
            *slot = Some((number, text));
        }
        Ok(())
    }

    fn number(
        &mut self,
        node: &Node,
        kind: &Number,
        value: Option<&Scalar<'_>>,
    ) -> Result<Option<i128>, String> {
        let Some(value) = value else {
            return match (kind.storage, node.slot) {
                (Storage::Zoned(_), Some(_)) => {
                    self.fill(self.at() + node.len);
                    Ok(None)
                }
                (_, Some(_)) => Err(format!(
                    "{}: null has no form as a packed or binary number",
                    node.cobol
                )),
                (_, None) => self.number(node, kind, Some(&Scalar::Number(0, 0))),
            };
        };
        let unscaled = value.number(u32::from(kind.scale));
        let bytes = unscaled.and_then(|number| match kind.storage {
            Storage::Packed => number::pack(number, kind.digits, kind.signed),
            Storage::Binary { little } => number::to_binary(number, node.len, kind.signed, little),
            Storage::Zoned(zoned) => {
                number::zone(number, kind.digits, zoned, self.plan.settings.ascii_sign)
            }
        });
        let bytes = bytes.ok_or_else(|| {
            format!(
                "{}: the value does not fit into {} digits, {} of them decimals",
                node.cobol, kind.digits, kind.scale
            )
        })?;
        self.out.extend_from_slice(&bytes);
        Ok(unscaled)
    }

    fn text(&mut self, node: &Node, kind: &Kind, value: Option<&Scalar<'_>>) -> Result<(), String> {
        let text = match value {
            None => Some(std::borrow::Cow::Borrowed("")),
            Some(value) => value.text(),
        };
        let text = text.ok_or_else(|| format!("{}: the value is no text", node.cobol))?;
        let mut bytes = Vec::new();
        let encoding = self.plan.settings.encoding;
        let national = TextEncoding::Utf16(crate::encoding::Order::Big);
        let encoded = match (kind, encoding) {
            (Kind::Double, TextEncoding::Ebcdic(page)) => {
                page.encode_double(&text, &mut bytes).map(|()| 0)
            }
            (Kind::National, _) => national.encode(&text, self.fallback, &mut bytes),
            _ => encoding.encode(&text, self.fallback, &mut bytes),
        };
        encoded.map_err(|Unmappable { character }| {
            format!(
                "{}: the encoding has no code for U+{:04X}; `on.unmappable` says what to do then",
                node.cobol,
                u32::from(character)
            )
        })?;
        let missing = node.len.checked_sub(bytes.len()).ok_or_else(|| {
            format!(
                "{}: the text has {} bytes, the field {}",
                node.cobol,
                bytes.len(),
                node.len
            )
        })?;
        let mut unit = Vec::new();
        match (kind, encoding) {
            (Kind::Double, TextEncoding::Ebcdic(page)) => {
                let wide = page.encode_double("\u{3000}", &mut unit);
                debug_assert!(wide.is_ok(), "the Korean pages have a full-width space");
            }
            (Kind::National, _) => unit.extend_from_slice(national.space()),
            _ => unit.extend_from_slice(encoding.space()),
        }
        let pad = unit
            .iter()
            .copied()
            .cycle()
            .take(if unit.is_empty() { 0 } else { missing });
        if matches!(kind, Kind::Text { right: true }) {
            self.out.extend(pad);
            self.out.extend_from_slice(&bytes);
        } else {
            self.out.extend_from_slice(&bytes);
            self.out.extend(pad);
        }
        Ok(())
    }
}

/// The columns of a group's struct, in the order of the plan.
fn inner_cells<'v>(
    node: &Node,
    (value, schema): Cell<'v>,
    null: &'v Value,
    none: &'v Schema,
) -> Vec<Cell<'v>> {
    let Some(planned) = &node.schema else {
        return Vec::new();
    };
    planned
        .fields()
        .iter()
        .map(|field| match value {
            Value::Struct(inner) => (
                inner.get(&field.name).unwrap_or(null),
                schema
                    .position(&field.name)
                    .and_then(|at| schema.fields().get(at))
                    .map_or(none, |field| &*field.schema),
            ),
            _ => (null, none),
        })
        .collect()
}
