//! Headers of a record: an ordered multimap.

use std::sync::Arc;

use crate::SchemaAndValue;

/// One header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The name, not unique.
    pub name: Arc<str>,
    /// The value.
    pub value: SchemaAndValue,
}

/// Headers in their order; names may repeat.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<Header>);

impl Headers {
    /// Returns no headers.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Appends a header.
    pub fn add(&mut self, name: impl Into<Arc<str>>, value: SchemaAndValue) {
        self.0.push(Header {
            name: name.into(),
            value,
        });
    }

    /// Takes out all headers of a name.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|header| *header.name != *name);
    }

    /// Takes out all headers for which the question is answered by no.
    pub fn retain(&mut self, keep: impl FnMut(&Header) -> bool) {
        self.0.retain(keep);
    }

    /// Returns the last header of a name.
    #[must_use]
    pub fn last(&self, name: &str) -> Option<&Header> {
        self.0.iter().rev().find(|header| *header.name == *name)
    }

    /// Returns the headers of a name in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Header> {
        self.0.iter().filter(move |header| *header.name == *name)
    }

    /// Returns whether there is a header of a name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.last(name).is_some()
    }

    /// Returns the number of headers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there is no header.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the headers in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Header> {
        self.0.iter()
    }
}

impl FromIterator<Header> for Headers {
    fn from_iter<I: IntoIterator<Item = Header>>(headers: I) -> Self {
        Self(headers.into_iter().collect())
    }
}
