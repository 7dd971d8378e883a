//! `linkspan plugin list`, `plugin inspect`, and the way to `plugin new` and `plugin test`.

use std::path::{Path, PathBuf};

use linkspan_plugin::Class;
use serde_json::{Value, json};

use crate::args::{Output, PluginCommand};
use crate::exit::{Exit, Failure};
use crate::shown::{structured, text};
use crate::suggest::meant;
use crate::terminal::{self, Table};
use crate::{builtin, plugin_new, plugin_test, plugins};

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
        PluginCommand::Test {
            folder,
            release,
            output,
        } => plugin_test::run(folder, *release, *output),
    }
}

fn list(paths: &[PathBuf], output: Output) -> Result<Exit, Failure> {
    let plugins = plugins::discover(paths, None, plugins::level())?;
    let rows = with_builtin(plugins.registry.classes());
    if structured(output, &rows, |row| text(row, "name")) {
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(&["name", "type", "plugin", "version", "path"]);
    for row in rows.as_array().into_iter().flatten() {
        let path = row.get("path").and_then(Value::as_str);
        let cells = ["name", "type", "plugin", "version"].map(|cell| text(row, cell));
        let path = path.unwrap_or("built in").to_owned();
        table.row(cells.into_iter().chain([path]));
    }
    table.print("");
    if plugins.registry.classes().is_empty() {
        terminal::note("no plugins found; name a folder of `.so` files with --plugin-path");
    }
    Ok(Exit::Ok)
}

/// The classes of all plugins found, and what there is without a plugin.
pub(crate) fn rows(paths: &[PathBuf]) -> Result<Value, Failure> {
    let plugins = plugins::discover(paths, None, plugins::level())?;
    Ok(with_builtin(plugins.registry.classes()))
}

fn with_builtin(classes: &[Class]) -> Value {
    let own = classes.iter().map(class_json);
    own.chain(builtin::rows()).collect()
}

fn class_json(class: &Class) -> Value {
    let plugin = class.plugin();
    let mut object = class.to_json();
    if let Some(map) = object.as_object_mut() {
        map.insert("type".to_owned(), json!(class.kind().as_str()));
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
    let rows: Vec<Value> = if is_file {
        let plugins = plugins::one(file)?;
        plugins.registry.classes().iter().map(class_json).collect()
    } else {
        let plugins = plugins::discover(paths, None, plugins::level())?;
        let found = plugins.registry.class(what).as_ref().map(class_json);
        let found = found.or_else(|| builtin::find(what)).ok_or_else(|| {
            let known = with_builtin(plugins.registry.classes());
            let known = known.as_array().into_iter().flatten();
            let names: Vec<String> = known.map(|row| text(row, "name")).collect();
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
    let rows = Value::from(rows);
    if structured(output, &rows, |row| text(row, "name")) {
        return Ok(Exit::Ok);
    }
    for row in rows.as_array().into_iter().flatten() {
        print_class(row);
    }
    Ok(Exit::Ok)
}

/// Prints a class with its options, for people.
pub(crate) fn print_class(object: &Value) {
    let text = |value: &Value, name: &str| {
        value
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let own = |name: &str| text(object, name);
    terminal::line(&format!("{} ({})", own("name"), own("type")));
    if object.get("path").is_some_and(Value::is_null) {
        terminal::line(&format!("  built in linkspan {}", own("version")));
    } else {
        terminal::line(&format!(
            "  plugin   {} {}  {}",
            own("plugin"),
            own("version"),
            own("path")
        ));
    }
    // A host elsewhere does not tell.
    if object.get("sdk_version").is_some() {
        terminal::line(&format!(
            "  built    sdk {}, abi {}",
            own("sdk_version"),
            own("abi_version")
        ));
    }
    let docs = own("docs");
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
            [text(option, "docs"), text(option, "doc")].concat()
        ));
    }
}
