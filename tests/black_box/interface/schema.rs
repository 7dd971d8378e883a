//! As much of JSON Schema as the host's description uses, and stricter in one point: a field that is not described is wrong.

use serde_json::Value;

/// Returns what does not fit, each with its place.
pub(super) fn check(document: &Value, shape: &Value, value: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    Check {
        document,
        wrong: &mut wrong,
    }
    .value(shape, value, "");
    wrong
}

struct Check<'a> {
    document: &'a Value,
    wrong: &'a mut Vec<String>,
}

impl Check<'_> {
    fn says(&mut self, at: &str, what: &str) {
        self.wrong.push(format!("{at}: {what}"));
    }

    fn value(&mut self, shape: &Value, value: &Value, at: &str) {
        if let Some(place) = shape["$ref"].as_str() {
            let place = place.trim_start_matches('#');
            let Some(shape) = self.document.pointer(place).cloned() else {
                return self.says(at, &format!("there is no shape {place}"));
            };
            return self.value(&shape, value, at);
        }
        if let Some(shapes) = shape["anyOf"].as_array() {
            let tries: Vec<Vec<String>> = shapes
                .iter()
                .map(|shape| check(self.document, shape, value))
                .collect();
            if tries.iter().all(|wrong| !wrong.is_empty()) {
                // The alternative that fits best says the most.
                let best = tries.into_iter().min_by_key(Vec::len).unwrap_or_default();
                for what in best {
                    self.says(at, &what);
                }
            }
            return;
        }
        if let Some(words) = shape["enum"].as_array()
            && !words.contains(value)
        {
            self.says(at, &format!("{value} is none of {words:?}"));
        }
        let fits = match shape["type"].as_str() {
            None => true,
            Some("string") => value.is_string(),
            Some("integer") => value.is_i64() || value.is_u64(),
            Some("number") => value.is_number(),
            Some("boolean") => value.is_boolean(),
            Some("null") => value.is_null(),
            Some("array") => value.is_array(),
            Some("object") => value.is_object(),
            Some(other) => return self.says(at, &format!("unknown type {other}")),
        };
        if !fits {
            return self.says(at, &format!("{value} is no {}", shape["type"]));
        }
        if let (Some(items), Some(shape)) = (value.as_array(), shape.get("items")) {
            for (number, item) in items.iter().enumerate() {
                self.value(shape, item, &format!("{at}/{number}"));
            }
        }
        self.fields(shape, value, at);
    }

    fn fields(&mut self, shape: &Value, value: &Value, at: &str) {
        let Some(fields) = value.as_object() else {
            return;
        };
        for name in shape["required"].as_array().into_iter().flatten() {
            if name.as_str().is_some_and(|name| !fields.contains_key(name)) {
                self.says(at, &format!("{name} is missing"));
            }
        }
        for (name, value) in fields {
            let at = format!("{at}/{name}");
            match (
                shape["properties"].get(name),
                shape.get("additionalProperties"),
            ) {
                (Some(shape), _) | (None, Some(shape)) => self.value(shape, value, &at),
                (None, None) if shape.get("properties").is_some() => {
                    self.says(&at, "is not described");
                }
                (None, None) => {}
            }
        }
    }
}

#[test]
fn what_does_not_fit_is_found() {
    use serde_json::json;
    let document = json!({ "components": { "schemas": { "Row": {
        "type": "object", "required": ["name"],
        "properties": { "name": { "type": "string" }, "kind": { "enum": ["a", "b"] }, "n": { "anyOf": [{ "type": "integer" }, { "type": "null" }] } },
    } } } });
    let rows = json!({ "type": "array", "items": { "$ref": "#/components/schemas/Row" } });
    for (value, wrong) in [
        (
            json!([{ "name": "x", "kind": "a", "n": null }, { "name": "y", "n": 5 }]),
            0,
        ),
        (json!({ "name": "x" }), 1),
        (json!([{ "kind": "a" }]), 1),
        (json!([{ "name": 5 }]), 1),
        (json!([{ "name": "x", "kind": "c" }]), 1),
        (json!([{ "name": "x", "n": 1.5 }]), 1),
        (json!([{ "name": "x", "more": 1 }]), 1),
    ] {
        assert_eq!(check(&document, &rows, &value).len(), wrong, "{value}");
    }
}
