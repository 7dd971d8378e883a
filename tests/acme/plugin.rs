//! Package, build, load, run.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::support::{Scratch, linkspan, repository, run, run_once, skip_outside_ci, start, wait};

/// The oldest rustc that builds a plugin; `rust-version` of the sdk's packages says the same.
const OLDEST_RUST: &str = "1.85.0";
const PACKAGES: &[&str] = &["linkspan-abi", "linkspan-derive", "linkspan-sdk"];
/// A clean build of the sdk and what it needs, on a busy machine.
const BUILD_LIMIT: Duration = Duration::from_secs(900);

#[test]
fn a_plugin_of_a_third_party_builds_outside_and_moves_records() {
    let scratch = Scratch::new();
    unpack_packages(&scratch);
    for file in ["Cargo.toml", "Cargo.lock", "src/lib.rs"] {
        let source = repository().join("tests/plugins/acme").join(file);
        scratch.write(&format!("acme/{file}"), fs::read(source).unwrap());
    }

    let current = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    moves_records(
        &scratch,
        &build(&scratch, "current", vec![current]),
        "current",
    );

    let oldest = Command::new("rustup")
        .args(["run", OLDEST_RUST, "rustc", "--version"])
        .output();
    if oldest.is_ok_and(|output| output.status.success()) {
        let cargo = ["rustup", "run", OLDEST_RUST, "cargo"]
            .map(OsString::from)
            .to_vec();
        moves_records(&scratch, &build(&scratch, OLDEST_RUST, cargo), OLDEST_RUST);
    } else {
        skip_outside_ci(
            "third-party plugin with the oldest rustc",
            &format!("rustup has no toolchain {OLDEST_RUST}"),
        );
    }
}

/// Makes the packages and unpacks them into `packages/`.
fn unpack_packages(scratch: &Scratch) {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut package = Command::new(cargo);
    package
        .current_dir(repository())
        .args(["package", "--no-verify", "--allow-dirty", "--target-dir"])
        .arg(scratch.path("packaged"));
    for name in PACKAGES {
        package.args(["-p", name]);
    }
    finish(&mut package, scratch);
    fs::create_dir(scratch.path("packages")).unwrap();
    for entry in fs::read_dir(scratch.path("packaged/package")).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "crate")
        {
            finish(
                Command::new("tar")
                    .arg("xzf")
                    .arg(&path)
                    .arg("-C")
                    .arg(scratch.path("packages")),
                scratch,
            );
        }
    }
}

/// Builds the plugin with the locked versions and returns the folder that holds its `.so` and nothing else.
fn build(scratch: &Scratch, name: &str, cargo: Vec<OsString>) -> PathBuf {
    let (program, arguments) = cargo.split_first().unwrap();
    let mut command = Command::new(program);
    command
        .args(arguments)
        .args(["build", "--locked", "--target-dir"])
        .arg(scratch.path("built").join(name));
    command.current_dir(scratch.path("acme"));
    // What cargo tells the tests that it runs must not steer the cargo of a third party.
    for (variable, _) in env::vars_os() {
        let text = variable.to_string_lossy();
        if text.starts_with("CARGO_") && text != "CARGO_HOME"
            || text == "RUSTFLAGS"
            || text == "RUSTUP_TOOLCHAIN"
        {
            command.env_remove(&variable);
        }
    }
    for package in fs::read_dir(scratch.path("packages")).unwrap() {
        let path = package.unwrap().path();
        let folder = path.file_name().unwrap().to_string_lossy().into_owned();
        let package = PACKAGES
            .iter()
            .find(|name| folder.starts_with(&format!("{name}-")))
            .unwrap();
        command.args([
            "--config",
            &format!(
                "patch.crates-io.{package}.path={:?}",
                path.display().to_string()
            ),
        ]);
    }
    finish(&mut command, scratch);

    let folder = scratch.path("plugins").join(name);
    fs::create_dir_all(&folder).unwrap();
    fs::copy(
        scratch.path("built").join(name).join("debug/libacme.so"),
        folder.join("libacme.so"),
    )
    .unwrap();
    folder
}

/// Runs a pipeline of acme's source and sink, then one of acme's source and our own sink.
fn moves_records(scratch: &Scratch, plugins: &Path, name: &str) {
    let listed = run(linkspan(&["plugin", "list", "--plugin-path"]).arg(plugins)).expect_code(0);
    assert!(
        listed.stdout.contains("acme-count") && listed.stdout.contains("acme-keep"),
        "{}",
        listed.stdout
    );

    let yaml = scratch.write(
        &format!("run-{name}/pipeline.yaml"),
        "connectors:\n  count: { connector: acme-count, topic: numbers, count: 2500 }\n  \
         keep: { connector: acme-keep, topics: [numbers], path: kept.txt }\n  \
         copy: { connector: file-sink, topics: [numbers], path: copied.txt, format: lines }\n",
    );
    let plugins = plugins.to_str().unwrap();
    run_once(&yaml, &["--plugin-path", plugins, "--timeout", "60s"]).expect_code(0);
    let expected: String = (0..2500).map(|number| format!("{number}\n")).collect();
    let kept = kept_file(scratch, name);
    assert_eq!(fs::read_to_string(&kept).unwrap(), expected, "{name}");
    assert_eq!(
        scratch.read(&format!("run-{name}/copied.txt")),
        expected,
        "{name}"
    );

    // Again: the source resumes at its offset and has nothing new.
    run_once(&yaml, &["--plugin-path", plugins, "--timeout", "60s"]).expect_code(0);
    assert_eq!(fs::read_to_string(&kept).unwrap(), expected, "{name}");
}

fn kept_file(scratch: &Scratch, name: &str) -> PathBuf {
    scratch.path(&format!("run-{name}/kept.txt"))
}

/// Runs a build command to its end and fails the test with its output when it fails.
fn finish(command: &mut Command, scratch: &Scratch) {
    let (stdout, stderr) = (scratch.path("build.stdout"), scratch.path("build.stderr"));
    let mut child = start(command, &stdout, &stderr);
    let status = wait(&mut child, BUILD_LIMIT);
    let succeeded = status.is_some_and(|status| status.success());
    assert!(
        succeeded,
        "{command:?}: {status:?}\n{}",
        scratch.read("build.stderr")
    );
}
