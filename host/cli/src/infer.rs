//! `linkspan infer FILE`: what a file may be, and the YAML that would read it. The file connector does the looking.

use serde_json::{Value, json};

use crate::args::InferArgs;
use crate::exit::{Exit, Failure};
use crate::shown::structured;
use crate::{plugins, terminal};

/// The class that knows files.
const CLASS: &str = "file-source";

pub(crate) fn run(args: &InferArgs) -> Result<Exit, Failure> {
    let plugins = plugins::discover(&args.plugin_paths, None, plugins::level())?;
    let class = plugins.registry.class(CLASS).ok_or_else(|| {
        Failure::new(
            Exit::Environment,
            "LS0201",
            format!("no plugin offers the class `{CLASS}`, which looks into files"),
        )
    })?;
    let path = std::path::absolute(&args.file).unwrap_or_else(|_| args.file.clone());
    if !path.is_file() {
        let message = if path.try_exists().unwrap_or(true) {
            format!("`{}` is not a plain file", path.display())
        } else {
            format!("there is no file `{}`", path.display())
        };
        return Err(Failure::new(Exit::Invalid, "LS0404", message).help("name a file to look into"));
    }
    let body = json!({"class": CLASS, "path": path, "encoding": args.encoding});
    let answer = class
        .call("infer", body.to_string().as_bytes())
        .map_err(|error| {
            let exit = if error.kind.as_str() == "config_invalid" {
                Exit::Invalid
            } else {
                Exit::Runtime
            };
            Failure::new(exit, "LS0404", error.message.as_str())
        })?;
    let answer: Value = serde_json::from_slice(&answer).map_err(|error| {
        Failure::new(
            Exit::Runtime,
            "LS0499",
            format!("the plugin's answer is not JSON: {error}"),
        )
    })?;
    let file = |_: &Value| args.file.display().to_string();
    if structured(args.output, &answer, file) {
        return Ok(Exit::Ok);
    }
    let notes = answer.get("notes").and_then(Value::as_array);
    for note in notes.into_iter().flatten().filter_map(Value::as_str) {
        terminal::note(note);
    }
    let yaml = answer.get("yaml").and_then(Value::as_str);
    terminal::line(yaml.unwrap_or_default().trim_end());
    Ok(Exit::Ok)
}
