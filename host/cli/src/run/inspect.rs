//! What the running host answers to people who look around: runs, plugins, trials, configurations, its log of a connector.

use std::collections::BTreeMap;

use linkspan_rest::Refusal;
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
    connector: String,
    record: Value,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ToValidate {
    name: Option<String>,
    config: BTreeMap<String, Value>,
}

fn read<T: serde::de::DeserializeOwned>(request: Value) -> Result<T, Refusal> {
    serde_json::from_value(request)
        .map_err(|error| Refusal::argument(format!("the body does not fit: {error}")))
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
        let Trial { connector, record } = read(request)?;
        let config = match self.hub.made_options(&connector)? {
            Some(config) => config,
            None => self.file_options(&connector)?,
        };
        let (registry, services) = self.hub.installed();
        transform_cmd::apply(&connector, &config, &record, registry, services).map_err(refused)
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

    /// `ConfigInfos` of options that are not stored.
    pub(super) fn validate(&self, request: Value) -> Result<Value, Refusal> {
        let ToValidate { name, config } = read(request)?;
        let text = |value: Value| match value {
            Value::Null => None,
            Value::String(text) => Some(text),
            other => Some(other.to_string()),
        };
        let mut given: BTreeMap<String, Option<String>> = config
            .into_iter()
            .map(|(key, value)| (key, text(value)))
            .collect();
        if let Some(name) = name {
            given.insert("name".to_owned(), Some(name));
        }
        let class = given.get("connector.class").cloned().flatten();
        let class = class.ok_or_else(|| {
            Refusal::new(400, "LS0619", "the configuration has no `connector.class`")
                .help("GET /api/v1/plugins lists the classes")
        })?;
        linkspan_rest::connect::ConnectHost::validate(&*self.hub, &class, given, false)
    }
}
