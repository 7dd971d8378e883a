//! Connect's schema JSON: what an envelope carries.
//!
//! The order of members is Jackson's: type, items or keys and values or fields, optional, name, version, doc,
//! parameters, default; a field's own name comes last. `float` and `double` are its words for the floats.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::schema::NESTING_MAX;
use crate::{Class, Error, Field, Kind, Schema};

use super::write::write_string;
use super::{DefaultForNull, Dialect, Node, Reading, Writer, read_value};

/// Appends the JSON of a schema, `null` where there is none.
///
/// # Errors
/// A default must be writable; a struct's default is not, as in Connect.
pub(crate) fn write_schema(
    schema: Option<&Schema>,
    writer: Writer,
    out: &mut String,
) -> Result<(), Error> {
    write(schema, None, writer, out, 0)
}

fn write(
    schema: Option<&Schema>,
    field: Option<&str>,
    writer: Writer,
    out: &mut String,
    depth: usize,
) -> Result<(), Error> {
    let Some(schema) = schema else {
        out.push_str("null");
        return Ok(());
    };
    if depth > NESTING_MAX {
        return Err(Error::data(format!(
            "schema nested deeper than {NESTING_MAX}"
        )));
    }
    let _infallible = write!(out, "{{\"type\":\"{}\"", type_word(schema));
    match &schema.kind {
        Kind::Array(items) => {
            out.push_str(",\"items\":");
            write(items.as_deref(), None, writer, out, depth + 1)?;
        }
        Kind::Map(keys, values) => {
            out.push_str(",\"keys\":");
            write(keys.as_deref(), None, writer, out, depth + 1)?;
            out.push_str(",\"values\":");
            write(values.as_deref(), None, writer, out, depth + 1)?;
        }
        Kind::Struct(fields) => {
            out.push_str(",\"fields\":[");
            for (index, field) in fields.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(
                    Some(&field.schema),
                    Some(&field.name),
                    writer,
                    out,
                    depth + 1,
                )
                .map_err(|error| error.in_field(&field.name))?;
            }
            out.push(']');
        }
        _ => {}
    }
    let _infallible = write!(out, ",\"optional\":{}", schema.optional);
    if let Some(name) = &schema.name {
        member("name", name, out);
    }
    if let Some(version) = schema.version {
        let _infallible = write!(out, ",\"version\":{version}");
    }
    if let Some(doc) = &schema.doc {
        member("doc", doc, out);
    }
    if !schema.parameters.is_empty() {
        out.push_str(",\"parameters\":{");
        for (index, (name, text)) in schema.parameters.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            write_string(name, out);
            out.push(':');
            write_string(text, out);
        }
        out.push('}');
    }
    if let Some(default) = &schema.default {
        out.push_str(",\"default\":");
        writer.write(Some(schema), default, out)?;
    }
    if let Some(field) = field {
        member("field", field, out);
    }
    out.push('}');
    Ok(())
}

fn member(name: &str, text: &str, out: &mut String) {
    let _infallible = write!(out, ",\"{name}\":");
    write_string(text, out);
}

fn type_word(schema: &Schema) -> &'static str {
    match schema.kind {
        Kind::Float32 => "float",
        Kind::Float64 => "double",
        _ => schema.schema_type().name(),
    }
}

/// Reads a schema, `None` from JSON null.
///
/// # Errors
/// Says what is missing or of the wrong type. Members of no meaning, and those of the wrong type that Connect ignores,
/// are ignored.
pub(crate) fn read_schema(
    node: &Node<'_>,
    nulls: DefaultForNull,
) -> Result<Option<Arc<Schema>>, Error> {
    read(node, nulls, 0)
}

fn read(
    node: &Node<'_>,
    nulls: DefaultForNull,
    depth: usize,
) -> Result<Option<Arc<Schema>>, Error> {
    if matches!(node, Node::Null) {
        return Ok(None);
    }
    if depth > NESTING_MAX {
        return Err(Error::data(format!(
            "schema nested deeper than {NESTING_MAX}"
        )));
    }
    let Some(word) = node.get("type").and_then(Node::as_str) else {
        return Err(Error::data("a schema needs the member `type`, a string"));
    };
    let part = |key: &str| match node.get(key) {
        Some(part) => read(part, nulls, depth + 1),
        None => Err(Error::data(format!(
            "a schema of type {word} needs the member `{key}`"
        ))),
    };
    let kind = match word {
        "int8" => Kind::Int8,
        "int16" => Kind::Int16,
        "int32" => Kind::Int32,
        "int64" => Kind::Int64,
        "float" => Kind::Float32,
        "double" => Kind::Float64,
        "boolean" => Kind::Boolean,
        "string" => Kind::String,
        "bytes" => Kind::Bytes,
        "array" => match part("items")? {
            None => return Err(Error::data("the `items` of an array schema are null")),
            items => Kind::Array(items),
        },
        "map" => match (part("keys")?, part("values")?) {
            (Some(keys), Some(values)) => Kind::Map(Some(keys), Some(values)),
            _ => {
                return Err(Error::new(
                    Class::SchemaBuilder,
                    "the `keys` or `values` of a map schema are null",
                ));
            }
        },
        "struct" => Schema::structure(read_fields(node, nulls, depth)?)?.kind,
        // The word may come from a record: it is not repeated.
        _ => return Err(Error::data("the `type` of a schema is none of Connect's")),
    };
    let mut schema = Schema::new(kind);
    schema.optional = matches!(node.get("optional"), Some(Node::Boolean(true)));
    schema.name = node.get("name").and_then(Node::as_str).map(Arc::from);
    schema.doc = node.get("doc").and_then(Node::as_str).map(Arc::from);
    if let Some(Node::Integer(text)) = node.get("version") {
        let version = text.parse().map_err(|_| {
            Error::refused(
                crate::Refusal::IntegerRange,
                "the `version` of a schema is out of range for int32",
            )
        })?;
        schema.version = Some(version);
    }
    if let Some(Node::Object(parameters)) = node.get("parameters") {
        for (name, text) in parameters {
            let text = text.as_str();
            let text =
                text.ok_or_else(|| Error::data("the `parameters` of a schema must be strings"))?;
            schema.parameters.set(&**name, text);
        }
    }
    match node.get("default") {
        None => Ok(Some(Arc::new(schema))),
        Some(default) => Ok(Some(Arc::new(with_default(schema, default, nulls)?))),
    }
}

fn with_default(schema: Schema, node: &Node<'_>, nulls: DefaultForNull) -> Result<Schema, Error> {
    let plain = Arc::new(schema);
    let default = read_value(
        Some(&plain),
        Some(node),
        Reading {
            nulls,
            dialect: Dialect::Connect,
        },
    )
    .map_err(|error| error.in_field("default"))?;
    if matches!(default, crate::Value::Struct(_)) {
        // Connect compares the default's schema with the unfinished one, which never succeeds.
        return Err(Error::new(
            Class::SchemaBuilder,
            "a struct cannot have a default in schema JSON",
        ));
    }
    Arc::unwrap_or_clone(plain).with_default(default)
}

fn read_fields(node: &Node<'_>, nulls: DefaultForNull, depth: usize) -> Result<Vec<Field>, Error> {
    let Some(Node::Array(list)) = node.get("fields") else {
        return Err(Error::data(
            "a struct schema needs the member `fields`, an array",
        ));
    };
    let mut fields = Vec::with_capacity(list.len());
    for field in list {
        let Some(name) = field.get("field").and_then(Node::as_str) else {
            return Err(Error::data(
                "a field of a struct schema needs the member `field`, a string",
            ));
        };
        if name.is_empty() {
            return Err(Error::new(Class::SchemaBuilder, "a field's name is empty"));
        }
        let schema = read(field, nulls, depth + 1).map_err(|error| error.in_field(name))?;
        let schema = schema.ok_or_else(|| Error::data("a field has no schema").in_field(name))?;
        fields.push(Field::new(name, schema));
    }
    Ok(fields)
}
