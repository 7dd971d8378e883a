//! Positions of groups and sources that a repair leaves without what they point to.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use linkspan_types::{Offset, PartitionId, TopicId};

use super::Examination;
use crate::backend::{KvPut, Store};
use crate::group_offset::GroupOffset;
use crate::repair::PositionChange;

impl Examination {
    /// Notes keys of commits that are cut: they go back to their earlier values.
    pub(super) fn went_back(&mut self, keys: BTreeSet<(Store, Vec<u8>, Option<Vec<u8>>)>) {
        let mut named: Vec<PositionChange> = Vec::new();
        for (store, key, value) in keys {
            let to = self.core.get(store, &key);
            let (name, from, to) = if store == Store::GroupOffsets {
                let Some((group, topic, partition)) = split(&key) else {
                    continue;
                };
                let show = |value: Option<&[u8]>| {
                    let value = value.and_then(|value| GroupOffset::decode(topic, value).ok());
                    value.map(|(offset, _)| offset.next.to_string())
                };
                let name = format!("{group} {}", self.place(&topic, partition));
                (name, show(value.as_deref()), show(to.as_deref()))
            } else {
                let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
                (
                    text(&key),
                    value.as_deref().map(text),
                    to.as_deref().map(text),
                )
            };
            let kind = if store == Store::GroupOffsets {
                "group"
            } else {
                "source"
            };
            // A key may be in many of the commits: the last value is the one that was known.
            named.retain(|known| known.kind != kind || known.name != name);
            named.push(PositionChange {
                kind: kind.to_owned(),
                name,
                from,
                to,
            });
        }
        self.positions.extend(named);
    }

    fn place(&self, topic: &TopicId, partition: PartitionId) -> String {
        match self.core.partition(topic, partition) {
            Ok(found) => format!("{}-{partition}", found.topic),
            Err(_) => format!("{topic}-{partition}"),
        }
    }

    /// Moves group positions out of ranges that are cut, and back to the end of their partition.
    pub(super) fn positions(&mut self) {
        let stored = self
            .core
            .stores
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .scan(Store::GroupOffsets, b"");
        let mut puts = Vec::new();
        for (key, value) in stored {
            let Some((group, topic, number)) = split(&key) else {
                continue;
            };
            let (Ok((offset, name)), Ok(partition)) = (
                GroupOffset::decode(topic, &value),
                self.core.partition(&topic, number),
            ) else {
                continue;
            };
            let end = partition.lock().high_watermark;
            let hole = self.holes.iter().find(|(at, first, next)| {
                *at == partition.id && (*first..*next).contains(&offset.next.0)
            });
            let to = hole.map_or(offset.next.0, |(_, _, next)| *next).min(end);
            if to == offset.next.0 {
                continue;
            }
            let changed = GroupOffset {
                next: Offset(to),
                ..offset.clone()
            };
            puts.push(KvPut {
                store: Store::GroupOffsets,
                key,
                value: Some(changed.encode(&name)),
            });
            self.positions.push(PositionChange {
                kind: "group".to_owned(),
                name: format!("{group} {name}-{number}"),
                from: Some(offset.next.to_string()),
                to: Some(to.to_string()),
            });
        }
        let mut stores = self
            .core
            .stores
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        puts.iter().for_each(|put| stores.apply(put));
    }
}

fn split(key: &[u8]) -> Option<(String, TopicId, PartitionId)> {
    let end = key.iter().position(|byte| *byte == 0)?;
    let group = String::from_utf8_lossy(key.get(..end)?).into_owned();
    let (topic, partition) = crate::group_offset::split_key(key, end + 1)?;
    Some((group, topic, partition))
}
