//! Whether a value is one of a schema: Connect's `ConnectSchema.validateValue`.

use super::{Kind, Logical, Schema};
use crate::{Error, Value};

impl Schema {
    /// Checks a value, items, entries and nested structs included.
    ///
    /// # Errors
    /// Says where which type was expected. A decimal's scale and a time's range are not looked at here, only when the
    /// value is written.
    pub fn validate(&self, value: &Value) -> Result<(), Error> {
        if value.is_null() {
            return if self.optional {
                Ok(())
            } else {
                Err(Error::data("null, and the schema is not optional"))
            };
        }
        let fits = match self.logical() {
            Some(Logical::Decimal) => matches!(value, Value::Decimal(_)),
            Some(Logical::Date | Logical::Time | Logical::Timestamp) => {
                matches!(value, Value::Instant(_))
            }
            None => return self.validate_plain(value),
        };
        if fits {
            Ok(())
        } else {
            Err(self.mismatch(value))
        }
    }

    fn validate_plain(&self, value: &Value) -> Result<(), Error> {
        match (&self.kind, value) {
            (Kind::Int8, Value::Int8(_))
            | (Kind::Int16, Value::Int16(_))
            | (Kind::Int32, Value::Int32(_))
            | (Kind::Int64, Value::Int64(_))
            | (Kind::Float32, Value::Float32(_))
            | (Kind::Float64, Value::Float64(_))
            | (Kind::Boolean, Value::Boolean(_))
            | (Kind::String, Value::String(_))
            | (Kind::Bytes, Value::Bytes(_)) => Ok(()),
            (Kind::Array(items), Value::Array(list)) => {
                let Some(items) = items else { return Ok(()) };
                for (index, item) in list.iter().enumerate() {
                    items.validate(item).map_err(|error| error.in_item(index))?;
                }
                Ok(())
            }
            (Kind::Map(keys, values), Value::Map(map)) => {
                for (key, value) in map.iter() {
                    if let Some(keys) = keys {
                        keys.validate(key).map_err(Error::in_map_key)?;
                    }
                    if let Some(values) = values {
                        values.validate(value).map_err(Error::in_map_value)?;
                    }
                }
                Ok(())
            }
            (Kind::Struct(_), Value::Struct(row)) => {
                if **row.schema() == *self {
                    row.validate()
                } else {
                    Err(Error::data(
                        "the struct has another schema than the one expected here",
                    ))
                }
            }
            _ => Err(self.mismatch(value)),
        }
    }

    #[cold]
    fn mismatch(&self, value: &Value) -> Error {
        let expected = self.schema_type().name();
        let found = value.type_name();
        match &self.name {
            Some(name) => Error::data(format!("expected {expected} `{name}`, got {found}")),
            None => Error::data(format!("expected {expected}, got {found}")),
        }
    }
}
