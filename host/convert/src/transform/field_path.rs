//! Names of fields inside of fields: `field.syntax.version`.
//!
//! `V1` takes the whole text as one name. `V2` divides it at dots; a name with a dot stands between backticks, and a
//! backtick before a dot inside of such a name is escaped by a backslash.

use std::sync::Arc;

use crate::{Class, Error, Field, Map, Schema, Struct, Value};

/// The steps from the outermost field inwards; `V2` of an empty text has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FieldPath {
    steps: Vec<String>,
}

impl FieldPath {
    /// One name.
    pub(crate) fn v1(text: &str) -> Self {
        Self {
            steps: vec![text.to_owned()],
        }
    }

    /// Names with dots between them.
    pub(crate) fn v2(text: &str) -> Result<Self, String> {
        let path: Vec<char> = text.chars().collect();
        let mut steps = Vec::new();
        let mut at = 0;
        while at < path.len() {
            if path.get(at) == Some(&'`') {
                at = quoted(&path, at, &mut steps)?;
                continue;
            }
            let end = find(&path, '.', at);
            steps.push(collect(&path, at, end.unwrap_or(path.len())));
            match end {
                Some(dot) => at = dot + 1,
                None => break,
            }
        }
        if path.last() == Some(&'.') {
            steps.push(String::new());
        }
        Ok(Self { steps })
    }

    fn split(&self) -> Result<(&String, &[String]), Error> {
        self.steps
            .split_last()
            .ok_or_else(|| Error::new(Class::IndexOutOfBounds, "the path to the field is empty"))
    }

    /// Returns the names from the outermost inwards.
    pub(crate) fn steps(&self) -> &[String] {
        &self.steps
    }

    /// Returns the field, `None` where a struct on the way does not have it.
    pub(crate) fn field<'a>(&self, schema: &'a Arc<Schema>) -> Result<Option<&'a Field>, Error> {
        let (last, before) = self.split()?;
        let mut schema = schema;
        for step in before {
            match lookup(schema, step)? {
                Some(field) => schema = &field.schema,
                None => return Ok(None),
            }
        }
        lookup(schema, last)
    }

    /// Returns the value inside of a struct, null where a struct on the way is null.
    pub(crate) fn value_in_struct(&self, row: &Struct, with_default: bool) -> Result<Value, Error> {
        let (last, before) = self.split()?;
        let get = |row: &Struct, name: &str| {
            if with_default {
                row.get(name).cloned()
            } else {
                row.get_without_default(name).cloned()
            }
        };
        let mut inner: Option<Arc<Struct>> = None;
        for step in before {
            match get(inner.as_deref().unwrap_or(row), step)? {
                Value::Null => return Ok(Value::Null),
                Value::Struct(next) => inner = Some(next),
                other => return Err(no_parts(step, &other)),
            }
        }
        get(inner.as_deref().unwrap_or(row), last)
    }

    /// Returns the value inside of a map, null where a map on the way does not have it.
    pub(crate) fn value_in_map(&self, map: &Map) -> Result<Value, Error> {
        let (last, before) = self.split()?;
        let mut map = map;
        for step in before {
            match map.get_str(step) {
                None | Some(Value::Null) => return Ok(Value::Null),
                Some(Value::Map(next)) => map = next,
                Some(other) => return Err(no_parts(step, other)),
            }
        }
        Ok(map.get_str(last).cloned().unwrap_or_default())
    }
}

fn lookup<'a>(schema: &'a Schema, name: &str) -> Result<Option<&'a Field>, Error> {
    if schema.schema_type() != crate::Type::Struct {
        return Err(Error::data(format!(
            "field `{name}` is looked for in a schema of type {}",
            schema.schema_type().name()
        )));
    }
    Ok(schema.field(name))
}

fn no_parts(step: &str, value: &Value) -> Error {
    Error::data(format!(
        "`{step}` is {}, which has no fields",
        value.type_name()
    ))
}

fn find(path: &[char], letter: char, from: usize) -> Option<usize> {
    let rest = path.get(from..)?;
    rest.iter()
        .position(|known| *known == letter)
        .map(|at| from + at)
}

fn collect(path: &[char], from: usize, to: usize) -> String {
    path.get(from..to).unwrap_or_default().iter().collect()
}

/// Reads a name between backticks; returns where the next name begins.
fn quoted(path: &[char], open: usize, steps: &mut Vec<String>) -> Result<usize, String> {
    let mut name = String::new();
    let mut start = open + 1;
    let mut at = start;
    loop {
        at = find(path, '`', at)
            .ok_or_else(|| format!("the backtick at position {open} is not closed"))?;
        let escaped = path.get(at.wrapping_sub(1)) == Some(&'\\');
        if at + 1 >= path.len() {
            if escaped {
                return Err(format!("the backtick at position {open} is not closed"));
            }
            name.push_str(&collect(path, start, at));
            steps.push(name);
            return Ok(at + 1);
        }
        if path.get(at + 1) != Some(&'.') {
            // Part of the name: only a backtick before a dot or the end closes it.
            at += 1;
            continue;
        }
        if escaped {
            name.push_str(&collect(path, start, at - 1));
            name.push('`');
            at += 1;
            start = at;
            continue;
        }
        name.push_str(&collect(path, start, at));
        steps.push(name);
        return Ok(at + 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_divide_and_backticks_keep() {
        let check = |text: &str, expected: &[&str]| {
            assert_eq!(FieldPath::v2(text).unwrap().steps, expected, "{text}");
        };
        check("a", &["a"]);
        check("a.b", &["a", "b"]);
        check("a..b", &["a", "", "b"]);
        check("a.", &["a", ""]);
        check("`a.b`.c", &["a.b", "c"]);
        check("``q``", &["`q`"]);
        check("`a\\`.b`", &["a`.b"]);
        check("`a`.", &["a", ""]);
        check("``", &[""]);
        check("a`", &["a`"]);
        check("", &[]);
        for text in ["`a", "`a`b", "a.`", "`a\\`", "`"] {
            assert!(FieldPath::v2(text).is_err(), "{text}");
        }
    }
}
