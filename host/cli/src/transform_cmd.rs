//! `linkspan transform try`: a record before and after each step of a connector.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use linkspan_convert::{
    Converter, ConverterClass, Coordinates, Record, SchemaAndValue, TimestampType, Value, values,
};
use linkspan_plugin::Registry;
use linkspan_runtime::{Services, Trial};
use serde_json::{Map, Value as Json, json};

use crate::args::{Output, TransformCommand, TransformTryArgs};
use crate::exit::{Exit, Failure};
use crate::run::{plan, print_diagnostics};
use crate::shown::{items, names_in, structured, text};
use crate::suggest::meant;
use crate::terminal;

/// The longest record that is read.
const RECORD_BYTES_MAX: u64 = 16 << 20;

pub(crate) fn run(command: &TransformCommand) -> Result<Exit, Failure> {
    match command {
        TransformCommand::Try(args) => try_steps(args),
    }
}

fn try_steps(args: &TransformTryArgs) -> Result<Exit, Failure> {
    let plugins = plan::discover(&args.paths, &args.config, None)?;
    let request = plan::request(&args.paths, &args.config)?;
    let (plan, diagnostics) = plan::check(&request, &plugins)?;
    print_diagnostics(&diagnostics);
    let Some(plan) = plan else {
        return Ok(Exit::Invalid);
    };
    let has_steps = |config: &std::collections::BTreeMap<String, String>| {
        config
            .get("transforms")
            .is_some_and(|list| !list.is_empty())
    };
    let chosen = plan
        .connectors
        .iter()
        .find(|connector| match &args.connector {
            Some(name) => connector.name == *name,
            None => has_steps(&connector.config),
        });
    let connector = chosen.ok_or_else(|| {
        let message = match &args.connector {
            Some(name) => format!("there is no connector `{name}` in these files"),
            None => "no connector of these files has transforms".to_owned(),
        };
        let connectors = plan.connectors.iter();
        let known: Vec<String> = connectors.map(|known| known.name.clone()).collect();
        let help = match &args.connector {
            Some(name) => meant(name, &known, "connectors"),
            None => "steps stand under `transforms` of a connector".to_owned(),
        };
        Failure::new(Exit::Invalid, "LS0220", message).help(help)
    })?;
    let config = connector
        .resolved(&plan.resolver)
        .map_err(|problem| Failure::new(Exit::Invalid, problem.code, problem.message.clone()))?;
    let tried = apply(
        &connector.name,
        &config.0,
        &read_record(&args.record)?,
        &plugins.registry,
        &plugins.services,
    );
    let concealed = connector.concealed(&plan.resolver);
    let tried = tried.map_err(|failure| {
        let message = linkspan_runtime::conceal(&failure.message, &concealed);
        Failure { message, ..failure }
    })?;
    Ok(show(&tried, args.output))
}

/// Applies the steps of a connector's resolved options to a record as `consume -o json` prints it:
/// `{"connector", "steps": [{"step", "type", "record" | "error"}]}`.
///
/// # Errors
/// It is no record, or a step cannot be made.
pub(crate) fn apply(
    connector: &str,
    config: &BTreeMap<String, String>,
    record: &Json,
    registry: &Registry,
    services: &Arc<Services>,
) -> Result<Json, Failure> {
    let failed = |what: String| Failure::new(Exit::Invalid, "LS0220", what);
    let object = record
        .as_object()
        .ok_or_else(|| failed("the record is no JSON object".to_owned()))?;
    let record =
        record_of(object).map_err(|error| failed(format!("the record cannot be read: {error}")))?;
    let now_ms = chrono::Utc::now().timestamp_millis();
    let trial = Trial::open(connector, config, registry, services, now_ms);
    let trial = trial.map_err(|error| Failure::new(Exit::Invalid, error.code, error.message))?;
    let shown = walk(record, trial);
    Ok(json!({ "connector": connector, "steps": shown }))
}

/// The record before the first step, and what is left of it after each; the last one dropped or refused it, if one did.
fn walk(record: Record, mut trial: Trial) -> Vec<Json> {
    let mut shown = vec![json!({ "step": null, "type": null, "record": record_json(&record) })];
    let mut current = vec![record];
    let names: Vec<(String, String)> = trial
        .steps()
        .iter()
        .map(|step| (step.name.clone(), step.class.clone()))
        .collect();
    for (at, (name, class)) in names.into_iter().enumerate() {
        let mut made = Vec::new();
        let mut refused = false;
        for record in std::mem::take(&mut current) {
            match trial.apply(at, record) {
                Ok(records) => made.extend(records),
                Err(error) => {
                    let error = error.to_string();
                    let error = error
                        .strip_prefix(&format!("transform `{name}`: "))
                        .unwrap_or(&error);
                    shown.push(json!({ "step": name, "type": class, "error": error }));
                    refused = true;
                }
            }
        }
        if refused {
            break;
        }
        if made.is_empty() {
            shown.push(json!({ "step": name, "type": class, "record": null }));
            break;
        }
        for record in &made {
            shown.push(json!({ "step": name, "type": class, "record": record_json(record) }));
        }
        current = made;
    }
    shown
}

fn show(tried: &Json, output: Output) -> Exit {
    let shown: Vec<&Json> = items(tried, "steps").collect();
    match output {
        Output::Json | Output::Yaml | Output::Name => {
            structured(output, tried, |of| {
                names_in(of, "steps", |step| text(step, "step"))
            });
        }
        Output::Table => {
            for (index, entry) in shown.iter().enumerate() {
                let before = index.checked_sub(1).and_then(|at| shown.get(at));
                print(entry, before.copied());
            }
        }
    }
    if shown.iter().any(|entry| entry.get("error").is_some()) {
        return Exit::Runtime;
    }
    Exit::Ok
}

/// One step for people: what it changed, against the record before it.
fn print(entry: &Json, before: Option<&Json>) {
    let text = |key: &str| entry.get(key).and_then(Json::as_str);
    let title = match (text("step"), text("type")) {
        (Some(step), Some(class)) => format!("after {step} ({class})"),
        _ => "before".to_owned(),
    };
    terminal::line(&title);
    if let Some(error) = text("error") {
        terminal::line(&format!("  refused: {error}"));
        return;
    }
    let Some(record) = entry.get("record").and_then(Json::as_object) else {
        terminal::line("  dropped");
        return;
    };
    let earlier = before.and_then(|before| before.get("record"));
    let mut changed = false;
    for (name, value) in record {
        if earlier.is_some_and(|earlier| earlier.get(name) == Some(value)) {
            continue;
        }
        changed = true;
        terminal::line(&format!("  {name:<10} {value}"));
    }
    if !changed {
        terminal::line("  unchanged");
    }
}

/// Reads a record as `consume -o json` prints it. Text is text; any other JSON is a value without a schema; an object of
/// `schema` and `payload` is a value with Connect's schema.
fn read_record(path: &Path) -> Result<Json, Failure> {
    let failed = |what: String| Failure::new(Exit::Invalid, "LS0220", what);
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin()
            .lock()
            .take(RECORD_BYTES_MAX)
            .read_to_string(&mut text)
            .map(drop)
    } else {
        fs::read_to_string(path).map(|read| text = read)
    };
    read.map_err(|error| {
        let message = format!("could not read the record `{}`: {error}", path.display());
        Failure::new(Exit::Environment, "LS0704", message)
    })?;
    serde_json::from_str(text.trim())
        .map_err(|error| failed(format!("the record is no JSON object: {error}")))
}

fn record_of(object: &Map<String, Json>) -> Result<Record, linkspan_convert::Error> {
    let topic: Arc<str> = Arc::from(
        object
            .get("topic")
            .and_then(Json::as_str)
            .unwrap_or("topic"),
    );
    let number = |name: &str| object.get(name).and_then(Json::as_i64);
    let partition = number("partition").and_then(|number| i32::try_from(number).ok());
    let mut record = Record {
        topic: Arc::clone(&topic),
        partition,
        timestamp: number("timestamp"),
        timestamp_type: TimestampType::CreateTime,
        key: part(object.get("key"))?,
        value: part(object.get("value"))?,
        ..Record::default()
    };
    record.origin = number("offset").map(|offset| Coordinates {
        topic,
        partition: partition.unwrap_or(0),
        offset,
    });
    for header in object
        .get("headers")
        .and_then(Json::as_array)
        .into_iter()
        .flatten()
    {
        if let Some(name) = header.get(0).and_then(Json::as_str) {
            record.headers.add(name, part(header.get(1))?);
        }
    }
    Ok(record)
}

fn part(json: Option<&Json>) -> Result<SchemaAndValue, linkspan_convert::Error> {
    match json {
        None | Some(Json::Null) => Ok(SchemaAndValue::NULL),
        Some(Json::String(text)) => Ok(SchemaAndValue::schemaless(Value::string(text.as_str()))),
        Some(other) => {
            let enveloped = other.as_object().is_some_and(|object| {
                object.len() == 2 && object.contains_key("schema") && object.contains_key("payload")
            });
            converter(enveloped).to_connect(Some(other.to_string().as_bytes()))
        }
    }
}

fn converter(schemas: bool) -> Converter {
    let options = [("schemas.enable".to_owned(), schemas.to_string())].into();
    let class = ConverterClass::find("json");
    let made = class.and_then(|class| class.configure(&options).ok());
    // The class and its option are there: the tests of this command use both.
    made.unwrap_or(Converter::Auto)
}

fn record_json(record: &Record) -> Json {
    let headers: Vec<Json> = record
        .headers
        .iter()
        .map(|header| json!([&*header.name, part_json(&header.value)]))
        .collect();
    json!({
        "topic": &*record.topic,
        "partition": record.partition,
        "timestamp": record.timestamp,
        "key": part_json(&record.key),
        "value": part_json(&record.value),
        "headers": headers,
    })
}

/// The half as it is read by this command: with its schema where it has one that is more than a plain type.
fn part_json(part: &SchemaAndValue) -> Json {
    if part.value.is_null() && part.schema.is_none() {
        return Json::Null;
    }
    let plain = part
        .schema
        .as_ref()
        .is_none_or(|schema| schema.name.is_none() && schema.schema_type().is_primitive());
    let bytes = converter(!plain).from_connect(part.schema.as_ref(), &part.value);
    let json = bytes
        .ok()
        .flatten()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok());
    // A date without a schema has no JSON form, but a text.
    json.unwrap_or_else(|| Json::String(values::to_string(&part.value)))
}
