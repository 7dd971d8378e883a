//! The format of a vector, and from it into the model.
//!
//! The format is described in the notes beside the recorded answers:
//! a schema is `{type, optional, name?, version?, doc?, parameters?, default?, fields?|items?|keys?,values?}` or null,
//! a value `{"int64":"5"}`, `{"array":[…]}`, `{"map":[[k,v]…]}`, `{"struct":{…},"schema"?:…}` … or null,
//! an error `{"error":"DataException","message":…}`.

use std::fmt::Debug;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use linkspan_convert::{
    Coordinates, Decimal, Error, Field, Header, Headers, Kind, Map, Parameters, Record, Refusal,
    Schema, SchemaAndValue, Struct, TimestampType, Value,
};
use serde_json::Value as Json;

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// One recorded question with its answer.
#[derive(Debug)]
pub(crate) struct Vector {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) class: String,
    pub(crate) quirk: bool,
    pub(crate) json: Json,
}

/// What became of a vector.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The recorded answer.
    Same,
    /// Refused by a rule, where Connect lets damaged data pass.
    Refused(Refusal),
    /// A question that cannot be asked here, with the reason.
    Inapplicable(&'static str),
    /// Another answer.
    Differs { expected: String, found: String },
}

impl Vector {
    pub(crate) fn parse(line: &str) -> Result<Self, String> {
        let json: Json = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let text = |key: &str| {
            let found = json.get(key).and_then(Json::as_str);
            found
                .map(str::to_owned)
                .ok_or_else(|| format!("no `{key}`"))
        };
        Ok(Self {
            id: text("id")?,
            kind: text("kind")?,
            class: text("class")?,
            quirk: json
                .get("quirk")
                .and_then(Json::as_bool)
                .unwrap_or_default(),
            json,
        })
    }

    /// Returns the name under which its count is shown.
    pub(crate) fn class_name(&self) -> String {
        format!("{}/{}", self.kind, self.class)
    }

    /// Returns a member, null where it is absent.
    pub(crate) fn get(&self, key: &str) -> &Json {
        self.json.get(key).unwrap_or(&Json::Null)
    }

    /// Returns the schema in a member.
    pub(crate) fn schema(&self, key: &str) -> Option<Arc<Schema>> {
        schema(self.get(key))
    }

    /// Returns a required schema in a member.
    pub(crate) fn some_schema(&self, key: &str) -> Arc<Schema> {
        self.schema(key).unwrap()
    }

    /// Returns the options in `config` (or `connector`), as text.
    pub(crate) fn config(&self, key: &str) -> Vec<(String, String)> {
        let options = self.get(key).as_object();
        let options = options.into_iter().flatten();
        options
            .map(|(name, text)| (name.clone(), text.as_str().unwrap_or_default().to_owned()))
            .collect()
    }

    /// Compares the answer found with the one recorded in a member.
    pub(crate) fn compare<T: Debug + PartialEq>(
        &self,
        member: &str,
        found: Result<T, Error>,
        read: impl FnOnce(&Json) -> T,
    ) -> Outcome {
        let recorded = self.get(member);
        match (error_of(recorded), found) {
            (Some(_), Err(_)) => Outcome::Same,
            (Some(class), Ok(found)) => Outcome::Differs {
                expected: class.to_owned(),
                found: format!("{found:?}"),
            },
            (None, Err(error)) => match error.refusal() {
                Some(rule) => Outcome::Refused(rule),
                None => Outcome::Differs {
                    expected: recorded.to_string(),
                    found: format!("{}: {error}", error.class().simple_name()),
                },
            },
            (None, Ok(found)) => same(&read(recorded), &found),
        }
    }
}

/// Compares two answers.
pub(crate) fn same<T: Debug + PartialEq>(expected: &T, found: &T) -> Outcome {
    if expected == found {
        return Outcome::Same;
    }
    Outcome::Differs {
        expected: format!("{expected:?}"),
        found: format!("{found:?}"),
    }
}

/// Returns the exception's name where an answer is an error.
pub(crate) fn error_of(answer: &Json) -> Option<&str> {
    answer.get("error").and_then(Json::as_str)
}

/// Reads a schema.
pub(crate) fn schema(json: &Json) -> Option<Arc<Schema>> {
    if json.is_null() {
        return None;
    }
    let part = |key: &str| json.get(key).and_then(schema);
    let kind = match json.get("type").and_then(Json::as_str).unwrap() {
        "int8" => Kind::Int8,
        "int16" => Kind::Int16,
        "int32" => Kind::Int32,
        "int64" => Kind::Int64,
        "float32" => Kind::Float32,
        "float64" => Kind::Float64,
        "boolean" => Kind::Boolean,
        "string" => Kind::String,
        "bytes" => Kind::Bytes,
        "array" => Kind::Array(part("items")),
        "map" => Kind::Map(part("keys"), part("values")),
        "struct" => {
            let fields = json.get("fields").and_then(Json::as_array).unwrap();
            let fields = fields.iter().map(|field| {
                let name = field.get("name").and_then(Json::as_str).unwrap();
                Field::new(name, schema(field.get("schema").unwrap()).unwrap())
            });
            Schema::structure(fields.collect()).unwrap().kind
        }
        other => panic!("unknown type {other}"),
    };
    let mut made = Schema::new(kind);
    made.optional = json
        .get("optional")
        .and_then(Json::as_bool)
        .unwrap_or_default();
    made.name = json.get("name").and_then(Json::as_str).map(Arc::from);
    made.doc = json.get("doc").and_then(Json::as_str).map(Arc::from);
    let version = json.get("version").and_then(Json::as_i64);
    made.version = version.map(|version| i32::try_from(version).unwrap());
    made.parameters = Parameters::new();
    for (name, text) in json
        .get("parameters")
        .and_then(Json::as_object)
        .into_iter()
        .flatten()
    {
        made.parameters.set(name.as_str(), text.as_str().unwrap());
    }
    if let Some(default) = json.get("default").filter(|default| !default.is_null()) {
        let mut plain = made.clone();
        plain.default = None;
        made.default = Some(value(default, Some(&Arc::new(plain))));
    }
    Some(Arc::new(made))
}

/// Reads a value; `context` is the schema that stands beside it.
pub(crate) fn value(json: &Json, context: Option<&Arc<Schema>>) -> Value {
    let Some(object) = json.as_object() else {
        return Value::Null;
    };
    let (tag, content) = object.iter().find(|(tag, _)| *tag != "schema").unwrap();
    let text = || content.as_str().unwrap();
    match tag.as_str() {
        "int8" => Value::Int8(i8::try_from(content.as_i64().unwrap()).unwrap()),
        "int16" => Value::Int16(i16::try_from(content.as_i64().unwrap()).unwrap()),
        "int32" => Value::Int32(i32::try_from(content.as_i64().unwrap()).unwrap()),
        "int64" => Value::Int64(text().parse().unwrap()),
        "float32" => Value::Float32(text().parse().unwrap()),
        "float64" => Value::Float64(text().parse().unwrap()),
        "boolean" => Value::Boolean(content.as_bool().unwrap()),
        "string" => Value::string(text()),
        "bytes" => Value::bytes(BASE64.decode(text()).unwrap()),
        "decimal" => {
            let unscaled = content.get("unscaled").and_then(Json::as_str).unwrap();
            let scale = content.get("scale").and_then(Json::as_i64).unwrap();
            let number = Decimal::parse(unscaled).unwrap();
            let scale = i32::try_from(scale).unwrap();
            Value::from(Decimal::new(number.unscaled().clone(), scale))
        }
        "date" => Value::Instant(content.as_i64().unwrap() * DAY_MS),
        "time" | "timestamp" => Value::Instant(content.as_i64().unwrap()),
        "array" => {
            let items = context.and_then(|schema| match &schema.kind {
                Kind::Array(items) => items.clone(),
                _ => None,
            });
            let list = content.as_array().unwrap();
            Value::array(
                list.iter()
                    .map(|item| value(item, items.as_ref()))
                    .collect(),
            )
        }
        "map" => {
            let (keys, values) = context.map_or((None, None), |schema| match &schema.kind {
                Kind::Map(keys, values) => (keys.clone(), values.clone()),
                _ => (None, None),
            });
            let pairs = content.as_array().unwrap();
            let pairs = pairs.iter().map(|pair| {
                (
                    value(&pair[0], keys.as_ref()),
                    value(&pair[1], values.as_ref()),
                )
            });
            Value::from(pairs.collect::<Map>())
        }
        "struct" => structure(content, object.get("schema"), context),
        other => panic!("unknown value {other}"),
    }
}

fn structure(content: &Json, own: Option<&Json>, context: Option<&Arc<Schema>>) -> Value {
    let schema = own.and_then(schema).or_else(|| context.cloned()).unwrap();
    let values = schema.fields().iter().map(|field| {
        let found = content.get(&*field.name).unwrap_or(&Json::Null);
        value(found, Some(&field.schema))
    });
    let values = values.collect();
    Value::from(Struct::from_values(schema, values).unwrap())
}

/// Reads schema and value of members such as `key_schema` and `key`.
pub(crate) fn schema_and_value(json: &Json, schema_key: &str, value_key: &str) -> SchemaAndValue {
    let schema = json.get(schema_key).and_then(schema);
    let value = value(json.get(value_key).unwrap_or(&Json::Null), schema.as_ref());
    SchemaAndValue::new(schema, value)
}

/// Reads a record, of a sink where it has an offset.
pub(crate) fn record(json: &Json) -> Record {
    let text = |key: &str| json.get(key).and_then(Json::as_str);
    let number = |key: &str| json.get(key).and_then(Json::as_i64);
    let partition = |key: &str| number(key).map(|partition| i32::try_from(partition).unwrap());
    let headers = json
        .get("headers")
        .and_then(Json::as_array)
        .into_iter()
        .flatten();
    // Some transforms are asked about a record without a topic.
    let topic = text("topic").unwrap_or_default();
    Record {
        topic: Arc::from(topic),
        partition: partition("partition"),
        timestamp: number("timestamp"),
        timestamp_type: match text("timestampType") {
            Some("CREATE_TIME" | "CreateTime") => TimestampType::CreateTime,
            Some("LOG_APPEND_TIME" | "LogAppendTime") => TimestampType::LogAppendTime,
            _ => TimestampType::NoTimestamp,
        },
        key: schema_and_value(json, "key_schema", "key"),
        value: schema_and_value(json, "value_schema", "value"),
        headers: headers.map(header).collect::<Headers>(),
        origin: number("offset").map(|offset| Coordinates {
            topic: Arc::from(text("original_topic").unwrap_or(topic)),
            partition: partition("original_partition")
                .or_else(|| partition("partition"))
                .unwrap_or_default(),
            offset,
        }),
    }
}

fn header(json: &Json) -> Header {
    Header {
        name: Arc::from(json.get("name").and_then(Json::as_str).unwrap()),
        value: schema_and_value(json, "schema", "value"),
    }
}
