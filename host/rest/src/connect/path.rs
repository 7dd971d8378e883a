//! The path of a request as segments, by the rules of Kafka Connect's HTTP server (golden/rest/NOTES.md, 4–6).

use crate::refusal::Refusal;

/// Returns the decoded segments. One trailing slash counts for nothing, `;a=b` is cut from each segment, and a plus is a plus.
///
/// # Errors
/// What that server refuses before it looks at resources: `//`, encoded `/`, `\`, `%` and `.`, control characters, bad
/// percent codes and bad UTF-8.
pub(super) fn segments(path: &str) -> Result<Vec<String>, Refusal> {
    let refused = |what: &str| {
        Err(Refusal::new(
            400,
            "LS0604",
            format!("the path `{}` {what}", path.escape_debug()),
        ))
    };
    let Some(rest) = path.strip_prefix('/') else {
        return refused("does not begin with a slash");
    };
    if path.contains("//") {
        return refused("has an empty segment (`//`)");
    }
    let mut segments = Vec::new();
    for raw in rest.split('/') {
        let raw = raw.split(';').next().unwrap_or_default();
        match decode(raw) {
            Ok(segment) => segments.push(segment),
            Err(what) => return refused(what),
        }
    }
    // The trailing slash, and `/` itself.
    if segments.last().is_some_and(String::is_empty) {
        segments.pop();
    }
    if segments.iter().any(String::is_empty) {
        return refused("has an empty segment");
    }
    Ok(segments)
}

fn decode(raw: &str) -> Result<String, &'static str> {
    if raw.contains('|') {
        return Err("holds `|`, which must be percent-encoded");
    }
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| {
            byte.and_then(|byte| char::from(byte).to_digit(16))
                .and_then(|digit| u8::try_from(digit).ok())
        };
        let (Some(high), Some(low)) = (digit(rest.next()), digit(rest.next())) else {
            return Err("holds a `%` without two hex digits");
        };
        match high * 16 + low {
            b'/' | b'\\' | b'%' | b'.' => {
                return Err(
                    "holds an encoded `/`, `\\`, `%` or `.`, which no name in a path can have",
                );
            }
            0..0x20 | 0x7f => return Err("holds an encoded control character"),
            decoded => bytes.push(decoded),
        }
    }
    String::from_utf8(bytes).map_err(|_| "is not UTF-8 once decoded")
}

/// Encodes a name for `Location` as Java's `UriBuilder` does: what a segment may hold stays, valid `%XX` too.
pub(super) fn encode(name: &str) -> String {
    let bytes = name.as_bytes();
    let mut out = String::with_capacity(name.len());
    for (index, &byte) in bytes.iter().enumerate() {
        let hex = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
        let stays = byte.is_ascii_alphanumeric()
            || b"-._~!$&'()*+,;=:@/".contains(&byte)
            || (byte == b'%' && hex(index + 1) && hex(index + 2));
        if stays {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_segments() {
        for (path, expected) in [
            ("/", vec![]),
            ("/connectors", vec!["connectors"]),
            ("/connectors/", vec!["connectors"]),
            ("/connectors/;x=1", vec!["connectors"]),
            (
                "/connectors/a;b=c/status",
                vec!["connectors", "a", "status"],
            ),
            ("/connectors/a%20b+c", vec!["connectors", "a b+c"]),
            ("/connectors/%3B%23%3F", vec!["connectors", ";#?"]),
            ("/connectors/..", vec!["connectors", ".."]),
            ("/connectors/%EC%84%9C", vec!["connectors", "서"]),
        ] {
            assert_eq!(segments(path).unwrap(), expected, "{path}");
        }
    }

    #[test]
    fn what_the_server_refuses_is_400() {
        for path in [
            "//",
            "/connectors//",
            "/connectors//status",
            "/%2F",
            "/connectors/%2e%2e",
            "/connectors/%E4",
            "/connectors/%00",
            "/connectors/%zz",
            "/connectors/%25",
            "/connectors/a%5Cb",
            "/connectors/a|b",
            "/connectors/%4",
        ] {
            assert_eq!(segments(path).unwrap_err().error_code, 400, "{path}");
        }
    }

    #[test]
    fn names_are_encoded_as_java_does() {
        for (name, expected) in [
            ("nb my connector", "nb%20my%20connector"),
            ("a/b;c&d+e,f'g", "a/b;c&d+e,f'g"),
            ("%41%zz", "%41%25zz"),
            ("서\"<?#\\", "%EC%84%9C%22%3C%3F%23%5C"),
        ] {
            assert_eq!(encode(name), expected);
        }
    }
}
