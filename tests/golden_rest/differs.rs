//! Where this host answers otherwise on purpose: rules, each with its reason.

use crate::line::Line;

/// Begins the reason of a rule whose lines may agree, too.
pub(crate) const SOMETIMES: &str = "at some moments: ";

/// Returns why a line may differ.
pub(crate) fn reason(line: &Line) -> Option<&'static str> {
    let at = |scenario: &str, step: u32| line.scenario == scenario && line.step == step;
    let unknown = line.path.contains("-nope")
        || line.scenario == "delete"
        || line.scenario == "unknown-connector";
    if line.path.starts_with("/connector-plugins")
        && line.method == "GET"
        && line.resp.is_array()
        && !line.path.contains("/config")
    {
        return Some("more plugins are installed than Kafka's own two");
    }
    if line
        .headers
        .iter()
        .flatten()
        .any(|(name, value)| name == "Origin" && value.contains("evil"))
    {
        return Some("a page of a foreign site may change nothing");
    }
    if line.mode == "standalone" && unknown && line.status == 500 {
        return Some(
            "Kafka's standalone worker answers 500 for a connector that nobody knows; here it is 404",
        );
    }
    if at("task-ids", 27) {
        return Some(match line.mode.as_str() {
            "standalone" => {
                "Kafka's standalone worker shows tasks that never were after a restart of an unknown one"
            }
            _ => "Kafka shows a task without its version while it restarts",
        });
    }
    if line.mode == "standalone" && at("topics", 8) {
        return Some("Kafka's standalone worker lists topics of a connector that was deleted");
    }
    if line.mode == "standalone" && at("failed-task-matrix", 15) {
        return Some(
            "the answer to a change lists the tasks as they were, as distributed workers do",
        );
    }
    if line.method == "GET"
        && line.path.ends_with("/tasks")
        && line.scenario.starts_with("patch-config")
    {
        return Some(
            "at some moments: while a changed connector restarts, its tasks are not listed",
        );
    }
    if line.path.ends_with("/config/validate") {
        return validate(line);
    }
    None
}

fn validate(line: &Line) -> Option<&'static str> {
    let body = line.body.as_deref().unwrap_or_default();
    if line.mode == "standalone" && body.contains("\"transaction.boundary\": \"connector\"") {
        return Some(
            "that a class marks no transactions is said in both modes; Kafka's standalone worker does not look",
        );
    }
    if body.contains(".override.") {
        return Some(
            "settings of Kafka's clients are accepted without effect: nothing is known of them, and nothing is refused",
        );
    }
    if body.contains("\"transaction.boundary.interval.ms\": \"0\"") {
        return Some("an interval of 0 ms is none");
    }
    if body.contains("\"key.converter\": \"org.apache.kafka.connect.transforms") {
        return Some(
            "a class that is no converter is said to be none; Kafka also forgets its own default version",
        );
    }
    None
}
