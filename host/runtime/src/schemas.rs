//! The schemas that typed rows refer to: process-local handles for the ABI, content ids for what is stored.
//!
//! A handle is a number of this process and is never stored. The id is 16 hex digits of the SHA-256 of the canonical
//! schema JSON; the entry `id -> JSON` goes into the log's `Schemas` store with (or before) the first record that names it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use linkspan_log::{KvPut, LogBackend, Store};

use linkspan_plugin::schema::{Schema, SchemaLookup};

use crate::error::TaskError;

/// Most schemas one process keeps; a plugin that makes a new one per record would fill memory otherwise.
const SCHEMAS_MAX: usize = 100_000;

/// One known schema.
#[derive(Debug)]
pub(crate) struct Registered {
    pub(crate) handle: u32,
    pub(crate) id: String,
    pub(crate) json: String,
    pub(crate) schema: Arc<Schema>,
    stored: AtomicBool,
}

impl Registered {
    /// The write that makes the schema readable after a restart, or `None` once it is known to be durable.
    pub(crate) fn put_if_new(&self) -> Option<KvPut> {
        (!self.stored.load(Ordering::Acquire)).then(|| KvPut {
            store: Store::Schemas,
            key: Bytes::copy_from_slice(self.id.as_bytes()),
            value: Some(Bytes::copy_from_slice(self.json.as_bytes())),
        })
    }

    pub(crate) fn mark_stored(&self) {
        self.stored.store(true, Ordering::Release);
    }
}

#[derive(Debug, Default)]
struct Known {
    by_handle: Vec<Arc<Registered>>,
    by_id: HashMap<String, u32>,
}

/// All schemas of this process.
#[derive(Debug, Default)]
pub struct SchemaRegistry {
    known: RwLock<Known>,
}

impl SchemaRegistry {
    /// Returns the handle of a schema given as canonical or any other valid schema JSON.
    ///
    /// # Errors
    /// Says what is wrong with the JSON, or that the bound of the registry is reached.
    pub fn register(&self, json: &str) -> Result<u32, TaskError> {
        let schema = Schema::from_json(json).map_err(|error| {
            TaskError::permanent(
                "LS0411",
                "data_invalid",
                format!("schema is not valid: {error}"),
            )
        })?;
        Ok(self.add(schema, false)?.handle)
    }

    fn add(&self, schema: Schema, stored: bool) -> Result<Arc<Registered>, TaskError> {
        let json = schema.to_json();
        let id = schema.id();
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known
            .by_id
            .get(&id)
            .and_then(|handle| known.by_handle.get(*handle as usize))
        {
            if stored {
                found.mark_stored();
            }
            return Ok(Arc::clone(found));
        }
        let count = known.by_handle.len();
        if count >= SCHEMAS_MAX {
            return Err(TaskError::internal(format!(
                "more than {SCHEMAS_MAX} different schemas in one process"
            )));
        }
        let handle = u32::try_from(count).unwrap_or(u32::MAX);
        let entry = Arc::new(Registered {
            handle,
            id: id.clone(),
            json,
            schema: Arc::new(schema),
            stored: AtomicBool::new(stored),
        });
        known.by_handle.push(Arc::clone(&entry));
        known.by_id.insert(id, handle);
        Ok(entry)
    }

    /// Returns a schema made by the host itself, for example that of a key.
    pub(crate) fn intern(&self, schema: Schema) -> Result<Arc<Registered>, TaskError> {
        self.add(schema, false)
    }

    pub(crate) fn by_handle(&self, handle: u32) -> Option<Arc<Registered>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.by_handle.get(handle as usize).map(Arc::clone)
    }

    /// Returns the schema stored under `id`, from memory or from the log.
    ///
    /// # Errors
    /// `data_invalid` when the log has no such schema or it cannot be read.
    pub(crate) fn by_stored_id(
        &self,
        id: &str,
        log: &dyn LogBackend,
    ) -> Result<Arc<Registered>, TaskError> {
        {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(found) = known
                .by_id
                .get(id)
                .and_then(|handle| known.by_handle.get(*handle as usize))
            {
                return Ok(Arc::clone(found));
            }
        }
        let Some(json) = log.get(Store::Schemas, id.as_bytes())? else {
            return Err(TaskError::data(format!(
                "record names schema `{id}`, which is not in the schemas store"
            )));
        };
        let text = std::str::from_utf8(&json)
            .map_err(|_| TaskError::data(format!("stored schema `{id}` is not UTF-8")))?;
        let schema = Schema::from_json(text).map_err(|error| {
            TaskError::data(format!("stored schema `{id}` is not valid: {error}"))
        })?;
        self.add(schema, true)
    }

    pub(crate) fn json(&self, handle: u32) -> Option<String> {
        self.by_handle(handle).map(|entry| entry.json.clone())
    }
}

impl SchemaLookup for SchemaRegistry {
    fn schema(&self, handle: u32) -> Option<Arc<Schema>> {
        self.by_handle(handle)
            .map(|entry| Arc::clone(&entry.schema))
    }
}
