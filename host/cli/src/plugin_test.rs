//! `linkspan plugin test`: builds a plugin's crate, looks at the file as a host does, and runs the crate's tests.
//!
//! Its conformance suite is among those tests: the testkit drives the connector in memory, which a finished `.so` alone
//! cannot be driven by. Cargo's own output goes to stderr; the result alone is on stdout.

use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::args::Output;
use crate::exit::{Exit, Failure};
use crate::shown::structured;
use crate::{plugins, terminal};

pub(crate) fn run(folder: &Path, release: bool, output: Output) -> Result<Exit, Failure> {
    if !folder.join("Cargo.toml").is_file() {
        return Err(Failure::new(
            Exit::Invalid,
            "LS0220",
            format!("`{}` holds no Cargo.toml", folder.display()),
        )
        .help("name the folder of a plugin's crate; `linkspan plugin new NAME` writes one"));
    }
    let built = cargo(
        folder,
        "build",
        &["--message-format=json-render-diagnostics"],
        release,
        Stdio::piped(),
    )?;
    if !built.status.success() {
        return Err(failed(
            "the crate does not build",
            "see the compiler's messages above",
        ));
    }
    let Some(file) = library(&built.stdout) else {
        return Err(failed(
            "the crate builds no shared library",
            "put `crate-type = [\"cdylib\"]` under `[lib]` of its Cargo.toml",
        ));
    };
    let found = plugins::one(&file)?;
    let classes: Vec<&str> = found
        .registry
        .classes()
        .iter()
        .map(|class| class.name())
        .collect();
    terminal::note(&format!(
        "this host loads {}: {}",
        file.display(),
        classes.join(", ")
    ));
    let suite = names_the_suite(folder);
    if !suite {
        terminal::note(
            "warning: no dev-dependency `linkspan-testkit`: nothing here tries the rules that a host relies on; see sdk/README.md",
        );
    }
    // What the tests print is for people; stdout is for the result.
    let aside = std::io::stderr().as_fd().try_clone_to_owned();
    let tests = cargo(
        folder,
        "test",
        &[],
        release,
        aside.map_or_else(|_| Stdio::null(), Stdio::from),
    )?;
    if !tests.status.success() {
        return Err(failed("tests of the crate fail", "see their output above"));
    }
    let result = json!({ "path": file, "classes": classes, "conformance": suite, "status": "ok" });
    if !structured(output, &result, |result| crate::shown::text(result, "path")) {
        terminal::line(&format!("ok: {} loads, its tests pass", file.display()));
    }
    Ok(Exit::Ok)
}

fn failed(what: &str, help: &str) -> Failure {
    Failure::new(Exit::Runtime, "LS0311", what.to_owned()).help(help)
}

fn cargo(
    folder: &Path,
    verb: &str,
    words: &[&str],
    release: bool,
    stdout: Stdio,
) -> Result<std::process::Output, Failure> {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    Command::new(program)
        .current_dir(folder)
        .arg(verb)
        .args(words)
        .args(release.then_some("--release"))
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| {
            Failure::new(
                Exit::Environment,
                "LS0704",
                format!("could not start `cargo`: {error}"),
            )
            .help("a plugin is tested with Rust's own tools: install them from https://rustup.rs")
        })
}

/// The shared library among what Cargo says that it made.
fn library(messages: &[u8]) -> Option<PathBuf> {
    let mut made = messages
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<Value>(line).ok())
        .filter(|message| {
            let kinds = message
                .pointer("/target/crate_types")
                .and_then(Value::as_array);
            kinds.is_some_and(|kinds| kinds.contains(&json!("cdylib")))
        })
        .filter_map(|message| {
            let files = message.get("filenames")?.as_array()?.clone();
            files
                .iter()
                .filter_map(Value::as_str)
                .map(PathBuf::from)
                .find(|file| file.extension().is_some_and(|extension| extension == "so"))
        });
    made.next_back()
}

/// Whether the crate can run the conformance suite at all.
fn names_the_suite(folder: &Path) -> bool {
    let text = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
    text.lines()
        .any(|line| line.trim_start().starts_with("linkspan-testkit"))
}
