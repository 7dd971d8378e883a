//! Which topics a connector has used: written as a source, read as a sink (KIP-558).

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use linkspan_types::TopicName;

/// A growing set of topics.
#[derive(Debug, Default)]
pub(crate) struct UsedTopics(Mutex<BTreeSet<TopicName>>);

impl UsedTopics {
    /// Notes topics; those that are known cost a look.
    pub(crate) fn note<'t>(&self, topics: impl IntoIterator<Item = &'t TopicName>) {
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for topic in topics {
            if !used.contains(topic) {
                used.insert(topic.clone());
            }
        }
    }

    /// Takes over what another set has; that one is empty then.
    pub(crate) fn absorb(&self, other: &Self) {
        let theirs = std::mem::take(&mut *other.0.lock().unwrap_or_else(PoisonError::into_inner));
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(theirs);
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    pub(crate) fn clear(&self) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    /// A set as it was stored.
    pub(crate) fn of(names: &[String]) -> Self {
        Self(Mutex::new(
            names
                .iter()
                .filter_map(|name| TopicName::try_new(name).ok())
                .collect(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connector_takes_over_what_its_tasks_used() {
        let (connector, task) = (UsedTopics::of(&["b".to_owned()]), UsedTopics::default());
        task.note([&TopicName::try_new("a").unwrap()]);
        connector.absorb(&task);
        assert_eq!(connector.names(), ["a", "b"]);
        assert!(task.names().is_empty());
        connector.clear();
        assert!(connector.names().is_empty());
    }
}
