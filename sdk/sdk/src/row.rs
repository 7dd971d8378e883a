//! Typed rows: a schema known to the host, and a row read by it.

use std::{
    cell::RefCell,
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use linkspan_abi::{
    json::row_to_json,
    row::{RowRef, ValueRef, read_value},
};

use crate::{Error, Result, Schema, Value, export::host::host};

/// A schema that is registered with the host, for writing typed rows. Cheap to clone.
///
/// Make it once, in `open`, with [`crate::TaskContext::register_schema`].
#[derive(Debug, Clone)]
pub struct RowSchema {
    handle: u32,
    schema: Arc<Schema>,
}

impl RowSchema {
    /// Registers a schema with the host. The same schema gets the same handle.
    ///
    /// # Errors
    /// The host refuses the schema.
    pub fn register(schema: impl Into<Arc<Schema>>) -> Result<Self> {
        let schema = schema.into();
        let handle = host()?.register_schema(&schema.to_json())?;
        Ok(Self { handle, schema })
    }

    /// Returns the schema.
    #[must_use]
    pub const fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// Returns a field's position, for writing by position.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        self.schema.position(name)
    }

    /// Returns the handle, which is good in this process only.
    #[must_use]
    pub const fn handle(&self) -> u32 {
        self.handle
    }
}

/// The schemas that this library has seen; a handle never changes its meaning within a process.
static SEEN: RwLock<Option<HashMap<u32, Arc<Schema>>>> = RwLock::new(None);

thread_local! {
    /// The last schema of this thread: records of one kind follow each other.
    static LAST: RefCell<Option<(u32, Arc<Schema>)>> = const { RefCell::new(None) };
}

/// Returns the schema of a handle, asking the host for one not seen before.
pub(crate) fn schema_of(handle: u32) -> Result<Arc<Schema>> {
    let last = LAST.with_borrow(|last| match last {
        Some((known, schema)) if *known == handle => Some(Arc::clone(schema)),
        _ => None,
    });
    if let Some(schema) = last {
        return Ok(schema);
    }
    let schema = seen_or_asked(handle)?;
    LAST.set(Some((handle, Arc::clone(&schema))));
    Ok(schema)
}

fn seen_or_asked(handle: u32) -> Result<Arc<Schema>> {
    let seen = SEEN.read().unwrap_or_else(PoisonError::into_inner);
    if let Some(schema) = seen.as_ref().and_then(|seen| seen.get(&handle)) {
        return Ok(Arc::clone(schema));
    }
    drop(seen);
    let json = host()?.get_schema(handle)?;
    let schema = Arc::new(
        Schema::from_json(&json)
            .map_err(|error| Error::from(error).context(format!("schema handle {handle}")))?,
    );
    let mut seen = SEEN.write().unwrap_or_else(PoisonError::into_inner);
    seen.get_or_insert_default()
        .insert(handle, Arc::clone(&schema));
    Ok(schema)
}

/// A typed row of a record, read in place by its schema.
#[derive(Debug, Clone)]
pub struct Row<'a> {
    schema: Arc<Schema>,
    bytes: &'a [u8],
}

impl<'a> Row<'a> {
    pub(crate) const fn new(schema: Arc<Schema>, bytes: &'a [u8]) -> Self {
        Self { schema, bytes }
    }

    /// Returns the schema.
    #[must_use]
    pub const fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// Returns the row's bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Returns the reader of the fields, `None` where the whole row is null.
    ///
    /// # Errors
    /// The value is not a struct, or its bytes do not fit the schema.
    pub fn fields(&self) -> Result<Option<RowRef<'_>>> {
        Ok(RowRef::new(&self.schema, self.bytes)?)
    }

    /// Returns a field by its name.
    ///
    /// # Errors
    /// The schema has no such field, the row is null, or its bytes do not fit the schema.
    pub fn get(&self, name: &str) -> Result<ValueRef<'_>> {
        let fields = self.fields()?.ok_or_else(null_row)?;
        Ok(fields.get(name)?)
    }

    /// Returns a field by its position.
    ///
    /// # Errors
    /// As [`Row::get`].
    pub fn at(&self, position: usize) -> Result<ValueRef<'_>> {
        let fields = self.fields()?.ok_or_else(null_row)?;
        Ok(fields.at(position)?)
    }

    /// Returns the row as a tree.
    ///
    /// # Errors
    /// The bytes do not fit the schema.
    pub fn to_value(&self) -> Result<Value> {
        Ok(read_value(&self.schema, self.bytes)?)
    }

    /// Appends the row's JSON.
    ///
    /// # Errors
    /// The bytes do not fit the schema; what was appended is then taken back.
    pub fn write_json(&self, out: &mut Vec<u8>) -> Result<()> {
        let start = out.len();
        row_to_json(&self.schema, self.bytes, out).map_err(|error| {
            out.truncate(start);
            Error::from(error)
        })
    }
}

fn null_row() -> Error {
    Error::data_invalid("the row is null")
}
