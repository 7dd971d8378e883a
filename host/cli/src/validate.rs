//! `linkspan validate`: everything that is wrong with a configuration, without running it.

pub(crate) mod connect;

use linkspan_config::{KeyFate, KeyReport};
use serde_json::{Value, json};

use crate::args::{Output, ValidateArgs};
use crate::exit::{Exit, Failure};
use crate::run::{plan, print_diagnostics};
use crate::shown::structured;
use crate::terminal;

pub(crate) fn run(args: &ValidateArgs) -> Result<Exit, Failure> {
    let plugins = plan::discover(&args.paths, &args.config, None)?;
    let mut request = plan::request(&args.paths, &args.config)?;
    request.run = false;
    let (plan, mut diagnostics) = plan::check(&request, &plugins)?;
    let tried = plan.as_ref().filter(|_| args.connect);
    let tried = tried.map(|plan| connect::try_outside(plan, &plugins));
    let mut connected = true;
    for one in tried.iter().flatten() {
        connected &= one.problems.is_empty();
        for problem in &one.problems {
            diagnostics.push(problem.clone());
        }
    }
    match args.output {
        Output::Json | Output::Yaml | Output::Name => {
            let keys: Vec<_> = diagnostics.keys().iter().map(key_json).collect();
            let mut object = json!({ "valid": plan.is_some(), "diagnostics": diagnostics.to_json(), "keys": keys });
            if let (Some(tried), Some(object)) = (&tried, object.as_object_mut()) {
                object.insert(
                    "connect".to_owned(),
                    tried.iter().map(connect::Outcome::json).collect(),
                );
            }
            let connectors = plan.iter().flat_map(|plan| &plan.connectors);
            let names: Vec<&str> = connectors.map(|of| of.name.as_str()).collect();
            structured(args.output, &object, |_| names.join("\n"));
        }
        Output::Table => {
            print_diagnostics(&diagnostics);
            print_keys(diagnostics.keys());
            if let Some(plan) = &plan {
                terminal::line(&format!(
                    "valid: {} connectors, {} declared topics",
                    plan.connectors.len(),
                    plan.topics.len()
                ));
            }
            for one in tried.iter().flatten() {
                terminal::line(&one.text());
            }
        }
    }
    Ok(match plan {
        None => Exit::Invalid,
        Some(_) if !connected => Exit::Environment,
        Some(_) => Exit::Ok,
    })
}

fn key_json(report: &KeyReport) -> Value {
    let option = match &report.fate {
        KeyFate::Mapped(option) => Some(option),
        KeyFate::Used | KeyFate::Ignored | KeyFate::Unsupported => None,
    };
    json!({
        "file": report.location.file, "line": report.location.line, "key": report.key,
        "fate": report.fate.word(), "option": option, "why": report.why,
    })
}

/// What became of each key of Kafka Connect's own files.
fn print_keys(keys: &[KeyReport]) {
    let width = keys
        .iter()
        .map(|report| report.key.chars().count())
        .max()
        .unwrap_or(0);
    let mut file = "";
    for report in keys {
        if report.location.file != file {
            file = &report.location.file;
            terminal::line(&format!("{file}:"));
        }
        let fate = match &report.fate {
            KeyFate::Mapped(option) => format!("mapped to {option}"),
            other => other.word().to_owned(),
        };
        let why = if report.why.is_empty() {
            String::new()
        } else {
            format!(": {}", report.why)
        };
        terminal::line(&format!(
            "  line {:>3}  {:width$}  {fate}{why}",
            report.location.line, report.key
        ));
    }
}
