//! XML as JSON: an element is an object of its attributes (`@name`), its elements, and its text (`#text`); an element with text alone is
//! that text; elements of one name that follow each other are an array. Document types and entities of their own are refused.

use linkspan_sdk::serde_json::{Map, Value};
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// How deep elements may lie in each other.
const DEPTH_MAX: usize = 100;

/// What is wrong with a text.
#[derive(Debug, thiserror::Error)]
pub(super) enum XmlError {
    #[error("{told} at byte {at}")]
    Syntax { told: String, at: u64 },
    #[error("it has a document type (DTD), which is not read")]
    DocType,
    #[error("it refers to `&{0};`, an entity that XML does not have by itself")]
    Entity(String),
    #[error("its elements lie more than {DEPTH_MAX} deep")]
    Deep,
    #[error("it has no element")]
    Empty,
    #[error("it ends inside of `<{0}>`")]
    Open(String),
}

/// An element that is being read.
#[derive(Debug, Default)]
struct Element {
    name: String,
    fields: Map<String, Value>,
    text: String,
}

/// Reads a whole document: an object with the root element's name.
pub(super) fn to_json(text: &str) -> Result<Value, XmlError> {
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Element> = vec![Element::default()];
    loop {
        let event = reader.read_event().map_err(|error| XmlError::Syntax {
            told: error.to_string(),
            at: reader.error_position(),
        })?;
        match event {
            Event::Start(start) => {
                if open.len() > DEPTH_MAX {
                    return Err(XmlError::Deep);
                }
                open.push(element(&start, &reader)?);
            }
            Event::Empty(start) => {
                let element = element(&start, &reader)?;
                close(&mut open, element);
            }
            Event::End(_) => {
                if let Some(element) = open.pop() {
                    close(&mut open, element);
                }
            }
            Event::Text(piece) => append(&mut open, &piece),
            Event::CData(piece) => append(&mut open, &piece),
            Event::GeneralRef(name) => {
                let name = name.to_string();
                append(&mut open, &entity(&name).ok_or(XmlError::Entity(name))?);
            }
            Event::DocType(_) => return Err(XmlError::DocType),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            Event::Eof => break,
        }
    }
    let root = open.pop().unwrap_or_default();
    if let Some(outer) = open.first() {
        let name = if open.len() == 1 {
            &root.name
        } else {
            &outer.name
        };
        return Err(XmlError::Open(name.clone()));
    }
    if root.fields.is_empty() {
        Err(XmlError::Empty)
    } else {
        Ok(Value::Object(root.fields))
    }
}

fn element(start: &BytesStart<'_>, reader: &Reader<&[u8]>) -> Result<Element, XmlError> {
    let wrong = |told: String| XmlError::Syntax {
        told,
        at: reader.buffer_position(),
    };
    let mut fields = Map::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| wrong(error.to_string()))?;
        let value = quick_xml::escape::unescape(&attribute.value)
            .map_err(|error| wrong(error.to_string()))?;
        fields.insert(
            format!("@{}", attribute.key.as_ref()),
            Value::from(value.into_owned()),
        );
    }
    Ok(Element {
        name: start.name().as_ref().to_owned(),
        fields,
        text: String::new(),
    })
}

fn append(open: &mut [Element], piece: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(piece);
    }
}

/// Puts a finished element into the one around it.
fn close(open: &mut [Element], element: Element) {
    let Some(around) = open.last_mut() else {
        return;
    };
    let Element {
        name,
        mut fields,
        text,
    } = element;
    let text = text.trim();
    let value = match (fields.is_empty(), text.is_empty()) {
        (true, _) => Value::from(text),
        (false, true) => Value::Object(fields),
        (false, false) => {
            fields.insert("#text".to_owned(), Value::from(text));
            Value::Object(fields)
        }
    };
    match around.fields.get_mut(&name) {
        None => {
            around.fields.insert(name, value);
        }
        Some(Value::Array(items)) => items.push(value),
        Some(first) => {
            let first = first.take();
            around.fields.insert(name, Value::Array(vec![first, value]));
        }
    }
}

fn entity(name: &str) -> Option<String> {
    let code = match name {
        "lt" => return Some("<".to_owned()),
        "gt" => return Some(">".to_owned()),
        "amp" => return Some("&".to_owned()),
        "apos" => return Some("'".to_owned()),
        "quot" => return Some("\"".to_owned()),
        _ => name.strip_prefix('#')?,
    };
    let number = match code.strip_prefix('x') {
        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
        None => code.parse().ok()?,
    };
    char::from_u32(number).map(String::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_become_objects_arrays_and_texts() {
        let check =
            |xml: &str, json: &str| assert_eq!(to_json(xml).unwrap().to_string(), json, "{xml}");
        check("<a/>", r#"{"a":""}"#);
        check(
            "<?xml version=\"1.0\"?><a>x &lt;&#65;&#x42;</a>",
            r#"{"a":"x <AB"}"#,
        );
        check(
            "<a b=\"1 &amp; 2\">t</a>",
            r##"{"a":{"@b":"1 & 2","#text":"t"}}"##,
        );
        check(
            "<a><i>1</i><i>2</i><i>3</i><j/></a>",
            r#"{"a":{"i":["1","2","3"],"j":""}}"#,
        );
        check("<a><![CDATA[<b>]]><!-- no --></a>", r#"{"a":"<b>"}"#);
    }

    #[test]
    fn what_is_no_document_says_why() {
        let check = |xml: &str, text: &str| {
            let error = to_json(xml).unwrap_err().to_string();
            assert!(error.contains(text), "{xml}: {error}");
        };
        check("<!DOCTYPE a><a/>", "DTD");
        check("<a>&foo;</a>", "&foo;");
        check("<a><b></a>", "at byte");
        check("<a>", "inside of `<a>`");
        check("plain", "no element");
        check(&"<a>".repeat(200), "100 deep");
    }
}
