//! Files that are no plugins: refused with a reason where the user named the folder, passed over where nobody did.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::pipeline::{Pipeline, numbered, records, summary};
use crate::support::{Scratch, linkspan, plugins, run, run_once};

#[test]
fn an_explicit_folder_says_why_each_file_is_refused_and_the_rest_works() {
    let pipeline = Pipeline::new(&[], &[]);
    pipeline.input(numbered(0..10));
    let folder = bad_files(&pipeline.scratch);
    let names = [
        "libempty.so",
        "libforeign.so",
        "libtext.so",
        "libtruncated.so",
    ];

    let listed = run(linkspan(&["plugin", "list", "--plugin-path"]).arg(&folder));
    let said = format!("{}{}", listed.stdout, listed.stderr);
    for name in names {
        let line = said
            .lines()
            .find(|line| line.contains(name))
            .unwrap_or_else(|| panic!("`{name}` is not named in\n{said}"));
        assert!(line.len() > name.len() + 10, "no reason: {line}");
    }
    assert!(
        said.contains("file-source"),
        "the good plugins are listed as well:\n{said}"
    );
    assert!(said.contains("LS03"), "a code of the plugin range:\n{said}");

    let ran = run_once(&pipeline.yaml, &["--plugin-path", folder.to_str().unwrap()])
        .expect_code(0)
        .says(&names);
    assert_eq!(records(&summary(&ran), "out"), 10);
}

#[test]
fn an_explicit_folder_that_is_missing_is_said() {
    let pipeline = Pipeline::new(&[], &[]);
    pipeline.input(numbered(0..10));
    run_once(&pipeline.yaml, &["--plugin-path", "no-such-folder"]).says(&["no-such-folder"]);
}

#[test]
fn an_implicit_folder_passes_over_what_is_no_plugin() {
    let pipeline = Pipeline::new(&[], &[]);
    pipeline.input(numbered(0..10));
    let program = installed(&pipeline.scratch);
    for name in ["libforeign.so", "libtext.so", "libempty.so"] {
        let bad = bad_files(&pipeline.scratch).join(name);
        fs::copy(bad, pipeline.scratch.path("installed/plugins").join(name)).unwrap();
    }
    let ran = run(Command::new(program)
        .args(["run", "--once", "-o", "json"])
        .arg(&pipeline.yaml))
    .expect_code(0);
    assert_eq!(records(&summary(&ran), "out"), 10);
    for name in ["libforeign", "libtext", "libempty"] {
        assert!(!ran.stderr.contains(name), "{}", ran.stderr);
    }
}

#[test]
fn without_a_plugin_the_unknown_class_is_exit_2() {
    let pipeline = Pipeline::new(&[], &[]);
    let program = installed(&pipeline.scratch);
    fs::remove_dir_all(pipeline.scratch.path("installed/plugins")).unwrap();
    let ran = run(Command::new(program)
        .args(["run", "--once"])
        .arg(&pipeline.yaml));
    ran.expect_code(2).says(&["file-source"]);
}

/// Writes a text file, an empty file, half a plugin and a shared library of the system.
fn bad_files(scratch: &Scratch) -> PathBuf {
    let plugin = fs::read(file_plugin()).unwrap();
    scratch.write("bad/libtext.so", "I am a text.\n");
    scratch.write("bad/libempty.so", "");
    scratch.write("bad/libtruncated.so", &plugin[..plugin.len() / 2]);
    scratch.write("bad/libforeign.so", fs::read(system_library()).unwrap());
    scratch.path("bad")
}

/// Copies the program and its plugins as an installation would.
fn installed(scratch: &Scratch) -> PathBuf {
    let program = scratch.path("installed/linkspan");
    fs::create_dir_all(scratch.path("installed/plugins")).unwrap();
    fs::copy(env!("CARGO_BIN_EXE_linkspan"), &program).unwrap();
    let library = "liblinkspan_connector_file.so";
    fs::copy(
        file_plugin(),
        scratch.path("installed/plugins").join(library),
    )
    .unwrap();
    program
}

fn file_plugin() -> PathBuf {
    let found = plugins()
        .into_iter()
        .find(|(name, _)| name == "liblinkspan_connector_file.so");
    found.expect("the file connector is built with the tests").1
}

fn system_library() -> PathBuf {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let libc = maps
        .lines()
        .filter_map(|line| line.split_whitespace().nth(5))
        .find(|path| path.contains("libc.so"));
    PathBuf::from(libc.expect("this test is linked with libc"))
}
