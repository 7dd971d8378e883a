//! `linkspan config`: what holds and where it comes from, and the schema that editors read.

use std::collections::BTreeMap;

use linkspan_config::{ClassKind, ConnectorPlan, OptionDef, Plan, framework};
use serde_json::{Value, json};

use crate::args::{ConfigCommand, ConfigShowArgs};
use crate::exit::{Exit, Failure};
use crate::plugins::Plugins;
use crate::run::{plan, print_diagnostics};
use crate::shown::{structured, text};
use crate::terminal::{self, Table};

pub(crate) fn run(command: &ConfigCommand) -> Result<Exit, Failure> {
    match command {
        ConfigCommand::Show(args) => show(args),
        ConfigCommand::Schema { plugin_paths } => {
            let plugins = crate::plugins::discover(plugin_paths, None, crate::plugins::level())?;
            let schema = linkspan_config::json_schema(&plan::classes(&plugins)?);
            let text = serde_json::to_string_pretty(&schema).unwrap_or_default();
            terminal::line(&text);
            Ok(Exit::Ok)
        }
    }
}

/// One value that holds.
struct Row {
    key: String,
    value: String,
    origin: String,
    /// `file`, `set`, `default`, `param`.
    from: &'static str,
}

fn show(args: &ConfigShowArgs) -> Result<Exit, Failure> {
    let plugins = plan::discover(&args.paths, &args.config, None)?;
    let mut request = plan::request(&args.paths, &args.config)?;
    request.run = false;
    let (plan, diagnostics) = plan::check(&request, &plugins)?;
    print_diagnostics(&diagnostics);
    let (plan, _) = plan::verdict(plan, &diagnostics)?;
    let mut rows = of_host(&plan);
    rows.extend(of_params(&plan, &args.config.params));
    for topic in &plan.topics {
        for (name, value) in &topic.settings {
            rows.push(written(
                format!("topics.{}.{name}", topic.name),
                value.clone(),
                &topic.source,
            ));
        }
    }
    for connector in &plan.connectors {
        rows.extend(of_connector(connector, &plugins));
    }
    let values: Vec<Value> = rows
        .iter()
        .map(|row| json!({ "key": row.key, "value": row.value, "from": row.from, "origin": row.origin }))
        .collect();
    if structured(args.output, &Value::from(values), |row| text(row, "key")) {
        return Ok(Exit::Ok);
    }
    let mut table = if args.origin {
        Table::new(&["key", "value", "origin"])
    } else {
        Table::new(&["key", "value"])
    };
    for row in rows {
        let origin = args.origin.then_some(row.origin);
        table.row([row.key, row.value].into_iter().chain(origin));
    }
    table.print("nothing is configured");
    Ok(Exit::Ok)
}

fn written(key: String, value: String, place: &linkspan_config::Location) -> Row {
    let set = place.file == "--set";
    Row {
        origin: if set {
            format!("--set {key}")
        } else {
            let outside = if value.contains("${") {
                ", resolved when it is used"
            } else {
                ""
            };
            format!("{place}{outside}")
        },
        key,
        value,
        from: if set { "set" } else { "file" },
    }
}

fn default(key: String, value: &str, of: &str) -> Row {
    Row {
        key,
        value: value.to_owned(),
        origin: format!("default of {of}"),
        from: "default",
    }
}

fn of_host(plan: &Plan) -> Vec<Row> {
    framework::HOST
        .iter()
        .filter_map(|option| {
            let name = &option.def.name;
            let key = format!("host.{name}");
            match plan.host_values.get(name) {
                Some((value, place)) => Some(written(key, value.clone(), place)),
                None if name == "data" => {
                    let data = plan.host.data.display().to_string();
                    Some(default(key, &data, "the host"))
                }
                None => Some(default(key, option.def.default.as_deref()?, "the host")),
            }
        })
        .collect()
}

fn of_params(plan: &Plan, given: &[String]) -> Vec<Row> {
    let was_given = |name: &str| {
        let mut given = given.iter();
        given.any(|text| text.split_once('=').is_some_and(|(given, _)| given == name))
    };
    plan.params
        .iter()
        .map(|(name, value)| {
            let key = format!("params.{name}");
            if was_given(name) {
                Row {
                    origin: format!("--param {name}"),
                    key,
                    value: value.clone(),
                    from: "param",
                }
            } else {
                default(key, value, "the parameter")
            }
        })
        .collect()
}

/// What stands in files, secrets concealed, and the defaults of all that does not.
fn of_connector(connector: &ConnectorPlan, plugins: &Plugins) -> Vec<Row> {
    let mut rows = BTreeMap::new();
    let key = |name: &str| format!("connectors.{}.{name}", connector.name);
    for (name, value) in connector.redacted() {
        let place = connector.origins.get(&name).unwrap_or(&connector.source);
        rows.insert(name.clone(), written(key(&name), value, place));
    }
    let mut add = |def: &OptionDef, of: &str| {
        let Some(value) = &def.default else { return };
        if !def.name.ends_with('*') {
            rows.entry(def.name.clone())
                .or_insert_with(|| default(key(&def.name), value, of));
        }
    };
    let classes = plan::classes(plugins).unwrap_or_default();
    let class = classes.iter().find(|class| class.name == connector.class);
    for def in class.iter().flat_map(|class| &class.options) {
        add(def, &connector.class);
    }
    let kind = match connector.kind {
        ClassKind::Sink => ClassKind::Sink,
        ClassKind::Source | ClassKind::Transform => ClassKind::Source,
    };
    for option in framework::CONNECTOR
        .iter()
        .filter(|option| option.kind.is_none_or(|of| of == kind))
    {
        add(&option.def, "every connector");
    }
    rows.into_values().collect()
}
