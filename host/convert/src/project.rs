//! A value of one schema as a value of a later one, `SchemaProjector`.

use std::sync::Arc;

use crate::{Class, Error, Kind, Map, Schema, Struct, Type, Value};

impl Schema {
    /// Returns a value of this schema as one of the target's: numbers become wider, new fields get their default.
    ///
    /// # Errors
    /// Types must be equal or wider, names and parameters equal; what may be null here needs a default there.
    pub fn project(&self, value: &Value, target: &Arc<Self>) -> Result<Value, Error> {
        check(self, target)?;
        if self.optional && !target.optional {
            let Some(default) = &target.default else {
                return Err(projector(
                    "the value may be null, and the target is required and has no default",
                ));
            };
            if value.is_null() {
                return Ok(default.clone());
            }
        }
        if value.is_null() {
            return Ok(Value::Null);
        }
        self.project_present(value, target)
    }

    fn project_present(&self, value: &Value, target: &Arc<Self>) -> Result<Value, Error> {
        match (&self.kind, &target.kind, value) {
            (Kind::Array(Some(from)), Kind::Array(Some(to)), Value::Array(items)) => {
                let items = items.iter().enumerate();
                let items = items.map(|(index, item)| {
                    from.project(item, to).map_err(|error| error.in_item(index))
                });
                Ok(Value::array(items.collect::<Result<_, _>>()?))
            }
            (
                Kind::Map(Some(from_key), Some(from_value)),
                Kind::Map(Some(to_key), Some(to_value)),
                Value::Map(map),
            ) => {
                let mut projected = Map::new();
                for (key, value) in map.iter() {
                    let key = from_key.project(key, to_key).map_err(Error::in_map_key)?;
                    let value = from_value
                        .project(value, to_value)
                        .map_err(Error::in_map_value)?;
                    projected.insert(key, value);
                }
                Ok(Value::from(projected))
            }
            (Kind::Struct(_), Kind::Struct(_), Value::Struct(row)) => {
                self.project_struct(row, target)
            }
            (Kind::Array(_) | Kind::Map(..) | Kind::Struct(_), _, _) => Err(projector(format!(
                "expected {}, got {}",
                self.schema_type().name(),
                value.type_name()
            ))),
            _ => Ok(widen(value, target.schema_type())),
        }
    }

    fn project_struct(&self, row: &Struct, target: &Arc<Self>) -> Result<Value, Error> {
        let mut projected = Struct::new(Arc::clone(target))?;
        for field in target.fields().iter() {
            let value = match self.field(&field.name) {
                Some(from) => {
                    let value = row.get(&field.name)?;
                    let value = from.schema.project(value, &field.schema);
                    value.map_err(|error| error.in_field(&field.name))?
                }
                None if field.schema.optional => continue,
                None => field.schema.default.clone().ok_or_else(|| {
                    projector("the field is required, has no default, and is missing in the source")
                        .in_field(&field.name)
                })?,
            };
            projected.put(&field.name, value)?;
        }
        Ok(Value::from(projected))
    }
}

#[cold]
fn projector(message: impl Into<String>) -> Error {
    Error::new(Class::SchemaProjector, message)
}

fn check(source: &Schema, target: &Schema) -> Result<(), Error> {
    let (from, to) = (source.schema_type(), target.schema_type());
    let wider = matches!((rank(from), rank(to)), (Some(a), Some(b)) if a <= b);
    if from != to && !wider {
        return Err(projector(format!(
            "a {} cannot become a {}",
            from.name(),
            to.name()
        )));
    }
    if source.name != target.name {
        return Err(projector("the names of the schemas differ"));
    }
    if source.parameters != target.parameters {
        return Err(projector("the parameters of the schemas differ"));
    }
    Ok(())
}

const fn rank(schema_type: Type) -> Option<u8> {
    Some(match schema_type {
        Type::Int8 => 0,
        Type::Int16 => 1,
        Type::Int32 => 2,
        Type::Int64 => 3,
        Type::Float32 => 4,
        Type::Float64 => 5,
        _ => return None,
    })
}

/// Makes a number wider; integers lose digits in floats, unchecked as in Connect.
fn widen(value: &Value, target: Type) -> Value {
    let (integer, float) = match value {
        Value::Int8(v) => (Some(i64::from(*v)), f64::from(*v)),
        Value::Int16(v) => (Some(i64::from(*v)), f64::from(*v)),
        Value::Int32(v) => (Some(i64::from(*v)), f64::from(*v)),
        Value::Int64(v) => (Some(*v), *v as f64),
        Value::Float32(v) => (None, f64::from(*v)),
        _ => return value.clone(),
    };
    match (target, integer) {
        (Type::Int16, Some(v)) => i16::try_from(v).map_or_else(|_| value.clone(), Value::Int16),
        (Type::Int32, Some(v)) => i32::try_from(v).map_or_else(|_| value.clone(), Value::Int32),
        (Type::Int64, Some(v)) => Value::Int64(v),
        // From the integer itself, so that it is rounded once.
        (Type::Float32, Some(v)) => Value::Float32(v as f32),
        (Type::Float64, _) => Value::Float64(float),
        _ => value.clone(),
    }
}
