//! Who is known to read a topic: the sinks that the host has declared.
//!
//! Stored as `reader/<group>` → JSON list of topic names, in `Store::Meta`. A declared group need not run: that is the
//! point. Retention asks [`unread_from`] how far it may go.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use bytes::Bytes;
use linkspan_types::{GroupId, TopicName};

use crate::backend::{GroupOffset, KvPut, Store, group_offset_key};
use crate::core::Core;
use crate::error::Result;
use crate::journal::queue::FenceRule;
use crate::partition::PartitionKey;
use crate::submit::put_and_wait;

/// Keys of `Store::Meta` that only this module writes.
pub(crate) const KEY_PREFIX: &str = "reader/";

/// Declares a reader; writes nothing when it is declared so already.
pub(crate) fn declare(core: &Core, group: &GroupId, topics: &[TopicName]) -> Result<()> {
    let mut names: Vec<&str> = topics.iter().map(TopicName::as_str).collect();
    names.sort_unstable();
    names.dedup();
    // A list of strings always serializes.
    let value = Bytes::from(serde_json::to_vec(&names).unwrap_or_default());
    if core.get(Store::Meta, &key(group)) == Some(value.clone()) {
        return Ok(());
    }
    // A round that began before does not know of this reader.
    let _no_round = core.retention.hold();
    put_and_wait(core, vec![put(group, Some(value))], FenceRule::None)
}

/// Forgets a reader.
pub(crate) fn forget(core: &Core, group: &GroupId) -> Result<()> {
    match forget_put(core, group) {
        Some(put) => put_and_wait(core, vec![put], FenceRule::None),
        None => Ok(()),
    }
}

/// Returns the put that forgets a reader, if it is declared.
pub(crate) fn forget_put(core: &Core, group: &GroupId) -> Option<KvPut> {
    core.get(Store::Meta, &key(group)).map(|_| put(group, None))
}

/// Returns all declared readers.
pub(crate) fn all(core: &Core) -> Vec<(GroupId, Vec<TopicName>)> {
    let stores = core.stores.read().unwrap_or_else(PoisonError::into_inner);
    let found = stores.scan(Store::Meta, KEY_PREFIX.as_bytes());
    found
        .iter()
        .filter_map(|(key, value)| {
            let group = key.strip_prefix(KEY_PREFIX.as_bytes())?;
            let names: Vec<String> = serde_json::from_slice(value).ok()?;
            let topics = names
                .iter()
                .filter_map(|name| TopicName::try_new(name).ok())
                .collect();
            Some((
                GroupId::from(String::from_utf8_lossy(group).as_ref()),
                topics,
            ))
        })
        .collect()
}

/// The declared readers by topic, for one round of retention.
#[derive(Debug, Default)]
pub(crate) struct Declared(BTreeMap<TopicName, Vec<GroupId>>);

impl Declared {
    pub(crate) fn of(core: &Core) -> Self {
        let mut by_topic: BTreeMap<TopicName, Vec<GroupId>> = BTreeMap::new();
        for (group, topics) in all(core) {
            for topic in topics {
                by_topic.entry(topic).or_default().push(group.clone());
            }
        }
        Self(by_topic)
    }

    /// Returns the first offset of a partition that some declared reader has not read yet; `None` without readers.
    /// A reader without a position has read nothing: 0.
    pub(crate) fn unread_from(
        &self,
        core: &Core,
        topic: &TopicName,
        partition: PartitionKey,
    ) -> Option<i64> {
        let position = |group: &GroupId| {
            let key = group_offset_key(group, &partition.topic, partition.partition);
            core.get(Store::GroupOffsets, &key)
                .and_then(|value| GroupOffset::decode(partition.topic, &value).ok())
                .map_or(0, |(offset, _)| offset.next.0)
        };
        self.0.get(topic)?.iter().map(position).min()
    }
}

fn key(group: &GroupId) -> Vec<u8> {
    format!("{KEY_PREFIX}{group}").into_bytes()
}

fn put(group: &GroupId, value: Option<Bytes>) -> KvPut {
    KvPut {
        store: Store::Meta,
        key: key(group).into(),
        value,
    }
}
