//! The jobs that run by themselves: their times, and up to where each is dealt with.
//!
//! The wall clock is looked at a few times a second by whoever watches the host ([`Schedules::tick`]); what has to run is
//! started elsewhere (`hosted.rs`). Up to where a job's times are dealt with is kept in the log, `schedule/NAME` in
//! [`Store::Meta`], so that a later host knows what it missed.

mod timetable;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use linkspan_config::{JobPlan, Plan};
use linkspan_log::{Commit, KvPut, LogBackend, Producer, Store};
use linkspan_types::OwnerId;
use serde_json::{Value, json};

use self::timetable::{Event, Timetable};
use crate::terminal;

/// Prefix of the keys.
const PREFIX: &str = "schedule/";
/// The owner of these writes; no connector's name has a slash.
const OWNER: &str = "/schedule";

/// A run that is to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) job: String,
    pub(crate) due_ms: i64,
}

/// One job.
#[derive(Debug)]
struct Entry {
    table: Timetable,
    connectors: Vec<String>,
    /// The latest run that ended.
    last: Option<Value>,
}

/// All jobs with a schedule.
#[derive(Debug)]
pub(crate) struct Schedules {
    log: Arc<dyn LogBackend>,
    producer: Mutex<Option<Arc<dyn Producer>>>,
    entries: Mutex<BTreeMap<String, Entry>>,
}

impl Schedules {
    /// Takes the jobs of a plan over from where an earlier host left them.
    pub(crate) fn new(
        plan: &Plan,
        log: Arc<dyn LogBackend>,
        now_ms: i64,
    ) -> linkspan_log::Result<Self> {
        let schedules = Self {
            log,
            producer: Mutex::default(),
            entries: Mutex::default(),
        };
        for job in &plan.jobs {
            schedules.add(job, plan, now_ms)?;
        }
        Ok(schedules)
    }

    fn add(&self, job: &JobPlan, plan: &Plan, now_ms: i64) -> linkspan_log::Result<()> {
        let Some(schedule) = &job.schedule else {
            return Ok(());
        };
        let stored = self.log.get(Store::Meta, &key(&job.name))?;
        let done_ms = stored.and_then(|bytes| {
            let stored: Value = serde_json::from_slice(&bytes).ok()?;
            stored.get("done_ms")?.as_i64()
        });
        let table = Timetable::new(schedule.clone(), done_ms, now_ms);
        if done_ms.is_none() {
            self.store(&job.name, table.done_ms())?;
        }
        let entry = Entry {
            table,
            connectors: connectors_of(plan, &job.name),
            last: None,
        };
        self.entries().insert(job.name.clone(), entry);
        Ok(())
    }

    /// Goes over to the jobs of a new plan: those that stay keep what they know, those that are new begin now.
    pub(crate) fn reload(&self, plan: &Plan, now_ms: i64) -> linkspan_log::Result<()> {
        for job in &plan.jobs {
            let Some(schedule) = &job.schedule else {
                continue;
            };
            let known = match self.entries().get_mut(&job.name) {
                Some(entry) => {
                    let have = entry.table.schedule();
                    if have.cron != schedule.cron || have.timezone != schedule.timezone {
                        entry.table.change(schedule.clone(), now_ms);
                    }
                    entry.connectors = connectors_of(plan, &job.name);
                    true
                }
                None => false,
            };
            if !known {
                self.add(job, plan, now_ms)?;
            }
        }
        let stays = |name: &str| {
            let mut jobs = plan.jobs.iter();
            jobs.any(|job| job.name == name && job.schedule.is_some())
        };
        self.entries().retain(|name, _| stays(name));
        Ok(())
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries().is_empty()
    }

    /// What has to begin now; says what is left out.
    pub(crate) fn tick(&self, now_ms: i64) -> Vec<Due> {
        let mut due = Vec::new();
        let mut dealt_with = Vec::new();
        for (name, entry) in self.entries().iter_mut() {
            let done_before = entry.table.done_ms();
            for event in entry.table.tick(now_ms) {
                match event {
                    Event::Run { due_ms } => due.push(Due {
                        job: name.clone(),
                        due_ms,
                    }),
                    Event::LeftOut { count, why } => {
                        let message = format!("job {name}: {count} runs left out: {why}");
                        terminal::warning("LS0431", &message);
                    }
                    Event::MadeUp { count, due_ms } => terminal::note(&format!(
                        "job {name}: {count} runs were missed; one makes up for them, that of {}",
                        entry.table.schedule().local(due_ms)
                    )),
                }
            }
            if entry.table.done_ms() != done_before {
                dealt_with.push((name.clone(), entry.table.done_ms()));
            }
        }
        for (name, done_ms) in dealt_with {
            self.store_or_warn(&name, done_ms);
        }
        due
    }

    /// A run has ended; `by_itself` is false when the host cut it off.
    pub(crate) fn ended(&self, job: &str, by_itself: bool, last: Value) {
        let done_ms = {
            let mut entries = self.entries();
            let Some(entry) = entries.get_mut(job) else {
                return;
            };
            entry.table.ended(by_itself);
            entry.last = Some(last);
            entry.table.done_ms()
        };
        if by_itself {
            self.store_or_warn(job, done_ms);
        }
    }

    fn store_or_warn(&self, job: &str, done_ms: i64) {
        if let Err(error) = self.store(job, done_ms) {
            tracing::error!(job, %error, "how far the schedule is dealt with could not be stored; its last run may come again after a restart");
        }
    }

    fn store(&self, job: &str, done_ms: i64) -> linkspan_log::Result<()> {
        let put = KvPut {
            store: Store::Meta,
            key: key(job).into(),
            value: Some(
                json!({ "done_ms": done_ms })
                    .to_string()
                    .into_bytes()
                    .into(),
            ),
        };
        let mut producer = self.producer.lock().unwrap_or_else(PoisonError::into_inner);
        let using = match producer.take() {
            Some(producer) => producer,
            None => self.log.open_producer(&OwnerId::from(OWNER))?,
        };
        let commit = Commit {
            appends: Vec::new(),
            puts: vec![put],
        };
        using.submit(commit)?.wait()?;
        // A producer whose ticket failed fails for ever, and is not kept.
        *producer = Some(using);
        Ok(())
    }

    /// Each job as people and scripts see it.
    pub(crate) fn rows(&self) -> Vec<Value> {
        self.entries()
            .iter()
            .map(|(name, entry)| {
                let schedule = entry.table.schedule();
                let next = entry.table.next_due().map(|due| schedule.local(due));
                json!({
                    "job": name,
                    "state": if entry.table.working().is_some() { "RUNNING" } else { "SCHEDULED" },
                    "schedule": schedule.cron,
                    "timezone": schedule.timezone,
                    "next": next,
                    "waiting": entry.table.waiting(),
                    "last": entry.last,
                    "connectors": entry.connectors,
                })
            })
            .collect()
    }

    /// A line for each job, for the start of a host.
    pub(crate) fn announce(&self) {
        for row in self.rows() {
            let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or("never");
            terminal::note(&format!(
                "job {}: next run {} ({} {})",
                text("job"),
                text("next"),
                text("schedule"),
                text("timezone")
            ));
        }
    }
}

fn key(job: &str) -> Vec<u8> {
    format!("{PREFIX}{job}").into_bytes()
}

fn connectors_of(plan: &Plan, job: &str) -> Vec<String> {
    let connectors = plan.connectors.iter();
    connectors
        .filter(|connector| connector.job.as_deref() == Some(job))
        .map(|connector| connector.name.clone())
        .collect()
}
