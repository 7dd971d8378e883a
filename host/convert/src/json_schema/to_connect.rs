//! From JSON Schema to a Connect schema.
//!
//! A property is optional where it may be null, and where the object does not list it as `required`; that list counts only
//! for schemas that Connect did not write (`connect.index` tells), because Connect writes none.

use std::sync::Arc;

use super::{ENUM, JsonMapping, NODES_MAX, ONE_OF, member_name};
use crate::json::{Node, parse, read_value};
use crate::schema::NESTING_MAX;
use crate::{Error, Field, Kind, Schema, Type};

/// Returns the Connect schema of the values that a JSON Schema allows.
///
/// # Errors
/// Says where the text is no JSON Schema, or none that has a Connect schema.
pub(super) fn connect_schema(text: &str, references: &[(String, String)]) -> Result<Schema, Error> {
    let document =
        |text| parse(text)?.ok_or_else(|| Error::data("an empty text is no JSON Schema"));
    let root = document(text)?;
    let references: Vec<(&str, Node<'_>)> = references
        .iter()
        .map(|(name, text)| Ok((name.as_str(), document(text)?)))
        .collect::<Result<_, Error>>()?;
    let mut reader = Reader {
        root: &root,
        references: &references,
        nodes: 0,
    };
    reader.connect(&root, &root, 0)
}

/// A part of a document.
type Tree<'a> = &'a Node<'a>;

struct Reader<'a> {
    root: Tree<'a>,
    references: &'a [(&'a str, Node<'a>)],
    nodes: usize,
}

impl<'a> Reader<'a> {
    /// The schema of a node; `document` is where its references without a name lead.
    fn connect(
        &mut self,
        node: Tree<'a>,
        document: Tree<'a>,
        depth: usize,
    ) -> Result<Schema, Error> {
        self.nodes += 1;
        if depth > NESTING_MAX || self.nodes > NODES_MAX {
            return Err(Error::data(
                "the schema contains itself, or nests too deep, and has no Connect schema",
            ));
        }
        if let Some(reference) = text(node, "$ref") {
            let (node, document) = self.resolve(reference, document)?;
            return self
                .connect(node, document, depth + 1)
                .map_err(|error| error.in_field(reference));
        }
        let (types, nullable) = types(node)?;
        let mut schema = match (symbols(node), types.as_slice()) {
            (Some(symbols), [] | ["string"]) => enumeration(&symbols)?,
            (_, [one]) => self.typed(one, node, document, depth)?,
            (_, []) => return self.combined(node, document, depth),
            (_, several) => {
                let members = several
                    .iter()
                    .map(|one| self.typed(one, node, document, depth))
                    .collect::<Result<Vec<_>, _>>()?;
                union(members)?
            }
        };
        details(node, &mut schema)?;
        schema.optional |= nullable;
        with_default(node, schema)
    }

    fn typed(
        &mut self,
        word: &str,
        node: Tree<'a>,
        document: Tree<'a>,
        depth: usize,
    ) -> Result<Schema, Error> {
        let connect = text(node, "connect.type");
        let kind = match (word, connect) {
            ("boolean", _) => Kind::Boolean,
            ("integer" | "number", Some(connect)) => number(connect)?,
            ("integer", None) => Kind::Int64,
            ("number", None) => Kind::Float64,
            ("string", Some("bytes")) => Kind::Bytes,
            ("string", _) => Kind::String,
            ("array", _) => return self.array(node, document, depth),
            ("object", _) => return self.object(node, document, depth),
            _ => return Err(Error::data(format!("`{word}` is no type of JSON Schema"))),
        };
        Ok(Schema::new(kind))
    }

    fn array(&mut self, node: Tree<'a>, document: Tree<'a>, depth: usize) -> Result<Schema, Error> {
        let items = node
            .get("items")
            .filter(|items| matches!(items, Node::Object(_)));
        let items = items
            .ok_or_else(|| Error::data("an array needs `items`, one schema for all of them"))?;
        let entry = items
            .get("properties")
            .filter(|_| text(node, "connect.type") == Some("map"));
        let mut part = |part| {
            self.connect(part, document, depth + 1)
                .map(Arc::new)
                .map_err(|error| error.in_field("items"))
        };
        Ok(Schema::new(match entry {
            Some(entry) => {
                let of = |name| {
                    entry
                        .get(name)
                        .ok_or_else(|| Error::data("an entry of a map has a key and a value"))
                };
                Kind::Map(Some(part(of("key")?)?), Some(part(of("value")?)?))
            }
            None => Kind::Array(Some(part(items)?)),
        }))
    }

    fn object(
        &mut self,
        node: Tree<'a>,
        document: Tree<'a>,
        depth: usize,
    ) -> Result<Schema, Error> {
        let more = node
            .get("additionalProperties")
            .filter(|more| matches!(more, Node::Object(_)));
        match (node.get("properties"), more) {
            (None, Some(values)) => {
                let values = self.connect(values, document, depth + 1);
                let values = values.map_err(|error| error.in_field("additionalProperties"))?;
                let keys = Schema::shared(Type::String, false);
                Ok(Schema::new(Kind::Map(keys, Some(Arc::new(values)))))
            }
            _ => {
                let mut fields = Vec::new();
                self.fields(node, document, depth, &mut fields)?;
                structure(fields)
            }
        }
    }

    /// Appends an object's properties, each with the place that Connect gave it.
    fn fields(
        &mut self,
        node: Tree<'a>,
        document: Tree<'a>,
        depth: usize,
        out: &mut Vec<(usize, Field)>,
    ) -> Result<(), Error> {
        let required: Vec<&str> = match node.get("required") {
            Some(Node::Array(names)) => names.iter().filter_map(Node::as_str).collect(),
            _ => Vec::new(),
        };
        let Some(Node::Object(properties)) = node.get("properties") else {
            return Ok(());
        };
        for (name, property) in properties {
            let mut schema = self
                .connect(property, document, depth + 1)
                .map_err(|error| error.in_field(name))?;
            let place = match property.get("connect.index") {
                Some(Node::Integer(digits)) => digits.parse().ok(),
                _ => None,
            };
            schema.optional |= place.is_none() && !required.contains(&&**name);
            out.push((place.unwrap_or(out.len()), Field::new(&**name, schema)));
        }
        Ok(())
    }

    /// `oneOf`, `anyOf` and `allOf` where no type stands beside them.
    fn combined(
        &mut self,
        node: Tree<'a>,
        document: Tree<'a>,
        depth: usize,
    ) -> Result<Schema, Error> {
        if let Some(Node::Array(all)) = node.get("allOf") {
            return self.all_of(node, all, document, depth);
        }
        let Some(Node::Array(any)) = node.get("oneOf").or_else(|| node.get("anyOf")) else {
            return Err(Error::data(
                "says nothing of its type, and has no Connect schema",
            ));
        };
        let mut members = Vec::with_capacity(any.len());
        let mut nullable = false;
        for (position, member) in any.iter().enumerate() {
            if text(member, "type") == Some("null") {
                nullable = true;
                continue;
            }
            let member = self.connect(member, document, depth + 1);
            members.push(member.map_err(|error| error.in_item(position))?);
        }
        let mut schema = match members.len() {
            0 => {
                return Err(Error::data(
                    "only null is allowed, which has no Connect schema",
                ));
            }
            1 => members.remove(0),
            _ => union(members)?,
        };
        schema.optional |= nullable;
        if schema.default.is_none() {
            schema = with_default(node, schema)?;
        }
        Ok(schema)
    }

    /// Objects of which all hold are one with the properties of all; anything else must be one schema.
    fn all_of(
        &mut self,
        node: Tree<'a>,
        all: &'a [Node<'a>],
        document: Tree<'a>,
        depth: usize,
    ) -> Result<Schema, Error> {
        if let [one] = all {
            return self.connect(one, document, depth + 1);
        }
        let mut fields = Vec::new();
        for (position, part) in all.iter().enumerate() {
            let (mut part, mut at) = (part, document);
            if let Some(reference) = text(part, "$ref") {
                (part, at) = self.resolve(reference, document)?;
            }
            if part.get("properties").is_none() {
                return Err(
                    Error::data("`allOf` of what are no objects has no Connect schema")
                        .in_item(position),
                );
            }
            self.fields(part, at, depth + 1, &mut fields)?;
        }
        // Places are those within each part.
        let fields = fields.into_iter().enumerate();
        let mut schema = structure(fields.map(|(place, (_, field))| (place, field)).collect())?;
        details(node, &mut schema)?;
        Ok(schema)
    }

    /// Finds what a reference names: `#/definitions/x`, `name`, `name#/definitions/x`.
    fn resolve(&self, reference: &str, document: Tree<'a>) -> Result<(Tree<'a>, Tree<'a>), Error> {
        let unknown = || {
            Error::data(format!(
                "`$ref` names `{}`, which is not there",
                reference.escape_debug()
            ))
        };
        let (name, pointer) = reference.split_once('#').unwrap_or((reference, ""));
        let document = if name.is_empty() || text(document, "$id") == Some(name) {
            document
        } else {
            let named = self
                .references
                .iter()
                .find(|(known, document)| *known == name || text(document, "$id") == Some(name));
            let root = (text(self.root, "$id") == Some(name)).then_some(self.root);
            named
                .map(|(_, document)| document)
                .or(root)
                .ok_or_else(unknown)?
        };
        let mut node = document;
        for step in pointer.split('/').skip(1) {
            let step = step.replace("~1", "/").replace("~0", "~");
            node = match node {
                Node::Array(items) => step.parse().ok().and_then(|at: usize| items.get(at)),
                node => node.get(&step),
            }
            .ok_or_else(unknown)?;
        }
        if !pointer.is_empty() && !pointer.starts_with('/') {
            return Err(unknown());
        }
        Ok((node, document))
    }
}

fn text<'n>(node: &'n Node<'_>, name: &str) -> Option<&'n str> {
    node.get(name).and_then(Node::as_str)
}

/// The types that are allowed, and whether null is one of them. What stands beside `type` may say it, too.
fn types<'n>(node: &'n Node<'_>) -> Result<(Vec<&'n str>, bool), Error> {
    let named: Vec<&str> = match node.get("type") {
        Some(Node::String(one)) => vec![&**one],
        Some(Node::Array(several)) => several.iter().filter_map(Node::as_str).collect(),
        Some(_) => return Err(Error::data("`type` is no name of a type")),
        None if node.get("properties").is_some() => vec!["object"],
        None if node.get("items").is_some() => vec!["array"],
        None => Vec::new(),
    };
    let nullable = named.contains(&"null");
    let types: Vec<&str> = named.into_iter().filter(|one| *one != "null").collect();
    if types.is_empty() && nullable {
        return Err(Error::data(
            "only null is allowed, which has no Connect schema",
        ));
    }
    Ok((types, nullable))
}

fn number(connect: &str) -> Result<Kind, Error> {
    Ok(match connect {
        "int8" => Kind::Int8,
        "int16" => Kind::Int16,
        "int32" => Kind::Int32,
        "int64" => Kind::Int64,
        "float32" => Kind::Float32,
        "float64" => Kind::Float64,
        "bytes" => Kind::Bytes,
        other => {
            let other = other.escape_debug();
            return Err(Error::data(format!(
                "`connect.type` is `{other}`, which is no number"
            )));
        }
    })
}

/// The values of an enum or a constant.
fn symbols<'n>(node: &'n Node<'n>) -> Option<Vec<&'n Node<'n>>> {
    match (node.get("enum"), node.get("const")) {
        (Some(Node::Array(values)), _) => Some(values.iter().collect()),
        (_, Some(value)) => Some(vec![value]),
        _ => None,
    }
}

fn enumeration(values: &[&Node<'_>]) -> Result<Schema, Error> {
    let others = || values.iter().filter(|value| !matches!(value, Node::Null));
    let all = |fits: fn(&Node<'_>) -> bool| others().all(|value| fits(value));
    let mut schema = if all(|value| matches!(value, Node::String(_))) {
        let mut schema = Schema::new(Kind::String);
        schema.parameters.set(ENUM, "");
        for symbol in others().filter_map(|value| value.as_str()) {
            schema.parameters.set(format!("{ENUM}.{symbol}"), symbol);
        }
        schema
    } else if all(|value| matches!(value, Node::Boolean(_))) {
        Schema::new(Kind::Boolean)
    } else if all(|value| matches!(value, Node::Integer(_))) {
        Schema::new(Kind::Int64)
    } else if all(|value| matches!(value, Node::Integer(_) | Node::Fraction(_))) {
        Schema::new(Kind::Float64)
    } else {
        return Err(Error::data(
            "an `enum` of values of several types has no Connect schema",
        ));
    };
    schema.optional = others().count() < values.len();
    Ok(schema)
}

fn structure(mut fields: Vec<(usize, Field)>) -> Result<Schema, Error> {
    fields.sort_by_key(|(place, _)| *place);
    Schema::structure(fields.into_iter().map(|(_, field)| field).collect())
}

/// A struct of which one field is set.
fn union(members: Vec<Schema>) -> Result<Schema, Error> {
    let fields = members
        .into_iter()
        .enumerate()
        .map(|(position, member)| Field::new(member_name(position), member.with_optional(true)));
    Ok(Schema::structure(fields.collect())?.with_name(ONE_OF))
}

fn details(node: &Node<'_>, schema: &mut Schema) -> Result<(), Error> {
    if let Some(title) = text(node, "title").filter(|_| !schema.is_named(ONE_OF)) {
        schema.name = Some(title.into());
    }
    if let Some(description) = text(node, "description") {
        schema.doc = Some(description.into());
    }
    if let Some(Node::Integer(digits)) = node.get("connect.version") {
        let version = digits.parse();
        let version = version.map_err(|_| Error::data("`connect.version` is no 32-bit number"))?;
        schema.version = Some(version);
    }
    if let Some(Node::Object(parameters)) = node.get("connect.parameters") {
        for (name, value) in parameters {
            if let Some(value) = value.as_str() {
                schema.parameters.set(&**name, value);
            }
        }
    }
    Ok(())
}

fn with_default(node: &Node<'_>, schema: Schema) -> Result<Schema, Error> {
    let Some(default) = node
        .get("default")
        .filter(|value| !matches!(value, Node::Null))
    else {
        return Ok(schema);
    };
    let reading = JsonMapping::default().writer().reading();
    let plain = Arc::new(schema.clone());
    let value = read_value(Some(&plain), Some(default), reading);
    schema.with_default(value.map_err(|error| error.in_field("default"))?)
}
