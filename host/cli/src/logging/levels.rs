//! Which events show: one level for all, another one for single connectors.
//!
//! An event belongs to a connector when it carries a field `connector`, or a field `task` of the form `NAME/NUMBER`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use linkspan_config::LoggingSettings;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Filter};

/// The levels of a host.
#[derive(Debug)]
pub(crate) struct Levels(RwLock<Table>);

#[derive(Debug, Clone)]
struct Table {
    all: LevelFilter,
    connectors: BTreeMap<String, LevelFilter>,
}

impl Levels {
    /// Reads the settings; a job without a level of its own is quiet.
    pub(crate) fn new(settings: &LoggingSettings, quiet: bool) -> Self {
        let default = if quiet {
            LevelFilter::WARN
        } else {
            LevelFilter::INFO
        };
        Self(RwLock::new(Table {
            all: settings.level.as_deref().map_or(default, parse),
            connectors: settings
                .levels
                .iter()
                .map(|(name, level)| (name.clone(), parse(level)))
                .collect(),
        }))
    }

    fn table(&self) -> RwLockReadGuard<'_, Table> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The level of everything that has none of its own.
    pub(crate) fn all(&self) -> LevelFilter {
        self.table().all
    }

    /// Sets the level of everything (`root`) or of one connector, from now on.
    pub(crate) fn set(&self, name: &str, level: LevelFilter) {
        let mut table = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if name == "root" {
            table.all = level;
        } else {
            table.connectors.insert(name.to_owned(), level);
        }
        drop(table);
        tracing::callsite::rebuild_interest_cache();
    }

    /// Returns the most talkative level of all; plugins filter by it at the source.
    pub(crate) fn most(&self) -> LevelFilter {
        let table = self.table();
        table
            .connectors
            .values()
            .copied()
            .fold(table.all, LevelFilter::max)
    }

    /// Returns the filter of tracing that follows these levels.
    pub(crate) fn filter(self: &Arc<Self>) -> ByConnector {
        ByConnector(Arc::clone(self))
    }

    fn of(&self, owner: &Owner) -> LevelFilter {
        let table = self.table();
        let found = owner
            .connector
            .as_deref()
            .and_then(|name| table.connectors.get(name));
        let found = found.or_else(|| {
            let (name, _) = owner.task.as_deref()?.rsplit_once('/')?;
            table.connectors.get(name)
        });
        found.copied().unwrap_or(table.all)
    }
}

fn parse(level: &str) -> LevelFilter {
    // The configuration accepts only these words.
    level.parse().unwrap_or(LevelFilter::INFO)
}

/// Decides per event.
#[derive(Debug)]
pub(crate) struct ByConnector(Arc<Levels>);

impl<S: Subscriber> Filter<S> for ByConnector {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        *metadata.level() <= self.0.most()
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        if self.0.table().connectors.is_empty() {
            return true;
        }
        let mut owner = Owner::default();
        event.record(&mut owner);
        *event.metadata().level() <= self.0.of(&owner)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.0.most())
    }
}

/// Whom an event is about.
#[derive(Debug, Default)]
pub(super) struct Owner {
    connector: Option<String>,
    task: Option<String>,
}

impl Owner {
    /// The connector.
    pub(super) fn name(&self) -> Option<&str> {
        let of_task = || Some(self.task.as_deref()?.rsplit_once('/')?.0);
        self.connector.as_deref().or_else(of_task)
    }

    /// `NAME/NUMBER`.
    pub(super) fn task(&self) -> Option<&str> {
        self.task.as_deref()
    }
}

impl Visit for Owner {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "connector" if !value.is_empty() => self.connector = Some(value.to_owned()),
            "task" => self.task = Some(value.to_owned()),
            _ => {}
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if matches!(field.name(), "connector" | "task") {
            self.record_str(field, &format!("{value:?}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(all: Option<&str>, quiet: bool) -> Levels {
        let settings = LoggingSettings {
            level: all.map(str::to_owned),
            levels: [
                ("orders-in".to_owned(), "debug".to_owned()),
                ("noisy".to_owned(), "error".to_owned()),
            ]
            .into(),
            ..LoggingSettings::default()
        };
        Levels::new(&settings, quiet)
    }

    fn owner(connector: &str, task: &str) -> Owner {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Owner {
            connector: text(connector),
            task: text(task),
        }
    }

    #[test]
    fn a_connector_has_its_own_level_by_either_field() {
        let levels = levels(None, false);
        for (connector, task, expected) in [
            ("", "", LevelFilter::INFO),
            ("orders-in", "", LevelFilter::DEBUG),
            ("", "orders-in/3", LevelFilter::DEBUG),
            ("", "noisy/0", LevelFilter::ERROR),
            ("orders", "", LevelFilter::INFO),
        ] {
            assert_eq!(
                levels.of(&owner(connector, task)),
                expected,
                "{connector} {task}"
            );
        }
        assert_eq!(levels.most(), LevelFilter::DEBUG);
    }

    #[test]
    fn a_job_is_quiet_unless_a_level_is_set() {
        assert_eq!(levels(None, true).of(&owner("", "")), LevelFilter::WARN);
        assert_eq!(
            levels(Some("trace"), true).of(&owner("", "")),
            LevelFilter::TRACE
        );
    }
}
