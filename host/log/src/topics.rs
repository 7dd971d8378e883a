//! The catalogue of topics: derived from `Store::Meta`, keys `topic/<name>`, values as JSON.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use linkspan_types::topic_settings::{SettingErrors, TopicSettings, canonical};
use linkspan_types::{PartitionId, TopicId, TopicName};
use serde::{Deserialize, Serialize};

use crate::backend::{BATCH_BYTES_MAX, KvPut, PARTITIONS_MAX, Store, Topic, TopicSpec};
use crate::error::{Error, Result};
use crate::options::LocalOptions;
use crate::partition::{Partition, PartitionKey};
use crate::trim;

/// Keys of `Store::Meta` that only this module writes.
pub(crate) const KEY_PREFIX: &str = "topic/";

#[derive(Serialize, Deserialize)]
struct Stored {
    id: String,
    partitions: i32,
    settings: BTreeMap<String, String>,
}

/// A topic with its partitions.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) topic: Topic,
    pub(crate) partitions: Vec<Arc<Partition>>,
    pub(crate) settings: Arc<TopicSettings>,
    pub(crate) batch_bytes_max: usize,
}

/// What a put of `Store::Meta` changed.
#[derive(Debug)]
pub(crate) enum Followed {
    /// Nothing of the catalogue.
    Nothing,
    /// A topic was made, or has other partitions or settings.
    Changed,
    /// A topic is gone.
    Deleted,
    /// A partition begins later.
    Trimmed(Arc<Partition>),
}

/// All topics.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    by_name: BTreeMap<TopicName, Arc<Entry>>,
    by_id: HashMap<TopicId, Arc<Entry>>,
}

impl Catalog {
    pub(crate) fn by_name(&self, name: &TopicName) -> Option<&Arc<Entry>> {
        self.by_name.get(name)
    }

    pub(crate) fn by_id(&self, id: &TopicId) -> Option<&Arc<Entry>> {
        self.by_id.get(id)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.by_name.values()
    }

    pub(crate) fn partition(
        &self,
        topic: &TopicId,
        partition: PartitionId,
    ) -> Option<&Arc<Partition>> {
        self.by_id
            .get(topic)?
            .partitions
            .get(usize::try_from(partition.0).ok()?)
    }

    /// Follows a put of `Store::Meta`.
    pub(crate) fn apply(&mut self, put: &KvPut, options: &LocalOptions) -> Result<Followed> {
        let Some(name) = put.key.strip_prefix(KEY_PREFIX.as_bytes()) else {
            return Ok(trim::follow(self, put).map_or(Followed::Nothing, Followed::Trimmed));
        };
        let name = TopicName::try_new(String::from_utf8_lossy(name)).map_err(|e| {
            Error::InvalidCommit {
                why: format!("stored topic: {e}"),
            }
        })?;
        let Some(value) = &put.value else {
            if let Some(old) = self.by_name.remove(&name) {
                self.by_id.remove(&old.topic.id);
                old.partitions.iter().for_each(|p| p.mark_deleted());
            }
            return Ok(Followed::Deleted);
        };
        let topic = decode(&name, value)?;
        let known = self
            .by_id
            .get(&topic.id)
            .map(|entry| entry.partitions.clone())
            .unwrap_or_default();
        let entry = Arc::new(Entry::new(topic, known, options));
        if let Some(old) = self.by_name.insert(name, Arc::clone(&entry)) {
            self.by_id.remove(&old.topic.id);
        }
        self.by_id.insert(entry.topic.id, entry);
        Ok(Followed::Changed)
    }
}

impl Entry {
    fn new(topic: Topic, mut partitions: Vec<Arc<Partition>>, options: &LocalOptions) -> Self {
        let settings = stored_settings(&topic);
        let segment_bytes = settings
            .segment_bytes
            .unwrap_or(options.segment_bytes)
            .clamp(1, u64::from(u32::MAX >> 1));
        let batch_bytes_max = settings
            .max_message_bytes
            .unwrap_or(options.batch_bytes_max)
            .min(BATCH_BYTES_MAX);
        let known = i32::try_from(partitions.len()).unwrap_or(i32::MAX);
        for number in known..topic.partitions {
            let key = PartitionKey {
                topic: topic.id,
                partition: PartitionId(number),
            };
            let dir = directory(&options.dir, &key);
            partitions.push(Arc::new(Partition::new(key, topic.name.clone(), dir)));
        }
        for partition in &partitions {
            partition.set_segment_limits(segment_bytes, settings.segment_ms);
        }
        Self {
            topic,
            partitions,
            settings: Arc::new(settings),
            batch_bytes_max,
        }
    }
}

/// Reads settings that were checked when they were stored; an earlier version did not check.
fn stored_settings(topic: &Topic) -> TopicSettings {
    let errors = match TopicSettings::parse(&topic.settings) {
        Ok(settings) => return settings,
        Err(errors) => errors,
    };
    tracing::warn!(topic = %topic.name, errors = %SettingErrors(errors.clone()), "settings of an earlier version are not valid, their defaults hold");
    let mut settings = topic.settings.clone();
    settings.retain(|name, _| errors.iter().all(|error| error.name != *name));
    TopicSettings::parse(&settings).unwrap_or_default()
}

/// Brings settings into the form that is stored.
pub(crate) fn checked_settings(
    name: &TopicName,
    settings: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>> {
    canonical(settings).map_err(|errors| Error::InvalidSettings {
        name: name.clone(),
        errors: SettingErrors(errors),
    })
}

/// Makes the description of a topic with other settings; `None` goes back to the default.
pub(crate) fn with_settings(
    old: &Topic,
    changes: &BTreeMap<String, Option<String>>,
) -> Result<Topic> {
    // A name that is to be unset must be one, too: a typing mistake would seem to have worked.
    let unset = changes
        .iter()
        .filter(|(name, value)| value.is_none() && !old.settings.contains_key(*name))
        .map(|(name, _)| (name.clone(), default_of(name)));
    let mut settings = old.settings.clone();
    settings.extend(unset);
    for (name, value) in changes {
        if let Some(value) = value {
            settings.insert(name.clone(), value.clone());
        }
    }
    let mut settings = checked_settings(&old.name, &settings)?;
    settings.retain(|name, _| changes.get(name).is_none_or(Option::is_some));
    Ok(Topic {
        settings: checked_settings(&old.name, &settings)?,
        ..old.clone()
    })
}

fn default_of(name: &str) -> String {
    let found = linkspan_types::topic_settings::find(name);
    found.map_or(String::new(), |setting| {
        // `internal.segment.bytes` has no default that could be written.
        if setting.default.is_empty() && setting.min > 0 {
            setting.min.to_string()
        } else {
            setting.default.to_owned()
        }
    })
}

fn directory(data: &Path, key: &PartitionKey) -> std::path::PathBuf {
    data.join("topics").join(key.to_string())
}

/// Makes the description of a new topic.
pub(crate) fn new_topic(name: &TopicName, spec: &TopicSpec) -> Result<Topic> {
    check_partitions(name, spec.partitions)?;
    Ok(Topic {
        name: name.clone(),
        id: TopicId::random(),
        partitions: spec.partitions,
        settings: checked_settings(name, &spec.settings)?,
    })
}

/// Makes the description of a topic with more partitions.
pub(crate) fn with_partitions(old: &Topic, total: i32) -> Result<Topic> {
    check_partitions(&old.name, total)?;
    if total < old.partitions {
        let why = format!(
            "it has {} partitions, they cannot become {total}",
            old.partitions
        );
        return Err(Error::InvalidTopic {
            name: old.name.clone(),
            why,
        });
    }
    Ok(Topic {
        partitions: total,
        ..old.clone()
    })
}

fn check_partitions(name: &TopicName, partitions: i32) -> Result<()> {
    if !(1..=PARTITIONS_MAX).contains(&partitions) {
        let why = format!("{partitions} partitions; from 1 up to {PARTITIONS_MAX} are possible");
        return Err(Error::InvalidTopic {
            name: name.clone(),
            why,
        });
    }
    Ok(())
}

/// Returns the put that stores a topic.
pub(crate) fn put(topic: &Topic) -> KvPut {
    let stored = Stored {
        id: topic.id.to_string(),
        partitions: topic.partitions,
        settings: topic.settings.clone(),
    };
    // A struct of numbers and strings always serializes.
    let value = serde_json::to_vec(&stored).unwrap_or_default();
    KvPut {
        store: Store::Meta,
        key: format!("{KEY_PREFIX}{}", topic.name).into(),
        value: Some(Bytes::from(value)),
    }
}

/// Returns the put that forgets a topic.
pub(crate) fn forget(name: &TopicName) -> KvPut {
    KvPut {
        store: Store::Meta,
        key: format!("{KEY_PREFIX}{name}").into(),
        value: None,
    }
}

/// Reads a put of a topic: its name, and its id unless the put deletes it.
pub(crate) fn read(put: &KvPut) -> Option<(TopicName, Option<TopicId>)> {
    let name = put.key.strip_prefix(KEY_PREFIX.as_bytes())?;
    let name = TopicName::try_new(String::from_utf8_lossy(name)).ok()?;
    let id = match &put.value {
        Some(value) => Some(decode(&name, value).ok()?.id),
        None => None,
    };
    (put.store == Store::Meta).then_some((name, id))
}

fn decode(name: &TopicName, value: &[u8]) -> Result<Topic> {
    let invalid = |why: String| Error::InvalidTopic {
        name: name.clone(),
        why,
    };
    let stored: Stored = serde_json::from_slice(value).map_err(|e| invalid(e.to_string()))?;
    let id = stored
        .id
        .parse()
        .map_err(|e: linkspan_types::TopicIdError| invalid(e.to_string()))?;
    check_partitions(name, stored.partitions)?;
    Ok(Topic {
        name: name.clone(),
        id,
        partitions: stored.partitions,
        settings: stored.settings,
    })
}
