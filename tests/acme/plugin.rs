//! A good plugin: built with the oldest and the current rustc, and against other releases of the sdk.

use std::fs;
use std::path::Path;

use crate::support::{linkspan, run, run_once, skip_outside_ci};
use crate::workshop::{Compiler, Workshop};

/// The oldest rustc that builds a plugin; `rust-version` of the sdk's packages says the same.
const OLDEST_RUST: &str = "1.85.0";

#[test]
fn a_plugin_built_with_the_current_rustc_moves_records() {
    let workshop = Workshop::new();
    workshop.copy_plugin("acme");
    let folder = workshop.build("acme", &Compiler::current());
    moves_records(&workshop, &folder, "current");
}

#[test]
fn a_plugin_built_with_the_oldest_rustc_moves_records() {
    let Some(oldest) = Compiler::toolchain(OLDEST_RUST) else {
        return skip_outside_ci(
            "plugin built with the oldest rustc",
            &format!("rustup has no toolchain {OLDEST_RUST}"),
        );
    };
    let workshop = Workshop::new();
    workshop.copy_plugin("acme");
    let folder = workshop.build("acme", &oldest);
    moves_records(&workshop, &folder, "oldest");
}

#[test]
fn a_newer_minor_release_of_the_sdk_loads_and_a_newer_major_is_refused() {
    let workshop = Workshop::new();
    workshop.copy_plugin("acme");
    workshop.rewrite_packages("version = \"1.1.0\"", "version = \"1.7.0\"");
    let newer = workshop.build("acme", &Compiler::current());
    moves_records(&workshop, &newer, "newer-minor");

    workshop.rewrite_packages("version = \"1.7.0\"", "version = \"2.0.0\"");
    let major = workshop.build("acme", &Compiler::current());
    let ran = run(linkspan(&["plugin", "list", "--plugin-path"]).arg(&major));
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(!ran.stdout.contains("acme-count"), "{said}");
    assert!(
        said.contains("libacme.so") && said.contains("2.0.0"),
        "{said}"
    );
    let lines = said
        .lines()
        .skip_while(|line| !line.contains("libacme.so"))
        .take_while(|line| !line.trim().is_empty());
    assert!(lines.count() <= 40, "a refusal is short:\n{said}");
}

/// Runs a pipeline of acme's source into acme's sink and into our own, twice.
fn moves_records(workshop: &Workshop, plugins: &Path, name: &str) {
    let listed = run(linkspan(&["plugin", "list", "--plugin-path"]).arg(plugins)).expect_code(0);
    let both = listed.stdout.contains("acme-count") && listed.stdout.contains("acme-keep");
    assert!(both, "{}\n{}", listed.stdout, listed.stderr);

    let yaml = workshop.scratch.write(
        &format!("run-{name}/pipeline.yaml"),
        "connectors:\n  count: { connector: acme-count, topic: numbers, count: 2500 }\n  \
         keep: { connector: acme-keep, topics: [numbers], path: kept.txt }\n  \
         copy: { connector: file-sink, topics: [numbers], path: copied.txt, format: lines }\n",
    );
    let arguments = [
        "--plugin-path",
        plugins.to_str().unwrap(),
        "--timeout",
        "60s",
    ];
    let expected: String = (0..2500).map(|number| format!("{number}\n")).collect();
    for _ in 0..2 {
        run_once(&yaml, &arguments).expect_code(0);
        for file in ["kept.txt", "copied.txt"] {
            let path = workshop.scratch.path(&format!("run-{name}")).join(file);
            assert_eq!(
                fs::read_to_string(path).unwrap(),
                expected,
                "{name}: {file}"
            );
        }
    }
}
