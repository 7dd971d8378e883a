//! `format: xml`: the elements at a path of the document, each as a JSON object.
//!
//! ```text
//! xml.path: /catalog/book
//! <book id="1"><title>A</title><tag>x</tag><tag>y</tag></book>
//!   ─► {"@id":"1","title":"A","tag":["x","y"]}
//! ```
//! An element with text alone is that text, one with `xsi:nil="true"` is null; text beside elements is `#text`. Entities other than
//! XML's own five are refused, and so is a document that declares any: nothing is expanded, nothing is fetched.

use linkspan_sdk::prelude::*;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde_json::{Map, Value as Json};

use super::lines::check_len;
use super::{Decode, Drained, Piece, Problem, Start, Target};
use crate::format::{Bad, Reason};

/// An element may not hold elements deeper than this.
const DEPTH_MAX: usize = 128;

/// Hands out the elements at a path.
#[derive(Debug)]
pub(crate) struct XmlRecords {
    path: Vec<String>,
    /// Names of the open elements around the position; those of records are never among them.
    open: Vec<String>,
}

impl XmlRecords {
    /// Takes a path such as `/catalog/book`; `*` stands for any name.
    pub(crate) fn new(path: &str) -> Self {
        Self {
            path: steps(path),
            open: Vec::new(),
        }
    }
}

/// Takes a path apart.
pub(crate) fn steps(path: &str) -> Vec<String> {
    path.split('/')
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

impl Decode for XmlRecords {
    fn begin(&mut self, start: &Start<'_>) -> Result<(), Problem> {
        let open = start.state.and_then(|state| state.get("open")?.as_array());
        self.open = open.map_or_else(Vec::new, |names| {
            let texts = names.iter().filter_map(Json::as_str);
            texts.map(str::to_owned).collect()
        });
        Ok(())
    }

    fn drain(
        &mut self,
        piece: Piece<'_>,
        position: u64,
        last: bool,
        target: &mut Target<'_>,
    ) -> Drained {
        let text = piece.text();
        let mut drained = Drained::default();
        if position == 0 && text.starts_with(super::csv_rows::BOM) {
            drained.consumed = super::csv_rows::BOM.len();
        }
        while !target.is_full() {
            let rest = text.get(drained.consumed..).unwrap_or_default();
            let at = position + drained.consumed as u64;
            match self.step(rest, at, last, target) {
                Ok(Some((len, records))) => {
                    drained.consumed += len;
                    drained.records += records;
                }
                Ok(None) => break,
                Err(problem) => {
                    drained.bad = Some(problem);
                    break;
                }
            }
        }
        drained
    }

    /// To the end tag of the record.
    fn extent(&mut self, bytes: &[u8], last: bool) -> Option<usize> {
        let text = String::from_utf8_lossy(bytes);
        if text.len() == bytes.len()
            && let Ok(Some((len, _))) = element(&text, last)
        {
            return Some(len);
        }
        let name = self.path.last().map_or("", String::as_str);
        let end = format!("</{name}>");
        match memchr::memmem::find(bytes, end.as_bytes()) {
            Some(at) => Some(at + end.len()),
            None => last.then_some(bytes.len()),
        }
    }

    fn finish(&mut self, _target: &mut Target<'_>) -> Result<(), Problem> {
        match self.open.last() {
            None => Ok(()),
            Some(name) => Err(Problem::File(Error::data_invalid(format!(
                "the file ends inside of the element `{name}`"
            )))),
        }
    }

    fn state(&self) -> Option<Json> {
        Some(serde_json::json!({ "open": self.open }))
    }

    fn joins_lines(&self) -> bool {
        true
    }
}

impl XmlRecords {
    fn at_record(&self, name: &str) -> bool {
        let here = self.open.iter().map(String::as_str);
        let here = here.chain(std::iter::once(name));
        self.path.len() == self.open.len() + 1
            && self
                .path
                .iter()
                .zip(here)
                .all(|(step, name)| step == "*" || step == name)
    }

    /// Uses the next tag, text or record; `None` when its end is not in sight.
    fn step(
        &mut self,
        text: &str,
        position: u64,
        last: bool,
        target: &mut Target<'_>,
    ) -> Result<Option<(usize, u64)>, Problem> {
        if text.is_empty() {
            return Ok(None);
        }
        let mut reader = reader(text);
        let event = match reader.read_event() {
            Ok(event) => event,
            Err(error) if is_cut(&error) && !last => return Ok(None),
            Err(error) => return Err(bad(&reader, &error.to_string()).into()),
        };
        let used = consumed(&reader);
        match event {
            Event::Start(tag) if self.at_record(name(&tag)) => {
                self.record(text, position, last, target)
            }
            Event::Empty(tag) if self.at_record(name(&tag)) => {
                self.record(text, position, last, target)
            }
            Event::Start(tag) => {
                if self.open.len() >= DEPTH_MAX {
                    return Err(
                        bad(&reader, &format!("elements lie deeper than {DEPTH_MAX}")).into(),
                    );
                }
                self.open.push(name(&tag).to_owned());
                Ok(Some((used, 0)))
            }
            Event::End(tag) => {
                let name = tag.name();
                if self.open.pop().as_deref() != Some(name.0) {
                    return Err(Problem::File(Error::data_invalid(format!(
                        "the end tag `{}` closes nothing that is open",
                        name.0
                    ))));
                }
                Ok(Some((used, 0)))
            }
            Event::DocType(declared) if declared.contains('[') => {
                Err(Problem::File(Error::data_invalid(
                    "the document declares a DTD of its own: entities are not expanded, remove the declaration",
                )))
            }
            // Text before the next tag may go on behind the piece; all of it is passed in any case.
            Event::Eof => Ok(None),
            _ => Ok((used > 0).then_some((used, 0))),
        }
    }

    fn record(
        &self,
        text: &str,
        position: u64,
        last: bool,
        target: &mut Target<'_>,
    ) -> Result<Option<(usize, u64)>, Problem> {
        let Some((len, value)) = element(text, last)? else {
            return Ok(None);
        };
        check_len(len, target.line_bytes_max, true)?;
        let sent = target.record(position).json(&value);
        sent.map_err(Problem::Batch)?;
        Ok(Some((len, 1)))
    }
}

fn reader(text: &str) -> Reader<&[u8]> {
    let mut reader = Reader::from_str(text);
    let config = reader.config_mut();
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    reader
}

fn consumed(reader: &Reader<&[u8]>) -> usize {
    usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX)
}

fn name<'a>(tag: &'a BytesStart<'_>) -> &'a str {
    tag.name().0
}

/// Says whether an error may only mean that the text goes on.
fn is_cut(error: &quick_xml::Error) -> bool {
    matches!(error, quick_xml::Error::Syntax(_))
        || matches!(
            error,
            quick_xml::Error::IllFormed(quick_xml::errors::IllFormedError::UnclosedReference)
        )
}

fn bad(reader: &Reader<&[u8]>, why: &str) -> Bad {
    let at = usize::try_from(reader.error_position()).unwrap_or(0);
    Bad::at(at, Reason::Xml(why.to_owned()))
}

/// Reads the element that `text` begins with: its length and its value; `None` when it does not end in it.
fn element(text: &str, last: bool) -> Result<Option<(usize, Json)>, Bad> {
    let mut reader = reader(text);
    let mut open: Vec<Node> = Vec::new();
    loop {
        let event = match reader.read_event() {
            Ok(event) => event,
            Err(error) if is_cut(&error) && !last => return Ok(None),
            Err(error) => return Err(bad(&reader, &error.to_string())),
        };
        let closed = match event {
            Event::Start(tag) => {
                if open.len() >= DEPTH_MAX {
                    return Err(bad(
                        &reader,
                        &format!("elements lie deeper than {DEPTH_MAX}"),
                    ));
                }
                open.push(Node::of(&tag).map_err(|why| bad(&reader, &why))?);
                continue;
            }
            Event::Empty(tag) => Node::of(&tag).map_err(|why| bad(&reader, &why))?,
            Event::End(tag) => match open.pop() {
                Some(node) if node.name == tag.name().0 => node,
                Some(node) => {
                    let why = format!("`{}` is closed by `{}`", node.name, tag.name().0);
                    return Err(bad(&reader, &why));
                }
                None => return Err(bad(&reader, "an end tag closes nothing")),
            },
            Event::Text(text) => {
                push_text(&mut open, &text.xml10_content());
                continue;
            }
            Event::CData(text) => {
                push_text(&mut open, &text.xml10_content());
                continue;
            }
            Event::GeneralRef(reference) => {
                let text = resolved(&reference).map_err(|why| bad(&reader, &why))?;
                push_text(&mut open, &text);
                continue;
            }
            Event::Comment(_) | Event::PI(_) | Event::Decl(_) | Event::DocType(_) => continue,
            Event::Eof if last => return Err(bad(&reader, "the file ends inside of it")),
            Event::Eof => return Ok(None),
        };
        match open.last_mut() {
            None => return Ok(Some((consumed(&reader), closed.into_value()))),
            Some(parent) => parent.add(closed),
        }
    }
}

fn push_text(open: &mut [Node], text: &str) {
    if let Some(node) = open.last_mut() {
        node.text.push_str(text);
    }
}

/// XML's own five entities, and characters by number.
fn resolved(reference: &quick_xml::events::BytesRef<'_>) -> Result<String, String> {
    match reference.resolve_char_ref() {
        Ok(Some(c)) => return Ok(c.to_string()),
        Ok(None) => {}
        Err(error) => return Err(error.to_string()),
    }
    let name = reference.xml10_content();
    match &*name {
        "lt" => Ok("<".to_owned()),
        "gt" => Ok(">".to_owned()),
        "amp" => Ok("&".to_owned()),
        "quot" => Ok("\"".to_owned()),
        "apos" => Ok("'".to_owned()),
        other => Err(format!("the entity `{other}` is none of XML's own five")),
    }
}

/// An element that is open.
#[derive(Debug)]
struct Node {
    name: String,
    fields: Map<String, Json>,
    text: String,
    nil: bool,
}

impl Node {
    fn of(tag: &BytesStart<'_>) -> Result<Self, String> {
        let mut node = Self {
            name: name(tag).to_owned(),
            fields: Map::new(),
            text: String::new(),
            nil: false,
        };
        for attribute in tag.attributes() {
            let attribute = attribute.map_err(|error| error.to_string())?;
            let value = attribute
                .normalized_value(quick_xml::XmlVersion::Implicit1_0)
                .map_err(|error| error.to_string())?;
            let key = attribute.key.0;
            if key == "xsi:nil" && matches!(&*value, "true" | "1") {
                node.nil = true;
            } else {
                node.fields
                    .insert(format!("@{key}"), value.into_owned().into());
            }
        }
        Ok(node)
    }

    /// Takes a child: the second one of a name makes an array of them.
    fn add(&mut self, child: Self) {
        let name = child.name.clone();
        let value = child.into_value();
        match self.fields.get_mut(&name) {
            None => {
                self.fields.insert(name, value);
            }
            Some(Json::Array(values)) => values.push(value),
            Some(first) => *first = Json::Array(vec![first.take(), value]),
        }
    }

    fn into_value(self) -> Json {
        if self.nil && self.fields.is_empty() {
            return Json::Null;
        }
        if self.fields.is_empty() {
            return Json::String(self.text);
        }
        let mut fields = self.fields;
        if !self.text.trim().is_empty() {
            fields.insert("#text".to_owned(), self.text.into());
        }
        Json::Object(fields)
    }
}

#[cfg(test)]
mod tests {
    use super::element;
    use crate::format::Reason;

    fn check(text: &str, expected: &str) {
        let (len, value) = element(text, false).unwrap().unwrap();
        assert_eq!(value.to_string(), expected, "{text}");
        for cut in 0..len {
            if let Some(front) = text.get(..cut) {
                assert_eq!(element(front, false), Ok(None), "{front}");
            }
        }
    }

    #[test]
    fn an_element_is_an_object_a_text_or_null() {
        check(
            r#"<b id="1" x="a&amp;b"><t>A &lt; B</t><g>x</g><g>y</g><e/></b><b/>"#,
            r#"{"@id":"1","@x":"a&b","t":"A < B","g":["x","y"],"e":""}"#,
        );
        check("<b>서울 &#54532; &#x41;</b>", r#""서울 프 A""#);
        check(
            r#"<b><n xsi:nil="true"/><m>x<i>y</i>z</m></b>"#,
            r##"{"n":null,"m":{"i":"y","#text":"xz"}}"##,
        );
        check("<b><![CDATA[<&]]><!-- no --></b>", r#""<&""#);
    }

    #[test]
    fn what_is_not_well_formed_or_not_xmls_own_is_bad() {
        let why = |text: &str| match element(text, true) {
            Err(bad) => match bad.reason {
                Reason::Xml(why) => why,
                other => other.to_string(),
            },
            Ok(value) => panic!("{text}: {value:?}"),
        };
        assert_eq!(
            why("<b>&bomb;</b>"),
            "the entity `bomb` is none of XML's own five"
        );
        assert_eq!(why("<b><c></b>"), "`c` is closed by `b`");
        assert_eq!(why("<b><c>"), "the file ends inside of it");
        let deep = "<b>".repeat(200);
        assert_eq!(why(&deep), "elements lie deeper than 128");
    }
}
