//! Exactly once: where a sink's positions are in Kafka, and how they are read back.
//!
//! One compacted topic holds the positions of all connectors, as JSON, in its partition 0:
//! ```text
//! {"connector":"c"}                          → {"opened":"…"}                        written at each start
//! {"connector":"c","topic":"t","partition":3} → {"topic_id":"…","leader_epoch":0,"next":42}
//! ```
//! A position is produced in the transaction of the records before it. A start fences older producers (that ends their
//! transactions), writes its mark in a transaction of its own, and reads the topic as `read_committed` up to that mark: when
//! the mark can be seen, so can everything before it.

use std::collections::BTreeMap;

use linkspan_sdk::{prelude::*, serde, serde_json, tracing};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{ClientConfig, Message as _, Offset, TopicPartitionList};
use serde::{Deserialize, Serialize};

use crate::error;

/// The partition that holds all positions.
pub(crate) const PARTITION: i32 = 0;
/// How long one look for the next position takes.
const LOOK: Duration = Duration::from_millis(100);
/// The most positions of one connector; beyond, something writes them that should not.
const POSITIONS_MAX: usize = 200_000;

/// The key of a position, or of a connector's mark.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "linkspan_sdk::serde")]
pub(crate) struct Key {
    pub(crate) connector: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) topic: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) partition: Option<i32>,
}

/// How far a partition is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "linkspan_sdk::serde")]
pub(crate) struct Position {
    /// The id of the topic here: another one is another topic of the same name.
    pub(crate) topic_id: String,
    pub(crate) leader_epoch: i32,
    /// The next offset to write.
    pub(crate) next: i64,
}

/// The mark of a start.
#[derive(Debug, Serialize, Deserialize)]
#[serde(crate = "linkspan_sdk::serde")]
struct Mark {
    opened: String,
}

/// Positions by topic and partition here.
pub(crate) type Positions = BTreeMap<(String, i32), Position>;

/// A message of the position topic.
pub(crate) struct Entry {
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
}

/// Writes a connector's mark.
pub(crate) fn mark(connector: &str, opened: &str) -> Result<Entry> {
    let key = Key {
        connector: connector.to_owned(),
        topic: None,
        partition: None,
    };
    Ok(Entry {
        key: serde_json::to_vec(&key)?,
        value: serde_json::to_vec(&Mark {
            opened: opened.to_owned(),
        })?,
    })
}

/// Writes a position.
pub(crate) fn entry(
    connector: &str,
    topic: &str,
    partition: i32,
    position: &Position,
) -> Result<Entry> {
    let key = Key {
        connector: connector.to_owned(),
        topic: Some(topic.to_owned()),
        partition: Some(partition),
    };
    Ok(Entry {
        key: serde_json::to_vec(&key)?,
        value: serde_json::to_vec(position)?,
    })
}

/// Takes one message in; returns whether it is the mark that was looked for.
fn take(
    positions: &mut Positions,
    connector: &str,
    opened: &str,
    key: &[u8],
    value: Option<&[u8]>,
) -> Result<bool> {
    // Positions of other connectors, and whatever else somebody put here.
    let Ok(key) = serde_json::from_slice::<Key>(key) else {
        return Ok(false);
    };
    if key.connector != connector {
        return Ok(false);
    }
    match (key.topic, key.partition) {
        (Some(topic), Some(partition)) => {
            match value {
                None => {
                    positions.remove(&(topic, partition));
                }
                Some(value) => {
                    let position = serde_json::from_slice(value).map_err(|cause| {
                        Error::data_invalid(format!("the stored position of `{topic}` partition {partition} cannot be read: {cause}"))
                    })?;
                    positions.insert((topic, partition), position);
                }
            }
            if positions.len() > POSITIONS_MAX {
                return Err(Error::data_invalid(format!(
                    "more than {POSITIONS_MAX} positions are stored for this connector"
                )));
            }
            Ok(false)
        }
        _ => Ok(value
            .and_then(|value| serde_json::from_slice::<Mark>(value).ok())
            .is_some_and(|mark| mark.opened == opened)),
    }
}

/// Where positions are read from.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    pub(crate) config: &'a ClientConfig,
    pub(crate) ctx: &'a TaskContext,
    pub(crate) place: &'a str,
    pub(crate) topic: &'a str,
    /// How long other producers' open transactions are waited for.
    pub(crate) limit: Duration,
}

impl Reader<'_> {
    /// Reads the connector's positions up to its mark.
    pub(crate) fn read(&self, connector: &str, opened: &str) -> Result<Positions> {
        let place = format!("{}: position topic `{}`", self.place, self.topic);
        let mut config = self.config.clone();
        config
            .set("group.id", format!("linkspan-positions-{connector}"))
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "earliest")
            .set("isolation.level", "read_committed")
            .set("statistics.interval.ms", "0");
        let consumer: BaseConsumer = config
            .create()
            .map_err(|failed| error::from_call(&failed, &place, "make a client", None))?;
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(self.topic, PARTITION, Offset::Beginning)
            .and_then(|()| consumer.assign(&list))
            .map_err(|failed| error::from_call(&failed, &place, "read the positions", None))?;
        let mut positions = Positions::new();
        let mut looks = self.limit.as_millis() / LOOK.as_millis();
        loop {
            match consumer.poll(LOOK) {
                Some(Ok(message)) => {
                    let key = message.key().unwrap_or_default();
                    if take(&mut positions, connector, opened, key, message.payload())? {
                        return Ok(positions);
                    }
                }
                Some(Err(failed)) => {
                    let error = error::from_call(&failed, &place, "read the positions", None);
                    if !error.is_temporary() {
                        return Err(error);
                    }
                    tracing::debug!(%failed, "librdkafka tries again");
                    looks = looks.saturating_sub(1);
                }
                None => looks = looks.saturating_sub(1),
            }
            if self.ctx.stopped() {
                return Err(Error::stopped("the task was asked to stop"));
            }
            if looks == 0 {
                return Err(error::away(format!(
                    "Kafka at {place}: the positions cannot be read to their end within {} s; a transaction of another producer may be open, Kafka ends it after that producer's `transaction.timeout`",
                    self.limit.as_secs()
                )));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(next: i64) -> Position {
        Position {
            topic_id: "id".to_owned(),
            leader_epoch: 1,
            next,
        }
    }

    #[test]
    fn positions_are_read_up_to_the_own_mark() {
        let mut positions = Positions::new();
        let mut one = |entry: Entry| {
            take(&mut positions, "c", "now", &entry.key, Some(&entry.value)).unwrap()
        };
        assert!(!one(entry("c", "t", 0, &position(1)).unwrap()));
        assert!(!one(entry("other", "t", 0, &position(99)).unwrap()));
        assert!(!one(mark("c", "before").unwrap()));
        assert!(!one(mark("other", "now").unwrap()));
        assert!(!one(entry("c", "t", 0, &position(7)).unwrap()));
        assert!(one(mark("c", "now").unwrap()));
        assert_eq!(positions.get(&("t".to_owned(), 0)), Some(&position(7)));
        assert_eq!(positions.len(), 1);
    }

    #[test]
    fn what_is_no_position_is_passed_over_and_a_broken_one_is_not() {
        let mut positions = Positions::new();
        assert!(!take(&mut positions, "c", "now", b"\xff", Some(b"{}")).unwrap());
        let key = entry("c", "t", 0, &position(1)).unwrap().key;
        let error = take(&mut positions, "c", "now", &key, Some(b"{\"next\":\"x\"}")).unwrap_err();
        assert!(error.message().contains("`t` partition 0"), "{error}");
        take(&mut positions, "c", "now", &key, None).unwrap();
        assert!(positions.is_empty());
    }
}
