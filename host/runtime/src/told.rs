//! What a plugin tells of itself: values of metrics by name and labels, of one task, for as long as its instance is open.
//!
//! A name tells the kind: what ends in `_total` only grows. `NaN` takes a series away.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

/// The most series of a task: what a scrape of all tasks may cost is bounded by it.
pub(crate) const SERIES_MAX: usize = 5_000;
/// The most labels of a series; connector and task come on top.
const LABELS_MAX: usize = 8;
/// The longest name, of a metric or a label, and the longest value of a label: a topic's name.
const TEXT_BYTES_MAX: usize = 249;

/// The series of one task.
#[derive(Debug, Default)]
pub(crate) struct Told(Mutex<BTreeMap<Name, f64>>);

/// What tells series apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Name {
    name: String,
    labels: BTreeMap<String, String>,
}

/// One value as it was told last.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ToldSeries {
    /// The metric.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The value.
    pub value: f64,
}

impl Told {
    /// Takes a value; says what is wrong with one that is not taken.
    pub(crate) fn tell(&self, name: &str, value: f64, labels: &str) -> Result<(), &'static str> {
        if !is_name(name) {
            return Err("a name has small letters, digits and `_`, and begins with a letter");
        }
        let labels: BTreeMap<String, String> =
            serde_json::from_str(labels).map_err(|_| "labels are an object of texts")?;
        if labels.len() > LABELS_MAX {
            return Err("a series has at most 8 labels");
        }
        for (label, text) in &labels {
            if !is_name(label) || matches!(label.as_str(), "connector" | "task") {
                return Err(
                    "a label is a name as a metric's, and the host's own are `connector` and `task`",
                );
            }
            if text.len() > TEXT_BYTES_MAX {
                return Err("a label's value has at most 249 bytes");
            }
        }
        let name = Name {
            name: name.to_owned(),
            labels,
        };
        let mut series = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if value.is_nan() {
            series.remove(&name);
        } else if series.len() < SERIES_MAX || series.contains_key(&name) {
            series.insert(name, value);
        } else {
            return Err("a task has at most 5000 series");
        }
        Ok(())
    }

    /// The instance is closed: nothing of it is true any more.
    pub(crate) fn clear(&self) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    pub(crate) fn read(&self) -> Vec<ToldSeries> {
        let series = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let told = series.iter().map(|(name, value)| ToldSeries {
            name: name.name.clone(),
            labels: name.labels.clone(),
            value: *value,
        });
        told.collect()
    }
}

fn is_name(text: &str) -> bool {
    text.len() <= TEXT_BYTES_MAX
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(told: &Told) -> Vec<(String, f64)> {
        let read = told.read().into_iter();
        read.map(|one| (format!("{}{:?}", one.name, one.labels), one.value))
            .collect()
    }

    #[test]
    fn the_last_value_of_a_series_counts_until_it_is_taken_away() {
        let told = Told::default();
        told.tell("lag", 7.0, r#"{"partition":"0"}"#).unwrap();
        told.tell("lag", 9.0, r#"{"partition":"1"}"#).unwrap();
        told.tell("lag", 3.0, r#"{"partition":"0"}"#).unwrap();
        assert_eq!(
            values(&told),
            [
                (r#"lag{"partition": "0"}"#.to_owned(), 3.0),
                (r#"lag{"partition": "1"}"#.to_owned(), 9.0)
            ]
        );
        told.tell("lag", f64::NAN, r#"{"partition":"0"}"#).unwrap();
        assert_eq!(values(&told).len(), 1);
        told.clear();
        assert!(values(&told).is_empty());
    }

    #[test]
    fn what_would_break_the_page_or_grow_without_end_is_refused() {
        let told = Told::default();
        for (name, labels) in [
            ("", "{}"),
            ("Lag", "{}"),
            ("lag\n", "{}"),
            ("lag", "[]"),
            ("lag", r#"{"a":1}"#),
            ("lag", r#"{"task":"0"}"#),
            ("lag", r#"{"a b":"0"}"#),
            (
                "lag",
                r#"{"a":"","b":"","c":"","d":"","e":"","f":"","g":"","h":"","i":""}"#,
            ),
        ] {
            assert!(told.tell(name, 1.0, labels).is_err(), "{name} {labels}");
        }
        let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(TEXT_BYTES_MAX + 1));
        assert!(told.tell("lag", 1.0, &long).is_err());
        for number in 0..SERIES_MAX {
            told.tell("lag", 1.0, &format!(r#"{{"p":"{number}"}}"#))
                .unwrap();
        }
        assert!(told.tell("lag", 1.0, r#"{"p":"more"}"#).is_err());
        // Those that are known go on.
        told.tell("lag", 2.0, r#"{"p":"0"}"#).unwrap();
    }
}
