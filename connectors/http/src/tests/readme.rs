//! The README's tables are the declarations. `UPDATE_README=1 cargo test -p linkspan-connector-http readme` writes them.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use linkspan_sdk::prelude::*;

use crate::sink::HttpSinkOptions;
use crate::source::HttpSourceOptions;
use crate::webhook::WebhookOptions;

/// Returns the table of a class's options.
fn table<O: Options>() -> String {
    let mut table = String::from("| Option | Type | Default | Meaning |\n|---|---|---|---|\n");
    for option in O::definitions() {
        let default = match (&option.default, option.required) {
            (Some(default), _) => format!("`{}`", default.replace('\n', "\\n")),
            (None, true) => "required".to_owned(),
            (None, false) => "unset".to_owned(),
        };
        let mut meaning = option.docs.replace('\n', " ").replace('|', "\\|");
        if !option.aliases.is_empty() {
            let names: Vec<String> = option
                .aliases
                .iter()
                .map(|name| format!("`{name}`"))
                .collect();
            write!(meaning, " Also {}.", names.join(", ")).unwrap();
        }
        writeln!(
            table,
            "| `{}` | {} | {default} | {meaning} |",
            option.name, option.kind
        )
        .unwrap();
    }
    table
}

fn check<O: Options>(class: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let written = fs::read_to_string(&path).unwrap();
    let begin = format!("<!-- options of {class} -->\n");
    let end = format!("<!-- end of {class} -->");
    let from = written
        .find(&begin)
        .unwrap_or_else(|| panic!("README lacks `{begin}`"))
        + begin.len();
    let to = written
        .find(&end)
        .unwrap_or_else(|| panic!("README lacks `{end}`"));
    let table = table::<O>();
    if env::var_os("UPDATE_README").is_some() {
        let mut updated = written;
        updated.replace_range(from..to, &table);
        fs::write(&path, updated).unwrap();
        return;
    }
    assert!(
        written.get(from..to) == Some(&table),
        "{class}: the README's table is not the declarations; see this file's first lines"
    );
}

#[test]
fn tables_are_the_declarations() {
    check::<HttpSourceOptions>("http-source");
    check::<WebhookOptions>("webhook-source");
    check::<HttpSinkOptions>("http-sink");
}
