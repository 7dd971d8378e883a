//! Records as elements of an XML document, as `format: xml` of the source reads them.

use linkspan_sdk::prelude::*;
use serde_json::Value as Json;

pub(super) const HEAD: &[u8] = b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<records xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\n";
pub(super) const END: &[u8] = b"</records>\n";

/// Appends a value as the element `record`.
pub(super) fn record(value: &Datum<'_>, out: &mut Vec<u8>) -> Result<()> {
    let mut json = Vec::new();
    value.write_json(&mut json)?;
    let tree: Json = serde_json::from_slice(&json)?;
    element("record", &tree, out)?;
    out.push(b'\n');
    Ok(())
}

/// Appends one element: `@name` members are its attributes, `#text` is its text, and an array repeats it.
fn element(name: &str, value: &Json, out: &mut Vec<u8>) -> Result<()> {
    if let Json::Array(items) = value {
        for item in items {
            element(name, item, out)?;
        }
        return Ok(());
    }
    let plain = is_name(name);
    let tag = if plain { name } else { "field" };
    out.push(b'<');
    out.extend_from_slice(tag.as_bytes());
    if !plain {
        out.extend_from_slice(b" name=\"");
        escaped(name, out)?;
        out.push(b'"');
    }
    match value {
        Json::Null => {
            out.extend_from_slice(b" xsi:nil=\"true\"/>");
            return Ok(());
        }
        Json::Object(fields) => {
            for (key, value) in fields {
                if let Some(attribute) = key.strip_prefix('@').filter(|name| is_name(name)) {
                    out.push(b' ');
                    out.extend_from_slice(attribute.as_bytes());
                    out.extend_from_slice(b"=\"");
                    escaped(&text(value), out)?;
                    out.push(b'"');
                }
            }
            out.push(b'>');
            for (key, value) in fields {
                match key.strip_prefix('@') {
                    Some(attribute) if is_name(attribute) => {}
                    _ if key == "#text" => escaped(&text(value), out)?,
                    _ => element(key, value, out)?,
                }
            }
        }
        other => {
            out.push(b'>');
            escaped(&text(other), out)?;
        }
    }
    out.extend_from_slice(b"</");
    out.extend_from_slice(tag.as_bytes());
    out.push(b'>');
    Ok(())
}

fn text(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Says whether a text may name an element; names with a colon belong to namespaces that nobody declared.
fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars
        .next()
        .is_some_and(|first| first.is_alphabetic() || first == '_')
        && chars.all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

fn escaped(text: &str, out: &mut Vec<u8>) -> Result<()> {
    let mut buf = [0; 4];
    for c in text.chars() {
        match c {
            '<' => out.extend_from_slice(b"&lt;"),
            '>' => out.extend_from_slice(b"&gt;"),
            '&' => out.extend_from_slice(b"&amp;"),
            '"' => out.extend_from_slice(b"&quot;"),
            // A reader would make a line feed of it.
            '\r' => out.extend_from_slice(b"&#13;"),
            c if c.is_control() && c != '\n' && c != '\t' && u32::from(c) < 0x20 => {
                return Err(Error::data_invalid(format!(
                    "the character U+{:04X} cannot be written as XML",
                    u32::from(c)
                )));
            }
            '\u{fffe}' | '\u{ffff}' => {
                return Err(Error::data_invalid(
                    "a character that is none cannot be written as XML",
                ));
            }
            c => out.extend_from_slice(c.encode_utf8(&mut buf).as_bytes()),
        }
    }
    Ok(())
}
