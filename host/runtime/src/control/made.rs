//! Connectors that were made over the network. Their configurations live in the log, placeholders unresolved; a file's
//! connectors live in their file.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};

use linkspan_log::{KvPut, LogBackend, Store};

use super::record::Record;
use super::target::{self, Target};
use super::{Control, Refused, ownership, prepare, worker};
use crate::error::StartError;
use crate::spec::{ConnectorSpec, KindOfConnector};
use crate::whole;

/// Prefix of the keys in [`Store::Configs`].
const PREFIX: &str = "made/";

fn key(name: &str) -> Vec<u8> {
    format!("{PREFIX}{name}").into_bytes()
}

/// Returns the configurations of all connectors that were made over the network, as they were given.
///
/// # Errors
/// The log cannot be read.
pub fn made_connectors(
    log: &dyn LogBackend,
) -> linkspan_log::Result<BTreeMap<String, BTreeMap<String, String>>> {
    let mut made = BTreeMap::new();
    for (key, value) in log.scan(Store::Configs, PREFIX.as_bytes())? {
        let name = key
            .get(PREFIX.len()..)
            .and_then(|name| std::str::from_utf8(name).ok());
        match (name, serde_json::from_slice(&value)) {
            (Some(name), Ok(config)) => {
                made.insert(name.to_owned(), config);
            }
            (name, _) => {
                tracing::error!(
                    connector = name,
                    "its stored configuration cannot be read; make it anew"
                );
            }
        }
    }
    Ok(made)
}

impl Control {
    /// Who owns a connector: `file:line`, or `None` for one that was made over the network or is not there.
    #[must_use]
    pub fn file_of(&self, name: &str) -> Option<String> {
        let slot = self.inner.slot(name).ok()?;
        let from_file = slot.wish().spec.is_some() && !self.is_made(name);
        from_file.then(|| slot.record().origin)
    }

    fn is_made(&self, name: &str) -> bool {
        self.inner
            .made
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains_key(name)
    }

    /// Makes a connector, or gives it another configuration: checked first, then durable, then it starts or restarts.
    /// `target` is what a new one is to be.
    ///
    /// # Errors
    /// [`StartError::Invalid`] with every problem; then nothing has changed. The log refuses.
    pub fn configure(
        &self,
        spec: ConnectorSpec,
        config: &BTreeMap<String, String>,
        target: Target,
    ) -> Result<(), StartError> {
        let inner = &self.inner;
        let name = spec.name.clone();
        let kept = spec.clone();
        let problems = ownership::check_moves(std::iter::once(&spec));
        if !problems.is_empty() {
            return Err(StartError::Invalid(problems));
        }
        // Its plugin is asked under no lock, and not for ever.
        let prepared = prepare::plan(&inner.runtime, vec![spec], &BTreeSet::new())
            .map_err(StartError::Invalid)?;
        let _order = inner
            .applying
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut made = inner.made.lock().unwrap_or_else(PoisonError::into_inner);
        for one in &prepared {
            let letters = one.planned.as_ref().and_then(|one| one.letters.as_ref());
            inner.runtime.ensure_sink_topics(&one.spec, letters)?;
            inner.runtime.declare_sink(&one.spec)?;
        }
        let log = inner.runtime.shared.log.as_ref();
        let stored = target::read(log, &name)?;
        let mut puts = vec![
            KvPut {
                store: Store::Configs,
                key: key(&name).into(),
                // A map of texts always serializes.
                value: Some(serde_json::to_vec(config).unwrap_or_default().into()),
            },
            Record::of(&kept).put(&name),
        ];
        let wanted = stored.unwrap_or(target);
        if stored.is_none() {
            puts.push(target::put(&name, wanted, inner.now_ms()));
        }
        inner.keeper.put(puts)?;
        if kept.kind == KindOfConnector::Source {
            // It may have been a sink before: retention waits for no reader that is none.
            log.forget_reader(&crate::sink::group_of(&name))?;
        }
        made.insert(name, kept);
        for one in prepared {
            self.wish_for(one, wanted)?;
        }
        Ok(())
    }

    /// Topics that a connector has written or read, by name; nobody known has none.
    #[must_use]
    pub fn used_topics(&self, name: &str) -> Vec<String> {
        self.status(name)
            .map(|status| status.topics)
            .unwrap_or_default()
    }

    /// Forgets which topics a connector has used.
    pub fn reset_used_topics(&self, name: &str) {
        if let Ok(slot) = self.inner.slot(name) {
            // What the tasks have said up to now goes, too.
            drop(super::ConnectorStatus::of(&slot));
            slot.used.clear();
        }
    }

    /// Removes a connector that was made over the network. Its tasks stop; its offsets stay, as Kafka Connect keeps them. Then
    /// its class removes what it left outside.
    ///
    /// # Errors
    /// Nobody knows it; a file owns it; the log refuses.
    pub fn remove(&self, name: &str) -> Result<(), Refused> {
        let slot = self.inner.slot(name)?;
        let applying = self
            .inner
            .applying
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut made = self
            .inner
            .made
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let order = slot.commands.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.wish().spec.is_some() && !made.contains_key(name) {
            return Err(super::commands::owned(name, &slot));
        }
        let gone = KvPut {
            store: Store::Configs,
            key: key(name).into(),
            value: None,
        };
        let mut puts = vec![gone];
        puts.extend(ownership::forget_puts(name));
        self.inner.keeper.put(puts)?;
        made.remove(name);
        drop(made);
        let spec = slot.wish().spec.take();
        worker::kick(&self.inner, &slot);
        self.wait_idle(&[Arc::clone(&slot)]);
        self.inner
            .runtime
            .shared
            .log
            .forget_reader(&crate::sink::group_of(name))?;
        self.inner
            .slots
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(name);
        drop(order);
        // The last word of its tasks may have been written meanwhile.
        self.inner.keeper.put(ownership::forget_puts(name).into())?;
        drop(applying);
        if let Some(spec) = spec
            && let Some(class) = self.inner.runtime.class(&spec.class)
        {
            whole::deleted(&spec, class);
        }
        Ok(())
    }
}
