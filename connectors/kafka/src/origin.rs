//! The header by which mirrors know where a record has been: `linkspan.src` = `alias/topic/partition/offset`, one for each hop.

/// Name of the header.
pub(crate) const HEADER: &str = "linkspan.src";

/// Returns the alias of the cluster that a header's value names, `None` where it is no such value.
pub(crate) fn alias(value: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(value).ok()?;
    let (alias, rest) = text.split_once('/')?;
    (!alias.is_empty() && rest.matches('/').count() >= 2).then_some(alias)
}

/// Writes the value for a record's coordinates.
pub(crate) fn value(alias: &str, topic: &str, partition: i32, offset: i64) -> String {
    format!("{alias}/{topic}/{partition}/{offset}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_names_its_cluster() {
        assert_eq!(alias(value("eu", "orders", 3, 42).as_bytes()), Some("eu"));
        for other in ["", "eu", "/orders/3/42", "eu/orders", "\u{ff}"] {
            assert_eq!(alias(other.as_bytes()), None, "{other}");
        }
        assert_eq!(alias(b"\xff/a/0/1"), None);
    }
}
