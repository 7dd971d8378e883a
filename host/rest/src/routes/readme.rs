//! The table of routes in the crate's README, made of the rows.
//!
//! `LINKSPAN_SNAPSHOTS=write cargo test -p linkspan-rest readme` writes it anew; the difference is read like code.

use super::*;

const BEGIN: &str = "<!-- routes: made by a test -->\n";
const END: &str = "<!-- /routes -->";

fn table() -> String {
    let mut out =
        "| route | role | what it does | takes | answers |\n|---|---|---|---|---|\n".to_owned();
    for route in all() {
        let query: Vec<&str> = route.query.iter().map(|param| param.name).collect();
        let query = match query.as_slice() {
            [] => String::new(),
            names => format!("`?{}` ", names.join("`, `")),
        };
        out.push_str(&format!(
            "| `{} {}` | {}{} | {} | {}{} | {} |\n",
            route.method,
            route.path,
            route.role.word(),
            if route.on_machine {
                ", on the machine"
            } else {
                ""
            },
            route.summary,
            query,
            content(route.body),
            content(route.answer),
        ));
    }
    out
}

fn content(content: Content) -> String {
    match content {
        Content::Nothing => String::new(),
        Content::Json(shape) => format!("`{shape}`"),
        Content::Lines(shape) => format!("lines of `{shape}`"),
        Content::Events => "events".to_owned(),
        Content::Metrics => "text".to_owned(),
    }
}

#[test]
fn the_readme_lists_every_route() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (head, rest) = text.split_once(BEGIN).unwrap();
    let (shown, tail) = rest.split_once(END).unwrap();
    let table = table();
    if std::env::var_os("LINKSPAN_SNAPSHOTS").is_some_and(|word| word == "write") {
        std::fs::write(&path, format!("{head}{BEGIN}{table}{END}{tail}")).unwrap();
        return;
    }
    assert_eq!(shown, table, "LINKSPAN_SNAPSHOTS=write writes it anew");
}
