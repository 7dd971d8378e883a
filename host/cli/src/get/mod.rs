//! `linkspan get` and `linkspan describe`: every kind of thing that a host has, in one grammar.

pub(crate) mod connectors;

use std::time::Duration;

use linkspan_rest::{ConnectorCommand, Operation};
use serde_json::{Value, json};

use crate::args::{
    At, DescribeArgs, GetArgs, GroupsCommand, OffsetsCommand, RunsCommand, Target, TopicCommand,
};
use crate::connectors::{ask, list, offsets};
use crate::exit::{Exit, Failure};
use crate::shown::{items, structured, text};
use crate::suggest::{meant, nearest};
use crate::target::perform;
use crate::terminal::{self, Table};
use crate::{builtin, context, dlq, groups, plugin_cmd, runs, topic};

/// How often `--watch` looks.
const WATCH_EVERY: Duration = Duration::from_secs(1);
/// Runs that are listed.
const RUNS_MAX: usize = 50;

/// What there is to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Connectors,
    Tasks,
    Topics,
    Groups,
    Plugins,
    Offsets,
    Runs,
    Jobs,
    DeadLetters,
}

impl Kind {
    const ALL: [Self; 9] = [
        Self::Connectors,
        Self::Tasks,
        Self::Topics,
        Self::Groups,
        Self::Plugins,
        Self::Offsets,
        Self::Runs,
        Self::Jobs,
        Self::DeadLetters,
    ];

    fn word(self) -> &'static str {
        match self {
            Self::Connectors => "connectors",
            Self::Tasks => "tasks",
            Self::Topics => "topics",
            Self::Groups => "groups",
            Self::Plugins => "plugins",
            Self::Offsets => "offsets",
            Self::Runs => "runs",
            Self::Jobs => "jobs",
            Self::DeadLetters => "dlq",
        }
    }

    /// Reads the word, one or many.
    fn find(word: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|kind| kind.word() == word || kind.word().strip_suffix('s') == Some(word))
    }

    /// The field that names a row.
    fn key(self) -> &'static str {
        match self {
            Self::Connectors | Self::Topics | Self::Plugins => "name",
            Self::Tasks | Self::Offsets => "connector",
            Self::Groups => "group",
            Self::Runs => "run_id",
            Self::Jobs => "job",
            Self::DeadLetters => "topic",
        }
    }

    fn name(self, row: &Value) -> String {
        match self {
            Self::Tasks => format!("{}-{}", text(row, "connector"), text(row, "id")),
            Self::Offsets => format!("{} {}", text(row, "connector"), text(row, "partition")),
            _ => text(row, self.key()),
        }
    }

    fn rows(self, name: Option<&str>, at: &At) -> Result<Value, Failure> {
        match self {
            Self::Connectors => list(at),
            Self::Tasks => Ok(tasks(&list(at)?)),
            Self::Topics => perform(at, Operation::ListTopics),
            Self::Groups => perform(at, Operation::ListGroups),
            Self::Plugins => plugin_classes(at),
            Self::Offsets => offsets_of(name, at),
            Self::Runs => runs::rows(at, RUNS_MAX),
            Self::Jobs => runs::job_rows(at),
            Self::DeadLetters => perform(at, Operation::ListDeadLetters),
        }
    }

    fn print(self, rows: &Value) {
        match self {
            Self::Connectors => connectors::print_list(rows),
            Self::Tasks => connectors::print_tasks(rows),
            Self::Topics => topic::print_list(rows),
            Self::Groups => groups::print_list(rows),
            Self::Plugins => print(
                rows,
                &["name", "type", "version"],
                "no plugins found; name a folder of `.so` files with `linkspan plugin list --plugin-path DIR`",
            ),
            Self::Offsets => print(
                rows,
                &["connector", "partition", "offset"],
                "no connector has offsets here yet",
            ),
            Self::Runs => runs::print_list(rows),
            Self::Jobs => runs::print_jobs(rows),
            Self::DeadLetters => dlq::print_list(rows),
        }
    }
}

fn print(rows: &Value, columns: &[&str], empty: &str) {
    let mut table = Table::new(columns);
    for row in rows.as_array().into_iter().flatten() {
        table.row(columns.iter().map(|column| text(row, column)));
    }
    table.print(empty);
}

/// The tasks of all connectors, each with the name of its connector first.
fn tasks(connectors: &Value) -> Value {
    let rows = connectors.as_array().into_iter().flatten();
    rows.flat_map(|row| {
        items(row, "tasks").enumerate().map(|(number, task)| {
            let mut whole = json!({ "connector": text(row, "name") });
            if let Some(whole) = whole.as_object_mut() {
                match task {
                    Value::Object(fields) => whole.extend(fields.clone()),
                    // A job shows the words alone.
                    word => {
                        whole.insert("id".to_owned(), json!(number));
                        whole.insert("state".to_owned(), word.clone());
                    }
                }
            }
            whole
        })
    })
    .collect()
}

/// The classes that a host elsewhere has, or those that a host here would have.
fn plugin_classes(at: &At) -> Result<Value, Failure> {
    let Some(host) = context::elsewhere(at)? else {
        return plugin_cmd::rows(&[]);
    };
    let classes = crate::client::runtime()?.block_on(host.call("GET", "/api/v1/plugins", None))?;
    let classes = classes.as_array().into_iter().flatten();
    let of_plugins = classes
        .map(|class| json!({ "name": text(class, "class"), "type": text(class, "type"), "version": text(class, "version") }));
    // Where Kafka Connect has a class, its own list calls it by the Java name; ours is what a file says. What is built in stands
    // in no list of ours: it is taken to be what this program has.
    Ok(of_plugins.chain(builtin::rows()).collect())
}

/// A row for each partition of one connector, or of all.
fn offsets_of(name: Option<&str>, at: &At) -> Result<Value, Failure> {
    let names = match name {
        Some(name) => vec![name.to_owned()],
        None => {
            let rows = list(at)?;
            let rows = rows.as_array().into_iter().flatten();
            rows.map(|row| text(row, "name")).collect()
        }
    };
    let mut found = Vec::new();
    for name in names {
        let offsets = ask(&name, &ConnectorCommand::Offsets, at)?;
        for row in items(&offsets, "offsets") {
            found.push(json!({ "connector": name, "partition": row.get("partition"), "offset": row.get("offset") }));
        }
    }
    Ok(Value::from(found))
}

pub(crate) fn get(args: &GetArgs) -> Result<Exit, Failure> {
    let (kind, name) = meaning(args.kind.as_deref(), args.name.as_deref())?;
    let at = &args.target.at;
    let mut shown = None;
    loop {
        let rows = rows(kind, name, at)?;
        if shown.as_ref() != Some(&rows) {
            if !structured(args.target.output, &rows, |row| kind.name(row)) {
                if args.watch && terminal::clears() {
                    terminal::clear();
                }
                match &rows {
                    Value::Array(_) => kind.print(&rows),
                    row => kind.print(&json!([row])),
                }
            }
            shown = Some(rows);
        }
        if !args.watch || terminal::stdout_failure().is_some() {
            return Ok(Exit::Ok);
        }
        std::thread::sleep(WATCH_EVERY);
    }
}

/// What is meant: a kind, a kind and a name, or the name of a connector alone.
fn meaning<'a>(
    kind: Option<&'a str>,
    name: Option<&'a str>,
) -> Result<(Kind, Option<&'a str>), Failure> {
    match (kind, name) {
        (None, _) => Ok((Kind::Connectors, None)),
        (Some(word), name) => match (Kind::find(word), name) {
            (Some(kind), name) => Ok((kind, name)),
            (None, None) => Ok((Kind::Connectors, Some(word))),
            (None, Some(_)) => Err(unknown_kind(word)),
        },
    }
}

fn kinds() -> Vec<String> {
    Kind::ALL
        .iter()
        .map(|kind| kind.word().to_owned())
        .collect()
}

fn unknown_kind(word: &str) -> Failure {
    let message = format!("`{word}` is no kind of thing");
    Failure::new(Exit::Invalid, "LS0220", message).help(meant(word, &kinds(), "kinds"))
}

/// The rows of a kind; the row itself where one is named and is one.
fn rows(kind: Kind, name: Option<&str>, at: &At) -> Result<Value, Failure> {
    let Some(name) = name else {
        return kind.rows(None, at);
    };
    if kind == Kind::Connectors {
        return ask(name, &ConnectorCommand::Describe, at)
            .map_err(|failure| or_kind(failure, name));
    }
    let rows = kind.rows(Some(name), at)?;
    let rows = rows.as_array().cloned().unwrap_or_default();
    let mut fitting: Vec<Value> = rows
        .iter()
        .filter(|row| text(row, kind.key()) == name)
        .cloned()
        .collect();
    if matches!(kind, Kind::Tasks | Kind::Offsets) {
        if fitting.is_empty() && kind == Kind::Tasks {
            // A connector without tasks is no mistake, an unknown one is.
            ask(name, &ConnectorCommand::Describe, at)?;
        }
        return Ok(Value::from(fitting));
    }
    fitting.pop().ok_or_else(|| {
        let known: Vec<String> = rows.iter().map(|row| text(row, kind.key())).collect();
        let message = format!("there is no `{name}` among the {}", kind.word());
        Failure::new(Exit::Invalid, kind.unknown(), message).help(meant(name, &known, kind.word()))
    })
}

impl Kind {
    /// The code of an unknown name.
    fn unknown(self) -> &'static str {
        match self {
            Self::Connectors | Self::Tasks | Self::Offsets => "LS0610",
            Self::Topics | Self::DeadLetters => "LS0516",
            Self::Groups => "LS0520",
            Self::Plugins => "LS0201",
            Self::Runs | Self::Jobs => "LS0222",
        }
    }
}

/// One word that is no connector may be a kind that was mistyped.
fn or_kind(failure: Failure, word: &str) -> Failure {
    match nearest(word, &kinds()) {
        Some(kind) if failure.code == "LS0610" => {
            let help = failure.help.clone().unwrap_or_default();
            failure.help(format!("{help}; or was the kind `{kind}` meant?"))
        }
        _ => failure,
    }
}

pub(crate) fn describe(args: &DescribeArgs) -> Result<Exit, Failure> {
    let target = args.target.clone();
    let (kind, name) = match (Kind::find(&args.kind), &args.name) {
        (Some(kind), Some(name)) => (kind, name.clone()),
        (_, None) => (Kind::Connectors, args.kind.clone()),
        (None, Some(_)) => return Err(unknown_kind(&args.kind)),
    };
    match kind {
        Kind::Connectors | Kind::Tasks => connector(&name, &target),
        Kind::Topics | Kind::DeadLetters => topic::run(TopicCommand::Describe { name, target }),
        Kind::Groups => groups::run(GroupsCommand::Describe {
            group: name,
            target,
        }),
        Kind::Plugins => plugin(&name, &target),
        Kind::Offsets => offsets(OffsetsCommand::Get { name, target }),
        Kind::Runs => runs::run(&RunsCommand::Show { id: name, target }),
        Kind::Jobs => {
            let job = rows(Kind::Jobs, Some(&name), &target.at)?;
            if !structured(target.output, &job, |job| Kind::Jobs.name(job)) {
                terminal::line(linkspan_config::to_yaml(&job).trim_end());
            }
            Ok(Exit::Ok)
        }
    }
}

/// A class of a host elsewhere, or one that a host here would have.
fn plugin(name: &str, target: &Target) -> Result<Exit, Failure> {
    let Some(host) = context::elsewhere(&target.at)? else {
        return plugin_cmd::inspect(name, &[], target.output);
    };
    let path = format!("/api/v1/plugins/{}", linkspan_rest::path_segment(name));
    let mut class = match crate::client::runtime()?.block_on(host.call("GET", &path, None)) {
        // What is built in is of no plugin.
        Err(failure) if failure.code == "LS0201" => builtin::find(name).ok_or(failure)?,
        answer => answer?,
    };
    if let Some(fields) = class.as_object_mut() {
        // The interface's words for what `plugin inspect` calls name and docs.
        for (theirs, ours) in [("class", "name"), ("summary", "docs")] {
            if let Some(value) = fields.remove(theirs) {
                fields.insert(ours.to_owned(), value);
            }
        }
    }
    if !structured(target.output, &class, |class| text(class, "name")) {
        plugin_cmd::print_class(&class);
    }
    Ok(Exit::Ok)
}

fn connector(name: &str, target: &Target) -> Result<Exit, Failure> {
    let row = ask(name, &ConnectorCommand::Describe, &target.at)
        .map_err(|failure| or_kind(failure, name))?;
    if !structured(target.output, &row, |row| text(row, "name")) {
        connectors::print_description(&row);
    }
    Ok(Exit::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_said_in_one_word_or_many() {
        for kind in Kind::ALL {
            assert_eq!(Kind::find(kind.word()), Some(kind));
        }
        assert_eq!(Kind::find("topic"), Some(Kind::Topics));
        assert_eq!(Kind::find("topical"), None);
    }

    #[test]
    fn one_word_that_is_no_kind_names_a_connector() {
        for (words, expected) in [
            ((None, None), Some((Kind::Connectors, None))),
            ((Some("groups"), None), Some((Kind::Groups, None))),
            (
                (Some("flights"), None),
                Some((Kind::Connectors, Some("flights"))),
            ),
            ((Some("task"), Some("a")), Some((Kind::Tasks, Some("a")))),
            ((Some("flights"), Some("a")), None),
        ] {
            assert_eq!(meaning(words.0, words.1).ok(), expected, "{words:?}");
        }
    }

    #[test]
    fn tasks_carry_their_connector() {
        let rows = json!([{ "name": "a", "tasks": [{ "id": 0, "state": "RUNNING" }] }, { "name": "b", "tasks": ["RUNNING"] }]);
        assert_eq!(
            tasks(&rows),
            json!([{ "connector": "a", "id": 0, "state": "RUNNING" }, { "connector": "b", "id": 0, "state": "RUNNING" }])
        );
    }
}
