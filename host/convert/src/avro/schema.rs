//! Avro schemas as Avro's specification has them: JSON, names with namespaces, references to what was named before.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map as JsonMap, Value as Json};

use crate::Error;
use crate::schema::NESTING_MAX;

/// The longest schema that is read.
pub const SCHEMA_BYTES_MAX: usize = 4 << 20;
/// The most nodes of a schema when every reference is followed: a few lines could otherwise become billions.
const NODES_MAX: usize = 100_000;

/// A schema that was read, with all references followed.
#[derive(Debug, Clone, PartialEq)]
pub struct AvroSchema {
    pub(crate) root: Arc<Node>,
    json: String,
}

/// A part of a schema.
#[derive(Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) kind: Avro,
    /// Full name of a record, enum or fixed.
    pub(crate) name: Option<Arc<str>>,
    /// Everything that stands beside the type: `logicalType`, `connect.name`, `doc`, …
    pub(crate) properties: JsonMap<String, Json>,
}

/// Avro's types.
#[derive(Debug, PartialEq)]
pub(crate) enum Avro {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
    Array(Arc<Node>),
    Map(Arc<Node>),
    Union(Vec<Arc<Node>>),
    Record(Vec<RecordField>),
    Enum(Vec<Arc<str>>),
    Fixed(usize),
}

/// A field of a record.
#[derive(Debug, PartialEq)]
pub(crate) struct RecordField {
    pub(crate) name: Arc<str>,
    pub(crate) node: Arc<Node>,
    pub(crate) doc: Option<String>,
    pub(crate) default: Option<Json>,
}

impl Node {
    pub(crate) fn text(&self, property: &str) -> Option<&str> {
        self.properties.get(property)?.as_str()
    }

    pub(crate) fn number(&self, property: &str) -> Option<i64> {
        self.properties.get(property)?.as_i64()
    }

    /// What Avro calls the type.
    pub(crate) const fn type_name(&self) -> &'static str {
        match &self.kind {
            Avro::Null => "null",
            Avro::Boolean => "boolean",
            Avro::Int => "int",
            Avro::Long => "long",
            Avro::Float => "float",
            Avro::Double => "double",
            Avro::Bytes => "bytes",
            Avro::String => "string",
            Avro::Array(_) => "array",
            Avro::Map(_) => "map",
            Avro::Union(_) => "union",
            Avro::Record(_) => "record",
            Avro::Enum(_) => "enum",
            Avro::Fixed(_) => "fixed",
        }
    }

    /// Whether a record stands for the entry of a map: named so, or marked so.
    pub(crate) fn is_map_entry(&self) -> bool {
        let Avro::Record(fields) = &self.kind else {
            return false;
        };
        let marked = self.text("connect.internal.type") == Some(super::MAP_ENTRY);
        let named = self.name.as_deref() == Some("io.confluent.connect.avro.MapEntry");
        (marked || named)
            && matches!(fields.as_slice(), [key, value] if &*key.name == "key" && &*value.name == "value")
    }

    /// How a struct that stands for a union calls this member.
    pub(crate) fn member_name(&self, enhanced: bool) -> &str {
        match &self.name {
            Some(name) if enhanced => name,
            Some(name) => name.rsplit('.').next().unwrap_or(name),
            None => self.type_name(),
        }
    }
}

impl AvroSchema {
    /// Reads a schema; `references` are the texts of the schemas whose names it uses, those first that others need.
    ///
    /// # Errors
    /// Says where the text is no Avro schema.
    pub fn parse(text: &str, references: &[String]) -> Result<Self, Error> {
        let mut reader = Reader {
            names: HashMap::new(),
            open: Vec::new(),
            nodes: 0,
        };
        for reference in references {
            reader.text(reference)?;
        }
        let root = reader.text(text)?;
        Ok(Self {
            root,
            json: text.to_owned(),
        })
    }

    /// Returns the text that it was read from.
    #[must_use]
    pub fn json(&self) -> &str {
        &self.json
    }

    /// Returns the full name, where it is a record, an enum or a fixed.
    #[must_use]
    pub fn record_name(&self) -> Option<&str> {
        self.root.name.as_deref()
    }
}

struct Reader {
    names: HashMap<String, (Arc<Node>, usize)>,
    /// Names whose definition is being read.
    open: Vec<String>,
    nodes: usize,
}

impl Reader {
    fn text(&mut self, text: &str) -> Result<Arc<Node>, Error> {
        if text.len() > SCHEMA_BYTES_MAX {
            return Err(Error::data(format!(
                "an Avro schema of more than {SCHEMA_BYTES_MAX} bytes"
            )));
        }
        let json: Json = match serde_json::from_str(text) {
            Ok(json) => json,
            // A bare word is a schema, too; some registries hand it out without quotes.
            Err(_)
                if text
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'_') =>
            {
                Json::String(text.to_owned())
            }
            Err(error) => return Err(Error::data(format!("the Avro schema is not JSON: {error}"))),
        };
        self.node(&json, "", 0)
    }

    fn count(&mut self, nodes: usize) -> Result<(), Error> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > NODES_MAX {
            return Err(Error::data(format!(
                "an Avro schema of more than {NODES_MAX} parts"
            )));
        }
        Ok(())
    }

    fn node(&mut self, json: &Json, namespace: &str, depth: usize) -> Result<Arc<Node>, Error> {
        if depth > NESTING_MAX {
            return Err(Error::data(format!(
                "an Avro schema that nests deeper than {NESTING_MAX}"
            )));
        }
        self.count(1)?;
        match json {
            Json::String(word) => self.word(word, namespace),
            Json::Array(members) => self.union(members, namespace, depth),
            Json::Object(object) => self.object(object, namespace, depth),
            _ => Err(Error::data("an Avro schema is a name, a list or an object")),
        }
    }

    fn word(&mut self, word: &str, namespace: &str) -> Result<Arc<Node>, Error> {
        if let Some(kind) = primitive(word) {
            return Ok(plain(kind));
        }
        let full = full_name(word, namespace);
        // A name without a dot may also be one without a namespace.
        let known = self
            .names
            .get(&full)
            .or_else(|| self.names.get(word))
            .map(|(node, size)| (Arc::clone(node), *size));
        if let Some((node, size)) = known {
            self.count(size)?;
            return Ok(node);
        }
        if self.open.contains(&full) {
            return Err(Error::data(format!(
                "the Avro schema `{full}` contains itself, which Connect's schemas here cannot"
            )));
        }
        Err(Error::data(format!(
            "the Avro schema uses the name `{full}`, which is not defined before or among its references"
        )))
    }

    fn union(
        &mut self,
        members: &[Json],
        namespace: &str,
        depth: usize,
    ) -> Result<Arc<Node>, Error> {
        let nodes = members
            .iter()
            .map(|member| self.node(member, namespace, depth + 1));
        let nodes: Vec<Arc<Node>> = nodes.collect::<Result<_, _>>()?;
        if nodes.is_empty() || nodes.iter().any(|node| matches!(node.kind, Avro::Union(_))) {
            return Err(Error::data(
                "an Avro union has at least one member, and none that is a union",
            ));
        }
        Ok(plain(Avro::Union(nodes)))
    }

    fn object(
        &mut self,
        object: &JsonMap<String, Json>,
        namespace: &str,
        depth: usize,
    ) -> Result<Arc<Node>, Error> {
        let word = match object.get("type") {
            Some(Json::String(word)) => word.as_str(),
            // `{"type": {"type": "int"}}` is allowed and means the inner one.
            Some(inner @ (Json::Object(_) | Json::Array(_))) => {
                return self.node(inner, namespace, depth + 1);
            }
            _ => {
                return Err(Error::data(
                    "an Avro schema that is an object needs a `type`",
                ));
            }
        };
        let kind = match word {
            "record" | "error" | "enum" | "fixed" => {
                return self.named(word, object, namespace, depth);
            }
            "array" => Avro::Array(self.part(object, "items", namespace, depth)?),
            "map" => Avro::Map(self.part(object, "values", namespace, depth)?),
            _ => match primitive(word) {
                Some(kind) => kind,
                None => return self.word(word, namespace),
            },
        };
        Ok(Arc::new(Node {
            kind,
            name: None,
            properties: object.clone(),
        }))
    }

    fn part(
        &mut self,
        object: &JsonMap<String, Json>,
        key: &str,
        namespace: &str,
        depth: usize,
    ) -> Result<Arc<Node>, Error> {
        let part = object.get(key);
        let part =
            part.ok_or_else(|| Error::data(format!("an Avro schema of this type needs `{key}`")))?;
        self.node(part, namespace, depth + 1)
    }

    fn named(
        &mut self,
        word: &str,
        object: &JsonMap<String, Json>,
        namespace: &str,
        depth: usize,
    ) -> Result<Arc<Node>, Error> {
        let text = |key: &str| object.get(key).and_then(Json::as_str);
        let name =
            text("name").ok_or_else(|| Error::data(format!("an Avro {word} needs a `name`")))?;
        let full = full_name(name, text("namespace").unwrap_or(namespace));
        if self.names.contains_key(&full) || self.open.contains(&full) {
            return Err(Error::data(format!(
                "the Avro schema defines `{full}` twice"
            )));
        }
        let inner = full
            .rsplit_once('.')
            .map_or("", |(namespace, _)| namespace)
            .to_owned();
        let before = self.nodes;
        self.open.push(full.clone());
        let kind = match word {
            "enum" => Avro::Enum(symbols(object, &full)?),
            "fixed" => {
                let size = object.get("size").and_then(Json::as_u64);
                let size = size
                    .and_then(|size| usize::try_from(size).ok())
                    .filter(|size| *size <= SCHEMA_BYTES_MAX);
                Avro::Fixed(size.ok_or_else(|| {
                    Error::data(format!("the Avro fixed `{full}` needs a `size`"))
                })?)
            }
            _ => Avro::Record(self.fields(object, &full, &inner, depth)?),
        };
        self.open.pop();
        let node = Arc::new(Node {
            kind,
            name: Some(full.as_str().into()),
            properties: object.clone(),
        });
        self.names
            .insert(full, (Arc::clone(&node), self.nodes - before + 1));
        Ok(node)
    }

    fn fields(
        &mut self,
        object: &JsonMap<String, Json>,
        full: &str,
        namespace: &str,
        depth: usize,
    ) -> Result<Vec<RecordField>, Error> {
        let list = object.get("fields").and_then(Json::as_array);
        let list =
            list.ok_or_else(|| Error::data(format!("the Avro record `{full}` needs `fields`")))?;
        let mut fields: Vec<RecordField> = Vec::with_capacity(list.len());
        for field in list {
            let name = field.get("name").and_then(Json::as_str);
            let (Some(name), Some(schema)) = (name, field.get("type")) else {
                return Err(Error::data(format!(
                    "a field of the Avro record `{full}` has no `name` or no `type`"
                )));
            };
            // A field may carry its type's properties itself: `{"name":"a","type":"array","items":"int"}`.
            let node = self
                .node(schema, namespace, depth + 1)
                .map_err(|error| error.in_field(name))?;
            if fields.iter().any(|other| &*other.name == name) {
                return Err(Error::data(format!(
                    "the Avro record `{full}` has the field `{name}` twice"
                )));
            }
            fields.push(RecordField {
                name: name.into(),
                node,
                doc: field.get("doc").and_then(Json::as_str).map(str::to_owned),
                default: field.get("default").cloned(),
            });
        }
        Ok(fields)
    }
}

fn symbols(object: &JsonMap<String, Json>, full: &str) -> Result<Vec<Arc<str>>, Error> {
    let list = object.get("symbols").and_then(Json::as_array);
    let symbols = list.and_then(|list| {
        list.iter()
            .map(|symbol| symbol.as_str().map(Arc::from))
            .collect()
    });
    symbols.ok_or_else(|| {
        Error::data(format!(
            "the Avro enum `{full}` needs `symbols`, a list of texts"
        ))
    })
}

fn primitive(word: &str) -> Option<Avro> {
    Some(match word {
        "null" => Avro::Null,
        "boolean" => Avro::Boolean,
        "int" => Avro::Int,
        "long" => Avro::Long,
        "float" => Avro::Float,
        "double" => Avro::Double,
        "bytes" => Avro::Bytes,
        "string" => Avro::String,
        _ => return None,
    })
}

fn plain(kind: Avro) -> Arc<Node> {
    Arc::new(Node {
        kind,
        name: None,
        properties: JsonMap::new(),
    })
}

fn full_name(name: &str, namespace: &str) -> String {
    if name.contains('.') || namespace.is_empty() {
        name.to_owned()
    } else {
        format!("{namespace}.{name}")
    }
}
