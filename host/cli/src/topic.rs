//! `linkspan topic`.

use std::collections::BTreeMap;

use linkspan_rest::{DeleteRecords, NewTopic, Operation, TopicChange};
use serde_json::Value;

use crate::args::{Target, TopicCommand};
use crate::exit::{Exit, Failure};
use crate::shown::{structured, text};
use crate::target::{confirm, perform};
use crate::terminal::{self, Table};

pub(crate) fn run(command: TopicCommand) -> Result<Exit, Failure> {
    match command {
        TopicCommand::List(target) => answer(&target, Operation::ListTopics, print_list),
        TopicCommand::Create {
            name,
            partitions,
            sets,
            target,
        } => {
            let settings = settings(&sets)?;
            let new = NewTopic {
                name,
                partitions,
                settings,
            };
            answer(&target, Operation::CreateTopic(new), |made| {
                print_brief("created", made);
            })
        }
        TopicCommand::Describe { name, target } => {
            answer(&target, Operation::DescribeTopic(name), print_description)
        }
        TopicCommand::Alter {
            name,
            partitions,
            sets,
            unsets,
            target,
        } => {
            let set = settings(&sets)?.into_iter();
            let mut settings: BTreeMap<String, Option<String>> =
                set.map(|(name, value)| (name, Some(value))).collect();
            settings.extend(unsets.into_iter().map(|name| (name, None)));
            let change = TopicChange {
                partitions,
                settings,
            };
            answer(&target, Operation::AlterTopic(name, change), |topic| {
                print_brief("changed", topic);
            })
        }
        TopicCommand::Delete { name, yes, target } => {
            // An unknown name is said before anybody is asked.
            perform(&target.at, Operation::DescribeTopic(name.clone()))?;
            confirm(yes, &format!("delete topic `{name}` with all its records"))?;
            answer(&target, Operation::DeleteTopic(name.clone()), |_| {
                terminal::line(&format!("deleted topic {name}"));
            })
        }
        TopicCommand::DeleteRecords {
            name,
            partition,
            before,
            yes,
            target,
        } => {
            perform(&target.at, Operation::DescribeTopic(name.clone()))?;
            let which = before.map_or("all records".to_owned(), |before| {
                format!("the records before offset {before}")
            });
            confirm(yes, &format!("delete {which} of topic `{name}`"))?;
            let wanted = DeleteRecords { partition, before };
            answer(&target, Operation::DeleteRecords(name, wanted), |done| {
                print_rows(done, "partitions", &["partition", "log_start"]);
            })
        }
    }
}

/// Performs and prints.
pub(crate) fn answer(
    target: &Target,
    operation: Operation,
    print: impl FnOnce(&Value),
) -> Result<Exit, Failure> {
    let answer = perform(&target.at, operation)?;
    if !structured(target.output, &answer, name) {
        print(&answer);
    }
    Ok(Exit::Ok)
}

fn settings(sets: &[String]) -> Result<BTreeMap<String, String>, Failure> {
    let pair = |text: &String| {
        let (name, value) = text.split_once('=').ok_or_else(|| {
            Failure::new(
                Exit::Invalid,
                "LS0220",
                format!("--set {text}: there is no `=`"),
            )
            .help("write NAME=VALUE, for example --set retention.ms=7d")
        })?;
        Ok((name.trim().to_owned(), value.trim().to_owned()))
    };
    sets.iter().map(pair).collect()
}

pub(crate) fn print_list(topics: &Value) {
    let mut table = Table::new(&["topic", "partitions", "records", "bytes", "settings"]);
    for topic in topics.as_array().into_iter().flatten() {
        table.row([
            text(topic, "name"),
            text(topic, "partitions"),
            text(topic, "records"),
            text(topic, "bytes"),
            pairs(topic.get("settings")),
        ]);
    }
    table.print("there are no topics; make one with `linkspan topic create NAME`");
}

fn print_brief(what: &str, topic: &Value) {
    let settings = pairs(topic.get("settings"));
    let settings = if settings.is_empty() {
        settings
    } else {
        format!(", {settings}")
    };
    terminal::line(&format!(
        "{what} topic {}: {} partitions{settings}, id {}",
        text(topic, "name"),
        text(topic, "partitions"),
        text(topic, "id")
    ));
}

fn print_description(topic: &Value) {
    terminal::line(&format!(
        "topic {}, id {}\n",
        text(topic, "name"),
        text(topic, "id")
    ));
    let columns = [
        "partition",
        "log_start",
        "high_watermark",
        "segments",
        "bytes",
    ];
    print_rows(topic, "partitions", &columns);
    terminal::line("");
    let mut table = Table::new(&["setting", "value", "", "meaning"]);
    for setting in topic
        .get("settings")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let by = if setting.get("default") == Some(&Value::Bool(true)) {
            "default"
        } else {
            "set"
        };
        let docs = match setting.get("no_effect").and_then(Value::as_str) {
            Some(why) => format!("no effect: {why}"),
            None => text(setting, "docs"),
        };
        table.row([
            text(setting, "name"),
            text(setting, "value"),
            by.to_owned(),
            docs,
        ]);
    }
    table.print("");
}

/// Prints a list of objects as a table.
pub(crate) fn print_rows(value: &Value, list: &str, columns: &[&str]) {
    let mut table = Table::new(columns);
    for row in value
        .get(list)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        table.row(columns.iter().map(|column| text(row, column)));
    }
    table.print("");
}

/// What a topic, a group or a row of theirs is called.
fn name(row: &Value) -> String {
    let known = ["name", "group", "topic", "dir", "deleted"];
    let found = known.into_iter().find(|field| row.get(field).is_some());
    found.map(|field| text(row, field)).unwrap_or_default()
}

fn pairs(settings: Option<&Value>) -> String {
    let settings = settings.and_then(Value::as_object).into_iter().flatten();
    let pairs: Vec<String> = settings
        .map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default()))
        .collect();
    pairs.join(" ")
}
