//! Files that are no plugins.

use std::fs;

use linkspan_plugin::ABI_VERSION;

use crate::support::{Folder, discover, example, good, search};

fn system_library(name: &str) -> Vec<u8> {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let path = maps
        .lines()
        .filter_map(|line| line.split_whitespace().nth(5))
        .find(|path| path.contains(name))
        .unwrap_or_else(|| panic!("this test is linked with {name}"));
    fs::read(path).unwrap()
}

/// Refuses a file in an explicit directory with a code and a reason, and passes over it in an implicit one.
fn check(name: &str, bytes: &[u8], code: &str, reason: &str, passed_over: bool) {
    let folder = Folder::new();
    let file = folder.write(&format!("dir/{name}"), bytes);
    let place = folder.path("dir");
    let (registry, findings) = discover(&search(&[&place], &[]));
    assert!(registry.classes().is_empty());
    let [finding] = findings.as_slice() else {
        panic!("one finding: {findings:?}");
    };
    assert_eq!(
        (finding.code, finding.is_error()),
        (code, true),
        "{finding:?}"
    );
    let lines: Vec<&str> = finding.message.lines().collect();
    assert_eq!(lines.len(), 5, "{}", finding.message);
    assert!(finding.message.len() < 2_048, "{}", finding.message);
    assert!(lines[0].contains(file.to_str().unwrap()), "{}", lines[0]);
    assert!(lines[0].contains(reason), "{}", lines[0]);
    assert!(lines[1].contains(ABI_VERSION), "{}", lines[1]);
    let (registry, findings) = discover(&search(&[], &[&place]));
    assert!(registry.classes().is_empty());
    assert_eq!(findings.is_empty(), passed_over, "{findings:?}");
}

#[test]
fn what_is_no_plugin_is_refused_in_an_explicit_place_only() {
    let libc = system_library("libc.so");
    check(
        "text.so",
        b"I am a text.\n",
        "LS0301",
        "not a shared library",
        true,
    );
    check("empty.so", b"", "LS0301", "empty", true);
    check(
        "libc.so",
        &libc,
        "LS0301",
        "does not export the plugin symbol",
        true,
    );
    check(
        "half.so",
        &libc[..libc.len() / 2],
        "LS0302",
        "truncated",
        true,
    );
    check("header.so", &libc[..64], "LS0302", "truncated", true);
    let plugin = fs::read(good()).unwrap();
    check(
        "plugin.so",
        &plugin[..plugin.len() / 2],
        "LS0302",
        "truncated",
        true,
    );
    check(
        "almost.so",
        &plugin[..plugin.len() - 1],
        "LS0302",
        "truncated",
        true,
    );
    let mut foreign = plugin;
    foreign[18] = 8;
    check("mips.so", &foreign, "LS0301", "another machine", true);
}

#[test]
fn a_library_that_ends_the_process_ends_a_child() {
    let bytes = fs::read(example("libfixture_exits.so")).unwrap();
    check("exits.so", &bytes, "LS0303", "exit code 77", false);
}

#[test]
fn another_abi_is_told_apart_before_it_runs() {
    let magic = b"abi stable library for Rust     ";
    let mut bytes = fs::read(good()).unwrap();
    let places: Vec<usize> = (0..bytes.len() - magic.len())
        .filter(|at| bytes[*at..].starts_with(magic))
        .collect();
    assert!(
        !places.is_empty(),
        "the header of abi_stable is in the library"
    );
    for at in places {
        bytes[at] = b'A';
    }
    check("other.so", &bytes, "LS0305", "header", false);
}

#[test]
fn a_missing_place_is_said_only_if_it_was_named() {
    let folder = Folder::new();
    let missing = folder.path("missing");
    let (_, findings) = discover(&search(&[&missing], &[]));
    assert_eq!(findings[0].code, "LS0302");
    assert!(findings[0].message.contains(missing.to_str().unwrap()));
    assert!(discover(&search(&[], &[&missing])).1.is_empty());
}

#[test]
fn bad_neighbours_do_not_hide_a_good_plugin() {
    let folder = Folder::new();
    folder.write("a.so", "text");
    folder.write("z.so", "");
    folder.write("notes.txt", "not even tried");
    folder.plugin("good.so", b"");
    let (registry, findings) = discover(&search(&[&folder.path("")], &[]));
    assert_eq!(findings.len(), 2);
    assert_eq!(registry.classes().len(), 2);
}

#[test]
fn a_probing_program_that_is_missing_is_a_refusal() {
    let good = good();
    let mut search = search(&[&good], &[]);
    search.probe = "/nonexistent/linkspan".into();
    let (registry, findings) = discover(&search);
    assert!(registry.classes().is_empty());
    assert_eq!(findings[0].code, "LS0303");
}
