//! What an answer's body holds: its text, and in it the records as JSON.

use std::io::Read as _;
use std::ops::Range;

use encoding_rs::{Encoding, UTF_8};
use flate2::read::MultiGzDecoder;
use linkspan_sdk::{Error, Result};
use serde::de::IgnoredAny;

use super::options::{Decoder, StreamOptions};
use super::path::{Path, PathError};
use super::xml;
use crate::answer::Answer;
use crate::mask::Mask;

/// The first bytes of a gzip file (RFC 1952).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The records of a page.
#[derive(Debug, Default)]
pub(super) struct Decoded {
    /// JSON, or lines of JSON.
    pub(super) text: String,
    /// Where the records are in it.
    pub(super) records: Vec<Range<usize>>,
    /// Whether the text is the answer itself, for what pagination looks for in it.
    pub(super) is_document: bool,
}

impl Decoded {
    /// Returns a record's JSON.
    pub(super) fn record(&self, index: usize) -> Option<&str> {
        self.text.get(self.records.get(index)?.clone())
    }
}

/// Decodes an answer. `limit` bounds what gzip may grow to.
///
/// # Errors
/// Of kind `data_invalid`; names URL, status, content type, the beginning of the body, and the place.
pub(super) fn decode(
    stream: &StreamOptions,
    answer: &Answer,
    limit: u64,
    mask: &Mask,
) -> Result<Decoded> {
    let wrong = |told: String| Error::data_invalid(format!("{told}; {}", answer.told(mask)));
    let bytes = unzipped(&answer.body, limit).map_err(wrong)?;
    let text = text(&bytes, stream.charset.as_deref(), answer.charset()).map_err(wrong)?;
    if text.trim().is_empty() {
        return Ok(Decoded::default());
    }
    match stream.decoder {
        Decoder::Json => {
            document(text, &stream.records_path).map_err(|error| wrong(path_told(&error)))
        }
        Decoder::Jsonl => lines(text).map_err(wrong),
        Decoder::Csv => document(csv_json(&text, stream).map_err(wrong)?, &Path::default())
            .map(|decoded| Decoded {
                is_document: false,
                ..decoded
            })
            .map_err(|error| wrong(path_told(&error))),
        Decoder::Xml => {
            let json = xml::to_json(&text)
                .map_err(|error| wrong(format!("the body is not XML: {error}")))?;
            document(json.to_string(), &stream.records_path)
                .map_err(|error| wrong(path_told(&error)))
        }
    }
}

fn path_told(error: &PathError) -> String {
    match error {
        PathError::Json(_) => format!("the body {error}"),
        PathError::Missing { .. } | PathError::Scalar { .. } => error.to_string(),
    }
}

fn unzipped(body: &[u8], limit: u64) -> Result<Vec<u8>, String> {
    if !body.starts_with(&GZIP) {
        return Ok(body.to_vec());
    }
    let mut bytes = Vec::new();
    let read = MultiGzDecoder::new(body)
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes);
    read.map_err(|error| {
        format!(
            "the gzip body ends early or is damaged after {} bytes: {error}",
            bytes.len()
        )
    })?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > limit) {
        return Err(format!(
            "the gzip body grows beyond {limit} bytes (`max.response.bytes`)"
        ));
    }
    Ok(bytes)
}

fn text(bytes: &[u8], configured: Option<&str>, announced: Option<&str>) -> Result<String, String> {
    let (label, whence) = match (configured, announced) {
        (Some(label), _) => (label, "`charset`"),
        (None, Some(label)) => (label, "`Content-Type`"),
        (None, None) => ("utf-8", "nobody"),
    };
    let encoding = Encoding::for_label(label.as_bytes()).ok_or_else(|| {
        format!("{whence} says the charset `{label}`, which is unknown; set `charset`")
    })?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if encoding == UTF_8 {
        return String::from_utf8(bytes.to_vec()).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            let byte = bytes.get(at).copied().unwrap_or_default();
            format!("byte {at} (0x{byte:02x}) is not UTF-8; if the body is in another encoding, set `charset`")
        });
    }
    match encoding.decode_without_bom_handling_and_without_replacement(bytes) {
        Some(text) => Ok(text.into_owned()),
        None => Err(format!(
            "the body is not {}, which {whence} says; set `charset` to what it is",
            encoding.name()
        )),
    }
}

fn document(text: String, path: &Path) -> Result<Decoded, PathError> {
    let base = text.as_ptr().addr();
    let ranges = path.records(&text)?.into_iter().map(|raw| {
        let start = raw.get().as_ptr().addr() - base;
        start..start + raw.get().len()
    });
    let records = ranges.collect();
    Ok(Decoded {
        text,
        records,
        is_document: true,
    })
}

fn lines(text: String) -> Result<Decoded, String> {
    let mut records = Vec::new();
    let mut start = 0;
    for (number, line) in text.split('\n').enumerate() {
        let trimmed = line.trim();
        if !trimmed.is_empty() {
            serde_json::from_str::<IgnoredAny>(trimmed)
                .map_err(|error| format!("line {} of the body is not JSON: {error}", number + 1))?;
            let begin = start + (line.len() - line.trim_start().len());
            records.push(begin..begin + trimmed.len());
        }
        start += line.len() + 1;
    }
    Ok(Decoded {
        text,
        records,
        is_document: false,
    })
}

/// Makes an array of objects of texts.
fn csv_json(text: &str, stream: &StreamOptions) -> Result<String, String> {
    let delimiter = if stream.csv_delimiter == "\\t" {
        b'\t'
    } else {
        stream.csv_delimiter.bytes().next().unwrap_or(b',')
    };
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(stream.csv_header)
        .from_reader(text.as_bytes());
    let told = |error: csv::Error| format!("the body is not CSV: {error}");
    let names: Option<Vec<String>> = match stream.csv_header {
        true => Some(
            reader
                .headers()
                .map_err(told)?
                .iter()
                .map(str::to_owned)
                .collect(),
        ),
        false => None,
    };
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(told)?;
        let row: serde_json::Map<String, serde_json::Value> = record
            .iter()
            .enumerate()
            .map(|(at, value)| {
                let name = names
                    .as_ref()
                    .and_then(|names| names.get(at).cloned())
                    .unwrap_or_else(|| format!("column{}", at + 1));
                (name, serde_json::Value::from(value))
            })
            .collect();
        rows.push(serde_json::Value::Object(row));
    }
    Ok(serde_json::Value::Array(rows).to_string())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Write as _;

    use bytes::Bytes;
    use linkspan_sdk::options::Options as _;
    use reqwest::StatusCode;

    use super::*;

    fn run(options: &[(&str, &str)], content_type: &str, body: &[u8]) -> Result<Vec<String>> {
        let config: BTreeMap<String, String> = options
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        let stream = StreamOptions::from_config(&config).unwrap();
        let headers = [(reqwest::header::CONTENT_TYPE, content_type.parse().unwrap())]
            .into_iter()
            .collect();
        let answer = Answer {
            status: StatusCode::OK,
            headers,
            body: Bytes::copy_from_slice(body),
            request: "GET http://h/items".to_owned(),
        };
        let decoded = decode(&stream, &answer, 1 << 20, &Mask::default())?;
        Ok((0..decoded.records.len())
            .map(|index| decoded.record(index).unwrap().to_owned())
            .collect())
    }

    fn check(
        options: &[(&str, &str)],
        content_type: &str,
        body: impl AsRef<[u8]>,
        expected: &[&str],
    ) {
        assert_eq!(
            run(options, content_type, body.as_ref()).unwrap(),
            expected,
            "{options:?}"
        );
    }

    /// The error names URL, status, content type, the body and what is wrong.
    fn refused(
        options: &[(&str, &str)],
        content_type: &str,
        body: impl AsRef<[u8]>,
        texts: &[&str],
    ) {
        let error = run(options, content_type, body.as_ref()).unwrap_err();
        assert_eq!(
            (error.kind(), error.is_temporary()),
            (linkspan_sdk::ErrorKind::DataInvalid, false)
        );
        for text in texts
            .iter()
            .chain(&["GET http://h/items", "200 OK", content_type])
        {
            assert!(error.chain().contains(text), "`{text}` in {error:?}");
        }
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn every_format_becomes_json() {
        check(
            &[],
            "application/json",
            r#"[{"a": 1.10}]"#,
            &[r#"{"a": 1.10}"#],
        );
        check(
            &[("decoder", "jsonl")],
            "x/y",
            "{\"a\":1}\r\n\n  [2] \n",
            &["{\"a\":1}", "[2]"],
        );
        check(
            &[("decoder", "csv")],
            "text/csv",
            "id,name\n1,\"a, b\"\n2,\n",
            &[r#"{"id":"1","name":"a, b"}"#, r#"{"id":"2","name":""}"#],
        );
        check(
            &[
                ("decoder", "csv"),
                ("csv.header", "false"),
                ("csv.delimiter", "\\t"),
            ],
            "text/csv",
            "1\t2\n",
            &[r#"{"column1":"1","column2":"2"}"#],
        );
        let xml = "<r><item id=\"1\"><n>a</n></item><item id=\"2\"/></r>";
        check(
            &[("decoder", "xml"), ("records.path", "/r/item")],
            "text/xml",
            xml,
            &[r#"{"@id":"1","n":"a"}"#, r#"{"@id":"2"}"#],
        );
        check(&[], "application/json", gzip(b"[1,{}]"), &["1", "{}"]);
        check(&[], "application/json", "", &[]);
        check(&[], "application/json", "\u{feff}[1]", &["1"]);
    }

    #[test]
    fn the_charset_is_what_the_server_or_the_option_says() {
        // `가` in EUC-KR.
        let body = b"[\"\xb0\xa1\"]";
        check(&[], "application/json; charset=euc-kr", body, &["\"가\""]);
        check(
            &[("charset", "euc-kr")],
            "application/json",
            body,
            &["\"가\""],
        );
        // What the option says counts more than a server that is wrong about itself.
        check(
            &[("charset", "euc-kr")],
            "application/json; charset=utf-8",
            body,
            &["\"가\""],
        );
    }

    #[test]
    fn what_is_not_what_it_should_be_is_told_with_its_beginning() {
        refused(
            &[],
            "text/html",
            "<!DOCTYPE html><title>Sign in</title>",
            &["is not JSON", "line 1 column 1", "Sign in"],
        );
        refused(
            &[("records.path", "/items")],
            "application/json",
            r#"{"error":"no"}"#,
            &["records.path", "there is no `items`", "error"],
        );
        refused(
            &[],
            "application/json",
            b"[\"\xb6\xca\"]",
            &["byte 2 (0xb6) is not UTF-8", "charset"],
        );
        refused(
            &[],
            "application/json; charset=klingon",
            "[]",
            &["`klingon`, which is unknown"],
        );
        refused(
            &[],
            "application/json; charset=shift_jis",
            b"[\"\xff\xff\"]",
            &["not Shift_JIS", "Content-Type"],
        );
        let whole = gzip(&b"[1234567890]".repeat(100));
        refused(
            &[],
            "application/gzip",
            &whole[..whole.len() - 9],
            &["gzip", "ends early or is damaged"],
        );
        refused(
            &[],
            "application/gzip",
            gzip(&vec![b' '; 2 << 20]),
            &["max.response.bytes"],
        );
        refused(&[("decoder", "jsonl")], "a/b", "{}\n{\"a\":", &["line 2"]);
        refused(
            &[("decoder", "csv")],
            "text/csv",
            "a,b\n1,2\n3\n",
            &["not CSV", "line: 3"],
        );
        refused(
            &[("decoder", "xml")],
            "text/xml",
            "<a><b></a>",
            &["not XML"],
        );
        refused(
            &[("decoder", "xml")],
            "text/xml",
            "<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>",
            &["DTD"],
        );
    }
}
