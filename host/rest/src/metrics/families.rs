//! Every family that `/metrics` serves. Names have one prefix, base units and `_total` where a figure only grows; free labels
//! are names of connectors and topics alone, never messages.

use super::page::{Family, Kind};

macro_rules! families {
    ($($constant:ident = $name:literal $kind:ident [$($label:literal),*] $help:literal;)*) => {
        $(pub(super) static $constant: Family = Family {
            name: $name, kind: Kind::$kind, labels: &[$($label),*], help: $help,
        };)*

        /// All of them.
        pub(super) static ALL: &[&Family] = &[$(&$constant),*];
    };
}

/// Whether a name, or what a histogram makes of it, is one of these: a plugin's metric has another.
pub(super) fn is_taken(name: &str) -> bool {
    let bare = ["_bucket", "_sum", "_count"]
        .iter()
        .find_map(|suffix| name.strip_suffix(suffix))
        .unwrap_or(name);
    ALL.iter()
        .any(|family| family.name == name || family.name == bare)
}

families! {
    BUILD = "linkspan_build_info" Gauge ["version"] "The program that runs; always 1.";
    CONNECTOR_STATE = "linkspan_connector_state" Gauge ["connector", "type", "state"]
        "1 for the state that a connector and its tasks are in (that of the worst), 0 for the others.";
    CONNECTOR_LAG = "linkspan_connector_lag_records" Gauge ["connector"]
        "Records that a sink has not committed, over all its partitions.";
    CONNECTOR_LAG_SECONDS = "linkspan_connector_lag_seconds" Gauge ["connector"]
        "Age of the oldest record that a sink has not committed, by its timestamp.";
    CONNECTOR_RESTARTS = "linkspan_connector_restarts_total" Counter ["connector"]
        "Restarts of a connector's tasks after failures.";
    CONNECTOR_LOST = "linkspan_connector_lost_records_total" Counter ["connector"]
        "Records that were gone from the log before the sink had read them.";
    CONNECTOR_ZOMBIES = "linkspan_connector_zombie_tasks" Gauge ["connector"]
        "Tasks that did not stop in time and hold a thread.";
    TASK_RECORDS = "linkspan_task_records_total" Counter ["connector", "task", "stage"]
        "Records by stage: polled by a source, transformed, written by a sink, committed, filtered, dlq, skipped.";
    TASK_LAG = "linkspan_task_lag_records" Gauge ["connector", "task"]
        "Records that a sink's task has not committed, over the partitions that it has now.";
    TASK_BUFFER = "linkspan_task_buffer_bytes" Gauge ["connector", "task"]
        "Bytes of records that a task holds: fetched and not put, or submitted and not durable.";
    TASK_BYTES = "linkspan_task_bytes_total" Counter ["connector", "task"] "Bytes of the committed records.";
    TASK_ERRORS = "linkspan_task_errors_total" Counter ["connector", "task", "kind"]
        "Failures: retriable ones, those that ended the task, and bad records (data).";
    TASK_RESTARTS = "linkspan_task_restarts_total" Counter ["connector", "task"] "Restarts of a task after failures.";
    TASK_LAST_RECORD = "linkspan_task_last_record_timestamp_seconds" Gauge ["connector", "task"]
        "When the task last moved a record, in seconds since 1970.";
    TASK_LAST_COMMIT = "linkspan_task_last_commit_timestamp_seconds" Gauge ["connector", "task"]
        "When a commit of the task last became durable, in seconds since 1970.";
    TASK_POLL = "linkspan_task_poll_seconds" Histogram ["connector", "task"]
        "Calls of a source's poll, its wait for records included.";
    TASK_PUT = "linkspan_task_put_seconds" Histogram ["connector", "task"] "Calls of a sink's put.";
    TASK_COMMIT = "linkspan_task_commit_seconds" Histogram ["connector", "task"]
        "From handing a commit to the log until it is durable.";
    TASK_E2E = "linkspan_task_e2e_latency_seconds" Histogram ["connector", "task"]
        "From a record's timestamp until a sink took it; of each put its youngest record.";
    TOPIC_RECORDS = "linkspan_topic_records_total" Counter ["topic"]
        "Records ever written to a topic: the ends of its partitions together.";
    LOG_SIZE = "linkspan_log_size_bytes" Gauge ["topic", "partition"]
        "Bytes of a partition; only while the log has at most 1000 of them.";
    LOG_BYTES = "linkspan_log_bytes" Gauge [] "Bytes of record batches that the log holds.";
    LOG_DISK = "linkspan_log_disk_bytes" Gauge [] "Bytes that the log takes on the disk.";
    LOG_COMMITS = "linkspan_log_commits_total" Counter [] "Commits since the log was opened.";
    LOG_SYNCS = "linkspan_log_syncs_total" Counter [] "Disk syncs that these commits needed.";
    LOG_IN = "linkspan_log_in_bytes_total" Counter [] "Bytes of record batches that were committed.";
    LOG_OUT = "linkspan_log_out_bytes_total" Counter [] "Bytes of record batches that were read.";
    LOG_HEALTHY = "linkspan_log_healthy" Gauge [] "1 while the log takes commits, 0 when its disk is full or failed.";
    LOG_FSYNC = "linkspan_log_fsync_seconds" Summary []
        "Disk syncs of the journal since the log was opened; quantile 1 is the longest.";
    HTTP_REQUESTS = "linkspan_http_requests_total" Counter ["route", "method", "code"]
        "Requests over the network, by the first words of their path.";
    HTTP_FAILED_LOGINS = "linkspan_http_failed_logins_total" Counter [] "Wrong passwords and tokens over the network.";
    PROCESS_CPU = "process_cpu_seconds_total" Counter [] "Seconds of processor time, user and system.";
    PROCESS_MEMORY = "process_resident_memory_bytes" Gauge [] "Resident memory.";
    PROCESS_FILES = "process_open_fds" Gauge [] "Open file descriptors.";
    PROCESS_THREADS = "process_threads" Gauge [] "Threads.";
    PROCESS_START = "process_start_time_seconds" Gauge [] "When the process started, in seconds since 1970.";
}
