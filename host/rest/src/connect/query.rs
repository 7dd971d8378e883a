//! Parameters behind the `?`.

/// The parameters in their order; names and values are case-sensitive.
#[derive(Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn parse(text: &str) -> Self {
        Self(
            text.split('&')
                .filter(|pair| !pair.is_empty())
                .map(|pair| {
                    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                    (decode(name), decode(value))
                })
                .collect(),
        )
    }

    /// The values of a parameter; `None` when it does not occur.
    pub(super) fn all(&self, name: &str) -> Option<Vec<&str>> {
        let values: Vec<&str> = self
            .0
            .iter()
            .filter(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
            .collect();
        (!values.is_empty()).then_some(values)
    }

    /// Java's `Boolean.valueOf` of the first value: `true` in any case, all else is false.
    pub(super) fn flag(&self, name: &str, default: bool) -> bool {
        self.all(name)
            .and_then(|values| {
                values
                    .first()
                    .map(|value| value.eq_ignore_ascii_case("true"))
            })
            .unwrap_or(default)
    }
}

/// Percent codes and pluses; what is no code stays as it is.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let source = text.as_bytes();
    let mut at = 0;
    while let Some(&byte) = source.get(at) {
        let code = source
            .get(at + 1..at + 3)
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (byte, code) {
            (b'%', Some(code)) => {
                bytes.push(code);
                at += 3;
                continue;
            }
            (b'+', _) => bytes.push(b' '),
            _ => bytes.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn booleans_read_as_java_reads_them() {
        for (text, expected) in [
            ("a=true", true),
            ("a=TRUE", true),
            ("a=True", true),
            ("a=", false),
            ("a", false),
            ("a=1", false),
            ("a=%20true", false),
            ("a=true&a=false", true),
            ("a=false&a=true", false),
            ("A=true", false),
            ("", false),
        ] {
            assert_eq!(Query::parse(text).flag("a", false), expected, "{text}");
        }
    }

    #[test]
    fn repeated_parameters_keep_their_order() {
        let query = Query::parse("expand=info&x&expand=status");
        assert_eq!(query.all("expand").unwrap(), ["info", "status"]);
        assert_eq!(query.all("x").unwrap(), [""]);
        assert!(query.all("y").is_none());
    }
}
