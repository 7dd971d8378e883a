//! From a call to what the host is asked, and from its answer to a response.

use std::collections::BTreeMap;

use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::host::{ConnectHost, Expand, InitialState, Listed};
use super::route::Route;
use super::{Call, answer, body, veil};
use crate::connectors::ConnectorCommand;
use crate::refusal::Refusal;

type Answer = Result<Response, Refusal>;

pub(super) fn perform(host: &dyn ConnectHost, call: &Call) -> Answer {
    let ok = |value: &Value| Ok(answer::json(StatusCode::OK, value));
    match &call.route {
        Route::Root => Ok(answer::json(StatusCode::OK, &host.server())),
        Route::Health => Ok(health(host)),
        Route::Connectors if call.method == Method::POST => create(host, call),
        Route::Connectors => list(host, call),
        Route::Connector(name) if call.method == Method::DELETE => {
            host.remove(name)?;
            Ok(answer::empty(StatusCode::NO_CONTENT))
        }
        Route::Connector(name) => Ok(answer::json(StatusCode::OK, &veil::info(host, call, name)?)),
        Route::Config(name) => config(host, call, name),
        Route::Status(name) => Ok(answer::json(StatusCode::OK, &host.state(name)?)),
        Route::Tasks(_) if call.method == Method::POST => Err(between_workers()),
        Route::Tasks(name) => ok(&veil::tasks(host, call, name)?),
        Route::TaskStatus(name, task) => task_status(host, name, *task),
        Route::TaskRestart(name, task) => {
            host.info(name)?;
            let task = u32::try_from(*task).map_err(|_| unknown_task(name, *task))?;
            host.act(name, ConnectorCommand::RestartTask(task))?;
            Ok(answer::empty(StatusCode::NO_CONTENT))
        }
        Route::Restart(name) => restart(host, call, name),
        Route::Pause(name) => act(host, name, ConnectorCommand::Pause, StatusCode::ACCEPTED),
        Route::Resume(name) => act(host, name, ConnectorCommand::Resume, StatusCode::ACCEPTED),
        Route::Stop(name) => act(host, name, ConnectorCommand::Stop, StatusCode::NO_CONTENT),
        Route::Fence(_) => Err(between_workers()),
        Route::Offsets(name) => offsets(host, call, name),
        Route::Topics(name) => ok(&json!({ name: { "topics": host.topics(name) } })),
        Route::TopicsReset(name) => {
            host.reset_topics(name);
            Ok(answer::empty(StatusCode::ACCEPTED))
        }
        Route::Plugins => {
            let only = call.query.flag("connectorsOnly", true);
            Ok(answer::json(StatusCode::OK, &host.plugins(only)))
        }
        Route::PluginConfig(plugin) => ok(&host.plugin_config(plugin)?),
        Route::Validate(plugin) => {
            let connect = call.query.flag("connect", false);
            ok(&host.validate(plugin, body::nullable(&call.body)?, connect)?)
        }
        Route::Loggers => Ok(answer::json(StatusCode::OK, &host.loggers())),
        Route::Logger(name) => logger(host, call, name),
    }
}

fn between_workers() -> Refusal {
    Refusal::new(
        400,
        "LS0607",
        "this is what workers of Kafka Connect say to each other; this host needs no such call",
    )
}

/// The probe; it asks nothing that could block.
pub(super) fn health(host: &dyn ConnectHost) -> Response {
    match host.ready() {
        Ok(()) => answer::json(
            StatusCode::OK,
            &json!({
                "status": "healthy",
                "message": "Worker has completed startup and is ready to handle requests.",
            }),
        ),
        Err(stage) => answer::json(
            StatusCode::SERVICE_UNAVAILABLE,
            &json!({ "status": "starting", "message": format!("Worker is still starting up. {stage}") }),
        ),
    }
}

fn list(host: &dyn ConnectHost, call: &Call) -> Answer {
    let Some(expand) = call.query.all("expand") else {
        let listed = host.list(Expand::default())?;
        let names: Vec<String> = listed.into_iter().map(|one| one.name).collect();
        return Ok(answer::json(StatusCode::OK, &names));
    };
    let mut listed = host.list(Expand {
        status: expand.contains(&"status"),
        info: expand.contains(&"info"),
    })?;
    veil::all(host, call, &mut listed);
    Ok(answer::json(StatusCode::OK, &ByName(&listed)))
}

/// An object with the name of each connector as its key.
struct ByName<'l>(&'l [Listed]);

impl Serialize for ByName<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|one| (&one.name, one)))
    }
}

fn create(host: &dyn ConnectHost, call: &Call) -> Answer {
    let create = body::create(&call.body)?;
    // Blanks around the name go, as Java's `trim` takes them.
    let name = create
        .name
        .as_deref()
        .unwrap_or_default()
        .trim_matches(|c: char| c <= ' ')
        .to_owned();
    let config = named(&name, create.config)?;
    let class = config.get("connector.class").map(String::as_str);
    veil::refuse_hidden(host, class, &config)?;
    let created = host.configure(&name, config, create.initial, true)?;
    Ok(answer::created(&call.base, &name, &created.info))
}

/// The name in the configuration, if there is one, must be the connector's.
fn named(
    name: &str,
    mut config: BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Refusal> {
    if let Some(other) = config.get("name").filter(|other| other.as_str() != name) {
        return Err(Refusal::new(
            400,
            "LS0608",
            format!(
                "Connector name configuration (`{}`) doesn't match connector name in the URL or body (`{}`)",
                other.escape_debug(),
                name.escape_debug()
            ),
        ));
    }
    config.insert("name".to_owned(), name.to_owned());
    Ok(config)
}

fn config(host: &dyn ConnectHost, call: &Call, name: &str) -> Answer {
    if call.method == Method::GET {
        return Ok(answer::json(
            StatusCode::OK,
            &veil::info(host, call, name)?.config,
        ));
    }
    if call.method == Method::PATCH {
        // Nobody known is said before the body is looked at, unless it is no JSON at all.
        if body::is_json(&call.body) {
            host.info(name)?;
        }
        let changes = body::nullable(&call.body)?;
        let given = |key: &str| changes.get(key).cloned().flatten();
        let class = given("connector.class")
            .or_else(|| host.info(name).ok()?.config.remove("connector.class"));
        let set = changes
            .iter()
            .filter_map(|(key, value)| Some((key, value.as_ref()?)));
        veil::refuse_hidden(host, class.as_deref(), set)?;
        let changed = host.patch(name, changes)?;
        return Ok(answer::json(StatusCode::OK, &changed));
    }
    let mut config = body::nullable(&call.body)?;
    // A null name is as good as none.
    if config.get("name").is_some_and(Option::is_none) {
        config.remove("name");
    }
    let config = named(name, body::without_nulls(config)?)?;
    let class = config.get("connector.class").map(String::as_str);
    veil::refuse_hidden(host, class, &config)?;
    let put = host.configure(name, config, InitialState::Running, false)?;
    if put.new {
        return Ok(answer::created(&call.base, name, &put.info));
    }
    Ok(answer::json(StatusCode::OK, &put.info))
}

fn unknown_task(name: &str, task: i32) -> Refusal {
    Refusal::new(
        404,
        "LS0610",
        format!("No status found for task {name}-{task}"),
    )
}

fn task_status(host: &dyn ConnectHost, name: &str, task: i32) -> Answer {
    let state = host.state(name)?;
    state
        .tasks
        .iter()
        .find(|known| known.id.is_some_and(|id| i64::from(id) == i64::from(task)))
        .map(|task| answer::json(StatusCode::OK, task))
        .ok_or_else(|| unknown_task(name, task))
}

fn act(host: &dyn ConnectHost, name: &str, command: ConnectorCommand, done: StatusCode) -> Answer {
    host.act(name, command)?;
    Ok(answer::empty(done))
}

fn restart(host: &dyn ConnectHost, call: &Call, name: &str) -> Answer {
    let include_tasks = call.query.flag("includeTasks", false);
    let only_failed = call.query.flag("onlyFailed", false);
    let state = host.restart(name, include_tasks, only_failed)?;
    if include_tasks || only_failed {
        return Ok(answer::json(StatusCode::ACCEPTED, &state));
    }
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

fn offsets(host: &dyn ConnectHost, call: &Call, name: &str) -> Answer {
    let command = if call.method == Method::PATCH {
        let document = body::document(&call.body)?;
        offsets_given(&document)?;
        ConnectorCommand::AlterOffsets(document)
    } else if call.method == Method::DELETE {
        ConnectorCommand::ResetOffsets
    } else {
        ConnectorCommand::Offsets
    };
    Ok(answer::json(StatusCode::OK, &host.act(name, command)?))
}

/// That there is something to set is said before anybody looks whether the connector is there.
fn offsets_given(document: &serde_json::Value) -> Result<(), Refusal> {
    let Some(fields) = document.as_object() else {
        return Err(Refusal::new(
            400,
            "LS0606",
            "the body cannot be read: it is no object",
        ));
    };
    match fields.get("offsets") {
        None | Some(Value::Null) => {}
        Some(Value::Array(offsets)) if !offsets.is_empty() => return Ok(()),
        Some(Value::Array(_)) => {}
        Some(_) => {
            return Err(Refusal::new(
                400,
                "LS0606",
                "the body cannot be read: `offsets` is no list",
            ));
        }
    }
    Err(Refusal::new(
        400,
        "LS0613",
        "Partitions / offsets need to be provided for an alter offsets request",
    ))
}

fn logger(host: &dyn ConnectHost, call: &Call, name: &str) -> Answer {
    let name = if name.eq_ignore_ascii_case("root") {
        "root"
    } else {
        name
    };
    if call.method == Method::GET {
        let mut loggers = host.loggers();
        return match loggers.remove(name) {
            Some(level) => Ok(answer::json(StatusCode::OK, &level)),
            None => Err(Refusal::new(
                404,
                "LS0609",
                format!("Logger {name} not found."),
            )),
        };
    }
    let Some(level) = body::level(&call.body)? else {
        return Err(Refusal::new(
            400,
            "LS0609",
            "Desired 'level' parameter was not specified in request.",
        ));
    };
    let changed = host.set_logger(name, level.trim())?;
    let cluster = call.query.all("scope").is_some_and(|scope| {
        scope
            .first()
            .is_some_and(|s| s.eq_ignore_ascii_case("cluster"))
    });
    if cluster {
        return Ok(answer::empty(StatusCode::NO_CONTENT));
    }
    Ok(answer::json(StatusCode::OK, &changed))
}
