//! Free parameters of a schema.

use std::sync::Arc;

/// Names with their text, in order. Equality ignores the order, as Java's maps.
#[derive(Debug, Clone, Default)]
pub struct Parameters(Vec<(Arc<str>, Arc<str>)>);

impl Parameters {
    /// Returns no parameters.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Puts a parameter: one that is there keeps its place.
    pub fn set(&mut self, name: impl Into<Arc<str>>, text: impl Into<Arc<str>>) {
        let (name, text) = (name.into(), text.into());
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, slot)) => *slot = text,
            None => self.0.push((name, text)),
        }
    }

    /// Returns a parameter's text.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| **known == *name);
        found.map(|(_, text)| &**text)
    }

    /// Returns whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the parameters in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, text)| (&**name, &**text))
    }
}

impl PartialEq for Parameters {
    fn eq(&self, other: &Self) -> bool {
        self.0.len() == other.0.len()
            && self
                .iter()
                .all(|(name, text)| other.get(name) == Some(text))
    }
}

impl Eq for Parameters {}
