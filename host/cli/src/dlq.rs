//! `linkspan dlq`: dead letters, and writing their records back.

use linkspan_rest::{Letters, Operation};
use serde_json::Value;

use crate::args::{DlqCommand, LetterFilter, Output};
use crate::exit::{Exit, Failure};
use crate::shown::{names_in, structured, text};
use crate::target::perform;
use crate::terminal::{self, Table};
use crate::topic::{answer, print_rows};

/// Letters that a table shows.
const TABLE_LETTERS: usize = 100;

pub(crate) fn run(command: DlqCommand) -> Result<Exit, Failure> {
    match command {
        DlqCommand::List(target) => answer(&target, Operation::ListDeadLetters, print_list),
        DlqCommand::Show {
            topic,
            filter,
            target,
        } => {
            let limit = (target.output == Output::Table).then_some(TABLE_LETTERS);
            let which = letters(filter, limit, None);
            answer(
                &target,
                Operation::ShowDeadLetters(topic, which),
                print_letters,
            )
        }
        DlqCommand::Replay {
            topic,
            to,
            all,
            dry_run,
            filter,
            target,
        } => {
            if !all && filter.offsets.is_empty() && filter.code.is_none() {
                return Err(Failure::new(
                    Exit::Invalid,
                    "LS0220",
                    "nothing says which letters to replay",
                )
                .help("--all, --code CODE or --offset OFFSET; `linkspan dlq show` lists them"));
            }
            let which = Letters {
                preview: dry_run,
                ..letters(filter, None, to)
            };
            let done = perform(&target.at, Operation::ReplayDeadLetters(topic, which))?;
            let topics = |done: &Value| names_in(done, "replayed", |to| text(to, "topic"));
            if !structured(target.output, &done, topics) {
                print_replay(&done, dry_run);
            }
            let unknown = done.get("unknown").and_then(Value::as_u64).unwrap_or(0);
            Ok(if unknown > 0 { Exit::Partial } else { Exit::Ok })
        }
    }
}

pub(crate) fn print_list(topics: &Value) {
    let mut table = Table::new(&["topic", "letters"]);
    for topic in topics.as_array().into_iter().flatten() {
        table.row(["topic", "letters"].map(|column| text(topic, column)));
    }
    table.print("there are no dead letters");
}

fn letters(filter: LetterFilter, limit: Option<usize>, to: Option<String>) -> Letters {
    Letters {
        offsets: filter.offsets,
        code: filter.code,
        limit,
        to,
        ..Letters::default()
    }
}

fn print_letters(shown: &Value) {
    let found = shown.get("letters").and_then(Value::as_array);
    if found.is_none_or(Vec::is_empty) {
        terminal::note("no dead letter fits; `linkspan dlq list` names the topics that have some");
        return;
    }
    let columns = [
        "partition",
        "offset",
        "from",
        "connector",
        "stage",
        "code",
        "message",
    ];
    print_rows(shown, "letters", &columns);
    if shown.get("more") == Some(&Value::Bool(true)) {
        terminal::note(&format!(
            "only the first {TABLE_LETTERS} are shown; -o json shows more, with keys and values"
        ));
    }
}

fn print_replay(done: &Value, dry_run: bool) {
    let count = |name: &str| done.get(name).and_then(Value::as_u64).unwrap_or(0);
    let targets = done.get("replayed").and_then(Value::as_array);
    for target in targets.into_iter().flatten() {
        let done = if dry_run {
            "would be written"
        } else {
            "written"
        };
        terminal::line(&format!(
            "{} records {done} to {}; every reader of that topic gets them",
            text(target, "records"),
            text(target, "topic")
        ));
    }
    if targets.is_none_or(Vec::is_empty) {
        terminal::line(if dry_run {
            "nothing would be written"
        } else {
            "nothing was written"
        });
        if count("before") == 0 && count("unknown") == 0 {
            terminal::note(
                "no dead letter fits; `linkspan dlq show` lists those there are, with their codes and offsets",
            );
        }
    }
    if count("before") > 0 {
        terminal::note(&format!(
            "{} letters were replayed there before and are not written again",
            terminal::count(count("before"))
        ));
    }
    if count("unknown") > 0 {
        terminal::note(&format!(
            "{} letters do not say where they come from; name a topic with --to",
            terminal::count(count("unknown"))
        ));
    }
}
