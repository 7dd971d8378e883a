//! What a record asks for: a row, a deletion, an empty table, or nothing; typed, schemaless, or in a Debezium envelope.

use std::borrow::Cow;
use std::sync::Arc;

use linkspan_sdk::{Data, Datum, Error, Record, Row, RowRef, Schema, ValueRef, ValueRefExt as _};

use super::names::Origin;
use crate::types::json::{self, Json};
use crate::types::{Cell, Meaning};

/// Names the columns of a PostgreSQL row that a change event leaves out because they did not change.
const UNCHANGED_HEADER: &str = "linkspan.unchanged";

/// What Debezium puts where a value did not change.
const PLACEHOLDER: &str = "__debezium_unavailable_value";

/// What a record asks for.
pub(super) enum Action<'r> {
    Put(View<'r>),
    /// With the row as it was, where the record says so.
    Delete(Option<View<'r>>),
    Truncate,
    Nothing,
}

/// The fields of a row.
pub(super) enum View<'r> {
    Typed {
        row: RowRef<'r>,
        /// Keeps the schema alive that the plan of these rows is made for.
        schema: &'r Arc<Schema>,
    },
    Loose(Vec<(Cow<'r, str>, Json<'r>)>),
}

/// A record that was looked at.
pub(super) struct Asked<'r> {
    pub(super) action: Action<'r>,
    pub(super) origin: Origin,
    /// In an envelope Debezium's placeholder means that a column keeps its value.
    pub(super) enveloped: bool,
}

/// The value of a record, in a form that can be borrowed from.
pub(super) enum Holder<'a> {
    Null,
    Typed(Row<'a>),
    Text(Cow<'a, str>),
}

impl<'a> Holder<'a> {
    pub(super) fn new(datum: &Datum<'a>) -> Result<Self, Error> {
        Ok(match datum.data() {
            Data::Null => Self::Null,
            Data::Typed { .. } if datum.is_null() => Self::Null,
            Data::Typed { .. } => Self::Typed(datum.row()?),
            Data::Tagged(_) => {
                let mut json = Vec::new();
                datum.write_json(&mut json)?;
                Self::Text(Cow::Owned(String::from_utf8(json)?))
            }
            Data::Utf8(text) => Self::Text(Cow::Borrowed(text)),
            Data::Bytes(bytes) | Data::Json(bytes) => {
                let text = std::str::from_utf8(bytes).map_err(|_| {
                    Error::data_invalid(
                        "the value is neither a typed row nor JSON: its bytes are no UTF-8",
                    )
                })?;
                Self::Text(Cow::Borrowed(text))
            }
        })
    }

    /// Finds out what is asked for.
    pub(super) fn asked(&self) -> Result<Asked<'_>, Error> {
        match self {
            Self::Null => Ok(Asked {
                action: Action::Delete(None),
                origin: Origin::default(),
                enveloped: false,
            }),
            Self::Typed(row) => typed(row),
            Self::Text(text) => loose(text),
        }
    }
}

fn typed<'r>(row: &'r Row<'_>) -> Result<Asked<'r>, Error> {
    let schema = row.schema();
    if schema.fields().is_empty() {
        return Err(Error::data_invalid(format!(
            "the value is of type {}, and a row of a table needs fields; the transform HoistField makes one, or set `query`",
            schema.type_name()
        )));
    }
    let Some(fields) = row.fields()? else {
        return Ok(Asked {
            action: Action::Delete(None),
            origin: Origin::default(),
            enveloped: false,
        });
    };
    if !is_envelope(schema) {
        return Ok(Asked {
            action: Action::Put(View::Typed {
                row: fields,
                schema,
            }),
            origin: Origin::default(),
            enveloped: false,
        });
    }
    let part = |name: &str| match fields.get(name) {
        Ok(ValueRef::Struct(row)) => Some(View::Typed { row, schema }),
        _ => None,
    };
    let origin = match fields.get("source") {
        Ok(ValueRef::Struct(source)) => {
            let name = |name: &str| {
                source
                    .get(name)
                    .ok()
                    .and_then(|value| value.as_str().map(str::to_owned))
            };
            Origin {
                database: name("db"),
                schema: name("schema"),
                table: name("table").or_else(|| name("collection")),
            }
        }
        _ => Origin::default(),
    };
    let op = fields.get("op")?.as_str().unwrap_or_default().to_owned();
    Ok(Asked {
        action: action(&op, part("before"), part("after"))?,
        origin,
        enveloped: true,
    })
}

/// A Debezium event has `op`, and the row before or after it.
fn is_envelope(schema: &Schema) -> bool {
    let has = |name: &str| schema.position(name).is_some();
    has("op")
        && (has("after") || has("before"))
        && (schema
            .name
            .as_deref()
            .is_some_and(|name| name.ends_with(".Envelope"))
            || has("source"))
}

fn action<'r>(
    op: &str,
    before: Option<View<'r>>,
    after: Option<View<'r>>,
) -> Result<Action<'r>, Error> {
    Ok(match op {
        "c" | "r" | "u" => Action::Put(after.ok_or_else(|| {
            Error::data_invalid(format!(
                "the Debezium event of kind `{op}` has no row in `after`"
            ))
        })?),
        "d" => Action::Delete(before),
        "t" => Action::Truncate,
        "m" => Action::Nothing,
        other => {
            return Err(Error::data_invalid(format!(
                "the Debezium event has the unknown kind `{other}`"
            )));
        }
    })
}

fn loose(text: &str) -> Result<Asked<'_>, Error> {
    let fields = object(text)?;
    let get = |name: &str| {
        fields
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value)
    };
    // What Kafka Connect's JSON converter writes with `schemas.enable`.
    if fields.len() == 2
        && let (Some(Json::Object(_) | Json::Null), Some(payload)) = (get("schema"), get("payload"))
    {
        return match payload {
            Json::Object(payload) => loose(payload),
            Json::Null => Ok(Asked {
                action: Action::Delete(None),
                origin: Origin::default(),
                enveloped: false,
            }),
            _ => Err(Error::data_invalid(
                "the `payload` of the JSON is no object",
            )),
        };
    }
    if let (Some(Json::Text(op)), true, true) = (
        get("op"),
        get("after").or_else(|| get("before")).is_some(),
        get("source").is_some(),
    ) {
        let part = |name: &str| match get(name) {
            Some(Json::Object(row)) => object(row).map(|fields| Some(View::Loose(fields))),
            _ => Ok(None),
        };
        let origin = match get("source") {
            Some(Json::Object(source)) => origin(source)?,
            _ => Origin::default(),
        };
        return Ok(Asked {
            action: action(op, part("before")?, part("after")?)?,
            origin,
            enveloped: true,
        });
    }
    Ok(Asked {
        action: Action::Put(View::Loose(fields)),
        origin: Origin::default(),
        enveloped: false,
    })
}

fn object(text: &str) -> Result<Vec<(Cow<'_, str>, Json<'_>)>, Error> {
    json::fields(text).map_err(|fault| {
        Error::data_invalid(format!("the value is no row: neither typed nor a JSON object (it {fault}); name a converter, or set `query`"))
    })
}

fn origin(source: &str) -> Result<Origin, Error> {
    let fields = object(source)?;
    let name = |name: &str| {
        fields.iter().find_map(|(known, value)| match value {
            Json::Text(text) if known == name => Some(text.to_string()),
            _ => None,
        })
    };
    Ok(Origin {
        database: name("db"),
        schema: name("schema"),
        table: name("table").or_else(|| name("collection")),
    })
}

/// Whether a cell stands for a value that did not change.
pub(super) fn is_placeholder(cell: &Cell<'_>) -> bool {
    matches!(cell, Cell::Text(text) | Cell::Loose(text) if text == PLACEHOLDER)
}

/// The columns that a header says did not change.
pub(super) fn unchanged(record: &Record<'_>) -> Vec<String> {
    match record
        .header(UNCHANGED_HEADER)
        .and_then(|header| header.as_str().map(str::to_owned))
    {
        Some(text) => text.split(',').map(|name| name.trim().to_owned()).collect(),
        None => Vec::new(),
    }
}

/// The fields of a key: a struct's or an object's, or a single value without a name.
pub(super) enum KeyView<'r> {
    None,
    Fields(View<'r>),
    Single(Cell<'r>),
}

impl Holder<'_> {
    /// Looks at a key.
    pub(super) fn key(&self) -> Result<KeyView<'_>, Error> {
        Ok(match self {
            Self::Null => KeyView::None,
            Self::Typed(row) => {
                let schema = row.schema();
                if schema.fields().is_empty() {
                    let value = ValueRef::new(schema, row.as_bytes())?;
                    let cell = Cell::typed(&Meaning::of(schema), schema, value)
                        .map_err(|unfit| Error::data_invalid(format!("the key {unfit}")))?;
                    KeyView::Single(cell)
                } else {
                    match row.fields()? {
                        Some(fields) => KeyView::Fields(View::Typed {
                            row: fields,
                            schema,
                        }),
                        None => KeyView::None,
                    }
                }
            }
            Self::Text(text) => match Json::parse(text) {
                Ok(Json::Object(object_text)) => {
                    let fields = object(object_text)?;
                    let payload = match fields.as_slice() {
                        [(schema, _), (payload, Json::Object(inner))]
                            if schema == "schema" && payload == "payload" =>
                        {
                            Some(object(inner)?)
                        }
                        _ => None,
                    };
                    KeyView::Fields(View::Loose(payload.unwrap_or(fields)))
                }
                Ok(value) => KeyView::Single(Cell::json(value)),
                // Bare text, as many producers write keys.
                Err(_) => KeyView::Single(Cell::Loose(Cow::Borrowed(text))),
            },
        })
    }
}

/// A header as a cell; text where it is UTF-8.
pub(super) fn header_cell<'r>(datum: &Datum<'r>) -> Cell<'r> {
    match datum.data() {
        Data::Utf8(text) => Cell::Loose(Cow::Borrowed(text)),
        Data::Bytes(bytes) | Data::Json(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Cell::Loose(Cow::Borrowed(text)),
            Err(_) => Cell::Bytes(Cow::Borrowed(bytes)),
        },
        Data::Typed { .. } | Data::Tagged(_) => {
            let mut json = Vec::new();
            match datum
                .write_json(&mut json)
                .ok()
                .and_then(|()| String::from_utf8(json).ok())
            {
                Some(text) => Cell::Loose(Cow::Owned(text.trim_matches('"').to_owned())),
                None => Cell::Null,
            }
        }
        Data::Null => Cell::Null,
    }
}
