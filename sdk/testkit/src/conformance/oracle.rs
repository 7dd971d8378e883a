//! The judge of what arrived: records lost, repeated, out of order, unexpected.
//!
//! A *lane* is what keeps an order: a source partition, a partition of a topic. Within it a record is its text.

use std::{collections::BTreeMap, fmt};

/// Per lane the records in order.
pub type Lanes = BTreeMap<String, Vec<String>>;

/// What is wrong with what arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// A record is missing, this many times.
    Lost(String, String, usize),
    /// A record is there too often, this many times.
    Duplicate(String, String, usize),
    /// A record that nobody sent.
    Unexpected(String, String),
    /// At this place the first record should have been, and the second one was.
    Order(String, String, String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost(lane, record, n) => write!(f, "{lane}: lost {n} × `{record}`"),
            Self::Duplicate(lane, record, n) => write!(f, "{lane}: {n} × too often `{record}`"),
            Self::Unexpected(lane, record) => write!(f, "{lane}: nobody sent `{record}`"),
            Self::Order(lane, expected, found) => {
                write!(f, "{lane}: `{found}` came where `{expected}` was due")
            }
        }
    }
}

/// Compares what arrived with what was sent: the same records, each once, in order.
#[must_use]
pub fn exactly_once(sent: &Lanes, arrived: &Lanes) -> Vec<Fault> {
    judge(sent, arrived, false)
}

/// Compares what arrived with what was sent, where records may come again: none lost, and their first coming is in order.
#[must_use]
pub fn at_least_once(sent: &Lanes, arrived: &Lanes) -> Vec<Fault> {
    judge(sent, arrived, true)
}

fn judge(sent: &Lanes, arrived: &Lanes, repeats: bool) -> Vec<Fault> {
    let none = Vec::new();
    let mut faults = Vec::new();
    let lanes = sent
        .keys()
        .chain(arrived.keys().filter(|lane| !sent.contains_key(*lane)));
    for lane in lanes {
        let expected = sent.get(lane).unwrap_or(&none);
        let found = arrived.get(lane).unwrap_or(&none);
        judge_lane(lane, expected, found, repeats, &mut faults);
    }
    faults
}

fn judge_lane(
    lane: &str,
    expected: &[String],
    found: &[String],
    repeats: bool,
    faults: &mut Vec<Fault>,
) {
    let mut balance: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for record in expected {
        balance.entry(record).or_default().0 += 1;
    }
    for record in found {
        balance.entry(record).or_default().1 += 1;
    }
    let before = faults.len();
    for (record, (sent, came)) in &balance {
        let (lane, record) = (lane.to_owned(), (*record).to_owned());
        if came < sent {
            faults.push(Fault::Lost(lane, record, sent - came));
        } else if *sent == 0 {
            faults.push(Fault::Unexpected(lane, record));
        } else if came > sent && !repeats {
            faults.push(Fault::Duplicate(lane, record, came - sent));
        }
    }
    if faults.len() > before {
        return;
    }
    let mut due = expected.iter().peekable();
    let mut seen = std::collections::BTreeSet::new();
    for record in found {
        if due.peek() == Some(&record) {
            due.next();
            seen.insert(record);
        } else if !(repeats && seen.contains(record)) {
            let expected = due.peek().map_or("the end", |record| record.as_str());
            faults.push(Fault::Order(
                lane.to_owned(),
                expected.to_owned(),
                record.clone(),
            ));
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lanes(records: &str) -> Lanes {
        let records = records.chars().map(String::from).collect();
        Lanes::from([("t".to_owned(), records)])
    }

    fn check(sent: &str, arrived: &str, once: &[&str], least: &[&str]) {
        let told = |faults: Vec<Fault>| faults.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(
            told(exactly_once(&lanes(sent), &lanes(arrived))),
            once,
            "{sent} {arrived}"
        );
        assert_eq!(
            told(at_least_once(&lanes(sent), &lanes(arrived))),
            least,
            "{sent} {arrived}"
        );
    }

    #[test]
    fn each_fault_is_named() {
        check("abc", "abc", &[], &[]);
        check("abab", "abab", &[], &[]);
        check("abc", "ac", &["t: lost 1 × `b`"], &["t: lost 1 × `b`"]);
        check("abc", "abbc", &["t: 1 × too often `b`"], &[]);
        check(
            "abcd",
            "abcabcd",
            &[
                "t: 1 × too often `a`",
                "t: 1 × too often `b`",
                "t: 1 × too often `c`",
            ],
            &[],
        );
        check(
            "abc",
            "acb",
            &["t: `c` came where `b` was due"],
            &["t: `c` came where `b` was due"],
        );
        check(
            "abc",
            "abcx",
            &["t: nobody sent `x`"],
            &["t: nobody sent `x`"],
        );
        let other = Lanes::from([("u".to_owned(), vec!["a".to_owned()])]);
        assert_eq!(exactly_once(&lanes("a"), &other).len(), 2);
    }
}
