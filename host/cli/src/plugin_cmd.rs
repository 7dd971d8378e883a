//! `linkspan plugin list`, `plugin inspect`, and the way to `plugin new`.

use std::path::{Path, PathBuf};

use linkspan_plugin::Class;
use serde_json::{Value, json};

use crate::args::{Output, PluginCommand};
use crate::exit::{Exit, Failure};
use crate::shown::{structured, text};
use crate::suggest::meant;
use crate::{plugin_new, plugins, terminal};

pub(crate) fn run(command: &PluginCommand) -> Result<Exit, Failure> {
    match command {
        PluginCommand::List {
            plugin_paths,
            output,
        } => list(plugin_paths, *output),
        PluginCommand::Inspect {
            what,
            plugin_paths,
            output,
        } => inspect(what, plugin_paths, *output),
        PluginCommand::New(args) => plugin_new::run(args),
    }
}

fn list(paths: &[PathBuf], output: Output) -> Result<Exit, Failure> {
    let plugins = plugins::discover(paths, None, plugins::level())?;
    let classes = plugins.registry.classes();
    let rows = Value::from_iter(classes.iter().map(class_json));
    if structured(output, &rows, |row| text(row, "name")) {
        return Ok(Exit::Ok);
    }
    let width = classes
        .iter()
        .map(|class| class.name().len())
        .max()
        .unwrap_or(0);
    for class in classes {
        let plugin = class.plugin();
        terminal::line(&format!(
            "{:<width$}  {:<9}  {} {}  {}",
            class.name(),
            class.kind().as_str(),
            plugin.name,
            plugin.version,
            plugin.path.display()
        ));
    }
    if classes.is_empty() {
        terminal::note("no plugins found; name a folder of `.so` files with --plugin-path");
    }
    Ok(Exit::Ok)
}

/// The classes of all plugins found.
pub(crate) fn rows(paths: &[PathBuf]) -> Result<Value, Failure> {
    let plugins = plugins::discover(paths, None, plugins::level())?;
    Ok(plugins.registry.classes().iter().map(class_json).collect())
}

fn class_json(class: &Class) -> Value {
    let plugin = class.plugin();
    let mut object = class.to_json();
    if let Some(map) = object.as_object_mut() {
        map.insert("plugin".to_owned(), json!(plugin.name));
        map.insert("version".to_owned(), json!(plugin.version));
        map.insert("path".to_owned(), json!(plugin.path));
        map.insert("sdk_version".to_owned(), json!(plugin.sdk_version));
        map.insert("abi_version".to_owned(), json!(plugin.abi_version));
    }
    object
}

pub(crate) fn inspect(what: &str, paths: &[PathBuf], output: Output) -> Result<Exit, Failure> {
    let file = Path::new(what);
    let is_file = what.contains('/') || file.extension().is_some_and(|extension| extension == "so");
    let classes: Vec<Class> = if is_file {
        let plugins = plugins::one(file)?;
        plugins.registry.classes().to_vec()
    } else {
        let plugins = plugins::discover(paths, None, plugins::level())?;
        let found = plugins.registry.class(what);
        let classes = plugins.registry.classes().iter();
        let names: Vec<String> = classes.map(|class| class.name().to_owned()).collect();
        let found = found.ok_or_else(|| {
            Failure::new(
                Exit::Invalid,
                "LS0201",
                format!("no plugin offers the class `{what}`"),
            )
            .help(meant(
                what,
                &names,
                "plugins; name a folder of them with --plugin-path",
            ))
        })?;
        vec![found]
    };
    let rows = Value::from_iter(classes.iter().map(class_json));
    if structured(output, &rows, |row| text(row, "name")) {
        return Ok(Exit::Ok);
    }
    for class in &classes {
        print_class(class);
    }
    Ok(Exit::Ok)
}

fn print_class(class: &Class) {
    let plugin = class.plugin();
    terminal::line(&format!("{} ({})", class.name(), class.kind().as_str()));
    terminal::line(&format!(
        "  plugin   {} {}  {}",
        plugin.name,
        plugin.version,
        plugin.path.display()
    ));
    terminal::line(&format!(
        "  built    sdk {}, abi {}",
        plugin.sdk_version, plugin.abi_version
    ));
    let object = class.to_json();
    let text = |value: &Value, name: &str| {
        value
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let docs = text(&object, "docs");
    if !docs.is_empty() {
        terminal::line(&format!("  {docs}"));
    }
    let options = object
        .get("options")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let width = options
        .iter()
        .map(|option| text(option, "name").len())
        .max()
        .unwrap_or(0);
    for option in &options {
        let required = option
            .get("required")
            .and_then(Value::as_bool)
            .unwrap_or(false);
        let default = option.get("default").and_then(Value::as_str);
        let note = match (required, default) {
            (true, _) => "required".to_owned(),
            (false, Some(default)) => format!("default {default}"),
            (false, None) => "optional".to_owned(),
        };
        terminal::line(&format!(
            "  {:<width$}  {:<8}  {note}  {}",
            text(option, "name"),
            text(option, "type"),
            text(option, "docs")
        ));
    }
}
