//! Transforms and predicates.

use std::collections::BTreeMap;

use linkspan_convert::Record;
use linkspan_convert::predicate::find_predicate;
use linkspan_convert::transform::{ConfigProblem, Touches, Transform, find_transform};

use crate::vector::{self, Outcome, Vector};

/// 2024-01-01T00:00:00Z: when the vectors were recorded, as far as two-digit years can tell.
const NOW_MS: i64 = 1_704_067_200_000;

type Built = Result<(Box<dyn Transform>, Touches), Vec<ConfigProblem>>;

fn config(vector: &Vector) -> BTreeMap<String, String> {
    vector.config("config").into_iter().collect()
}

fn build(vector: &Vector) -> Built {
    let found = find_transform(&vector.class);
    let found = found.unwrap_or_else(|| panic!("{} is not built in", vector.class));
    found.build(&config(vector), NOW_MS)
}

/// What a configuration was answered with: accepted, or refused.
fn config_outcome(vector: &Vector, accepted: bool, found: String) -> Outcome {
    if accepted == vector::error_of(&vector.json).is_none() {
        return Outcome::Same;
    }
    Outcome::Differs {
        expected: format!("{}", vector.json),
        found,
    }
}

/// `smt-config`.
pub(crate) fn transform_config(vector: &Vector) -> Outcome {
    let built = build(vector);
    config_outcome(vector, built.is_ok(), format!("{built:?}"))
}

/// `smt`.
pub(crate) fn transform(vector: &Vector) -> Outcome {
    let Some(record) = input(vector) else {
        return Outcome::Inapplicable(NO_TOPIC);
    };
    let (mut transform, _) = match build(vector) {
        Ok(built) => built,
        Err(problems) => {
            return Outcome::Differs {
                expected: vector.get("out").to_string(),
                found: format!("{problems:?}"),
            };
        }
    };
    let found = transform.apply(record);
    vector.compare("out", found, |json| {
        (!json.is_null()).then(|| vector::record(json))
    })
}

/// `predicate-config`.
pub(crate) fn predicate_config(vector: &Vector) -> Outcome {
    let class = find_predicate(&vector.class).unwrap();
    let built = class.build(&config(vector));
    config_outcome(vector, built.is_ok(), format!("{built:?}"))
}

/// `predicate`.
pub(crate) fn predicate(vector: &Vector) -> Outcome {
    let Some(record) = input(vector) else {
        return Outcome::Inapplicable(NO_TOPIC);
    };
    let class = find_predicate(&vector.class).unwrap();
    let found = class.build(&config(vector)).unwrap().test(&record);
    vector.compare("out", found, |json| json.as_bool().unwrap())
}

const NO_TOPIC: &str = "a record here always has a topic";

fn input(vector: &Vector) -> Option<Record> {
    let json = vector.get("in");
    json.get("topic").filter(|topic| !topic.is_null())?;
    Some(vector::record(json))
}
