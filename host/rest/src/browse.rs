//! `GET /api/v1/topics/{topic}/browse`: records of a topic page by page, from anywhere, with a filter of keys.
//!
//! A page takes a little of each partition in turn. It says where the next one begins, so that nothing is kept between pages;
//! a look for a rare key ends after [`SCANNED_MAX`] records and goes on with the next page.

use std::collections::BTreeMap;

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use linkspan_log::{LogBackend, OffsetQuery, Topic};
use linkspan_types::{Offset, PartitionId};
use linkspan_wire::{Batches, Record};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::{Host, is_viewer};
use crate::records::ViewValue;
use crate::refusal::Refusal;
use crate::role::Caller;
use crate::start::From;
use crate::topics;

/// Records of a page unless told otherwise.
const SHOWN: usize = 50;
/// The most records of a page.
const SHOWN_MAX: usize = 500;
/// Records that are looked through for one page.
const SCANNED_MAX: usize = 20_000;
/// Bytes of a key, a value or a header that are shown unless told otherwise.
const BYTES_SHOWN: usize = 4096;
/// The most of them.
const BYTES_SHOWN_MAX: usize = 1 << 20;
/// Bytes of one read.
const READ_BYTES: usize = 256 << 10;

/// What is asked for.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Wanted {
    from: Option<String>,
    partition: Option<i32>,
    limit: Option<usize>,
    key: Option<String>,
    key_match: Option<String>,
    value_bytes: Option<usize>,
    #[serde(skip)]
    hidden: bool,
}

pub(crate) async fn browse(
    State(host): State<Host>,
    Path(topic): Path<String>,
    Query(wanted): Query<Wanted>,
    caller: Option<Extension<Caller>>,
) -> Response {
    let wanted = Wanted {
        hidden: is_viewer(caller),
        ..wanted
    };
    match tokio::task::spawn_blocking(move || page(&*host.log, &topic, &wanted)).await {
        Ok(Ok(value)) => Json(value).into_response(),
        Ok(Err(refusal)) => refusal.into_response(),
        Err(_) => Refusal::new(500, "LS0499", "the operation panicked").into_response(),
    }
}

/// A filter of keys.
#[derive(Debug)]
enum Keys<'a> {
    All,
    Exact(&'a [u8]),
    Contains(&'a [u8]),
}

impl<'a> Keys<'a> {
    fn of(wanted: &'a Wanted) -> Result<Self, Refusal> {
        let Some(key) = &wanted.key else {
            return Ok(Self::All);
        };
        if wanted.hidden {
            // Who may not see keys could guess them.
            return Err(Refusal::new(403, "LS0626", "a viewer cannot look for keys")
                .help("an operator sees keys and values"));
        }
        match wanted.key_match.as_deref().unwrap_or("exact") {
            "exact" => Ok(Self::Exact(key.as_bytes())),
            "contains" => Ok(Self::Contains(key.as_bytes())),
            other => Err(Refusal::argument(format!(
                "`key_match={}`: there are exact and contains",
                other.escape_debug()
            ))),
        }
    }

    fn want(&self, key: Option<&[u8]>) -> bool {
        match (self, key) {
            (Self::All, _) => true,
            (_, None) => false,
            (Self::Exact(wanted), Some(key)) => key == *wanted,
            (Self::Contains(wanted), Some(key)) => {
                wanted.is_empty() || key.windows(wanted.len()).any(|part| part == *wanted)
            }
        }
    }
}

/// Where each partition goes on, and how far it goes.
#[derive(Debug, Default)]
struct Places {
    next: BTreeMap<i32, i64>,
    ends: BTreeMap<i32, i64>,
    notes: Vec<String>,
}

impl Places {
    fn find(log: &dyn LogBackend, topic: &Topic, wanted: &Wanted) -> Result<Self, Refusal> {
        let from = wanted.from.as_deref().unwrap_or("earliest");
        let limit = i64::try_from(limit(wanted)).unwrap_or(i64::MAX);
        let given = pages(from)?;
        let start: Option<From> = match &given {
            None if from != "tail" => Some(
                from.parse()
                    .map_err(|error: crate::FromError| Refusal::argument(error.to_string()))?,
            ),
            _ => None,
        };
        let numbers = match wanted.partition {
            Some(number) => vec![topics::partition(topic, number)?.0],
            None => (0..topic.partitions).collect(),
        };
        let mut places = Self::default();
        for number in numbers {
            let failed = |error| topics::at(error, topic, PartitionId(number));
            let marks = log
                .offsets(&topic.id, PartitionId(number))
                .map_err(failed)?;
            let (first, end) = (marks.log_start.0, marks.high_watermark.0);
            let at = match (&given, start) {
                // Only what the page before was about.
                (Some(given), _) => match given.get(&number) {
                    Some(at) => *at,
                    None => continue,
                },
                (None, None) => end.saturating_sub(limit),
                (None, Some(From::Earliest)) => first,
                (None, Some(From::Latest)) => end,
                (None, Some(From::Offset(at))) => at,
                (None, Some(From::Time(time))) => log
                    .find_offset(&topic.id, PartitionId(number), OffsetQuery::Time(time))
                    .map_err(failed)?
                    .map_or(end, |found| found.offset.0),
            };
            let named = given.is_some() || matches!(start, Some(From::Offset(_)));
            if named && !(first..=end).contains(&at) {
                places.notes.push(format!(
                    "partition {number} has no offset {at}: it holds {first} to {end}"
                ));
            }
            places.next.insert(number, at.clamp(first, end));
            places.ends.insert(number, end);
        }
        Ok(places)
    }

    fn is_at_end(&self) -> bool {
        self.next
            .iter()
            .all(|(number, at)| self.ends.get(number).is_none_or(|end| at >= end))
    }

    fn text(&self) -> String {
        let parts: Vec<String> = self
            .next
            .iter()
            .map(|(number, at)| format!("{number}:{at}"))
            .collect();
        parts.join(",")
    }
}

fn limit(wanted: &Wanted) -> usize {
    wanted.limit.unwrap_or(SHOWN).clamp(1, SHOWN_MAX)
}

/// Reads `0:6,1:3`; `None`: it is not of this form.
fn pages(from: &str) -> Result<Option<BTreeMap<i32, i64>>, Refusal> {
    let digits = |c: char| c.is_ascii_digit() || matches!(c, ':' | ',');
    if !from.contains(':') || !from.chars().all(digits) {
        return Ok(None);
    }
    let place = |part: &str| {
        let (number, at) = part.split_once(':')?;
        Some((number.parse().ok()?, at.parse().ok()?))
    };
    let places: Option<BTreeMap<i32, i64>> = from.split(',').map(place).collect();
    places.map(Some).ok_or_else(|| {
        Refusal::argument(format!("`from={from}` is no start of a page"))
            .help("take the `next` of the page before, such as 0:6,1:3")
    })
}

/// Returns one page.
fn page(log: &dyn LogBackend, name: &str, wanted: &Wanted) -> Result<Value, Refusal> {
    let topic = topics::find(log, name)?;
    let keys = Keys::of(wanted)?;
    let mut places = Places::find(log, &topic, wanted)?;
    let bytes = wanted
        .value_bytes
        .unwrap_or(BYTES_SHOWN)
        .min(BYTES_SHOWN_MAX);
    let mut limit = limit(wanted);
    if wanted.from.as_deref() == Some("tail") {
        limit = (limit * places.next.len().max(1)).min(SHOWN_MAX);
    }
    let mut shown = Vec::new();
    let mut scanned = 0;
    while shown.len() < limit && scanned < SCANNED_MAX && !places.is_at_end() {
        let open: Vec<i32> = places.next.keys().copied().collect();
        let share = limit.div_ceil(open.len().max(1));
        let mut moved = false;
        for number in open {
            let room = share.min(limit - shown.len());
            let budget = SCANNED_MAX.saturating_sub(scanned);
            let (Some(at), Some(end)) = (places.next.get_mut(&number), places.ends.get(&number))
            else {
                continue;
            };
            if room == 0 || budget == 0 || *at >= *end {
                continue;
            }
            let before = *at;
            scanned += read(log, &topic, number, (at, *end), (room, budget), |record| {
                if keys.want(record.key) {
                    shown.push(show(&topic, number, record, bytes, wanted.hidden));
                    return true;
                }
                false
            })?;
            moved |= *at > before;
        }
        if !moved {
            break;
        }
    }
    Ok(json!({
        "topic": topic.name.as_str(), "records": shown, "next": places.text(), "scanned": scanned,
        "end": places.is_at_end(), "notes": places.notes,
    }))
}

/// Reads one partition until `room` records were taken, `budget` looked at, or one read is used up; moves `at` behind what was
/// looked at. Returns how many that were.
fn read(
    log: &dyn LogBackend,
    topic: &Topic,
    number: i32,
    (at, end): (&mut i64, i64),
    (room, budget): (usize, usize),
    mut take: impl FnMut(&Record<'_>) -> bool,
) -> Result<usize, Refusal> {
    let damaged = |at: i64, error: linkspan_wire::Error| {
        let place = format!("topic `{}` partition {number} near offset {at}", topic.name);
        Refusal::new(500, "LS0513", format!("{place}: {error}"))
    };
    let fetched = log
        .fetch(&topic.id, PartitionId(number), Offset(*at), READ_BYTES)
        .map_err(|error| topics::at(error, topic, PartitionId(number)))?;
    let (mut taken, mut looked) = (0, 0);
    let mut scratch = Vec::new();
    for batch in Batches::new(&fetched.bytes) {
        let batch = batch.map_err(|error| damaged(*at, error))?;
        if batch.header().is_control() {
            continue;
        }
        for record in batch
            .records(&mut scratch)
            .map_err(|error| damaged(*at, error))?
        {
            let record = record.map_err(|error| damaged(*at, error))?;
            if record.offset < *at {
                continue;
            }
            if record.offset >= end {
                *at = end;
                return Ok(looked);
            }
            if taken >= room || looked >= budget {
                return Ok(looked);
            }
            looked += 1;
            *at = record.offset + 1;
            taken += usize::from(take(&record));
        }
    }
    *at = (*at).max(fetched.next.0).min(end);
    Ok(looked)
}

fn show(topic: &Topic, number: i32, record: &Record<'_>, bytes: usize, hidden: bool) -> Value {
    let mut truncated = false;
    let mut part = |value: Option<&[u8]>| {
        let (value, cut) = cut(value, bytes);
        truncated |= cut;
        json!(ViewValue::of(value))
    };
    let concealed = || json!({ "hidden": true });
    let (key, value, headers) = if hidden {
        (concealed(), concealed(), concealed())
    } else {
        let headers: Vec<Value> = record
            .headers
            .map(|(name, value)| json!([String::from_utf8_lossy(name), part(value)]))
            .collect();
        (part(record.key), part(record.value), json!(headers))
    };
    json!({
        "topic": topic.name.as_str(), "partition": number, "offset": record.offset, "timestamp": record.timestamp,
        "key": key, "value": value, "headers": headers,
        "key_bytes": record.key.map(<[u8]>::len), "value_bytes": record.value.map(<[u8]>::len),
        "truncated": truncated,
    })
}

/// Cuts bytes to a length; text is cut between characters.
fn cut(value: Option<&[u8]>, bytes: usize) -> (Option<&[u8]>, bool) {
    let Some(value) = value else {
        return (None, false);
    };
    if value.len() <= bytes {
        return (Some(value), false);
    }
    let mut end = bytes;
    if let Ok(text) = std::str::from_utf8(value) {
        while !text.is_char_boundary(end) {
            end -= 1;
        }
    }
    (value.get(..end), true)
}

#[cfg(test)]
mod tests;
