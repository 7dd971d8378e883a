//! Values with their schema, to and from what crosses the plugin boundary. Only for converters (and transforms) that
//! need a tree; `auto` does without.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use linkspan_convert::boundary::{
    schema_from, schema_to, value_from_row, value_from_tagged, value_to_row, value_to_tagged,
};
use linkspan_convert::{
    Converter, ConverterClass, Error, Kind, Schema, SchemaAndValue, Type, Value,
};
use linkspan_plugin::batch::Data;
use linkspan_plugin::schema::Schema as RowSchema;

use crate::error::TaskError;
use crate::schemas::{Registered, SchemaRegistry};

/// Schemas that one task keeps ready in each direction; beyond, it starts anew.
const KEPT_MAX: usize = 1_000;

/// The form of a value that was written for a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// No value.
    Null,
    /// Bytes.
    Bytes,
    /// Text.
    Utf8,
    /// JSON text.
    Json,
    /// A row of the schema with this handle.
    Typed(u32),
    /// A self-describing value.
    Tagged,
}

/// Returns bytes that were written, as what they are.
pub(crate) fn data(form: Form, bytes: &[u8]) -> Data<'_> {
    match form {
        Form::Null => Data::Null,
        Form::Bytes => Data::Bytes(bytes),
        // Written from text.
        Form::Utf8 => Data::Utf8(std::str::from_utf8(bytes).unwrap_or_default()),
        Form::Json => Data::Json(bytes),
        Form::Typed(schema) => Data::Typed { schema, row: bytes },
        Form::Tagged => Data::Tagged(bytes),
    }
}

/// Converts, and remembers the schemas that were met.
#[derive(Debug)]
pub(crate) struct Models {
    registry: Arc<SchemaRegistry>,
    json: Converter,
    by_handle: HashMap<u32, (Arc<Registered>, Arc<Schema>)>,
    /// By address; the entry holds the schema, so that its address stays its own.
    by_address: HashMap<usize, (Arc<Schema>, Arc<Registered>)>,
}

/// An error about data, without a place yet.
pub(crate) fn data_error(error: &Error) -> TaskError {
    TaskError {
        exception: Some(error.class().java()),
        ..TaskError::data(error.to_string())
    }
}

impl Models {
    pub(crate) fn new(registry: Arc<SchemaRegistry>) -> Self {
        let options = [("schemas.enable".to_owned(), "false".to_owned())];
        let class = ConverterClass::find("json");
        let json = class.and_then(|class| class.configure(&BTreeMap::from(options)).ok());
        Self {
            registry,
            // Both are there: the class and its option are tested with it.
            json: json.unwrap_or(Converter::Auto),
            by_handle: HashMap::new(),
            by_address: HashMap::new(),
        }
    }

    /// Returns a plugin's value with its schema.
    pub(crate) fn read(&mut self, data: &Data<'_>) -> Result<SchemaAndValue, TaskError> {
        match data {
            Data::Null => Ok(SchemaAndValue::NULL),
            Data::Bytes(bytes) => Ok(SchemaAndValue::new(
                Schema::shared(Type::Bytes, false),
                Value::bytes(bytes.to_vec()),
            )),
            Data::Utf8(text) => Ok(SchemaAndValue::new(
                Schema::shared(Type::String, false),
                Value::string(*text),
            )),
            Data::Json(text) => self
                .json
                .to_connect(Some(text))
                .map_err(|error| data_error(&error)),
            Data::Typed { schema, row } => {
                let (registered, model) = self.model(*schema)?;
                let value = value_from_row(&registered.schema, &model, row);
                let value = value.map_err(|error| data_error(&error))?;
                Ok(SchemaAndValue::new(Some(model), value))
            }
            Data::Tagged(bytes) => {
                let value = value_from_tagged(bytes).map_err(|error| data_error(&error))?;
                Ok(SchemaAndValue::schemaless(value))
            }
        }
    }

    fn model(&mut self, handle: u32) -> Result<(Arc<Registered>, Arc<Schema>), TaskError> {
        if let Some((registered, model)) = self.by_handle.get(&handle) {
            return Ok((Arc::clone(registered), Arc::clone(model)));
        }
        let registered = self.registry.by_handle(handle);
        let registered = registered
            .ok_or_else(|| TaskError::internal("record names an unknown schema handle"))?;
        let model = schema_from(&registered.schema).map_err(|error| data_error(&error))?;
        if self.by_handle.len() >= KEPT_MAX {
            self.by_handle.clear();
        }
        self.by_handle
            .insert(handle, (Arc::clone(&registered), Arc::clone(&model)));
        Ok((registered, model))
    }

    /// Appends a value as a plugin is to see it.
    ///
    /// Text and bytes without more meaning are themselves; lists and maps without a schema are JSON; what has a schema is
    /// a row; all else describes itself.
    pub(crate) fn write(
        &mut self,
        value: &SchemaAndValue,
        out: &mut Vec<u8>,
    ) -> Result<Form, TaskError> {
        let schema = value.schema.as_ref().filter(|schema| !has_holes(schema));
        let plain = schema
            .is_none_or(|schema| schema.name.is_none() && schema.schema_type().is_primitive());
        match (&value.value, schema) {
            (Value::Null, None) => Ok(Form::Null),
            (Value::Null, Some(schema)) if plain && schema.optional => Ok(Form::Null),
            (Value::Bytes(bytes), _) if plain => {
                out.extend_from_slice(bytes);
                Ok(Form::Bytes)
            }
            (Value::String(text), _) if plain => {
                out.extend_from_slice(text.as_bytes());
                Ok(Form::Utf8)
            }
            (_, Some(schema)) => {
                let registered = self.registered(schema)?;
                value_to_row(schema, &registered.schema, &value.value, out)
                    .map_err(|error| data_error(&error))?;
                Ok(Form::Typed(registered.handle))
            }
            (Value::Array(_) | Value::Map(_), None) => {
                // Decimals and dates without a schema have no JSON form.
                if let Ok(Some(text)) = self.json.from_connect(None, &value.value) {
                    out.extend_from_slice(&text);
                    return Ok(Form::Json);
                }
                self.tagged(&value.value, out)
            }
            _ => self.tagged(&value.value, out),
        }
    }

    fn tagged(&self, value: &Value, out: &mut Vec<u8>) -> Result<Form, TaskError> {
        value_to_tagged(value, out).map_err(|error| data_error(&error))?;
        Ok(Form::Tagged)
    }

    fn registered(&mut self, schema: &Arc<Schema>) -> Result<Arc<Registered>, TaskError> {
        let address = Arc::as_ptr(schema).addr();
        if let Some((_, registered)) = self.by_address.get(&address) {
            return Ok(Arc::clone(registered));
        }
        let made = schema_to(schema).map_err(|error| data_error(&error))?;
        // Through the text, which checks the boundary's bounds.
        let made = RowSchema::from_json(&made.to_json()).map_err(|error| {
            TaskError::data(format!("the schema cannot cross to a plugin: {error}"))
        })?;
        let registered = self.registry.intern(made)?;
        if self.by_address.len() >= KEPT_MAX {
            self.by_address.clear();
        }
        self.by_address
            .insert(address, (Arc::clone(schema), Arc::clone(&registered)));
        Ok(registered)
    }
}

/// Whether a part has no schema, so that the whole cannot be a row.
fn has_holes(schema: &Schema) -> bool {
    let hole = |part: &Option<Arc<Schema>>| part.as_ref().is_none_or(|part| has_holes(part));
    match &schema.kind {
        Kind::Array(items) => hole(items),
        Kind::Map(keys, values) => hole(keys) || hole(values),
        Kind::Struct(fields) => fields.iter().any(|field| has_holes(&field.schema)),
        _ => false,
    }
}
