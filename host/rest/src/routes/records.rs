//! Routes about what the log holds: topics, records, groups, dead letters.

use axum::routing::{delete, get, patch, post};

use super::{Content, Param, Route};
use crate::role::Role::{Admin, Operator, Viewer};
use crate::{api, browse};

const FROM: Param = Param {
    name: "from",
    kind: "string",
    docs: "`earliest`, `latest`, an offset, or a time such as 2026-11-01T00:00:00Z",
};

pub(super) const ROWS: &[Route] = &[
    Route::new("GET", "/api/v1/topics", Viewer, "All topics", || {
        get(api::topics)
    })
    .answers("Topics"),
    Route::new("POST", "/api/v1/topics", Admin, "Makes a topic", || {
        post(api::create_topic)
    })
    .takes("NewTopic")
    .answers("TopicBrief"),
    Route::new(
        "GET",
        "/api/v1/topics/{topic}",
        Viewer,
        "One topic with its partitions and settings",
        || get(api::describe_topic),
    )
    .answers("Topic"),
    Route::new(
        "PATCH",
        "/api/v1/topics/{topic}",
        Admin,
        "Adds partitions, changes settings",
        || patch(api::alter_topic),
    )
    .takes("TopicChange")
    .answers("TopicBrief"),
    Route::new(
        "DELETE",
        "/api/v1/topics/{topic}",
        Admin,
        "Deletes a topic with its records",
        || delete(api::delete_topic),
    )
    .answers("TopicDeleted"),
    Route::new(
        "POST",
        "/api/v1/topics/{topic}/delete-records",
        Admin,
        "Deletes the records before an offset",
        || post(api::delete_records),
    )
    .takes("DeleteRecords")
    .answers("RecordsDeleted"),
    Route::new(
        "GET",
        "/api/v1/topics/{topic}/records",
        Operator,
        "Records as a stream that goes on with new ones",
        || get(api::records),
    )
    .asks(&[
        FROM,
        Param {
            name: "exit",
            kind: "boolean",
            docs: "End at the end of the topic",
        },
    ])
    .answers_with(Content::Lines("RecordLine")),
    Route::new(
        "GET",
        "/api/v1/topics/{topic}/browse",
        Viewer,
        "Records page by page; a viewer sees no keys, values and headers",
        || get(browse::browse),
    )
    .asks(&[
        Param {
            name: "from",
            kind: "string",
            docs: "`earliest`, `latest`, `tail` (the last ones of each partition), an offset, a time, or the `next` of the page before",
        },
        Param {
            name: "partition",
            kind: "integer",
            docs: "Only this one",
        },
        Param {
            name: "limit",
            kind: "integer",
            docs: "How many at most, up to 500",
        },
        Param {
            name: "key",
            kind: "string",
            docs: "Only records of this key; at most 20,000 are looked through for a page",
        },
        Param {
            name: "key_match",
            kind: "string",
            docs: "`exact` or `contains`",
        },
        Param {
            name: "value_bytes",
            kind: "integer",
            docs: "Where keys, values and headers are cut",
        },
    ])
    .answers("Page"),
    Route::new(
        "POST",
        "/api/v1/topics/{topic}/records",
        Operator,
        "Writes records; durable when it answers",
        || post(api::produce),
    )
    .asks(&[Param {
        name: "line",
        kind: "integer",
        docs: "The number of the first line, for messages",
    }])
    .takes_lines("NewRecord")
    .answers("Produced"),
    Route::new(
        "GET",
        "/api/v1/groups",
        Viewer,
        "All consumer groups",
        || get(api::groups),
    )
    .answers("Groups"),
    Route::new(
        "GET",
        "/api/v1/groups/{group}",
        Viewer,
        "One group with its members, positions and lag",
        || get(api::describe_group),
    )
    .answers("Group"),
    Route::new(
        "DELETE",
        "/api/v1/groups/{group}",
        Admin,
        "Deletes a group without members",
        || delete(api::delete_group),
    )
    .answers("Deleted"),
    Route::new(
        "POST",
        "/api/v1/groups/{group}/reset",
        Operator,
        "Sets a group's positions, or says what that would do",
        || post(api::reset_group),
    )
    .takes("GroupReset")
    .answers("GroupWasReset"),
    Route::new(
        "POST",
        "/api/v1/groups/{group}/members",
        Operator,
        "Joins a group to read",
        || post(api::join),
    )
    .takes("Join")
    .answers("Joined"),
    Route::new(
        "DELETE",
        "/api/v1/groups/{group}/members/{member}",
        Operator,
        "Leaves a group",
        || delete(api::leave),
    )
    .answers("Left"),
    Route::new(
        "POST",
        "/api/v1/groups/{group}/members/{member}/poll",
        Operator,
        "Waits for records of a member's partitions",
        || post(api::poll),
    )
    .asks(&[Param {
        name: "wait_ms",
        kind: "integer",
        docs: "How long to wait, at most 5000",
    }])
    .answers("Polled"),
    Route::new(
        "POST",
        "/api/v1/groups/{group}/members/{member}/commit",
        Operator,
        "Commits what a member has polled",
        || post(api::commit),
    )
    .answers("Committed"),
    Route::new(
        "GET",
        "/api/v1/dlq",
        Viewer,
        "Topics of dead letters",
        || get(api::dead_letters),
    )
    .answers("LetterTopics"),
    Route::new(
        "POST",
        "/api/v1/dlq/{topic}/show",
        Viewer,
        "Dead letters with their records; a viewer sees no keys and values",
        || post(api::show_dead_letters),
    )
    .takes("WhichLetters")
    .answers("Letters"),
    Route::new(
        "POST",
        "/api/v1/dlq/{topic}/replay",
        Operator,
        "Writes records of dead letters back, each once, or says what that would write",
        || post(api::replay_dead_letters),
    )
    .takes("WhichLetters")
    .answers("Replayed"),
];
