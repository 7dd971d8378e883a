//! Avro's binary form to Connect values, by the schema that it was written with. The bytes are foreign: every length is
//! checked against what is there before anything is allocated.

use std::sync::Arc;

use super::schema::{Avro, AvroSchema, Node};
use super::to_connect::{members, number};
use crate::{Class, Decimal, Error, Kind, Logical, Map, Schema, Struct, Value};

/// The most items of one array or map whose items take no bytes.
const EMPTY_ITEMS_MAX: usize = 100_000;

impl AvroSchema {
    /// Reads a value; `schema` is what [`AvroSchema::to_connect`] made of this schema.
    ///
    /// # Errors
    /// Says where the bytes are not what the schema writes.
    pub fn decode(&self, schema: &Arc<Schema>, bytes: &[u8]) -> Result<Value, Error> {
        let mut input = Input {
            rest: bytes,
            len: bytes.len(),
        };
        let value = read(&mut input, &self.root, schema)?;
        if !input.rest.is_empty() {
            return Err(corrupt(&format!(
                "{} bytes are left over behind the value",
                input.rest.len()
            )));
        }
        Ok(value)
    }
}

#[cold]
fn corrupt(what: &str) -> Error {
    Error::new(
        Class::Serialization,
        format!("the Avro data is damaged or was written with another schema: {what}"),
    )
}

struct Input<'a> {
    rest: &'a [u8],
    len: usize,
}

impl<'a> Input<'a> {
    fn at(&self) -> usize {
        self.len - self.rest.len()
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Error> {
        match self.rest.split_at_checked(count) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(corrupt(&format!(
                "{count} bytes are announced at byte {}, {} are there",
                self.at(),
                self.rest.len()
            ))),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let at = self.at();
        self.take(N)?
            .try_into()
            .map_err(|_| corrupt(&format!("too few bytes at byte {at}")))
    }

    /// A number of at most ten bytes, seven bits each, zigzag.
    fn long(&mut self) -> Result<i64, Error> {
        let mut value = 0_u64;
        for shift in (0..70).step_by(7) {
            let [byte] = self.array::<1>()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed());
            }
        }
        Err(corrupt(&format!(
            "the number before byte {} is too long",
            self.at()
        )))
    }

    fn length(&mut self) -> Result<usize, Error> {
        let at = self.at();
        let length = self.long()?;
        usize::try_from(length).map_err(|_| corrupt(&format!("the length {length} at byte {at}")))
    }

    fn bytes(&mut self) -> Result<&'a [u8], Error> {
        let length = self.length()?;
        self.take(length)
    }

    fn string(&mut self) -> Result<Value, Error> {
        let at = self.at();
        let text = std::str::from_utf8(self.bytes()?)
            .map_err(|_| corrupt(&format!("the text at byte {at} is not UTF-8")))?;
        Ok(Value::string(text))
    }

    /// Reads the blocks of an array or a map.
    fn blocks(
        &mut self,
        empty: bool,
        mut item: impl FnMut(&mut Self, usize) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut total = 0_usize;
        loop {
            let at = self.at();
            let mut count = self.long()?;
            if count == 0 {
                return Ok(());
            }
            if count < 0 {
                // Followed by the block's size, for readers that skip it.
                let _size = self.length()?;
                count = count
                    .checked_neg()
                    .ok_or_else(|| corrupt(&format!("the count at byte {at}")))?;
            }
            let count =
                usize::try_from(count).map_err(|_| corrupt(&format!("the count at byte {at}")))?;
            let bound = if empty {
                EMPTY_ITEMS_MAX
            } else {
                self.rest.len()
            };
            total = total.saturating_add(count);
            if count > bound || (empty && total > EMPTY_ITEMS_MAX) {
                return Err(corrupt(&format!(
                    "{count} items are announced at byte {at}"
                )));
            }
            for index in total - count..total {
                item(self, index)?;
            }
        }
    }
}

/// Whether values of a schema may take no bytes.
fn is_empty(node: &Node) -> bool {
    match &node.kind {
        Avro::Null | Avro::Fixed(0) => true,
        Avro::Record(fields) => fields.iter().all(|field| is_empty(&field.node)),
        _ => false,
    }
}

fn read(input: &mut Input<'_>, node: &Node, schema: &Arc<Schema>) -> Result<Value, Error> {
    match &node.kind {
        Avro::Null => Ok(Value::Null),
        Avro::Boolean => match input.array::<1>()? {
            [0] => Ok(Value::Boolean(false)),
            [1] => Ok(Value::Boolean(true)),
            _ => Err(corrupt(&format!(
                "the boolean before byte {} is neither 0 nor 1",
                input.at()
            ))),
        },
        Avro::Int => {
            let found = input.long()?;
            let fits = i32::try_from(found).is_ok();
            let value = number(found, &schema.kind, schema.logical()).filter(|_| fits);
            value.ok_or_else(|| {
                corrupt(&format!(
                    "the number before byte {} does not fit its type",
                    input.at()
                ))
            })
        }
        Avro::Long => {
            let found = input.long()?;
            number(found, &schema.kind, schema.logical()).ok_or_else(|| {
                corrupt(&format!(
                    "the number before byte {} does not fit its type",
                    input.at()
                ))
            })
        }
        Avro::Float => Ok(Value::Float32(f32::from_le_bytes(input.array()?))),
        Avro::Double => Ok(Value::Float64(f64::from_le_bytes(input.array()?))),
        Avro::Bytes => binary(input.bytes()?, schema),
        Avro::Fixed(size) => binary(input.take(*size)?, schema),
        Avro::String => input.string(),
        Avro::Enum(symbols) => {
            let at = input.at();
            let index = input.length()?;
            let symbol = symbols
                .get(index)
                .ok_or_else(|| corrupt(&format!("the symbol number {index} at byte {at}")))?;
            Ok(Value::String(Arc::clone(symbol)))
        }
        Avro::Array(items) => array(input, items, schema),
        Avro::Map(values) => {
            let Kind::Map(_, Some(value_schema)) = &schema.kind else {
                return Err(mismatch());
            };
            let mut map = Map::new();
            input.blocks(false, |input, _| {
                let key = input.string()?;
                let value = read(input, values, value_schema).map_err(Error::in_map_value)?;
                map.insert(key, value);
                Ok(())
            })?;
            Ok(Value::from(map))
        }
        Avro::Record(fields) => {
            let Kind::Struct(targets) = &schema.kind else {
                return Err(mismatch());
            };
            let mut values = Vec::with_capacity(fields.len());
            for (field, target) in fields.iter().zip(targets.iter()) {
                values.push(
                    read(input, &field.node, &target.schema)
                        .map_err(|error| error.in_field(&field.name))?,
                );
            }
            Ok(Value::from(Struct::from_values(
                Arc::clone(schema),
                values,
            )?))
        }
        Avro::Union(nodes) => union(input, nodes, schema),
    }
}

fn union(input: &mut Input<'_>, nodes: &[Arc<Node>], schema: &Arc<Schema>) -> Result<Value, Error> {
    let at = input.at();
    let branch = input.length()?;
    let chosen = nodes
        .get(branch)
        .ok_or_else(|| corrupt(&format!("the union's branch {branch} at byte {at}")))?;
    if chosen.kind == Avro::Null {
        return Ok(Value::Null);
    }
    let (nullable, others) = members(nodes);
    if nullable && others.len() == 1 {
        return read(input, chosen, schema);
    }
    let Kind::Struct(fields) = &schema.kind else {
        return Err(mismatch());
    };
    let position = others
        .iter()
        .position(|other| Arc::ptr_eq(other, chosen))
        .ok_or_else(mismatch)?;
    let field = fields.get(position).ok_or_else(mismatch)?;
    let value = read(input, chosen, &field.schema).map_err(|error| error.in_field(&field.name))?;
    let mut values = vec![Value::Null; fields.len()];
    if let Some(slot) = values.get_mut(position) {
        *slot = value;
    }
    Ok(Value::from(Struct::from_values(
        Arc::clone(schema),
        values,
    )?))
}

fn array(input: &mut Input<'_>, items: &Node, schema: &Schema) -> Result<Value, Error> {
    match (&schema.kind, &items.kind) {
        (Kind::Map(Some(key_schema), Some(value_schema)), Avro::Record(fields)) => {
            let [key, value] = fields.as_slice() else {
                return Err(mismatch());
            };
            let mut map = Map::new();
            input.blocks(is_empty(items), |input, _| {
                let key = read(input, &key.node, key_schema).map_err(Error::in_map_key)?;
                let value = read(input, &value.node, value_schema).map_err(Error::in_map_value)?;
                map.insert(key, value);
                Ok(())
            })?;
            Ok(Value::from(map))
        }
        (Kind::Array(Some(item_schema)), _) => {
            let mut values = Vec::new();
            input.blocks(is_empty(items), |input, index| {
                values.push(read(input, items, item_schema).map_err(|error| error.in_item(index))?);
                Ok(())
            })?;
            Ok(Value::array(values))
        }
        _ => Err(mismatch()),
    }
}

fn binary(bytes: &[u8], schema: &Schema) -> Result<Value, Error> {
    match schema
        .decimal_scale()
        .filter(|_| schema.is_named(Logical::DECIMAL))
    {
        Some(scale) => Ok(Value::Decimal(Arc::new(Decimal::from_bytes(bytes, scale)?))),
        None => Ok(Value::bytes(bytes.to_vec())),
    }
}

#[cold]
fn mismatch() -> Error {
    Error::data("the Connect schema was not made of this Avro schema")
}
