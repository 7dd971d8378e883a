//! `run --dev`: a changed configuration and a rebuilt plugin are taken over while it runs; what is not valid changes nothing.

use std::fs;
use std::process::Command;
use std::time::Duration;

use crate::support::{eventually, linkspan, start, wait};
use crate::workshop::{Compiler, Workshop};

const SOON: Duration = Duration::from_secs(60);

/// The two pipelines share nothing; the second one must never notice.
fn pipeline(count: u32, neighbour: &str) -> String {
    format!(
        "connectors:\n  count: {{ connector: acme-count, topic: numbers, count: {count} }}\n  \
         kept: {{ connector: acme-keep, topics: [numbers], path: kept.txt }}\n  \
         lines: {{ connector: generator-source, topic: lines, count: 5 }}\n  \
         copied: {{ connector: file-sink, topics: [lines], path: {neighbour} }}\n"
    )
}

#[test]
fn a_rebuilt_plugin_and_a_changed_configuration_are_taken_over() {
    let workshop = Workshop::new();
    let scratch = &workshop.scratch;
    workshop.copy_plugin("acme");
    let plugins = workshop.build("acme", &Compiler::current());
    let yaml = scratch.write("dev/pipeline.yaml", pipeline(10, "copied.txt"));
    let (stdout, stderr) = (scratch.path("dev/stdout"), scratch.path("dev/stderr"));
    let mut command = linkspan(&["run", "--dev", "--listen", "none", "--plugin-path"]);
    let mut host = start(command.arg(&plugins).arg(&yaml), &stdout, &stderr);
    let said = || fs::read_to_string(&stderr).unwrap_or_default();
    let says = |text: &str| {
        assert!(
            eventually(SOON, || said().contains(text)),
            "`{text}` is not said:\n{}",
            said()
        );
    };
    let times = |text: &str| said().matches(text).count();
    let kept = || fs::read_to_string(scratch.path("dev/kept.txt")).unwrap_or_default();
    let lines = |count: usize| {
        assert!(
            eventually(SOON, || kept().lines().count() >= count),
            "{count} lines:\n{}\n{}",
            kept(),
            said()
        );
    };
    lines(10);

    // The plugin is rebuilt: its connectors are switched, at their committed offsets, the neighbours are not.
    let source = scratch.read("acme/src/lib.rs");
    let changed = source.replace(".json(&self.next)", ".json(&(self.next + 1_000_000))");
    assert_ne!(source, changed);
    scratch.write("acme/src/lib.rs", changed);
    assert_eq!(workshop.build("acme", &Compiler::current()), plugins);
    says("reload: libacme.so was rebuilt");
    says("reload: `count` restarted");
    says("reload: `kept` restarted");
    assert_eq!(
        times("`lines` restarted") + times("`copied` restarted"),
        0,
        "{}",
        said()
    );

    // A changed option restarts its connector, and the new code runs.
    scratch.write("dev/pipeline.yaml", pipeline(20, "copied.txt"));
    lines(20);
    let expected: String = (0..20)
        .map(|n: u32| format!("{}\n", if n < 10 { n } else { n + 1_000_000 }))
        .collect();
    assert_eq!(kept(), expected, "nothing lost, nothing twice\n{}", said());
    assert_eq!(times("reload: `count` restarted"), 2, "{}", said());
    assert_eq!(
        times("reload: `kept` restarted"),
        1,
        "only what changed\n{}",
        said()
    );

    // What is not valid changes nothing.
    scratch.write(
        "dev/pipeline.yaml",
        pipeline(30, "copied.txt").replace("acme-keep", "acme-kept"),
    );
    says("the changed configuration is not valid; the old one keeps running");
    fs::write(plugins.join("libacme.so"), "half a library").unwrap();
    says("reload: libacme.so was refused; what was loaded keeps running");
    assert_eq!(times("restarted"), 3, "{}", said());
    assert_eq!(kept(), expected);

    // A connector that leaves is stopped, a new one starts, and the old plugin still serves.
    let more = pipeline(25, "copied.txt").replace("  lines:", "  more:");
    scratch.write("dev/pipeline.yaml", more);
    lines(25);
    says("reload: `lines` left the configuration: stopped, its offsets stay");
    says("reload: `more` started");
    assert_eq!(times("`copied` restarted"), 0, "{}", said());

    let stop = Command::new("sh")
        .args(["-c", &format!("kill -TERM {}", host.id())])
        .status();
    assert!(stop.unwrap().success());
    let ended = wait(&mut host, SOON).unwrap_or_else(|| panic!("no end after SIGTERM: {}", said()));
    assert_eq!(ended.code(), Some(143), "{}", said());
}
