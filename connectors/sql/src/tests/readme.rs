//! The README's tables name every option, with its default.

use linkspan_sdk::prelude::*;

use crate::sink::SinkOptions;
use crate::source::SqlSourceOptions;

fn check<O: Options>(heading: &str) {
    let readme = include_str!("../../README.md");
    let start = readme.find(&format!("## `{heading}`")).unwrap() + 3;
    let section = readme.get(start..).unwrap().split("\n## ").next().unwrap();
    for option in O::definitions() {
        let row = section
            .lines()
            .find(|line| line.starts_with(&format!("| `{}` |", option.name)));
        let row = row.unwrap_or_else(|| panic!("{heading}: README lacks `{}`", option.name));
        if let Some(default) = option.default {
            assert!(
                row.contains(&format!("| `{default}` |")),
                "{heading}: `{}` has another default: {row}",
                option.name
            );
        }
    }
}

#[test]
fn tables_are_complete() {
    check::<SqlSourceOptions>("sql-source");
    check::<SinkOptions>("sql-sink");
}
