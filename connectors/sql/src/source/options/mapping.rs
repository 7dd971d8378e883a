//! Patterns for names, and columns by them.

use fancy_regex::Regex;

/// `regex:column` or `regex:[column|column]`.
pub(super) struct ColumnsOf {
    pattern: Regex,
    pub(super) columns: Vec<String>,
}

impl ColumnsOf {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (pattern, columns) = text.rsplit_once(':')?;
        let columns: Vec<String> = columns
            .trim()
            .trim_start_matches('[')
            .trim_end_matches(']')
            .split('|')
            .map(|column| column.trim().to_owned())
            .collect();
        if columns.iter().any(String::is_empty) {
            return None;
        }
        Some(Self {
            pattern: whole(pattern.trim()).ok()?,
            columns,
        })
    }

    pub(super) fn matches(&self, names: &[String]) -> bool {
        names
            .iter()
            .any(|name| self.pattern.is_match(name).unwrap_or(false))
    }
}

/// A regular expression that has to match a whole name.
pub(crate) fn whole(pattern: &str) -> Result<Regex, Box<fancy_regex::Error>> {
    Regex::new(&format!("^(?:{})$", pattern.trim())).map_err(Box::new)
}
