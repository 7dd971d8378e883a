//! `linkspan log repair`: says what it would cut, and does it with `--yes`.

use std::sync::Arc;

use linkspan_log::{Cut, DiskFs, PositionChange, Repair, repair};
use linkspan_types::SystemClock;
use serde_json::Value;

use super::{held, verify};
use crate::args::{Output, RepairArgs};
use crate::exit::{Exit, Failure};
use crate::shown::{names_in, structured, text};
use crate::terminal::{self, count};

pub(super) fn run(args: &RepairArgs) -> Result<Exit, Failure> {
    let data = &args.log.data;
    crate::open::check_exists(data)?;
    let clock = Arc::new(SystemClock::default());
    let busy = terminal::Busy::new("checking every record");
    let answer = repair(Arc::new(DiskFs), clock, data, args.yes).map_err(|e| held(e, "repair"))?;
    drop(busy);
    match args.log.output {
        Output::Table => print(&answer),
        Output::Json | Output::Yaml | Output::Name => {
            let value = serde_json::to_value(&answer).unwrap_or_default();
            let places = |of: &Value| names_in(of, "problems", |problem| text(problem, "path"));
            structured(args.log.output, &value, places);
        }
    }
    // Damage that is still there is a failure, as `verify` has it.
    let mended = answer.problems.is_empty() || answer.done;
    Ok(if mended { Exit::Ok } else { Exit::Runtime })
}

fn print(answer: &Repair) {
    if answer.problems.is_empty() {
        return terminal::line("nothing to repair");
    }
    terminal::line("what is wrong:");
    for problem in &answer.problems {
        terminal::line(&format!("  {}", verify::line(problem)));
    }
    let (cut, becomes) = if answer.done {
        ("what was cut:", "positions that were changed:")
    } else {
        ("what would be cut:", "positions that would change:")
    };
    if answer.cuts.is_empty() {
        terminal::line("no records are lost");
    } else {
        terminal::line(cut);
        answer.cuts.iter().for_each(print_cut);
    }
    if answer
        .cuts
        .iter()
        .any(|cut| cut.records.is_some() && cut.what.starts_with("bytes"))
    {
        terminal::line(
            "records cut from segments do not come again by themselves: sources go on at their own positions",
        );
    }
    if !answer.positions.is_empty() {
        terminal::line(becomes);
        answer.positions.iter().for_each(print_position);
    }
    let kept = answer
        .kept_in
        .as_ref()
        .map(|path| path.display().to_string());
    let kept = kept.unwrap_or_default();
    if answer.done {
        terminal::line(&format!(
            "repaired: leader epoch {} begins, so positions beyond what is left are refused; everything that was cut or changed is kept in {kept}",
            answer.leader_epoch
        ));
    } else {
        terminal::line(&format!(
            "nothing was changed; --yes does it, begins leader epoch {}, and keeps everything that it cuts or changes in {kept}",
            answer.leader_epoch
        ));
    }
}

fn print_cut(cut: &Cut) {
    let records = match (&cut.topic, cut.partition, cut.first, cut.next) {
        (Some(topic), Some(partition), Some(first), Some(next)) => format!(
            ": topic {topic}, partition {partition}, offsets {first}..{next}, up to {} records",
            count(cut.records.unwrap_or(0))
        ),
        _ => String::new(),
    };
    terminal::line(&format!(
        "  {} from byte {}: {}{records}",
        cut.path.display(),
        cut.from,
        cut.what
    ));
}

fn print_position(change: &PositionChange) {
    let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
    terminal::line(&format!(
        "  {} {}: {} becomes {}",
        change.kind,
        change.name,
        shown(&change.from),
        shown(&change.to)
    ));
}
