//! `linkspan infer`: what a file of unknown origin may be, as a proposal that a person completes.
//!
//! ```text
//! first bytes ─► encoding ─► lines? ─► csv, tsv, jsonl, xml, lines of one length, lines
//!                                └ no ─► records of one length, descriptor words
//! fixed-width ─► columns of bytes ─► fields, types, a ruler; what is cut or is no digit where the others have one
//! ```
//!
//! Nothing here is certain, and the text says so: it shows what it saw.

mod delimited;
mod fixed;
mod guess;

#[cfg(test)]
mod tests;

use std::io::Read as _;
use std::path::Path;

use linkspan_sdk::prelude::*;
use serde_json::{Value as Json, json};

use self::guess::Shape;
use crate::encoding::{LABELS, TextEncoding};

/// How much of a file is looked at.
const LOOK_BYTES: u64 = 1 << 20;

/// What was found about a file.
#[derive(Debug)]
pub(crate) struct Proposal {
    /// For people, line by line.
    pub(crate) notes: Vec<String>,
    /// The configuration of a source.
    pub(crate) yaml: String,
}

/// Answers the operation `infer`: `{"path", "encoding"?}` in, `{"notes", "yaml"}` out.
pub(crate) fn answer(body: &Json) -> Result<Json> {
    let path = body
        .get("path")
        .and_then(Json::as_str)
        .ok_or_else(|| Error::config_invalid("`path` is missing"))?;
    let label = body.get("encoding").and_then(Json::as_str);
    let proposal = propose(Path::new(path), label)?;
    Ok(json!({"notes": proposal.notes, "yaml": proposal.yaml}))
}

fn propose(path: &Path, label: Option<&str>) -> Result<Proposal> {
    let read =
        |error: std::io::Error| Error::from(error).context(format!("read `{}`", path.display()));
    let meta = std::fs::metadata(path).map_err(read)?;
    if !meta.is_file() {
        return Err(Error::unsupported(format!(
            "`{}` is not a plain file",
            path.display()
        )));
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .map_err(read)?
        .take(LOOK_BYTES)
        .read_to_end(&mut bytes)
        .map_err(read)?;
    if bytes.is_empty() {
        return Err(Error::data_invalid(format!(
            "`{}` is empty, there is nothing to see",
            path.display()
        )));
    }
    let whole = bytes.len() as u64 == meta.len();
    let (label, encoding, why) = match label {
        Some(label) => {
            let known = TextEncoding::for_label(label);
            let unknown = || {
                Error::config_invalid(format!(
                    "`{label}` is not an encoding that is known; there are {LABELS}"
                ))
            };
            (
                label.to_owned(),
                known.ok_or_else(unknown)?,
                "as you said".to_owned(),
            )
        }
        None => guess::encoding(&bytes),
    };
    let mut notes = vec![
        format!(
            "{}: {} bytes, {} of them looked at",
            path.display(),
            meta.len(),
            bytes.len()
        ),
        format!("encoding: {label} ({why})"),
    ];
    let shape = guess::shape(&bytes, encoding, whole, meta.len());
    let mut yaml = format!(
        "connectors:\n  in:\n    connector: file-source\n    path: {}\n    topic: {}\n    encoding: {label}\n",
        quoted(&path.display().to_string()),
        topic(path)
    );
    match shape {
        Shape::Format(format, why) => {
            notes.push(format!("format: {format} ({why})"));
            yaml += &format!("    format: {format}\n");
        }
        Shape::Delimited(delimiter) => {
            delimited::propose(&bytes, encoding, delimiter, &mut notes, &mut yaml)
        }
        Shape::Fixed { len, end } => {
            fixed::propose(&bytes, encoding, len, end, &mut notes, &mut yaml)
        }
        Shape::Words { little, includes } => {
            notes.push(
                "format: copybook (record descriptor words from record to record up to the end)"
                    .to_owned(),
            );
            yaml += &format!(
                "    format: copybook\n    copybook:\n      file: COPYBOOK.cpy        # the copybook that describes the records\n      record.format: rdw\n      rdw.order: {}\n      rdw.includes.itself: {includes}\n",
                if little { "little" } else { "big" }
            );
        }
    }
    Ok(Proposal { notes, yaml })
}

/// A topic's name of a file's.
fn topic(path: &Path) -> String {
    let stem = path
        .file_stem()
        .and_then(|stem| stem.to_str())
        .unwrap_or("input");
    let name: String = stem
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || "._-".contains(c) {
                c
            } else {
                '-'
            }
        })
        .collect();
    if name.is_empty() {
        "input".to_owned()
    } else {
        name
    }
}

/// A text as a YAML scalar.
fn quoted(text: &str) -> String {
    let plain = text
        .chars()
        .all(|c| c.is_alphanumeric() || "/._-".contains(c))
        && !text.is_empty();
    if plain {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}
