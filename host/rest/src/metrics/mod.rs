//! `GET /metrics`: connectors, tasks, the log and the process for Prometheus. Everything is read when it is asked for; between
//! two scrapes nothing costs anything.

mod families;
mod page;
mod process;
mod requests;

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use linkspan_log::{LogBackend, LogStat};
use linkspan_types::{Clock as _, GroupId, SystemClock, TopicPartition};
use serde::Deserialize;

use self::families as f;
use self::page::{Page, seconds};
pub(crate) use self::process::Process;
pub(crate) use self::requests::{REQUESTS, route, word};
use crate::api::Host;
use crate::fleet::{HEALTH_WORDS, Row};
use crate::refusal::Refusal;

/// The format, as Prometheus wants it named.
const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";
/// Sizes of single partitions are shown while there are no more than these.
const PARTITIONS_MAX: usize = 1000;

/// What the host measures of its tasks ([`crate::HostView::measures`]); what is not told is empty.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Measures {
    /// Ends of the buckets of all histograms.
    buckets_us: Vec<u64>,
    tasks: Vec<Task>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Task {
    connector: String,
    task: u32,
    polled: u64,
    written: u64,
    transformed: u64,
    buffer_bytes: u64,
    committed: u64,
    bytes: u64,
    filtered: u64,
    dead_letters: u64,
    skipped: u64,
    restarts: u64,
    errors_retriable: u64,
    errors_fatal: u64,
    last_record_ms: Option<i64>,
    last_commit_ms: Option<i64>,
    poll: Histogram,
    put: Histogram,
    commit: Histogram,
    end_to_end: Histogram,
    told: Vec<Told>,
}

/// A value that a plugin tells of itself.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Told {
    name: String,
    labels: BTreeMap<String, String>,
    /// JSON has no infinity: one is nothing here.
    value: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Histogram {
    counts: Vec<u64>,
    sum_us: u64,
}

pub(crate) async fn metrics(State(host): State<Host>) -> Response {
    match tokio::task::spawn_blocking(move || text(&host)).await {
        Ok(text) => ([(CONTENT_TYPE, FORMAT)], text).into_response(),
        Err(_) => Refusal::new(500, "LS0499", "the operation panicked").into_response(),
    }
}

/// Returns the whole page.
fn text(host: &Host) -> String {
    let mut page = Page::default();
    page.add(&f::BUILD, &[env!("CARGO_PKG_VERSION")], 1);
    let mut sinks = Vec::new();
    host.fleet.each_row(&mut |row: &Row| {
        connector(&mut page, row);
        if row.lag.is_some() {
            sinks.push(row.name.clone());
        }
    });
    for sink in &sinks {
        lag_of_tasks(&mut page, &*host.log, sink);
    }
    let measures: Measures = serde_json::from_value(host.view.measures()).unwrap_or_default();
    let now_ms = SystemClock::default().now_ms();
    for measured in &measures.tasks {
        task(&mut page, measured, &measures.buckets_us, now_ms);
    }
    if let Ok(stat) = host.log.stat() {
        log(&mut page, &stat);
    }
    REQUESTS.each(|(route, method, status), count| {
        page.add(
            &f::HTTP_REQUESTS,
            &[route, method, &status.to_string()],
            count,
        );
    });
    page.add(&f::HTTP_FAILED_LOGINS, &[], crate::auth::failures());
    process(&mut page, &Process::read());
    page.render()
}

fn connector(page: &mut Page, row: &Row) {
    for state in HEALTH_WORDS {
        let is = u8::from(row.health == state);
        page.add(&f::CONNECTOR_STATE, &[&row.name, &row.kind, state], is);
    }
    let name = [row.name.as_str()];
    page.add(&f::CONNECTOR_RESTARTS, &name, row.restarts);
    page.add(&f::CONNECTOR_LOST, &name, row.lost);
    page.add(&f::CONNECTOR_ZOMBIES, &name, row.zombies);
    if let Some(lag) = &row.lag {
        page.add(&f::CONNECTOR_LAG, &name, lag.records);
        if let Some(seconds) = lag.seconds {
            page.add(&f::CONNECTOR_LAG_SECONDS, &name, seconds);
        }
    }
}

fn task(page: &mut Page, task: &Task, ends_us: &[u64], now_ms: i64) {
    let number = task.task.to_string();
    let at = [task.connector.as_str(), number.as_str()];
    let [connector, number] = at;
    // What only one of the two kinds does is shown where it happened.
    let stages = [
        ("polled", Some(task.polled).filter(|count| *count > 0)),
        (
            "transformed",
            Some(task.transformed).filter(|count| *count > 0),
        ),
        ("written", Some(task.written).filter(|count| *count > 0)),
        ("committed", Some(task.committed)),
        ("filtered", Some(task.filtered)),
        ("dlq", Some(task.dead_letters)),
        ("skipped", Some(task.skipped)),
    ];
    for (stage, count) in stages {
        if let Some(count) = count {
            page.add(&f::TASK_RECORDS, &[connector, number, stage], count);
        }
    }
    page.add(&f::TASK_BYTES, &at, task.bytes);
    page.add(&f::TASK_BUFFER, &at, task.buffer_bytes);
    page.add(&f::TASK_RESTARTS, &at, task.restarts);
    for (kind, count) in [
        ("retriable", task.errors_retriable),
        ("fatal", task.errors_fatal),
        ("data", task.dead_letters + task.skipped),
    ] {
        page.add(&f::TASK_ERRORS, &[connector, number, kind], count);
    }
    for (family, age_ms) in [
        (&f::TASK_LAST_RECORD, task.last_record_ms),
        (&f::TASK_LAST_COMMIT, task.last_commit_ms),
    ] {
        if let Some(age) = age_ms {
            let at_us = u64::try_from(now_ms.saturating_sub(age).saturating_mul(1000));
            page.add(family, &at, seconds(at_us.unwrap_or(0)));
        }
    }
    for told in &task.told {
        if let Some(value) = told.value.filter(|_| !f::is_taken(&told.name)) {
            page.tell(&told.name, &at, &told.labels, value);
        }
    }
    for (family, read) in [
        (&f::TASK_POLL, &task.poll),
        (&f::TASK_PUT, &task.put),
        (&f::TASK_COMMIT, &task.commit),
        (&f::TASK_E2E, &task.end_to_end),
    ] {
        if read.counts.iter().any(|count| *count > 0) {
            page.histogram(family, &at, ends_us, &read.counts, read.sum_us);
        }
    }
}

/// How far behind each task of a sink is; its members of the group are called `NAME/NUMBER`.
fn lag_of_tasks(page: &mut Page, log: &dyn LogBackend, sink: &str) {
    let group = GroupId::from(format!("connect-{sink}").as_str());
    let Ok(Some(group)) = log.describe_group(&group) else {
        return;
    };
    for member in &group.members {
        let Some((_, number)) = member.member.rsplit_once('/') else {
            continue;
        };
        let own = group.offsets.iter().filter(|row| {
            let has = |tp: &TopicPartition| tp.topic == row.topic && tp.partition == row.partition;
            member.assigned.iter().any(has)
        });
        let lag: u64 = own.filter_map(|row| row.lag).sum();
        page.add(&f::TASK_LAG, &[sink, number], lag);
    }
}

fn log(page: &mut Page, stat: &LogStat) {
    page.add(&f::LOG_BYTES, &[], stat.log_bytes);
    page.add(&f::LOG_DISK, &[], stat.disk_bytes);
    page.add(&f::LOG_COMMITS, &[], stat.commits);
    page.add(&f::LOG_SYNCS, &[], stat.syncs.with_commits);
    page.add(&f::LOG_IN, &[], stat.bytes_in);
    page.add(&f::LOG_OUT, &[], stat.bytes_out);
    page.add(&f::LOG_HEALTHY, &[], u8::from(stat.health == "ok"));
    let latency = &stat.syncs.latency;
    page.summary(
        &f::LOG_FSYNC,
        &[
            ("0.5", seconds(latency.p50_us)),
            ("0.99", seconds(latency.p99_us)),
            ("1", seconds(latency.max_us)),
        ],
        latency.count,
    );
    let partitions: usize = stat.topics.iter().map(|topic| topic.partitions.len()).sum();
    for topic in &stat.topics {
        let end: i64 = topic.partitions.iter().map(|p| p.high_watermark).sum();
        page.add(&f::TOPIC_RECORDS, &[&topic.name], end);
        if partitions > PARTITIONS_MAX {
            continue;
        }
        for partition in &topic.partitions {
            let number = partition.partition.to_string();
            let bytes = partition.bytes + partition.unflushed_bytes;
            page.add(&f::LOG_SIZE, &[&topic.name, &number], bytes);
        }
    }
}

fn process(page: &mut Page, process: &Process) {
    if let Some(seconds) = process.cpu_seconds {
        page.add(&f::PROCESS_CPU, &[], seconds);
    }
    if let Some(at) = process.started {
        page.add(&f::PROCESS_START, &[], at);
    }
    for (family, figure) in [
        (&f::PROCESS_MEMORY, process.memory_bytes),
        (&f::PROCESS_FILES, process.open_files),
        (&f::PROCESS_THREADS, process.threads),
    ] {
        if let Some(figure) = figure {
            page.add(family, &[], figure);
        }
    }
}

#[cfg(test)]
mod tests;
