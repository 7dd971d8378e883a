//! Keeps the stored statuses true, and says when a task makes no progress. One thread for all connectors.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::Inner;
use super::status::ConnectorStatus;

/// Changes are gathered this long, so that a restart of the host costs one write and not one for each task.
const GATHER: Duration = Duration::from_millis(200);
/// How often hung tasks are looked for while nothing changes.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Starts the watcher; it ends with the control plane.
pub(crate) fn start(inner: &Arc<Inner>) -> std::io::Result<()> {
    let (weak, pulse) = (Arc::downgrade(inner), inner.pulse.clone());
    std::thread::Builder::new()
        .name("control/watch".to_owned())
        .spawn(move || {
            let mut seen = 0;
            let mut memory = Memory::default();
            loop {
                seen = pulse.wait(seen, LOOK_EVERY);
                std::thread::sleep(GATHER);
                if !look(&weak, &mut memory) {
                    return;
                }
            }
        })?;
    Ok(())
}

#[derive(Default)]
struct Memory {
    written: BTreeMap<String, ConnectorStatus>,
    hung: BTreeSet<(String, u32)>,
}

fn look(inner: &Weak<Inner>, memory: &mut Memory) -> bool {
    let Some(inner) = inner.upgrade() else {
        return false;
    };
    if inner.ended.load(Ordering::SeqCst) {
        return false;
    }
    let statuses: Vec<_> = inner
        .slots()
        .iter()
        .map(|slot| ConnectorStatus::of(slot))
        .collect();
    say_hung(&statuses, &mut memory.hung);
    let names: BTreeSet<&str> = statuses.iter().map(|status| status.name.as_str()).collect();
    memory
        .written
        .retain(|name, _| names.contains(name.as_str()));
    let news: Vec<&ConnectorStatus> = statuses
        .iter()
        .filter(|status| memory.written.get(&status.name) != Some(&status.worth()))
        .collect();
    match inner
        .keeper
        .put(news.iter().map(|status| status.put()).collect())
    {
        Ok(()) => {
            for status in news {
                memory.written.insert(status.name.clone(), status.worth());
            }
        }
        // A full disk passes; the next look tries again.
        Err(error) => tracing::warn!(%error, "the statuses of connectors could not be stored"),
    }
    true
}

fn say_hung(statuses: &[ConnectorStatus], known: &mut BTreeSet<(String, u32)>) {
    let mut hung = BTreeSet::new();
    for status in statuses {
        for task in &status.tasks {
            let Some(ms) = task.hung_ms else {
                continue;
            };
            let place = (status.name.clone(), task.id);
            if !known.contains(&place) {
                tracing::error!(
                    connector = status.name,
                    task = task.id,
                    code = "LS0425",
                    "the task has been inside one call of its plugin for {} s: it hangs, or `no.progress.timeout.ms` is too short",
                    ms / 1000
                );
            }
            hung.insert(place);
        }
    }
    *known = hung;
}

/// Writes all statuses now, for the last time.
pub(crate) fn write(inner: &Inner) {
    let puts = inner
        .slots()
        .iter()
        .map(|slot| ConnectorStatus::of(slot).put())
        .collect();
    if let Err(error) = inner.keeper.put(puts) {
        tracing::warn!(%error, "the statuses of connectors could not be stored");
    }
}
