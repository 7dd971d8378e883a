//! Routes about connectors. Making and configuring them is Kafka Connect's interface.

use axum::routing::{delete, get, patch, post, put};

use super::{Param, Route};
use crate::role::Role::{Admin, Operator, Viewer};
use crate::{connectors, fleet, workbench};

const LIMIT: Param = Param {
    name: "limit",
    kind: "integer",
    docs: "How many at most, the latest of them",
};

const PREVIEW: Param = Param {
    name: "preview",
    kind: "boolean",
    docs: "Say what would change, also of a connector that works, and change nothing",
};

pub(super) const ROWS: &[Route] = &[
    Route::new(
        "GET",
        "/api/v1/connectors",
        Viewer,
        "All connectors with their states",
        || get(connectors::list),
    )
    .answers("ConnectorStatuses"),
    Route::new(
        "GET",
        "/api/v1/connectors/{name}",
        Viewer,
        "One connector with its last hour, events and errors",
        || get(connectors::describe),
    )
    .answers("ConnectorDetail"),
    Route::new(
        "DELETE",
        "/api/v1/connectors/{name}",
        Admin,
        "Forgets a connector that left its file, with its offsets",
        || delete(connectors::delete),
    )
    .answers("Deleted"),
    Route::new(
        "GET",
        "/api/v1/connectors/{name}/events",
        Viewer,
        "What happened to a connector",
        || get(fleet::events_of),
    )
    .asks(&[LIMIT])
    .answers("Events"),
    Route::new(
        "GET",
        "/api/v1/connectors/{name}/logs",
        Viewer,
        "What the host said of a connector lately",
        || get(workbench::logs),
    )
    .asks(&[
        LIMIT,
        Param {
            name: "after",
            kind: "integer",
            docs: "Only lines behind this one, the first of them: the `next` of the answer before",
        },
        Param {
            name: "level",
            kind: "string",
            docs: "The least grave level: error, warn, info, debug or trace",
        },
    ])
    .answers("LogLines"),
    Route::new(
        "PUT",
        "/api/v1/connectors/{name}/pause",
        Operator,
        "Lets a connector hold still",
        || put(connectors::pause),
    )
    .answers("ConnectorStatus")
    .with(&[202]),
    Route::new(
        "PUT",
        "/api/v1/connectors/{name}/resume",
        Operator,
        "Lets a paused or stopped connector work",
        || put(connectors::resume),
    )
    .answers("ConnectorStatus")
    .with(&[202]),
    Route::new(
        "PUT",
        "/api/v1/connectors/{name}/stop",
        Operator,
        "Ends a connector's tasks; its offsets may be changed then",
        || put(connectors::stop),
    )
    .answers("ConnectorStatus"),
    Route::new(
        "POST",
        "/api/v1/connectors/{name}/restart",
        Operator,
        "Starts a connector again, its tasks, or what of them has failed",
        || post(connectors::restart),
    )
    .asks(&[
        Param {
            name: "includeTasks",
            kind: "boolean",
            docs: "Its tasks as well",
        },
        Param {
            name: "onlyFailed",
            kind: "boolean",
            docs: "Only what has failed",
        },
    ])
    .answers("ConnectorStatus")
    .with(&[200, 202]),
    Route::new(
        "POST",
        "/api/v1/connectors/{name}/tasks/{task}/restart",
        Operator,
        "Starts one task again",
        || post(connectors::restart_task),
    )
    .answers("ConnectorStatus"),
    Route::new(
        "GET",
        "/api/v1/connectors/{name}/offsets",
        Viewer,
        "A connector's offsets",
        || get(connectors::offsets),
    )
    .answers("Offsets"),
    Route::new(
        "PATCH",
        "/api/v1/connectors/{name}/offsets",
        Operator,
        "Sets offsets of a stopped connector; null removes one",
        || patch(connectors::alter),
    )
    .asks(&[PREVIEW])
    .takes("Offsets")
    .answers("OffsetsChange"),
    Route::new(
        "DELETE",
        "/api/v1/connectors/{name}/offsets",
        Operator,
        "Removes all offsets of a stopped connector",
        || delete(connectors::reset),
    )
    .asks(&[PREVIEW])
    .answers("OffsetsChange"),
    Route::new(
        "POST",
        "/api/v1/connectors/{name}/offsets/rewind",
        Operator,
        "Sets a stopped sink to a time",
        || post(connectors::rewind),
    )
    .asks(&[PREVIEW])
    .takes("Rewind")
    .answers("OffsetsChange"),
];
