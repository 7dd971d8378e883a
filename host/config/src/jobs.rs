//! `schedule:`, `on.failure:`, `on.success:` of a file → a [`JobPlan`]: the file's connectors are one bounded job.
//!
//! They stand at the top of a file and hold for the connectors of that file. With a schedule the connectors work when its
//! time comes; without one the file's connectors are as always, and what to do afterwards holds for `run --once`.
//!
//! # Times
//! Five fields of cron (six with seconds first) in a time zone. Where the clock goes forward, a fixed time in the gap is due
//! at the first moment behind it, and steps such as `*/10` go on behind it. Where the clock goes back, a fixed time is due
//! once, the first time; steps are due in both passes.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr as _;
use std::time::Duration;

use chrono::{DateTime, FixedOffset, TimeZone, Utc};
use croner::Cron;

use crate::check::items;
use crate::codes;
use crate::diagnostic::Severity;
use crate::document::{Document, FileSections};
use crate::framework::{self, FrameworkOption};
use crate::placeholder::Resolver;
use crate::plan::ConnectorPlan;
use crate::report::{Draft, Report};
use crate::settings::{Body, Reader, Setting};
use crate::source::{FileId, Location, Span};
use crate::vocabulary::Vocabulary;
use crate::yaml::{Entry, Kind, Node};

/// How long a command or call after a job may take where nothing is said.
const HOOK_TIMEOUT: Duration = Duration::from_secs(30);
/// The most commands and calls after one job.
const HOOKS_MAX: usize = 20;

/// The connectors of one file as a job.
#[derive(Clone, Debug)]
pub struct JobPlan {
    /// The file's name without its ending, or `schedule.name`.
    pub name: String,
    /// When it runs by itself.
    pub schedule: Option<Schedule>,
    /// What is done after a run that failed, or that had bad records.
    pub on_failure: Vec<Hook>,
    /// What is done after a run without either.
    pub on_success: Vec<Hook>,
    /// Where it is declared.
    pub source: Location,
    pub(crate) file: FileId,
}

/// When a job runs.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// As it was written.
    pub cron: String,
    /// As it was written.
    pub timezone: String,
    /// What becomes of times at which no host ran.
    pub missed: Missed,
    /// What becomes of a time at which the run before still works.
    pub overlap: Overlap,
    /// When a run is given up.
    pub timeout: Option<Duration>,
    pattern: Cron,
    zone: Zone,
}

/// What becomes of times at which no host ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missed {
    /// Nothing.
    Skip,
    /// One run, for the latest of them.
    RunOnce,
    /// A run for each, one after the other.
    RunAll,
}

/// What becomes of a time at which the run before still works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlap {
    /// It is left out.
    Skip,
    /// It runs afterwards.
    Queue,
}

#[derive(Clone, Copy, Debug)]
enum Zone {
    Named(chrono_tz::Tz),
    Fixed(FixedOffset),
}

/// What is done after a job. `Debug` shows no value: headers and arguments may be secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Hook {
    /// What is done; the run's summary goes with it.
    pub action: Action,
    /// How long it may take.
    pub timeout: Duration,
    /// The folder of the file that declares it.
    pub base: PathBuf,
    /// Where it is declared.
    pub source: Location,
}

/// A command or a call.
#[derive(Clone, PartialEq, Eq)]
pub enum Action {
    /// A program and its arguments, without a shell. The summary is its standard input.
    Command(Vec<String>),
    /// `POST` of the summary.
    Call {
        /// `http://…` or `https://…`.
        url: String,
        /// Further headers.
        headers: BTreeMap<String, String>,
    },
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Command(_) => "Command",
            Self::Call { .. } => "Call",
        })
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hook")
            .field("action", &self.action)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

impl Zone {
    fn parse(text: &str) -> Option<Self> {
        if matches!(text, "UTC" | "Z") {
            return Some(Self::Named(chrono_tz::UTC));
        }
        let named = text.parse().map(Self::Named);
        named.or_else(|_| text.parse().map(Self::Fixed)).ok()
    }
}

impl Schedule {
    /// Returns the first time after `after_ms`, in milliseconds since 1970; `None` when there is none.
    #[must_use]
    pub fn next_after(&self, after_ms: i64) -> Option<i64> {
        let after = DateTime::<Utc>::from_timestamp_millis(after_ms)?;
        match self.zone {
            Zone::Named(zone) => next(&self.pattern, &after.with_timezone(&zone)),
            Zone::Fixed(zone) => next(&self.pattern, &after.with_timezone(&zone)),
        }
    }

    /// Returns a moment as the clock of the schedule's zone shows it.
    #[must_use]
    pub fn local(&self, at_ms: i64) -> String {
        let Some(at) = DateTime::<Utc>::from_timestamp_millis(at_ms) else {
            return String::new();
        };
        match self.zone {
            Zone::Named(zone) => at.with_timezone(&zone).to_rfc3339(),
            Zone::Fixed(zone) => at.with_timezone(&zone).to_rfc3339(),
        }
    }

    /// Reads a schedule without a file; the words say what is wrong.
    ///
    /// # Errors
    /// The pattern or the time zone is none.
    pub fn new(
        cron: &str,
        timezone: &str,
        missed: Missed,
        overlap: Overlap,
    ) -> Result<Self, String> {
        let pattern =
            Cron::from_str(cron).map_err(|error| format!("`{}`: {error}", cron.escape_debug()))?;
        let zone = Zone::parse(timezone)
            .ok_or_else(|| format!("no such time zone: `{}`", timezone.escape_debug()))?;
        Ok(Self {
            cron: cron.to_owned(),
            timezone: timezone.to_owned(),
            missed,
            overlap,
            timeout: None,
            pattern,
            zone,
        })
    }
}

fn next<Z: TimeZone>(pattern: &Cron, after: &DateTime<Z>) -> Option<i64>
where
    DateTime<Z>: croner::CronDateTime,
{
    let found = pattern.find_next_occurrence(after, false).ok()?;
    Some(found.timestamp_millis())
}

/// What all jobs of one load share.
pub(crate) struct Surroundings<'a> {
    pub(crate) resolver: &'a Resolver,
    pub(crate) unset_env: Severity,
}

/// Reads the jobs of all files, and says of each connector whether a schedule has it.
pub(crate) fn read(
    report: &mut Report,
    document: &Document,
    connectors: &mut [ConnectorPlan],
    around: &Surroundings<'_>,
) -> Vec<JobPlan> {
    let mut jobs: Vec<JobPlan> = Vec::new();
    for (file, sections) in &document.files {
        let Some(job) = job(report, *file, sections, around) else {
            continue;
        };
        if job.schedule.is_some()
            && let Some(other) = jobs
                .iter()
                .find(|other| other.name == job.name && other.schedule.is_some())
        {
            let message = format!("two jobs are named `{}`", job.name.escape_debug());
            let draft = Draft::error(&codes::BAD_SCHEDULE, sections.span(), message);
            report.push(
                draft
                    .note(format!("the other one is that of {}", other.source))
                    .help("give one of them a `schedule.name`"),
            );
        }
        jobs.push(job);
    }
    for connector in connectors {
        let entry = document
            .connectors
            .iter()
            .find(|entry| entry.key == connector.name);
        connector.job = entry.and_then(|entry| {
            let job = jobs.iter().find(|job| job.file == entry.key_span.file)?;
            job.schedule.as_ref().map(|_| job.name.clone())
        });
    }
    jobs
}

fn job(
    report: &mut Report,
    file: FileId,
    sections: &FileSections,
    around: &Surroundings<'_>,
) -> Option<JobPlan> {
    let span = sections.span();
    let named = report.sources.get(file).map(|source| source.name.clone());
    let stem = named
        .as_deref()
        .and_then(|name| std::path::Path::new(name).file_stem())
        .map(|stem| stem.to_string_lossy().into_owned())
        .unwrap_or_default();
    let mut name = stem;
    let mut schedule = None;
    if let Some(entry) = &sections.schedule {
        let (given, read) = self::schedule(report, entry, around)?;
        name = given.unwrap_or(name);
        schedule = Some(read);
    }
    Some(JobPlan {
        name,
        schedule,
        on_failure: hooks(report, sections.on_failure.as_ref(), around),
        on_success: hooks(report, sections.on_success.as_ref(), around),
        source: report.sources.location(span),
        file,
    })
}

fn vocabulary(options: &[FrameworkOption]) -> Vocabulary<'_> {
    let mut vocabulary = Vocabulary::default();
    for option in options {
        vocabulary.add(&option.def, option.built, None);
    }
    vocabulary
}

fn settings(
    report: &mut Report,
    owner: &str,
    options: &[FrameworkOption],
    node: &Node,
    around: &Surroundings<'_>,
) -> Option<BTreeMap<String, Setting>> {
    let Kind::Map(entries) = &node.kind else {
        let message = format!("`{owner}` takes a map, found {}", node.shape());
        report.push(Draft::error(&codes::WRONG_SHAPE, node.span, message));
        return None;
    };
    let vocabulary = vocabulary(options);
    let mut reader = Reader {
        report,
        vocabulary: &vocabulary,
        resolver: around.resolver,
        unset_env: around.unset_env,
        owner: owner.to_owned(),
        span: node.span,
    };
    Some(reader.read(&[Body {
        entries,
        explicit: true,
    }]))
}

fn schedule(
    report: &mut Report,
    entry: &Entry,
    around: &Surroundings<'_>,
) -> Option<(Option<String>, Schedule)> {
    let settings = settings(
        report,
        "schedule",
        &framework::SCHEDULE,
        &entry.value,
        around,
    )?;
    let text = |name: &str| settings.get(name).and_then(|one| one.resolved.clone());
    let place = |name: &str| settings.get(name).map_or(entry.key_span, |one| one.span);
    let cron = text("cron")?;
    let timezone = text("timezone").unwrap_or_else(|| "UTC".to_owned());
    let missed = match text("missed").as_deref() {
        Some("skip") => Missed::Skip,
        Some("run-all") => Missed::RunAll,
        Some(_) | None => Missed::RunOnce,
    };
    let overlap = match text("overlap").as_deref() {
        Some("queue") => Overlap::Queue,
        Some(_) | None => Overlap::Skip,
    };
    let mut refuse = |name: &str, message: String, help: &str| {
        let draft = Draft::error(&codes::BAD_SCHEDULE, place(name), message);
        report.push(draft.help(help));
    };
    if Zone::parse(&timezone).is_none() {
        let message = format!("schedule: no such time zone: `{}`", timezone.escape_debug());
        refuse("timezone", message, "write Asia/Seoul, UTC or +09:00");
        return None;
    }
    let mut schedule = match Schedule::new(&cron, &timezone, missed, overlap) {
        Ok(schedule) => schedule,
        Err(why) => {
            let help = "five fields: minute, hour, day of month, month, day of week; for example \"30 3 * * MON-FRI\"";
            refuse("cron", format!("schedule: {why}"), help);
            return None;
        }
    };
    // From a moment in this century: a pattern that fires at all does so within its calendar.
    if schedule.next_after(1_800_000_000_000).is_none() {
        let message = format!(
            "schedule: `{}` names a time that never comes",
            cron.escape_debug()
        );
        refuse("cron", message, "look at its day of month and its month");
        return None;
    }
    schedule.timeout = text("timeout.ms")
        .and_then(|text| text.parse().ok())
        .map(Duration::from_millis);
    Some((text("name"), schedule))
}

/// One map, or a list of them.
fn hooks(report: &mut Report, entry: Option<&Entry>, around: &Surroundings<'_>) -> Vec<Hook> {
    let Some(entry) = entry else {
        return Vec::new();
    };
    let nodes = match &entry.value.kind {
        Kind::List(items) => items.as_slice(),
        Kind::Map(_) | Kind::Scalar(_) | Kind::Null => std::slice::from_ref(&entry.value),
    };
    if nodes.len() > HOOKS_MAX {
        let message = format!("`{}` has more than {HOOKS_MAX} items", entry.key);
        report.push(Draft::error(&codes::BAD_SCHEDULE, entry.key_span, message));
    }
    nodes
        .iter()
        .take(HOOKS_MAX)
        .filter_map(|node| hook(report, &entry.key, node, around))
        .collect()
}

fn hook(report: &mut Report, owner: &str, node: &Node, around: &Surroundings<'_>) -> Option<Hook> {
    let settings = settings(report, owner, &framework::HOOK, node, around)?;
    let text = |name: &str| settings.get(name).and_then(|one| one.resolved.clone());
    let mut refuse = |span: Span, message: String, help: &str| {
        let draft = Draft::error(&codes::BAD_SCHEDULE, span, message);
        report.push(draft.help(help));
    };
    let span_of = |name: &str| settings.get(name).map_or(node.span, |one| one.span);
    let action = match (settings.get("command"), settings.get("url")) {
        (Some(_), None) => {
            let words = text("command").map(|text| items(&text))?;
            if words.first().is_none_or(String::is_empty) {
                let message = format!("`{owner}`: `command` names no program");
                refuse(
                    span_of("command"),
                    message,
                    "write a list: [./notify.sh, nightly]",
                );
                return None;
            }
            Action::Command(words)
        }
        (None, Some(_)) => {
            let url = text("url")?;
            if !(url.starts_with("http://") || url.starts_with("https://")) {
                let message = format!("`{owner}`: `url` begins with neither http:// nor https://");
                refuse(span_of("url"), message, "write the whole address");
                return None;
            }
            // A map, not options of their own: names of headers often begin with `x-`, which is free elsewhere.
            let headers = text("headers")
                .and_then(|text| serde_json::from_str(&text).ok())
                .unwrap_or_default();
            Action::Call { url, headers }
        }
        // A mistyped one was reported as such.
        (None, None)
            if settings.is_empty()
                && matches!(&node.kind, Kind::Map(entries) if !entries.is_empty()) =>
        {
            return None;
        }
        (Some(_), Some(_)) | (None, None) => {
            let message = format!("`{owner}` takes one of `command` and `url`");
            let help = "command: [PROGRAM, ARGUMENT, …] or url: https://…";
            refuse(node.span, message, help);
            return None;
        }
    };
    let timeout = text("timeout.ms")
        .and_then(|text| text.parse().ok())
        .map_or(HOOK_TIMEOUT, Duration::from_millis);
    Some(Hook {
        action,
        timeout,
        base: report.sources.base(node.span.file),
        source: report.sources.location(node.span),
    })
}
