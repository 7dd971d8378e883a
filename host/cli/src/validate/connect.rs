//! `validate --connect`: every connector's class tries what it needs outside, and every step of a plugin is opened.
//!
//! All are asked, some at a time, and all that is wrong is said at once. Who does not answer in time is said to be silent; its
//! thread ends with the process.

use std::collections::BTreeMap;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use linkspan_config::{ConnectorPlan, Diagnostic, Plan, codes};
use linkspan_plugin::{Checked, Class, ConfigProblem};
use linkspan_runtime::Trial;
use serde_json::{Value, json};

use crate::plugins::Plugins;

/// Connectors that are tried at a time.
const AT_ONCE: usize = 16;
/// How long one may take.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// What came of one connector.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) connector: String,
    /// What was tried; empty: nothing.
    pub(super) tried: String,
    pub(super) problems: Vec<Diagnostic>,
}

impl Outcome {
    pub(super) fn json(&self) -> Value {
        json!({
            "connector": self.connector,
            "tried": Some(&self.tried).filter(|tried| !tried.is_empty()),
            "ok": self.problems.is_empty(),
        })
    }

    pub(super) fn text(&self) -> String {
        let tried = match (self.tried.as_str(), self.problems.is_empty()) {
            ("", true) => "nothing to try",
            ("", false) => "failed",
            (tried, _) => tried,
        };
        let mark = if self.problems.is_empty() {
            "ok    "
        } else {
            "FAILED"
        };
        format!("{mark} {}: {tried}", self.connector)
    }
}

/// One that is being asked.
struct Asked<'p> {
    connector: &'p ConnectorPlan,
    answer: mpsc::Receiver<Checked>,
    since: Instant,
}

/// Tries all connectors of a plan, in its order.
pub(super) fn try_outside(plan: &Plan, plugins: &Plugins) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for some in plan.connectors.chunks(AT_ONCE) {
        let asked: Vec<_> = some
            .iter()
            .map(|connector| ask(connector, plan, plugins))
            .collect();
        outcomes.extend(asked.into_iter().map(|asked| match asked {
            Ok(asked) => heard(&asked, plan),
            Err(outcome) => outcome,
        }));
    }
    outcomes
}

/// Asks on a thread of its own; an `Err` is what is known without asking.
fn ask<'p>(
    connector: &'p ConnectorPlan,
    plan: &Plan,
    plugins: &Plugins,
) -> Result<Asked<'p>, Outcome> {
    let known = |tried: &str| Outcome {
        connector: connector.name.clone(),
        tried: tried.to_owned(),
        problems: Vec::new(),
    };
    // What is not set was said already.
    let config = connector.resolved(&plan.resolver);
    let Ok(config) = config else {
        return Err(known("not tried: a placeholder has no value"));
    };
    let Some(class) = plugins.registry.class(&connector.class) else {
        return Err(known(""));
    };
    let (sender, answer) = mpsc::channel();
    let name = connector.name.clone();
    let (registry, services) = (Arc::clone(&plugins.registry), Arc::clone(&plugins.services));
    let asking = std::thread::Builder::new()
        .name("validate/connect".to_owned())
        .spawn(move || {
            let mut checked = look(&class, &config.0);
            let now_ms = chrono::Utc::now().timestamp_millis();
            if config.0.contains_key("transforms")
                && let Err(error) = Trial::open(&name, &config.0, &registry, &services, now_ms)
            {
                checked.problems.push(problem("transforms", error.message));
            }
            // Nobody listens any more to an answer that comes too late.
            drop(sender.send(checked));
        });
    if asking.is_err() {
        return Err(known("not tried: no thread could be started"));
    }
    Ok(Asked {
        connector,
        answer,
        since: Instant::now(),
    })
}

/// Has a class look outside, on a thread of its own: one that does not answer is left behind, and that is what is wrong.
pub(crate) fn answer(class: Class, config: BTreeMap<String, String>) -> Checked {
    let (sender, answer) = mpsc::channel();
    let asking = std::thread::Builder::new()
        .name("validate/connect".to_owned())
        .spawn(move || {
            // Nobody listens any more to an answer that comes too late.
            drop(sender.send(look(&class, &config)));
        });
    let answer = asking
        .ok()
        .and_then(|_| answer.recv_timeout(ANSWER_MAX).ok());
    answer.unwrap_or_else(silent)
}

fn silent() -> Checked {
    let message = format!("no answer in {} s", ANSWER_MAX.as_secs());
    Checked {
        tried: String::new(),
        problems: vec![problem("", message)],
    }
}

fn look(class: &Class, config: &BTreeMap<String, String>) -> Checked {
    class.check(config).unwrap_or_else(|error| Checked {
        tried: String::new(),
        problems: vec![problem("", error.message)],
    })
}

fn problem(option: &str, message: String) -> ConfigProblem {
    ConfigProblem {
        option: option.to_owned(),
        message,
    }
}

fn heard(asked: &Asked<'_>, plan: &Plan) -> Outcome {
    let connector = asked.connector;
    let left = ANSWER_MAX.saturating_sub(asked.since.elapsed());
    let checked = asked.answer.recv_timeout(left);
    let checked = checked.unwrap_or_else(|_| silent());
    let concealed = connector.concealed(&plan.resolver);
    let problems = checked.problems.into_iter().map(|problem| {
        let place = connector.origins.get(&problem.option);
        let option = if problem.option.is_empty() {
            String::new()
        } else {
            format!("`{}`: ", problem.option)
        };
        let message = linkspan_runtime::conceal(&problem.message, &concealed);
        Diagnostic {
            location: Some(place.unwrap_or(&connector.source).clone()),
            ..Diagnostic::error(
                &codes::NOT_CONNECTED,
                format!("connector `{}`: {option}{message}", connector.name),
            )
        }
    });
    Outcome {
        connector: connector.name.clone(),
        tried: linkspan_runtime::conceal(&checked.tried, &concealed),
        problems: problems.collect(),
    }
}
