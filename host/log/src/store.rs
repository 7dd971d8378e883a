//! The key-value stores: what was put and not deleted, plus which keys the next snapshot must mention.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use bytes::Bytes;

use crate::backend::{KvPut, Store};
use crate::stat::StoreStat;

/// All stores. Changed by puts of committed frames only.
#[derive(Debug, Default)]
pub(crate) struct Stores {
    maps: BTreeMap<Store, BTreeMap<Bytes, Bytes>>,
    changed: BTreeSet<(Store, Bytes)>,
    #[cfg(test)]
    pub(crate) scans: std::sync::atomic::AtomicU64,
}

impl Stores {
    pub(crate) fn get(&self, store: Store, key: &[u8]) -> Option<Bytes> {
        self.maps.get(&store)?.get(key).cloned()
    }

    pub(crate) fn scan(&self, store: Store, prefix: &[u8]) -> Vec<(Bytes, Bytes)> {
        #[cfg(test)]
        self.scans
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let Some(map) = self.maps.get(&store) else {
            return Vec::new();
        };
        let from = map.range::<[u8], _>((Bound::Included(prefix), Bound::Unbounded));
        from.take_while(|(key, _)| key.starts_with(prefix))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }

    /// Returns the keys of a store, in byte order.
    pub(crate) fn keys(&self, store: Store) -> impl Iterator<Item = &Bytes> {
        self.maps.get(&store).into_iter().flat_map(BTreeMap::keys)
    }

    /// Applies a put and remembers its key for the next snapshot.
    pub(crate) fn apply(&mut self, put: &KvPut) {
        self.load(put);
        self.changed.insert((put.store, put.key.clone()));
    }

    /// Applies a put that a snapshot holds already.
    pub(crate) fn load(&mut self, put: &KvPut) {
        let map = self.maps.entry(put.store).or_default();
        match &put.value {
            Some(value) => map.insert(put.key.clone(), value.clone()),
            None => map.remove(&put.key),
        };
    }

    /// Whether anything changed since the last [`Stores::take_changes`].
    pub(crate) fn has_changes(&self) -> bool {
        !self.changed.is_empty()
    }

    /// Takes the changes since the last call, as puts.
    pub(crate) fn take_changes(&mut self) -> Vec<KvPut> {
        let changed = std::mem::take(&mut self.changed);
        changed
            .into_iter()
            .map(|(store, key)| KvPut {
                store,
                value: self.get(store, &key),
                key,
            })
            .collect()
    }

    /// Gives changes back that could not be written.
    pub(crate) fn give_back<'a>(&mut self, puts: impl IntoIterator<Item = &'a KvPut>) {
        self.changed
            .extend(puts.into_iter().map(|put| (put.store, put.key.clone())));
    }

    /// Returns up to `max` entries behind one, in order of store and key, as puts.
    pub(crate) fn part(&self, behind: Option<&KvPut>, max: usize) -> Vec<KvPut> {
        let from = behind.map_or(Bound::Unbounded, |put| Bound::Included(put.store));
        let mut part = Vec::new();
        for (store, map) in self.maps.range((from, Bound::Unbounded)) {
            let key = behind
                .filter(|put| put.store == *store)
                .map_or(Bound::Unbounded, |put| Bound::Excluded(put.key.clone()));
            let entries = map.range((key, Bound::Unbounded));
            part.extend(entries.take(max - part.len()).map(|(key, value)| KvPut {
                store: *store,
                key: key.clone(),
                value: Some(value.clone()),
            }));
            if part.len() == max {
                break;
            }
        }
        part
    }

    pub(crate) fn stat(&self) -> Vec<StoreStat> {
        let count = |store| self.maps.get(&store).map_or(0, BTreeMap::len);
        Store::ALL
            .map(|store| StoreStat {
                name: store.name().to_owned(),
                keys: count(store) as u64,
            })
            .into()
    }
}
