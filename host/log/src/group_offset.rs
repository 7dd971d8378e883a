//! How a group's position in a partition is stored: key and value in [`Store::GroupOffsets`].
//!
//! ```text
//! key    group \0 topic id (16 bytes) partition (i32, big-endian)
//! value  {"offset":42,"epoch":3,"metadata":"","ts":1700000000000,"topic":"flights"}
//! ```

use bytes::Bytes;
use linkspan_types::{GroupId, LeaderEpoch, Offset, PartitionId, TopicId, TopicName};
use serde::{Deserialize, Serialize};

use crate::backend::{LogBackend, Store};
use crate::error::{Error, Result};

/// A group's position in one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupOffset {
    /// The identity of the topic.
    pub topic_id: TopicId,
    /// The offset to read next.
    pub next: Offset,
    /// The leader epoch of the last record before `next`.
    pub leader_epoch: LeaderEpoch,
    /// Whatever the sink wants back, at most 4096 bytes.
    pub metadata: String,
    /// When it was committed.
    pub commit_ts: i64,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    offset: i64,
    epoch: i32,
    metadata: String,
    ts: i64,
    topic: String,
}

impl GroupOffset {
    /// Writes the stored value.
    #[must_use]
    pub fn encode(&self, topic: &TopicName) -> Bytes {
        let stored = Stored {
            offset: self.next.0,
            epoch: self.leader_epoch.0,
            metadata: self.metadata.clone(),
            ts: self.commit_ts,
            topic: topic.as_str().to_owned(),
        };
        // A struct of numbers and strings always serializes.
        serde_json::to_vec(&stored).unwrap_or_default().into()
    }

    /// Reads a stored value; the topic id comes from the key.
    ///
    /// # Errors
    /// [`Error::InvalidCommit`] when the value is not what `encode` writes.
    pub fn decode(topic_id: TopicId, value: &[u8]) -> Result<(Self, TopicName)> {
        let invalid = |why: String| Error::InvalidCommit {
            why: format!("stored group offset: {why}"),
        };
        let stored: Stored = serde_json::from_slice(value).map_err(|e| invalid(e.to_string()))?;
        let topic = TopicName::try_new(&stored.topic).map_err(|e| invalid(e.to_string()))?;
        let offset = Self {
            topic_id,
            next: Offset(stored.offset),
            leader_epoch: LeaderEpoch(stored.epoch),
            metadata: stored.metadata,
            commit_ts: stored.ts,
        };
        Ok((offset, topic))
    }
}

/// Returns the key of a group's position.
#[must_use]
pub fn group_offset_key(group: &GroupId, topic: &TopicId, partition: PartitionId) -> Bytes {
    let mut key = group_prefix(group);
    key.extend_from_slice(&topic.0);
    key.extend_from_slice(&partition.0.to_be_bytes());
    key.into()
}

/// Returns all positions of a group, of living and of deleted topics.
///
/// # Errors
/// The log cannot be read, or a stored value is damaged.
pub fn list_group(
    backend: &(impl LogBackend + ?Sized),
    group: &GroupId,
) -> Result<Vec<(TopicName, PartitionId, GroupOffset)>> {
    let prefix = group_prefix(group);
    let mut found = Vec::new();
    for (key, value) in backend.scan(Store::GroupOffsets, &prefix)? {
        let Some((topic_id, partition)) = split_key(&key, prefix.len()) else {
            return Err(Error::InvalidCommit {
                why: format!("stored group offset of `{group}` has an odd key"),
            });
        };
        let (offset, topic) = GroupOffset::decode(topic_id, &value)?;
        found.push((topic, partition, offset));
    }
    Ok(found)
}

pub(crate) fn group_prefix(group: &GroupId) -> Vec<u8> {
    let mut prefix = Vec::with_capacity(group.as_str().len() + 21);
    prefix.extend_from_slice(group.as_str().as_bytes());
    prefix.push(0);
    prefix
}

pub(crate) fn split_key(key: &[u8], prefix_len: usize) -> Option<(TopicId, PartitionId)> {
    let rest = key.get(prefix_len..)?;
    let (topic, partition) = rest.split_first_chunk::<16>()?;
    Some((
        TopicId(*topic),
        PartitionId(i32::from_be_bytes(partition.try_into().ok()?)),
    ))
}
