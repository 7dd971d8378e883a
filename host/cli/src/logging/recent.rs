//! What was said of each connector lately, kept in memory for `/api/v1/connectors/{name}/logs`.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Mutex, PoisonError};

use linkspan_rest::WantedLines;
use linkspan_types::{Clock as _, SystemClock};
use serde::Serialize;
use serde_json::{Value, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

use super::levels::Owner;

/// Lines of one connector that are kept.
const LINES_MAX: usize = 500;
/// Connectors whose lines are kept; of one more the connector that has been silent the longest is forgotten.
const CONNECTORS_MAX: usize = 2_000;
/// Bytes of a message or field that are kept.
const TEXT_BYTES_MAX: usize = 4 << 10;

/// All lines of this process.
static LINES: Mutex<BTreeMap<String, Ring>> = Mutex::new(BTreeMap::new());

/// The lines of one connector.
#[derive(Debug, Default)]
struct Ring {
    /// The number of the last line, from 1 on.
    last: u64,
    lines: VecDeque<Line>,
}

#[derive(Debug, Clone, Serialize)]
struct Line {
    seq: u64,
    t_ms: i64,
    #[serde(serialize_with = "word")]
    level: Level,
    task: Option<String>,
    target: &'static str,
    message: String,
    fields: BTreeMap<&'static str, String>,
}

fn word<S: serde::Serializer>(level: &Level, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(level.as_str())
}

/// The layer that keeps them.
#[derive(Debug)]
pub(super) struct Recent;

impl<S: Subscriber> Layer<S> for Recent {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut owner = Owner::default();
        event.record(&mut owner);
        let Some(connector) = owner.name() else {
            return;
        };
        let mut texts = Texts::default();
        event.record(&mut texts);
        let metadata = event.metadata();
        let line = Line {
            seq: 0,
            t_ms: SystemClock::default().now_ms(),
            level: *metadata.level(),
            task: owner.task().map(str::to_owned),
            target: metadata.target(),
            message: texts.message,
            fields: texts.fields,
        };
        keep(
            &mut LINES.lock().unwrap_or_else(PoisonError::into_inner),
            connector,
            line,
        );
    }
}

fn keep(all: &mut BTreeMap<String, Ring>, connector: &str, mut line: Line) {
    if !all.contains_key(connector) && all.len() >= CONNECTORS_MAX {
        let said = |ring: &Ring| ring.lines.back().map(|line| line.t_ms);
        let silent = all.iter().min_by_key(|(_, ring)| said(ring));
        if let Some(silent) = silent.map(|(name, _)| name.clone()) {
            all.remove(&silent);
        }
    }
    let ring = all.entry(connector.to_owned()).or_default();
    ring.last += 1;
    line.seq = ring.last;
    if ring.lines.len() == LINES_MAX {
        ring.lines.pop_front();
    }
    ring.lines.push_back(line);
}

/// Message and fields of an event.
#[derive(Debug, Default)]
struct Texts {
    message: String,
    fields: BTreeMap<&'static str, String>,
}

impl Texts {
    fn add(&mut self, field: &Field, mut text: String) {
        if text.len() > TEXT_BYTES_MAX {
            let mut end = TEXT_BYTES_MAX;
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            text.truncate(end);
            text.push('…');
        }
        match field.name() {
            "message" => self.message = text,
            "connector" | "task" => {}
            name => {
                self.fields.insert(name, text);
            }
        }
    }
}

impl Visit for Texts {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format!("{value:?}"));
    }
}

/// Returns lines of a connector: `{"lines", "dropped", "next"}`. `dropped`: so many behind `after` are not kept any more.
pub(crate) fn lines(connector: &str, wanted: &WantedLines) -> Value {
    let all = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    all.get(connector).map_or_else(
        || json!({ "lines": [], "dropped": 0, "next": wanted.after.unwrap_or(0) }),
        |ring| ring.show(wanted),
    )
}

impl Ring {
    fn show(&self, wanted: &WantedLines) -> Value {
        let limit = wanted.limit.unwrap_or(LINES_MAX).min(LINES_MAX);
        let least: Level = wanted
            .level
            .as_deref()
            .and_then(|level| level.parse().ok())
            .unwrap_or(Level::TRACE);
        // Numbers begin anew with the host; who comes with a greater one gets everything.
        let after = wanted.after.filter(|after| *after <= self.last);
        let first = self.lines.front().map_or(self.last + 1, |line| line.seq);
        let dropped = after.map_or(0, |after| first.saturating_sub(after + 1));
        let behind = |line: &&Line| after.is_none_or(|after| line.seq > after);
        let fitting = self.lines.iter().filter(behind);
        let mut shown: Vec<&Line> = fitting.filter(|line| line.level <= least).collect();
        let mut next = self.last;
        if after.is_none() {
            shown.drain(..shown.len().saturating_sub(limit));
        } else if shown.len() > limit {
            shown.truncate(limit);
            next = shown.last().map_or(next, |line| line.seq);
        }
        json!({ "lines": shown, "dropped": dropped, "next": next })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(level: Level, message: &str) -> Line {
        Line {
            seq: 0,
            t_ms: 0,
            level,
            task: None,
            target: "t",
            message: message.to_owned(),
            fields: BTreeMap::new(),
        }
    }

    fn shown(ring: &Ring, wanted: &WantedLines) -> (Vec<String>, u64, u64) {
        let value = ring.show(wanted);
        let lines = value["lines"].as_array().unwrap();
        let messages = lines
            .iter()
            .map(|line| line["message"].as_str().unwrap().to_owned());
        (
            messages.collect(),
            value["dropped"].as_u64().unwrap(),
            value["next"].as_u64().unwrap(),
        )
    }

    #[test]
    fn a_reader_goes_on_behind_what_it_has_and_hears_of_what_is_gone() {
        let mut all = BTreeMap::new();
        for n in 0..LINES_MAX + 3 {
            let level = if n % 2 == 0 { Level::INFO } else { Level::WARN };
            keep(&mut all, "c", line(level, &n.to_string()));
        }
        let ring = &all["c"];
        let ask = |limit, after, level: Option<&str>| {
            let wanted = WantedLines {
                limit,
                after,
                level: level.map(str::to_owned),
            };
            shown(ring, &wanted)
        };
        let last = (LINES_MAX + 3) as u64;
        assert_eq!(
            ask(Some(2), None, None),
            (vec!["501".into(), "502".into()], 0, last)
        );
        assert_eq!(ask(Some(1), Some(1), None), (vec!["3".into()], 2, 4));
        assert_eq!(ask(None, Some(last), None), (vec![], 0, last));
        let (warned, _, _) = ask(Some(2), None, Some("warn"));
        assert_eq!(warned, ["499", "501"]);
        // A number of the host before this one.
        assert_eq!(ask(None, Some(9_999), None).0.len(), LINES_MAX);
    }

    #[test]
    fn an_event_belongs_to_the_connector_of_its_task() {
        use tracing_subscriber::layer::SubscriberExt as _;
        let subscriber = tracing_subscriber::registry().with(Recent);
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(task = "recent-test/3", code = "LS0412", "goes on");
            tracing::info!("belongs to nobody");
        });
        let value = lines("recent-test", &WantedLines::default());
        let line = &value["lines"][0];
        assert_eq!(line["message"], "goes on");
        assert_eq!(line["task"], "recent-test/3");
        assert_eq!(line["fields"], json!({ "code": "LS0412" }));
        assert_eq!(value["lines"].as_array().unwrap().len(), 1);
    }

    #[test]
    fn the_most_silent_connector_is_forgotten() {
        let mut all = BTreeMap::new();
        for n in 0..=CONNECTORS_MAX {
            let mut line = line(Level::INFO, "x");
            line.t_ms = i64::try_from(n).unwrap();
            keep(&mut all, &format!("c{n}"), line);
        }
        assert_eq!(all.len(), CONNECTORS_MAX);
        assert!(!all.contains_key("c0") && all.contains_key("c1"));
    }
}
