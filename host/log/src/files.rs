//! Open segment files, bounded: the one used longest ago is closed first.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::core::Core;
use crate::error::{Error, Result};
use crate::fs::{File, Open};
use crate::partition::{Partition, PartitionKey};

/// Partition, base offset and generation of a segment.
type Key = (PartitionKey, i64, u32);

#[derive(Debug, Default)]
struct State {
    /// With the time of the last use.
    open: HashMap<Key, (Arc<dyn File>, u64)>,
    uses: u64,
}

/// Open segment files.
#[derive(Debug)]
pub(crate) struct Files {
    state: Mutex<State>,
    files_max: usize,
    how: Open,
}

impl Files {
    pub(crate) fn new(files_max: usize, how: Open) -> Self {
        Self {
            state: Mutex::default(),
            files_max: files_max.max(1),
            how,
        }
    }

    /// Returns a segment's file if it is open.
    pub(crate) fn cached(
        &self,
        partition: &Partition,
        base: i64,
        generation: u32,
    ) -> Option<Arc<dyn File>> {
        let mut state = self.lock();
        state.uses += 1;
        let now = state.uses;
        let (file, used) = state.open.get_mut(&(partition.id, base, generation))?;
        *used = now;
        Some(Arc::clone(file))
    }

    /// Opens a segment. The caller knows that this path has this generation.
    pub(crate) fn open(
        &self,
        core: &Core,
        partition: &Partition,
        base: i64,
        generation: u32,
        path: &Path,
    ) -> Result<Arc<dyn File>> {
        let open = || {
            core.fs
                .open(path, self.how)
                .map_err(|e| Error::io("open segment", path, e))
        };
        let file = open().or_else(|error| {
            if !error.is_no_files() {
                return Err(error);
            }
            // The process has no descriptor left: better one segment at a time than none.
            self.lock().open.clear();
            open()
        })?;
        self.put(partition, base, generation, &file);
        Ok(file)
    }

    /// Keeps a file that its caller has opened.
    pub(crate) fn put(
        &self,
        partition: &Partition,
        base: i64,
        generation: u32,
        file: &Arc<dyn File>,
    ) {
        let mut state = self.lock();
        state.uses += 1;
        let now = state.uses;
        state
            .open
            .insert((partition.id, base, generation), (Arc::clone(file), now));
        if state.open.len() > self.files_max {
            let oldest = state
                .open
                .iter()
                .min_by_key(|(_, (_, used))| *used)
                .map(|(key, _)| *key);
            if let Some(oldest) = oldest {
                state.open.remove(&oldest);
            }
        }
    }

    /// Closes a file that no segment has any more; readers that hold it go on.
    pub(crate) fn forget(&self, partition: &Partition, base: i64, generation: u32) {
        self.lock().open.remove(&(partition.id, base, generation));
    }

    /// Closes all files of a partition.
    pub(crate) fn forget_all(&self, partition: &Partition) {
        self.lock().open.retain(|(id, ..), _| *id != partition.id);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
