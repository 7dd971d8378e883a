//! Routes about the host itself: figures, jobs and runs, plugins, configuration.

use axum::routing::{delete, get, post};

use super::{Content, Param, Route};
use crate::role::Role::{Admin, Operator, Viewer};
use crate::{about, api, audit, connectors, fleet, jobs, metrics, openapi, workbench};

pub(super) const ROWS: &[Route] = &[
    Route::new(
        "GET",
        "/metrics",
        Viewer,
        "Connectors, tasks, the log and the process, for Prometheus",
        || get(metrics::metrics),
    )
    .answers_with(Content::Metrics),
    Route::new(
        "GET",
        "/api/v1/openapi.json",
        Viewer,
        "This interface, described",
        || get(openapi::openapi),
    )
    .answers("Any"),
    Route::new(
        "GET",
        "/api/v1/whoami",
        Viewer,
        "Who asks, and what they may do",
        || get(about::whoami),
    )
    .answers("Whoami"),
    Route::new(
        "GET",
        "/api/v1/audit",
        Admin,
        "Who changed what: the latest calls that can change something, the newest last",
        || get(audit::list),
    )
    .asks(&[Param {
        name: "limit",
        kind: "integer",
        docs: "How many at most, 100 unless said, 1000 at most",
    }])
    .answers("Audit"),
    Route::new(
        "GET",
        "/api/v1/host",
        Viewer,
        "The host: its log, memory and disk",
        || get(about::host),
    )
    .answers("Host"),
    Route::new(
        "GET",
        "/api/v1/doctor",
        Operator,
        "Whether the host's directory, disk, plugins, limits and clock are as they should be",
        || get(workbench::doctor),
    )
    .answers("Doctor"),
    Route::new(
        "GET",
        "/api/v1/explain/{code}",
        Viewer,
        "What a code of a message means and what to do",
        || get(about::explain),
    )
    .asks(&[Param {
        name: "lang",
        kind: "string",
        docs: "`en` or `ko`",
    }])
    .answers("Explanation"),
    Route::new(
        "GET",
        "/api/v1/fleet",
        Viewer,
        "All connectors at one look, what failed first",
        || get(fleet::fleet),
    )
    .answers("Fleet"),
    Route::new(
        "GET",
        "/api/v1/pipelines",
        Viewer,
        "Connectors and topics as a graph",
        || get(fleet::pipelines),
    )
    .answers("Graph"),
    Route::new(
        "GET",
        "/api/v1/events",
        Viewer,
        "Changes of the fleet as they happen",
        || get(fleet::stream),
    )
    .asks(&[Param {
        name: "last",
        kind: "integer",
        docs: "The last event that is known, as `Last-Event-ID` says it; later ones are told first",
    }])
    .answers_with(Content::Events),
    Route::new(
        "GET",
        "/api/v1/jobs",
        Viewer,
        "Jobs with a schedule, and those that work now",
        || get(jobs::list),
    )
    .answers("Jobs"),
    Route::new(
        "POST",
        "/api/v1/jobs",
        Admin,
        "Runs a job that another process hands over, and tells how it goes",
        || post(jobs::start),
    )
    .takes("HandedJob")
    .answers_with(Content::Lines("JobEvent"))
    .on_the_machine(),
    Route::new(
        "DELETE",
        "/api/v1/jobs/{id}",
        Operator,
        "Ends a job before its time",
        || delete(jobs::cancel),
    )
    .answers("Cancelled"),
    Route::new(
        "POST",
        "/api/v1/apply",
        Admin,
        "Takes over changed files, as /api/v1/config/apply does",
        || post(connectors::apply),
    )
    .answers("Applied"),
    Route::new(
        "GET",
        "/api/v1/runs",
        Viewer,
        "The latest runs of jobs, the newest first",
        || get(workbench::runs),
    )
    .asks(&[Param {
        name: "limit",
        kind: "integer",
        docs: "How many at most, up to 1000",
    }])
    .answers("Runs"),
    Route::new(
        "GET",
        "/api/v1/runs/{id}",
        Viewer,
        "One run, by its id, the beginning of it, or `last`",
        || get(workbench::run),
    )
    .answers("Run"),
    Route::new(
        "GET",
        "/api/v1/plugins",
        Viewer,
        "The connector classes of all plugins",
        || get(workbench::plugins),
    )
    .answers("Plugins"),
    Route::new(
        "GET",
        "/api/v1/plugins/{class}",
        Viewer,
        "One class with its options",
        || get(workbench::plugin),
    )
    .answers("PluginDetail"),
    Route::new(
        "POST",
        "/api/v1/transforms/try",
        Operator,
        "A record before and after each transform of a connector, or of given ones",
        || post(workbench::try_transforms),
    )
    .takes("TryTransforms")
    .answers("TriedTransforms"),
    Route::new(
        "POST",
        "/api/v1/sources/try",
        Admin,
        "The first records of a source that does not run; nothing is written or acknowledged",
        || post(workbench::try_source),
    )
    .takes("TrySource")
    .answers("TriedSource"),
    Route::new(
        "POST",
        "/api/v1/validate",
        Operator,
        "Everything that is wrong with the options of a connector",
        || post(workbench::validate),
    )
    .asks(&[Param {
        name: "connect",
        kind: "boolean",
        docs: "Also try what the connector needs outside: files, addresses, credentials, tables",
    }])
    .takes("ToValidate")
    .answers("ConfigInfos"),
    Route::new(
        "GET",
        "/api/v1/config/plan",
        Admin,
        "What taking over the files as they are now would do",
        || get(workbench::plan),
    )
    .answers("Plan"),
    Route::new(
        "POST",
        "/api/v1/config/apply",
        Admin,
        "Takes over changed files",
        || post(workbench::apply),
    )
    .answers("Applied"),
    Route::new(
        "GET",
        "/api/v1/config/export",
        Viewer,
        "All connectors as YAML, secrets hidden",
        || get(workbench::export),
    )
    .answers("Exported"),
    Route::new(
        "GET",
        "/api/v1/log/stat",
        Viewer,
        "Figures of the log",
        || get(api::log_stat),
    )
    .answers("LogStat"),
    Route::new(
        "POST",
        "/api/v1/backup",
        Admin,
        "Copies the log into a folder of the host's machine",
        || post(api::backup),
    )
    .takes("Backup")
    .answers("BackupReport")
    .on_the_machine(),
];
