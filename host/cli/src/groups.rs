//! `linkspan groups`.

use linkspan_rest::{Operation, Reset};
use serde_json::Value;

use crate::args::GroupsCommand;
use crate::exit::{Exit, Failure};
use crate::shown::text;
use crate::target::{confirm, perform};
use crate::terminal::{self, Table};
use crate::topic::{answer, print_rows};

pub(crate) fn run(command: GroupsCommand) -> Result<Exit, Failure> {
    match command {
        GroupsCommand::List(target) => answer(&target, Operation::ListGroups, print_list),
        GroupsCommand::Describe { group, target } => {
            answer(&target, Operation::DescribeGroup(group), print_description)
        }
        GroupsCommand::Reset {
            group,
            topics,
            to,
            execute,
            target,
        } => {
            let reset = Reset {
                topics,
                to,
                execute,
            };
            answer(&target, Operation::ResetGroup(group, reset), print_reset)
        }
        GroupsCommand::Delete { group, yes, target } => {
            perform(&target.at, Operation::DescribeGroup(group.clone()))?;
            confirm(
                yes,
                &format!("delete group `{group}` with all its positions"),
            )?;
            answer(&target, Operation::DeleteGroup(group.clone()), |_| {
                terminal::line(&format!("deleted group {group}"));
            })
        }
    }
}

pub(crate) fn print_list(groups: &Value) {
    let mut table = Table::new(&["group", "state", "members"]);
    for group in groups.as_array().into_iter().flatten() {
        table.row(["group", "state", "members"].map(|column| text(group, column)));
    }
    table.print("there are no groups; `linkspan consume TOPIC --group NAME` makes one");
}

fn print_description(group: &Value) {
    terminal::line(&format!(
        "group {}, {}, assignor {}\n",
        text(group, "group"),
        text(group, "state"),
        text(group, "assignor")
    ));
    let columns = [
        "topic",
        "partition",
        "committed",
        "log_end",
        "lag",
        "member",
    ];
    print_rows(group, "offsets", &columns);
}

fn print_reset(done: &Value) {
    print_rows(done, "positions", &["topic", "partition", "from", "to"]);
    if done.get("executed") != Some(&Value::Bool(true)) {
        terminal::note("nothing was changed; --execute does it");
    }
}
