//! Two files that offer one plugin, and what a start remembers.

use std::fs;

use crate::support::{Folder, discover, good, search};

#[test]
fn the_first_directory_wins_and_the_other_is_said() {
    let folder = Folder::new();
    let first = folder.plugin("one/a.so", b"");
    let second = folder.plugin("two/a.so", b"!");
    let (registry, findings) = discover(&search(&[&folder.path("one")], &[&folder.path("two")]));
    assert_eq!(registry.classes().len(), 2);
    assert_eq!(
        registry.classes()[0].plugin().path,
        fs::canonicalize(&first).unwrap()
    );
    let [finding] = findings.as_slice() else {
        panic!("one warning: {findings:?}");
    };
    assert_eq!((finding.code, finding.is_error()), ("LS0308", false));
    for path in [first, second] {
        let path = fs::canonicalize(path).unwrap();
        assert!(
            finding.message.contains(path.to_str().unwrap()),
            "names both: {}",
            finding.message
        );
    }
}

#[test]
fn the_same_file_or_the_same_bytes_again_are_silent() {
    let folder = Folder::new();
    let first = folder.plugin("one/a.so", b"");
    fs::create_dir(folder.path("two")).unwrap();
    fs::hard_link(&first, folder.path("two/linked.so")).unwrap();
    folder.plugin("three/copied.so", b"");
    folder.plugin("one/copied.so", b"");
    let places = [folder.path("one"), folder.path("two"), folder.path("three")];
    let (registry, findings) = discover(&search(&[&places[0], &places[1], &places[2]], &[]));
    assert_eq!(findings, []);
    assert_eq!(registry.classes().len(), 2);
}

#[test]
fn two_files_of_one_name_in_one_directory_are_a_conflict() {
    let folder = Folder::new();
    folder.plugin("dir/a.so", b"");
    folder.plugin("dir/b.so", b"!");
    let (registry, findings) = discover(&search(&[&folder.path("dir")], &[]));
    assert!(registry.classes().is_empty(), "neither is used");
    let [finding] = findings.as_slice() else {
        panic!("one error: {findings:?}");
    };
    assert_eq!((finding.code, finding.is_error()), ("LS0306", true));
    assert!(finding.message.contains("a.so") && finding.message.contains("b.so"));
}

#[test]
fn a_class_of_two_plugins_is_a_conflict() {
    // The same library under another plugin name: patched where the manifest is made.
    let mut bytes = fs::read(good()).unwrap();
    let patched = patch(&mut bytes, b"fixture0.0.1", b"Fixture0.0.1");
    if !patched {
        // The compiler laid the two strings apart: then the name stands alone in front of the version somewhere else.
        let at = find_name(&bytes);
        bytes[at] = b'F';
    }
    let folder = Folder::new();
    folder.plugin("one/a.so", b"");
    folder.write("two/b.so", bytes);
    let (registry, findings) = discover(&search(&[&folder.path("one"), &folder.path("two")], &[]));
    if findings.iter().all(|finding| finding.code != "LS0307") {
        panic!("a conflict of classes: {findings:?}");
    }
    assert!(
        findings
            .iter()
            .all(|finding| finding.message.contains("fixture-s")),
        "{findings:?}"
    );
    let class = registry.class("fixture-source").unwrap();
    assert!(
        class.plugin().path.ends_with("a.so"),
        "the first one is used"
    );
}

fn patch(bytes: &mut [u8], from: &[u8], to: &[u8]) -> bool {
    let Some(at) = (0..bytes.len() - from.len()).find(|at| bytes[*at..].starts_with(from)) else {
        return false;
    };
    bytes[at..at + to.len()].copy_from_slice(to);
    true
}

fn find_name(bytes: &[u8]) -> usize {
    (0..bytes.len() - 8)
        .find(|at| {
            bytes[*at..].starts_with(b"fixture") && !matches!(bytes[*at + 7], b'-' | b'_' | b'.')
        })
        .expect("the plugin's name is in the library")
}

#[test]
fn a_second_start_probes_nothing() {
    let folder = Folder::new();
    folder.plugin("dir/a.so", b"");
    let mut search = search(&[&folder.path("dir")], &[]);
    search.cache = Some(folder.path("plugins.cache"));
    assert_eq!(discover(&search).0.classes().len(), 2);
    // No probe can succeed from here on: what is known is known from the cache.
    search.probe = "/nonexistent/linkspan".into();
    let (registry, findings) = discover(&search);
    assert_eq!((registry.classes().len(), findings.len()), (2, 0));
    fs::write(folder.path("plugins.cache"), "{broken").unwrap();
    assert_eq!(discover(&search).1[0].code, "LS0303");
}
