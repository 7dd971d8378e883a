//! A plugin exports one symbol and no more: nothing of it can shadow what the host or a neighbour uses.

use std::process::Command;

use crate::support::{plugins, skip_outside_ci};

#[test]
fn every_plugin_exports_exactly_one_symbol() {
    let mut checked = Vec::new();
    let mut names = Vec::new();
    for (name, path) in plugins() {
        let Ok(output) = Command::new("nm")
            .args(["-D", "--defined-only"])
            .arg(&path)
            .output()
        else {
            return skip_outside_ci("symbols of the plugins", "no `nm` here");
        };
        let text = String::from_utf8(output.stdout).unwrap();
        let symbols: Vec<&str> = text
            .lines()
            .filter_map(|line| line.split_whitespace().last())
            .collect();
        assert_eq!(symbols.len(), 1, "{name} exports {symbols:?}");
        names.push(symbols[0].to_owned());
        checked.push(name);
    }
    assert!(checked.len() >= 3, "{checked:?}");
    names.dedup();
    assert_eq!(names.len(), 1, "{names:?}");
}
