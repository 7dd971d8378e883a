//! One connector with everything that the fleet knows of it beside its status.

use axum::Json;
use axum::extract::{Path, Query, State as Of};
use axum::response::{IntoResponse, Response};
use linkspan_types::GroupId;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Fleet;
use crate::api::Host;
use crate::refusal::Refusal;

/// Events of a connector that are shown with it.
const EVENTS_SHOWN: usize = 50;
/// The most events of one answer.
const EVENTS_MAX: usize = 1_000;
/// Errors of a connector that are shown with it.
const ERRORS_SHOWN: usize = 20;

impl Fleet {
    /// Adds to a connector's status what it has in the fleet, how far behind it is in each partition, its last hour, its
    /// events, and those of them that were errors.
    pub(crate) fn detail(&self, name: &str, status: Value) -> Value {
        let lag = self.lag_by_partition(name);
        let state = self.fresh();
        let row = state.rows.iter().find(|row| row.name == name);
        let mut all = match row.map(|row| json!(row)) {
            Some(Value::Object(row)) => row,
            _ => Map::new(),
        };
        // The status is of this moment, the row up to a second old.
        if let Value::Object(status) = status {
            all.extend(status);
        }
        let events = state.events.of(name, EVENTS_SHOWN);
        let mut errors = state.events.of(name, EVENTS_MAX);
        errors.retain(|event| event.code.is_some());
        let errors = errors.split_off(errors.len().saturating_sub(ERRORS_SHOWN));
        let errors: Vec<Value> = errors
            .iter()
            .map(|event| {
                let remedy = event.code.as_deref().and_then(|code| self.view.remedy(code));
                json!({ "t_ms": event.t_ms, "code": event.code, "message": event.message, "remedy": remedy })
            })
            .collect();
        let track = state.connectors.get(name);
        let history = track.map(|track| track.history.points());
        all.insert("lag_by_partition".to_owned(), lag);
        all.insert("history".to_owned(), json!(history.unwrap_or_default()));
        all.insert("events".to_owned(), json!(events));
        all.insert("errors".to_owned(), Value::Array(errors));
        Value::Object(all)
    }

    fn lag_by_partition(&self, name: &str) -> Value {
        let group = GroupId::from(format!("connect-{name}").as_str());
        let Ok(Some(group)) = self.log.describe_group(&group) else {
            return json!([]);
        };
        let rows = group.offsets.iter().map(|row| {
            json!({
                "topic": row.topic.as_str(), "partition": row.partition.0, "committed": row.committed.map(|at| at.0),
                "end": row.log_end.map(|at| at.0), "lag": row.lag,
            })
        });
        rows.collect()
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct Limit {
    limit: Option<usize>,
}

/// `GET /api/v1/connectors/{name}/events`
pub(crate) async fn events(
    Of(host): Of<Host>,
    Path(name): Path<String>,
    Query(query): Query<Limit>,
) -> Response {
    let limit = query.limit.unwrap_or(EVENTS_SHOWN).min(EVENTS_MAX);
    let told = tokio::task::spawn_blocking(move || {
        let state = host.fleet.fresh();
        json!({ "events": state.events.of(&name, limit) })
    });
    match told.await {
        Ok(value) => Json(value).into_response(),
        Err(_) => Refusal::new(500, "LS0499", "the operation panicked").into_response(),
    }
}
