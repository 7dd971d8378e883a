//! The commands that the documents show, typed as they stand there, in a folder with a copy of `configs`.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{Scratch, program, repository, run};

/// The documents, in the order in which their commands are run.
const DOCUMENTS: [&str; 5] = [
    "README.md",
    "README.ko.md",
    "configs/README.md",
    "connectors/README.md",
    "sdk/README.md",
];

/// What is not run here, and why. A line is named by its beginning.
const NOT_RUN: [(&str, &str); 9] = [
    ("tests/run --install", "it is what runs this test"),
    (
        "linkspan dlq show letters",
        "the quickstart has no bad records; black_box/control/letters.rs has",
    ),
    ("linkspan dlq replay letters --all", "as above"),
    ("linkspan dlq replay letters --code", "as above"),
    (
        "linkspan get connectors --context prod",
        "it needs a host elsewhere; black_box/cli.rs has one",
    ),
    (
        "linkspan context use prod",
        "commands after it would go there",
    ),
    (
        "LINKSPAN_URL=",
        "it needs a host on port 8083; black_box/cli.rs has one on another",
    ),
    (
        "linkspan man man",
        "the reader of manuals may not be installed; black_box/cli.rs looks at the pages",
    ),
    (
        "linkspan backup /backups/today",
        "the folder is outside of the test; black_box/backups.rs does the same elsewhere",
    ),
];

/// The shell lines of a document's code blocks.
fn lines(text: &str) -> Vec<String> {
    let (mut in_block, mut shell, mut found) = (false, false, Vec::new());
    for line in text.lines().map(str::trim) {
        if let Some(language) = line.strip_prefix("```") {
            in_block = !in_block;
            shell = in_block && ["sh", "console", "bash"].contains(&language);
        } else if shell {
            let line = line.trim_start_matches("$ ");
            let command = line.split("  #").next().unwrap_or_default().trim();
            if !command.is_empty() && !command.starts_with('#') {
                found.push(command.replace("cargo run -- ", "linkspan "));
            }
        }
    }
    found
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            // What runs of this checkout left behind is not part of it.
            if !["out", "linkspan-data"].contains(&path.file_name().unwrap().to_str().unwrap()) {
                copy(&path, &target);
            }
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

#[test]
fn commands_that_documents_show_do_what_they_say() {
    let scratch = Scratch::new();
    let folder = scratch.path("clone");
    copy(&repository().join("configs"), &folder.join("configs"));
    // Where the quickstart keeps its data is where the later commands look without --data.
    std::os::unix::fs::symlink("configs/linkspan-data", folder.join("linkspan-data")).unwrap();
    let path = format!(
        "{}:{}",
        program().parent().unwrap().display(),
        std::env::var("PATH").unwrap()
    );
    let mut left_out = vec![false; NOT_RUN.len()];
    let mut ran = Vec::new();
    for document in DOCUMENTS {
        for line in lines(&fs::read_to_string(repository().join(document)).unwrap()) {
            if let Some(at) = NOT_RUN
                .iter()
                .position(|(begins, _)| line.starts_with(begins))
            {
                left_out[at] = true;
                continue;
            }
            if ran.contains(&line) {
                continue;
            }
            let done = run(Command::new("sh")
                .args(["-ec", &line])
                .current_dir(&folder)
                .env("PATH", &path)
                .env("HOME", scratch.path("home"))
                .env_remove("LINKSPAN_URL")
                .env("XDG_CONFIG_HOME", scratch.path("config")));
            assert!(
                done.status.success(),
                "{document}: `{line}`\n{}{}",
                done.stdout,
                done.stderr
            );
            ran.push(line);
        }
    }
    assert!(ran.len() >= 15, "only these were run: {ran:#?}");
    for ((begins, _), seen) in NOT_RUN.iter().zip(left_out) {
        assert!(seen, "no document shows `{begins}` any more");
    }
}
