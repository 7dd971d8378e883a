//! Random schemas and values that fit them, for the property tests.

use std::sync::Arc;

use proptest::{collection::vec, option, prelude::*};

use crate::{
    schema::{Kind, Logical, Schema, SchemaBuilder},
    value::{Struct, Value},
};

/// Any schema, structs and logical types included.
pub(crate) fn any_schema() -> impl Strategy<Value = Schema> {
    let primitive = prop_oneof![
        Just(SchemaBuilder::int8()),
        Just(SchemaBuilder::int16()),
        Just(SchemaBuilder::int32()),
        Just(SchemaBuilder::int64()),
        Just(SchemaBuilder::float32()),
        Just(SchemaBuilder::float64()),
        Just(SchemaBuilder::boolean()),
        Just(SchemaBuilder::string()),
        Just(SchemaBuilder::bytes()),
        (-6..12_i32).prop_map(SchemaBuilder::decimal),
        Just(SchemaBuilder::date()),
        Just(SchemaBuilder::time()),
        Just(SchemaBuilder::timestamp()),
        Just(SchemaBuilder::timestamp_micros()),
        Just(SchemaBuilder::timestamp_nanos()),
    ];
    let leaf = (primitive, any::<bool>()).prop_map(|(builder, optional)| {
        let mut schema = builder.build();
        schema.optional = optional;
        schema
    });
    leaf.prop_recursive(3, 24, 6, |inner| {
        let nested = prop_oneof![
            inner.clone().prop_map(|items| Kind::Array(Arc::new(items))),
            (inner.clone(), inner.clone())
                .prop_map(|(keys, values)| Kind::Map(Arc::new(keys), Arc::new(values))),
            inner.clone().prop_map(|values| Kind::Map(
                Arc::new(SchemaBuilder::string().build()),
                Arc::new(values)
            )),
            vec(("\\PC{0,6}", inner), 0..10).prop_map(|fields| {
                let mut builder = SchemaBuilder::structure();
                for (n, (name, schema)) in fields.into_iter().enumerate() {
                    builder = builder.field(&format!("{name}{n}"), schema);
                }
                builder.build().kind
            }),
        ];
        (nested, any::<bool>()).prop_map(|(kind, optional)| {
            let mut schema = Schema::new(kind);
            schema.optional = optional;
            schema
        })
    })
}

/// Any value of a schema.
pub(crate) fn any_value(schema: &Arc<Schema>) -> BoxedStrategy<Value> {
    let there = any_present(schema);
    if schema.nullable() {
        prop_oneof![1 => Just(Value::Null), 4 => there].boxed()
    } else {
        there
    }
}

fn any_present(schema: &Arc<Schema>) -> BoxedStrategy<Value> {
    match &schema.kind {
        Kind::Int8 => any::<i8>().prop_map(Value::Int8).boxed(),
        Kind::Int16 => any::<i16>().prop_map(Value::Int16).boxed(),
        Kind::Int32 if schema.logical() == Some(Logical::Time) => {
            (0..86_400_000).prop_map(Value::Int32).boxed()
        }
        Kind::Int32 => any::<i32>().prop_map(Value::Int32).boxed(),
        Kind::Int64 => any::<i64>().prop_map(Value::Int64).boxed(),
        Kind::Float32 => any::<u32>()
            .prop_map(|bits| Value::Float32(f32::from_bits(bits)))
            .boxed(),
        Kind::Float64 => any::<u64>()
            .prop_map(|bits| Value::Float64(f64::from_bits(bits)))
            .boxed(),
        Kind::Boolean => any::<bool>().prop_map(Value::Boolean).boxed(),
        Kind::String => prop_oneof![
            "\\PC{0,20}".prop_map(Value::String),
            vec(any::<char>(), 0..20).prop_map(|chars| Value::String(chars.into_iter().collect())),
        ]
        .boxed(),
        Kind::Bytes if schema.logical().is_some() => prop_oneof![
            any::<i128>().prop_map(Value::decimal),
            any::<i16>().prop_map(|number| Value::decimal(i128::from(number))),
            vec(any::<u8>(), 1..60).prop_map(Value::Bytes),
        ]
        .boxed(),
        Kind::Bytes => vec(any::<u8>(), 0..40).prop_map(Value::Bytes).boxed(),
        Kind::Array(items) => vec(any_value(items), 0..5).prop_map(Value::Array).boxed(),
        Kind::Map(keys, values) => vec((any_value(keys), any_value(values)), 0..5)
            .prop_map(Value::Map)
            .boxed(),
        Kind::Struct(fields) => {
            let schema = Arc::clone(schema);
            let values: Vec<BoxedStrategy<Value>> = fields
                .iter()
                .map(|field| any_value(&field.schema))
                .collect();
            values
                .prop_map(move |values| {
                    Value::Struct(Struct::from_values(Arc::clone(&schema), values).unwrap())
                })
                .boxed()
        }
    }
}

/// A schema with a value that fits it.
pub(crate) fn any_typed() -> impl Strategy<Value = (Arc<Schema>, Value)> {
    any_schema().prop_flat_map(|schema| {
        let schema = Arc::new(schema);
        (Just(Arc::clone(&schema)), any_value(&schema))
    })
}

/// A header, or none.
pub(crate) fn maybe<T: Clone + std::fmt::Debug>(
    inner: impl Strategy<Value = T>,
) -> impl Strategy<Value = Option<T>> {
    option::of(inner)
}
