//! How a request's body becomes records.

use axum::http::{HeaderMap, header};
use bytes::Bytes;
use serde_json::value::RawValue;

use super::options::Batch;

/// Most records of one request.
const RECORDS_MAX: usize = 10_000;
/// The longest key.
const KEY_BYTES_MAX: usize = 4096;

/// What becomes one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) value: Bytes,
    pub(super) key: Option<Vec<u8>>,
    /// Headers of the piece itself, such as a part's file name.
    pub(super) headers: Vec<(String, Vec<u8>)>,
}

/// Why a body is refused with 400.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum BodyError {
    #[error("the body is not a JSON array: {0}")]
    Array(String),
    #[error("the body has more than {RECORDS_MAX} records")]
    Many,
    #[error("the body holds no record")]
    Empty,
    #[error("the content type is not `multipart/…` with a boundary")]
    NoBoundary,
    #[error("the multipart body is cut or malformed at byte {0}")]
    Multipart(usize),
    #[error("the key at `{0}` is longer than {KEY_BYTES_MAX} bytes")]
    Key(String),
}

/// Cuts a body into pieces, which share its memory.
pub(super) fn split(
    batch: Batch,
    key_path: Option<&str>,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Vec<Piece>, BodyError> {
    let piece = |value: Bytes| Piece {
        value,
        key: None,
        headers: Vec::new(),
    };
    let mut pieces = match batch {
        Batch::None => vec![piece(body.clone())],
        Batch::Jsonl => lines(body).map(piece).collect(),
        Batch::JsonArray => elements(body)?.into_iter().map(piece).collect(),
        Batch::Multipart => parts(headers, body)?,
    };
    if pieces.is_empty() {
        return Err(BodyError::Empty);
    }
    if pieces.len() > RECORDS_MAX {
        return Err(BodyError::Many);
    }
    if let Some(path) = key_path {
        for piece in &mut pieces {
            piece.key = pointed(&piece.value, path);
            if piece
                .key
                .as_ref()
                .is_some_and(|key| key.len() > KEY_BYTES_MAX)
            {
                return Err(BodyError::Key(path.to_owned()));
            }
        }
    }
    Ok(pieces)
}

/// Returns what a JSON Pointer points at: a text as it is, anything else as its JSON; nothing for null or what is not there.
pub(super) fn pointed(json: &[u8], pointer: &str) -> Option<Vec<u8>> {
    let value: serde_json::Value = serde_json::from_slice(json).ok()?;
    match value.pointer(pointer)? {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some(text.clone().into_bytes()),
        other => Some(other.to_string().into_bytes()),
    }
}

fn lines(body: &Bytes) -> impl Iterator<Item = Bytes> + '_ {
    body.split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty())
        .map(|line| body.slice_ref(line))
}

fn elements(body: &Bytes) -> Result<Vec<Bytes>, BodyError> {
    let raw: Vec<&RawValue> =
        serde_json::from_slice(body).map_err(|error| BodyError::Array(error.to_string()))?;
    Ok(raw
        .iter()
        .map(|element| body.slice_ref(element.get().as_bytes()))
        .collect())
}

/// Cuts a multipart body (RFC 2046 §5.1) at its boundary.
fn parts(headers: &HeaderMap, body: &Bytes) -> Result<Vec<Piece>, BodyError> {
    let delimiter = boundary(headers).ok_or(BodyError::NoBoundary)?;
    let delimiter = format!("--{delimiter}").into_bytes();
    let mut at = find(body, &delimiter, 0).ok_or(BodyError::Multipart(0))?;
    let mut pieces = Vec::new();
    loop {
        at += delimiter.len();
        let rest = body.get(at..).ok_or(BodyError::Multipart(at))?;
        if rest.starts_with(b"--") {
            return Ok(pieces);
        }
        if pieces.len() >= RECORDS_MAX {
            return Err(BodyError::Many);
        }
        let head_start = at + line_end(rest).ok_or(BodyError::Multipart(at))?;
        let mut next = Vec::with_capacity(delimiter.len() + 2);
        next.extend_from_slice(b"\r\n");
        next.extend_from_slice(&delimiter);
        // The header block may be empty, then its blank line follows at once.
        let head_search = head_start.saturating_sub(2);
        let head_end =
            find(body, b"\r\n\r\n", head_search).ok_or(BodyError::Multipart(head_start))?;
        let content = head_end + 4;
        let end =
            find(body, &next, content.saturating_sub(2)).ok_or(BodyError::Multipart(content))?;
        let head = body
            .get(head_start..head_end.max(head_start))
            .unwrap_or_default();
        pieces.push(Piece {
            value: body.slice(content.min(end)..end),
            key: None,
            headers: part_headers(head),
        });
        at = end + 2;
    }
}

fn boundary(headers: &HeaderMap) -> Option<String> {
    let kind = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    if !kind
        .trim_start()
        .to_ascii_lowercase()
        .starts_with("multipart/")
    {
        return None;
    }
    let value = kind.split(';').skip(1).find_map(|one| {
        let (name, value) = one.trim().split_once('=')?;
        name.eq_ignore_ascii_case("boundary")
            .then(|| value.trim_matches('"').to_owned())
    })?;
    (!value.is_empty() && value.len() <= 70).then_some(value)
}

fn part_headers(head: &[u8]) -> Vec<(String, Vec<u8>)> {
    String::from_utf8_lossy(head)
        .split("\r\n")
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| {
            (
                format!("http.part.{}", name.trim().to_ascii_lowercase()),
                value.trim().as_bytes().to_vec(),
            )
        })
        .collect()
}

fn find(bytes: &[u8], wanted: &[u8], from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    rest.windows(wanted.len())
        .position(|window| window == wanted)
        .map(|at| from + at)
}

/// Returns the length of the rest of this line, with its end; only white space may stand there.
fn line_end(rest: &[u8]) -> Option<usize> {
    let end = find(rest, b"\r\n", 0)?;
    rest.get(..end)?
        .iter()
        .all(u8::is_ascii_whitespace)
        .then_some(end + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        batch: Batch,
        content_type: &str,
        body: &str,
        expected: &Result<Vec<&str>, BodyError>,
    ) {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, content_type.parse().unwrap());
        let pieces = split(
            batch,
            None,
            &headers,
            &Bytes::copy_from_slice(body.as_bytes()),
        );
        let values = pieces.map(|pieces| {
            pieces
                .iter()
                .map(|piece| String::from_utf8(piece.value.to_vec()).unwrap())
                .collect::<Vec<_>>()
        });
        let expected = expected
            .clone()
            .map(|values| values.into_iter().map(str::to_owned).collect());
        assert_eq!(values, expected, "{body:?}");
    }

    #[test]
    fn bodies_are_cut_where_their_format_says() {
        check(Batch::None, "text/plain", "a\nb", &Ok(vec!["a\nb"]));
        check(Batch::None, "text/plain", "", &Ok(vec![""]));
        check(
            Batch::Jsonl,
            "a/b",
            "{\"a\":1}\r\n\n[2]\n",
            &Ok(vec!["{\"a\":1}", "[2]"]),
        );
        check(Batch::Jsonl, "a/b", "\n", &Err(BodyError::Empty));
        check(
            Batch::JsonArray,
            "a/b",
            "[ {\"a\": 1.10}, \"x\" ,null]",
            &Ok(vec!["{\"a\": 1.10}", "\"x\"", "null"]),
        );
        check(Batch::JsonArray, "a/b", "[]", &Err(BodyError::Empty));
        let many = format!("[{}1]", "1,".repeat(RECORDS_MAX));
        check(Batch::JsonArray, "a/b", &many, &Err(BodyError::Many));
    }

    #[test]
    fn what_is_no_array_says_where() {
        let error = elements(&Bytes::from_static(b"{\"a\":1}")).unwrap_err();
        assert!(error.to_string().contains("line 1 column"), "{error}");
        assert!(elements(&Bytes::from_static(b"[1,2")).is_err());
    }

    #[test]
    fn multipart_bodies_are_cut_at_their_boundary() {
        let kind = "multipart/form-data; boundary=\"x-y\"";
        let body = "preamble\r\n--x-y\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\none\r\ntwo\r\n--x-y\r\n\r\n\r\n--x-y--\r\nepilogue";
        check(Batch::Multipart, kind, body, &Ok(vec!["one\r\ntwo", ""]));
        check(
            Batch::Multipart,
            "text/plain",
            body,
            &Err(BodyError::NoBoundary),
        );
        for cut in [10, 20, 60, body.len() - 14] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, kind.parse().unwrap());
            let cut = Bytes::copy_from_slice(&body.as_bytes()[..cut]);
            assert!(
                matches!(parts(&headers, &cut), Err(BodyError::Multipart(_))),
                "{cut:?}"
            );
        }
    }

    #[test]
    fn a_key_is_what_the_pointer_points_at() {
        assert_eq!(pointed(br#"{"a":{"b":"k"}}"#, "/a/b"), Some(b"k".to_vec()));
        assert_eq!(pointed(br#"{"a":7}"#, "/a"), Some(b"7".to_vec()));
        for none in [&br#"{"a":null}"#[..], b"{}", b"text"] {
            assert_eq!(pointed(none, "/a"), None);
        }
    }
}
