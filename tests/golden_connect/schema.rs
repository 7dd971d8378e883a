//! Operations on schemas and structs.

use linkspan_convert::{Error, Schema, Struct, Value};
use serde_json::Value as Json;

use crate::vector::{Outcome, Vector, error_of, same, value};

/// Reads the answer `"ok"`.
fn ok(answer: &Json) {
    assert_eq!(answer.as_str(), Some("ok"));
}

pub(crate) fn validate(vector: &Vector) -> Outcome {
    let schema = vector.some_schema("schema");
    let value = value(vector.get("value"), Some(&schema));
    vector.compare("out", schema.validate(&value), ok)
}

pub(crate) fn default(vector: &Vector) -> Outcome {
    let schema = vector.some_schema("schema");
    let default = value(vector.get("default"), Some(&schema));
    let made = Schema::clone(&schema).with_default(default);
    vector.compare("out", made.map(drop), ok)
}

pub(crate) fn equals(vector: &Vector) -> Outcome {
    let equal = vector.some_schema("a") == vector.some_schema("b");
    vector.compare("out", Ok(equal), |answer| answer.as_bool().unwrap())
}

/// Fails either while a field is put or in the check at the end: the vector says in which phase.
pub(crate) fn struct_validate(vector: &Vector) -> Outcome {
    let (phase, made) = fill(vector);
    let recorded = vector.get("phase").as_str().unwrap();
    if phase != recorded {
        return Outcome::Differs {
            expected: format!("phase {recorded}"),
            found: format!("phase {phase}: {made:?}"),
        };
    }
    let schema = vector.some_schema("schema");
    vector.compare("out", made.map(Value::from), |answer| {
        value(answer, Some(&schema))
    })
}

fn fill(vector: &Vector) -> (&'static str, Result<Struct, Error>) {
    let mut made = match Struct::new(vector.some_schema("schema")) {
        Ok(made) => made,
        Err(error) => return ("new", Err(error)),
    };
    for put in vector.get("puts").as_array().unwrap() {
        let name = put[0].as_str().unwrap();
        let field = made.schema().field(name).map(|field| field.schema.clone());
        if let Err(error) = made.put(name, value(&put[1], field.as_ref())) {
            return ("put", Err(error));
        }
    }
    match made.validate() {
        Ok(()) => ("ok", Ok(made)),
        Err(error) => ("validate", Err(error)),
    }
}

pub(crate) fn struct_get(vector: &Vector) -> Outcome {
    let schema = vector.some_schema("schema");
    let Value::Struct(row) = value(vector.get("value"), Some(&schema)) else {
        panic!("{}: the value is no struct", vector.id);
    };
    let name = vector.get("field").as_str().unwrap();
    let field = schema.field(name).map(|field| field.schema.clone());
    let answers = [
        ("get", row.get(name)),
        ("without_default", row.get_without_default(name)),
    ];
    for (member, found) in answers {
        let outcome = match (error_of(vector.get(member)), found) {
            (Some(_), Err(_)) => Outcome::Same,
            (None, Ok(found)) => same(&value(vector.get(member), field.as_ref()), found),
            (_, found) => Outcome::Differs {
                expected: vector.get(member).to_string(),
                found: format!("{found:?}"),
            },
        };
        if !matches!(outcome, Outcome::Same) {
            return outcome;
        }
    }
    Outcome::Same
}
