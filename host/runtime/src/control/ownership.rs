//! Who owns a connector: one of a file is owned by it. One that left its file keeps offsets, target state and its place
//! among the declared readers until it is deleted; `moved.from` takes them over in one commit (DESIGN §9).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use linkspan_log::{KvPut, LogBackend, Store, group_offset_key, list_group};
use linkspan_types::{OwnerId, TopicName};
use serde_json::Value;

use super::keeper::Keeper;
use super::record::{self, Record};
use super::refused::Refused;
use super::target::{self, Target};
use crate::error::TaskError;
use crate::offsets::{offset_key, prefix_of};
use crate::sink::{group_of, letters_prefix};
use crate::spec::{ConnectorSpec, KindOfConnector};

/// What every connector is to be after the files were read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Settled {
    /// The target state of each connector of the files.
    pub(crate) targets: BTreeMap<String, Target>,
    /// Connectors that no file names any more, with what is remembered of them.
    pub(crate) left: BTreeMap<String, Record>,
}

/// Compares the files with what is remembered, and remembers what is new, in one commit.
pub(crate) fn settle(
    log: &dyn LogBackend,
    keeper: &Keeper,
    specs: &[Arc<ConnectorSpec>],
    now_ms: i64,
) -> linkspan_log::Result<Settled> {
    let mut known = record::all(log)?;
    let mut settled = Settled::default();
    let mut puts = Vec::new();
    for spec in specs {
        let before = known.remove(&spec.name);
        let stored = target::read(log, &spec.name)?;
        // What a command said holds; the file's word is only for a connector that is new here.
        let target = stored.unwrap_or(spec.initial_state);
        if stored.is_none() {
            puts.push(target::put(&spec.name, target, now_ms));
        }
        let record = Record::of(spec);
        if before.as_ref() != Some(&record) {
            puts.push(record.put(&spec.name));
        }
        settled.targets.insert(spec.name.clone(), target);
    }
    settled.left = known;
    keeper.put(puts)?;
    Ok(settled)
}

/// Problems of `moved.from` that can be seen before anything is changed.
pub(crate) fn check_moves<'a>(specs: impl Iterator<Item = &'a ConnectorSpec>) -> Vec<TaskError> {
    let specs: Vec<&ConnectorSpec> = specs.collect();
    let names: BTreeSet<&str> = specs.iter().map(|spec| spec.name.as_str()).collect();
    let mut from = BTreeMap::new();
    let mut problems = Vec::new();
    let mut invalid =
        |message: String| problems.push(TaskError::permanent("LS0214", "config_invalid", message));
    for spec in &specs {
        let Some(old) = &spec.moved_from else {
            continue;
        };
        if names.contains(old.as_str()) {
            invalid(format!(
                "connector `{}`: `moved.from: {old}`: a connector `{old}` is still there; rename it instead of copying it",
                spec.name
            ));
        }
        if let Some(other) = from.insert(old.as_str(), spec.name.as_str()) {
            invalid(format!(
                "connectors `{other}` and `{}` both take over from `{old}`; only one can",
                spec.name
            ));
        }
    }
    problems
}

/// Takes over what `old` left, once: source offsets, group offsets, target state, in one commit. Returns whether there was
/// anything.
pub(crate) fn adopt(
    log: &dyn LogBackend,
    keeper: &Keeper,
    spec: &ConnectorSpec,
    now_ms: i64,
) -> linkspan_log::Result<bool> {
    let Some(old) = spec.moved_from.as_deref() else {
        return Ok(false);
    };
    let (sources, positions) = (source_offsets(log, old)?, list_group(log, &group_of(old))?);
    let remembered = record::read(log, old)?;
    let target = target::read(log, old)?;
    if sources.is_empty() && positions.is_empty() && remembered.is_none() && target.is_none() {
        return Ok(false);
    }
    let own = !source_offsets(log, &spec.name)?.is_empty()
        || !list_group(log, &group_of(&spec.name))?.is_empty();
    if own {
        tracing::warn!(
            connector = spec.name,
            "`moved.from: {old}`: both have offsets, nothing was taken over; reset those of `{}` or delete `{old}`",
            spec.name
        );
        return Ok(false);
    }
    raise_fences(log, old, &spec.name)?;
    let (from, to) = (group_of(old), group_of(&spec.name));
    let mut puts = Vec::new();
    for (partition, offset) in sources {
        let keys = offset_key(old, &partition).zip(offset_key(&spec.name, &partition));
        if let Some((before, now)) = keys {
            puts.push(delete(Store::SourceOffsets, before));
            puts.push(KvPut {
                store: Store::SourceOffsets,
                key: now.into(),
                value: Some(offset.into()),
            });
        }
    }
    for (topic, partition, offset) in &positions {
        let key = |group| group_offset_key(group, &offset.topic_id, *partition);
        puts.push(delete(Store::GroupOffsets, key(&from).to_vec()));
        puts.push(KvPut {
            store: Store::GroupOffsets,
            key: key(&to),
            value: Some(offset.encode(topic)),
        });
    }
    // Coordinates of dead letters that no position covers yet.
    for (key, value) in log.scan(Store::Meta, &letters_prefix(old))? {
        let mut now = letters_prefix(&spec.name);
        now.extend_from_slice(key.get(letters_prefix(old).len()..).unwrap_or_default());
        puts.push(delete(Store::Meta, key.to_vec()));
        puts.push(KvPut {
            store: Store::Meta,
            key: now.into(),
            value: Some(value),
        });
    }
    if let Some(target) = target {
        puts.push(target::put(&spec.name, target, now_ms));
    }
    puts.extend(forget_puts(old));
    puts.push(Record::of(spec).put(&spec.name));
    // The new reader is declared before the old one lets go, so retention never sees a gap.
    if spec.kind == KindOfConnector::Sink {
        log.declare_reader(&to, &spec.topics_now(log)?)?;
    }
    keeper.put(puts)?;
    log.forget_reader(&from)?;
    tracing::info!(connector = spec.name, "took over from `{old}`");
    Ok(true)
}

/// Bars commits of the old name that are still under way, and keeps the fence epoch growing across the rename: sinks store
/// it outside and refuse a smaller one.
fn raise_fences(log: &dyn LogBackend, old: &str, new: &str) -> linkspan_log::Result<()> {
    let (old, new) = (OwnerId::from(old), OwnerId::from(new));
    log.open_producer(&old)?;
    let wanted = log.current_fence(&old)?;
    while log.current_fence(&new)? < wanted {
        log.open_producer(&new)?;
    }
    Ok(())
}

/// Removes a connector for good: positions, target state, status, its place among the readers.
pub(crate) fn forget(log: &dyn LogBackend, keeper: &Keeper, name: &str) -> Result<(), Refused> {
    // Whatever still runs of it can commit nothing from here on.
    log.open_producer(&OwnerId::from(name))?;
    let group = group_of(name);
    match log.delete_group(&group) {
        Ok(()) | Err(linkspan_log::Error::UnknownGroup { .. }) => {}
        Err(linkspan_log::Error::GroupActive { .. }) => {
            return Err(Refused::new(
                500,
                "LS0614",
                format!(
                    "connector {name} cannot be deleted: its tasks have not stopped completely yet"
                ),
            )
            .help("try again; if a task hangs (`linkspan get`), restart the host"));
        }
        Err(error) => return Err(error.into()),
    }
    let mut puts: Vec<KvPut> = source_offsets(log, name)?
        .into_iter()
        .filter_map(|(partition, _)| offset_key(name, &partition))
        .map(|key| delete(Store::SourceOffsets, key))
        .collect();
    for (key, _) in log.scan(Store::Meta, &letters_prefix(name))? {
        puts.push(delete(Store::Meta, key.to_vec()));
    }
    puts.extend(forget_puts(name));
    keeper.put(puts)?;
    log.forget_reader(&group)?;
    Ok(())
}

pub(crate) fn forget_puts(name: &str) -> [KvPut; 4] {
    [
        delete(Store::Configs, record::key(name)),
        delete(Store::Configs, target::key(name)),
        delete(Store::Configs, crate::whole::key(name)),
        delete(Store::Status, super::status::key(name)),
    ]
}

fn delete(store: Store, key: Vec<u8>) -> KvPut {
    KvPut {
        store,
        key: key.into(),
        value: None,
    }
}

/// Partition and offset of a source, both as stored JSON.
fn source_offsets(
    log: &dyn LogBackend,
    name: &str,
) -> linkspan_log::Result<Vec<(String, Vec<u8>)>> {
    Ok(log
        .scan(Store::SourceOffsets, &prefix_of(name))?
        .into_iter()
        .filter_map(|(key, value)| {
            let parts: Value = serde_json::from_slice(&key).ok()?;
            Some((parts.get(1)?.to_string(), value.to_vec()))
        })
        .collect())
}

/// The topics of a remembered sink: those it names; where it names none, those that the log knows it reads.
pub(crate) fn topics_of(log: &dyn LogBackend, name: &str, record: &Record) -> Vec<TopicName> {
    if record.topics.is_empty() && record.kind() == KindOfConnector::Sink {
        let group = group_of(name);
        // Unreadable, it is unknown: nothing is refused for it.
        let readers = log.readers().unwrap_or_default();
        let found = readers.into_iter().find(|(reader, _)| *reader == group);
        return found.map(|(_, topics)| topics).unwrap_or_default();
    }
    record
        .topics
        .iter()
        .filter_map(|name| TopicName::try_new(name).ok())
        .collect()
}
