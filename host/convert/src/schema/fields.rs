//! The fields of a struct schema, found by position and by name.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;

use super::Schema;
use crate::{Class, Error};

/// Up to here a walk over the names is faster than a hash.
const WALK_MAX: usize = 8;

/// A field of a struct schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The name, unique in its struct.
    pub name: Arc<str>,
    /// The schema.
    pub schema: Arc<Schema>,
}

impl Field {
    /// Returns a field.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, schema: impl Into<Arc<Schema>>) -> Self {
        Self {
            name: name.into(),
            schema: schema.into(),
        }
    }
}

/// The fields in order; names are unique.
#[derive(Debug, Clone, Default)]
pub struct Fields {
    list: Vec<Field>,
    by_name: Option<HashMap<Arc<str>, usize>>,
}

impl Fields {
    pub(super) const NONE: &'static Self = &Self {
        list: Vec::new(),
        by_name: None,
    };

    /// Returns fields in their order.
    ///
    /// # Errors
    /// No two fields may have one name.
    pub fn new(list: Vec<Field>) -> Result<Self, Error> {
        let mut by_name = HashMap::with_capacity(list.len());
        for (position, field) in list.iter().enumerate() {
            if by_name.insert(Arc::clone(&field.name), position).is_some() {
                return Err(Error::new(
                    Class::SchemaBuilder,
                    format!("field `{}` stands twice in one struct", field.name),
                ));
            }
        }
        let by_name = (list.len() > WALK_MAX).then_some(by_name);
        Ok(Self { list, by_name })
    }

    /// Returns a field's position.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        match &self.by_name {
            Some(by_name) => by_name.get(name).copied(),
            None => self.list.iter().position(|field| *field.name == *name),
        }
    }

    /// Returns a field by name.
    #[must_use]
    pub fn get_by_name(&self, name: &str) -> Option<&Field> {
        self.list.get(self.position(name)?)
    }
}

impl Deref for Fields {
    type Target = [Field];

    fn deref(&self) -> &[Field] {
        &self.list
    }
}

impl PartialEq for Fields {
    fn eq(&self, other: &Self) -> bool {
        self.list == other.list
    }
}

impl Eq for Fields {}
