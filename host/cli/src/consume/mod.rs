//! `linkspan consume`: the records of a topic on stdout.

mod group;

use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt;
use linkspan_log::LogBackend;
use linkspan_rest::{From, RecordReader, refuse};
use linkspan_types::TopicName;
use serde_json::Value;

use crate::args::{ConsumeArgs, Output};
use crate::client::Host;
use crate::exit::{Exit, Failure};
use crate::open::{Opened, open};
use crate::shown::text;
use crate::{client, terminal};

/// How often a stopped directory is looked at again when following.
const FOLLOW_EVERY: Duration = Duration::from_millis(200);

pub(crate) fn run(args: &ConsumeArgs) -> Result<Exit, Failure> {
    let topic = TopicName::try_new(&args.topic)
        .map_err(|error| Failure::new(Exit::Invalid, "LS0516", error))?;
    if let Some(group) = &args.group {
        return group::run(args, group);
    }
    let from: From = args
        .from
        .as_deref()
        .unwrap_or("earliest")
        .parse()
        .map_err(|error| Failure::new(Exit::Invalid, "LS0220", format!("--from: {error}")))?;
    match open(&args.at)? {
        Opened::Stopped(log) => from_directory(args, log, &topic, from),
        Opened::Running(host) => from_host(args, &host, &topic, from),
    }
}

fn from_directory(
    args: &ConsumeArgs,
    log: Arc<dyn LogBackend>,
    topic: &TopicName,
    from: From,
) -> Result<Exit, Failure> {
    let mut reader = RecordReader::open(Arc::clone(&log), topic, from)
        .map_err(|error| refuse(log.as_ref(), &error))?;
    reader.notes().iter().for_each(|text| terminal::note(text));
    loop {
        let records = reader
            .read()
            .map_err(|error| refuse(log.as_ref(), &error))?;
        if records.is_empty() {
            if args.exit {
                return Ok(Exit::Ok);
            }
            // Nobody writes to a stopped directory: following it means waiting to be interrupted.
            std::thread::sleep(FOLLOW_EVERY);
        }
        if terminal::stdout_failure().is_some() {
            return Ok(Exit::Ok);
        }
        for record in records {
            let value = serde_json::to_value(&record).unwrap_or_default();
            print(args.output, &value);
        }
    }
}

fn from_host(
    args: &ConsumeArgs,
    host: &Host,
    topic: &TopicName,
    from: From,
) -> Result<Exit, Failure> {
    let path = format!(
        "/api/v1/topics/{topic}/records?from={from}&exit={}",
        args.exit
    );
    client::runtime()?.block_on(async {
        let mut body = host.get(&path).await?.into_body();
        let mut rest = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| {
                Failure::new(
                    Exit::Environment,
                    "LS0706",
                    format!("the host stopped answering: {error}"),
                )
            })?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            rest.extend_from_slice(&data);
            while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = rest.drain(..=end).collect();
                print_line(args.output, &line)?;
            }
            if terminal::stdout_failure().is_some() {
                break;
            }
        }
        Ok(Exit::Ok)
    })
}

fn print_line(output: Output, line: &[u8]) -> Result<(), Failure> {
    let value: Value = serde_json::from_slice(line).map_err(|error| {
        Failure::new(
            Exit::Runtime,
            "LS0601",
            format!("the host's answer is not JSON: {error}"),
        )
    })?;
    if let Some(message) = value.get("error").and_then(Value::as_str) {
        return Err(Failure::new(Exit::Runtime, "LS0513", message));
    }
    if let Some(note) = value.get("note").and_then(Value::as_str) {
        terminal::note(note);
    } else {
        print(output, &value);
    }
    Ok(())
}

fn print(output: Output, record: &Value) {
    match output {
        Output::Table => {}
        Output::Json => return terminal::line(&record.to_string()),
        Output::Yaml => {
            let yaml = linkspan_config::to_yaml(record);
            return terminal::line(&format!("---\n{}", yaml.trim_end()));
        }
        // What a record is called: where it stands.
        Output::Name => {
            return terminal::line(&format!(
                "{}:{}:{}",
                text(record, "topic"),
                text(record, "partition"),
                text(record, "offset")
            ));
        }
    }
    let shown = |name: &str| match record.get(name) {
        None | Some(Value::Null) => "null".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => match other.get("base64").and_then(Value::as_str) {
            Some(bytes) => format!("base64:{bytes}"),
            None => other.to_string(),
        },
    };
    terminal::line(&format!(
        "{}\t{}\t{}\t{}",
        shown("partition"),
        shown("offset"),
        shown("key"),
        shown("value")
    ));
}
