//! A struct: the values of a struct schema.

use std::sync::Arc;

use crate::{Class, Error, Schema, Type, Value};

/// The values of a struct schema by position. A missing value is null.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Struct {
    schema: Arc<Schema>,
    values: Vec<Value>,
}

impl Struct {
    /// Returns a struct with all fields missing.
    ///
    /// # Errors
    /// The schema must be a struct's.
    pub fn new(schema: Arc<Schema>) -> Result<Self, Error> {
        if schema.schema_type() != Type::Struct {
            return Err(Error::data(format!(
                "a struct cannot have a schema of type {}",
                schema.schema_type().name()
            )));
        }
        let values = vec![Value::Null; schema.fields().len()];
        Ok(Self { schema, values })
    }

    /// Returns a struct from its values in schema order; nothing is checked but their number.
    ///
    /// # Errors
    /// The schema must be a struct's with as many fields.
    pub fn from_values(schema: Arc<Schema>, values: Vec<Value>) -> Result<Self, Error> {
        if schema.schema_type() != Type::Struct || schema.fields().len() != values.len() {
            return Err(Error::data("a struct needs one value for each field"));
        }
        Ok(Self { schema, values })
    }

    /// Returns the schema.
    #[must_use]
    pub const fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// Returns the values in schema order, defaults not filled in.
    #[must_use]
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// Returns the values for changes, in schema order; nothing is checked.
    #[must_use]
    pub fn values_mut(&mut self) -> &mut [Value] {
        &mut self.values
    }

    /// Returns a field's value, or its default where the value is null.
    ///
    /// # Errors
    /// The schema must have the field.
    pub fn get(&self, name: &str) -> Result<&Value, Error> {
        let position = self.position(name)?;
        Ok(self.at(position))
    }

    /// Returns the value of the field at a position, or its default where the value is null.
    #[must_use]
    pub fn at(&self, position: usize) -> &Value {
        let value = self.values.get(position).unwrap_or(&Value::Null);
        if value.is_null() {
            let field = self.schema.fields().get(position);
            return field
                .and_then(|field| field.schema.default.as_ref())
                .unwrap_or(value);
        }
        value
    }

    /// Returns a field's value as it was put, null where none was.
    ///
    /// # Errors
    /// The schema must have the field.
    pub fn get_without_default(&self, name: &str) -> Result<&Value, Error> {
        let position = self.position(name)?;
        Ok(self.values.get(position).unwrap_or(&Value::Null))
    }

    /// Puts a field's value, checked against its schema.
    ///
    /// # Errors
    /// The schema must have the field and the value fit it, nested structs completely.
    pub fn put(&mut self, name: &str, value: Value) -> Result<(), Error> {
        let position = self.position(name)?;
        if let Some(field) = self.schema.fields().get(position) {
            field
                .schema
                .validate(&value)
                .map_err(|error| error.in_field(name))?;
        }
        if let Some(slot) = self.values.get_mut(position) {
            *slot = value;
        }
        Ok(())
    }

    /// Checks every field, so also that no required one is missing.
    ///
    /// # Errors
    /// Names the first field that does not fit.
    pub fn validate(&self) -> Result<(), Error> {
        for (field, value) in self.schema.fields().iter().zip(&self.values) {
            // A missing value with a default stands for the default.
            if value.is_null() && field.schema.default.is_some() {
                continue;
            }
            field
                .schema
                .validate(value)
                .map_err(|error| error.in_field(&field.name))?;
        }
        Ok(())
    }

    fn position(&self, name: &str) -> Result<usize, Error> {
        self.schema.fields().position(name).ok_or_else(|| {
            Error::new(
                Class::Data,
                format!("`{name}` is not a field of the schema"),
            )
        })
    }
}
