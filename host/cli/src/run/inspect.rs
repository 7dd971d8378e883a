//! What the running host answers to people who look around: runs, plugins, trials, configurations, its log of a connector.

use std::collections::BTreeMap;

use linkspan_log::KvPut;
use linkspan_rest::{NewRecord, Refusal, Steps, ViewValue};
use linkspan_runtime::{Mending, StoredRecord, TaskError};
use rustix::fs::statvfs;
use serde::Deserialize;
use serde_json::{Value, json};

use super::control::Commands;
use super::records;
use crate::exit::{Exit, Failure};
use crate::transform_cmd;

/// What went wrong, for a client: its own mistake is 400, what the host cannot do 500.
pub(super) fn refused(failure: Failure) -> Refusal {
    let status = match failure.exit {
        _ if failure.code == "LS0222" => 404,
        Exit::Invalid => 400,
        _ => 500,
    };
    let refusal = Refusal::new(status, failure.code, failure.message);
    match failure.help {
        Some(help) => refusal.help(help),
        None => refusal,
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Trial {
    connector: Option<String>,
    /// Options of steps: `transforms`, `transforms.NAME.type` and so on. Without them those of the connector.
    #[serde(default)]
    options: Option<BTreeMap<String, String>>,
    record: Value,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ToValidate {
    name: Option<String>,
    config: BTreeMap<String, Value>,
    #[serde(default)]
    limit: Option<usize>,
}

impl ToValidate {
    /// The options as texts; `null` is none.
    fn given(self) -> BTreeMap<String, Option<String>> {
        let text = |value: Value| match value {
            Value::Null => None,
            Value::String(text) => Some(text),
            other => Some(other.to_string()),
        };
        let config = self.config.into_iter();
        let mut given: BTreeMap<String, Option<String>> =
            config.map(|(key, value)| (key, text(value))).collect();
        if let Some(name) = self.name {
            given.insert("name".to_owned(), Some(name));
        }
        given
    }
}

/// Records of a trial unless told otherwise.
const TRIED: usize = 10;
/// The most of them.
const TRIED_MAX: usize = 100;

/// A record of a trial for people.
fn shown(record: &StoredRecord) -> Value {
    let part = |bytes: Option<&[u8]>| json!(ViewValue::of(bytes));
    let headers = record.headers.iter();
    let headers: Vec<Value> = headers
        .map(|(name, value)| json!([name, part(value.as_deref())]))
        .collect();
    json!({
        "topic": record.topic, "partition": record.partition, "timestamp": record.timestamp,
        "key": part(record.key.as_deref()), "value": part(record.value.as_deref()), "headers": headers,
    })
}

fn read<T: serde::de::DeserializeOwned>(request: Value) -> Result<T, Refusal> {
    serde_json::from_value(request)
        .map_err(|error| Refusal::argument(format!("the body does not fit: {error}")))
}

/// A step's own words; what it refuses is the asker's record or option.
fn task_refused(error: TaskError) -> Refusal {
    Refusal::new(400, error.code, error.message)
}

/// Steps that mend dead letters, as the REST interface knows records.
#[derive(Debug)]
struct Mend(Mending);

impl Steps for Mend {
    fn apply(
        &mut self,
        topic: &str,
        (partition, offset): (i32, i64),
        record: &NewRecord,
    ) -> Result<Vec<(String, NewRecord)>, Refusal> {
        let made = self.0.apply(&StoredRecord {
            topic: topic.to_owned(),
            partition,
            offset,
            timestamp: record.timestamp.unwrap_or_default(),
            key: record.key.clone(),
            value: record.value.clone(),
            headers: record.headers.clone(),
        });
        let records = made.map_err(task_refused)?.into_iter().map(|made| {
            let record = NewRecord {
                line: 0,
                partition: None,
                timestamp: Some(made.timestamp),
                key: made.key,
                value: made.value,
                headers: made.headers,
            };
            (made.topic, record)
        });
        Ok(records.collect())
    }

    fn schemas(&mut self) -> Vec<KvPut> {
        self.0.schemas()
    }
}

impl Commands {
    /// What only the program knows of itself.
    pub(super) fn about(&self) -> Value {
        let disk = statvfs(&self.jobs.data).ok().map(|disk| {
            json!({
                "total_bytes": disk.f_blocks.saturating_mul(disk.f_frsize),
                "free_bytes": disk.f_bavail.saturating_mul(disk.f_frsize),
            })
        });
        json!({
            "commit": option_env!("LINKSPAN_COMMIT"), "ready": true, "starting": null,
            "disk": disk, "address": self.hub.address(), "tls": self.hub.has_tls(), "auth": self.hub.has_users(),
        })
    }

    pub(super) fn runs(&self, limit: usize) -> Result<Value, Refusal> {
        let rows = records::list(&self.jobs.data, limit).map_err(|error| {
            let message = format!("could not read the records of runs: {error}");
            Refusal::new(500, "LS0704", message)
        })?;
        Ok(Value::Array(rows))
    }

    pub(super) fn run(&self, id: &str) -> Result<Value, Refusal> {
        records::find(&self.jobs.data, id).map_err(refused)
    }

    /// A record before and after each step of a connector, whoever owns it.
    pub(super) fn try_transforms(&self, request: Value) -> Result<Value, Refusal> {
        let Trial {
            connector,
            options,
            record,
        } = read(request)?;
        let config = match (options, &connector) {
            (Some(options), _) => options,
            (None, Some(connector)) => match self.hub.made_options(connector)? {
                Some(config) => config,
                None => self.file_options(connector)?,
            },
            (None, None) => {
                return Err(Refusal::argument("the body names no `connector`")
                    .help("name one, or give `options` with `transforms`"));
            }
        };
        let name = connector.unwrap_or_default();
        let (registry, services) = self.hub.installed();
        transform_cmd::apply(&name, &config, &record, registry, services).map_err(refused)
    }

    /// What the command `doctor` finds, of the machine that this host runs on.
    pub(super) fn doctor(&self) -> Value {
        let jobs = &self.jobs;
        json!({ "findings": crate::doctor::of_host(&jobs.data, &jobs.asked.plugin_paths) })
    }

    /// Steps that mend dead letters.
    pub(super) fn steps(
        &self,
        options: &BTreeMap<String, String>,
    ) -> Result<Box<dyn Steps>, Refusal> {
        let (registry, services) = self.hub.installed();
        let now_ms = chrono::Utc::now().timestamp_millis();
        let opened = Mending::open(options, registry, services, self.hub.log(), now_ms);
        Ok(Box::new(Mend(opened.map_err(task_refused)?)))
    }

    /// The options of a file's connector, placeholders filled in.
    fn file_options(&self, name: &str) -> Result<BTreeMap<String, String>, Refusal> {
        let plan = self.jobs.last_plan();
        let known = plan.connectors.iter().find(|known| known.name == name);
        let known = known
            .ok_or_else(|| Refusal::new(404, "LS0610", format!("Connector {name} not found")))?;
        let resolved = known.resolved(&plan.resolver);
        let resolved =
            resolved.map_err(|problem| Refusal::new(400, problem.code, problem.message.clone()))?;
        Ok(resolved.0)
    }

    /// The first records of a source whose options are not stored.
    pub(super) fn try_source(&self, request: Value) -> Result<Value, Refusal> {
        let request = read::<ToValidate>(request)?;
        let limit = request.limit.unwrap_or(TRIED).clamp(1, TRIED_MAX);
        let config: BTreeMap<String, String> = request
            .given()
            .into_iter()
            .filter_map(|(key, value)| Some((key, value?)))
            .collect();
        let tried = self.hub.try_source(&config, limit)?;
        let records: Vec<Value> = tried.records.iter().map(shown).collect();
        Ok(json!({ "records": records, "filtered": tried.filtered, "ended": tried.ended }))
    }

    /// `ConfigInfos` of options that are not stored.
    pub(super) fn validate(&self, request: Value, connect: bool) -> Result<Value, Refusal> {
        let given = read::<ToValidate>(request)?.given();
        let class = given.get("connector.class").cloned().flatten();
        let class = class.ok_or_else(|| {
            Refusal::new(400, "LS0619", "the configuration has no `connector.class`")
                .help("GET /api/v1/plugins lists the classes")
        })?;
        linkspan_rest::connect::ConnectHost::validate(&*self.hub, &class, given, connect)
    }
}
