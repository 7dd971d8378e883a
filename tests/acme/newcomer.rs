//! What `linkspan plugin new` writes: it builds, passes the conformance suite and runs, without a network.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::support::{Ran, Scratch, linkspan, repository, run, run_once, start, wait};
use crate::workshop::{current_cargo, plain_cargo, unsteered};

/// A clean build of the sdk, the testkit and what they need, on a busy machine.
const BUILD_LIMIT: Duration = Duration::from_secs(900);

/// Runs cargo in the new crate with the repository's locked versions; returns the folder with the library.
fn cargo(scratch: &Scratch, folder: &Path, what: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("newcomers");
    fs::copy(repository().join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    let mut command = plain_cargo();
    command
        .args([what, "--offline", "--target-dir"])
        .arg(&target)
        .current_dir(folder);
    let (stdout, stderr) = (scratch.path("stdout"), scratch.path("stderr"));
    let status = wait(&mut start(&mut command, &stdout, &stderr), BUILD_LIMIT);
    assert!(
        status.is_some_and(|status| status.success()),
        "{what}: {status:?}\n{}\n{}",
        scratch.read("stdout"),
        scratch.read("stderr")
    );
    target.join("debug")
}

/// `linkspan plugin test`, with the libraries that are there already.
fn plugin_test(scratch: &Scratch, folder: &Path) -> Ran {
    let mut command = linkspan(&["plugin", "test", "-o", "json"]);
    unsteered(&mut command);
    command
        .arg(folder)
        // The cargo of this run, as `plain_cargo` takes it.
        .env("CARGO", current_cargo())
        .env("CARGO_NET_OFFLINE", "true")
        .env(
            "CARGO_TARGET_DIR",
            Path::new(env!("CARGO_TARGET_TMPDIR")).join("newcomers"),
        );
    let (stdout, stderr) = (scratch.path("stdout"), scratch.path("stderr"));
    let status = wait(&mut start(&mut command, &stdout, &stderr), BUILD_LIMIT);
    Ran {
        status: status.expect("`plugin test` ends in time"),
        stdout: scratch.read("stdout"),
        stderr: scratch.read("stderr"),
    }
}

/// Makes, tests, builds and runs one; its pipeline ends with 1000 lines in `out.txt`.
fn lives(kind: &str) {
    let scratch = Scratch::new();
    let name = format!("fresh-{kind}");
    let folder = scratch.path("plugin");
    let mut new: Command = linkspan(&["plugin", "new", &name, "--kind", kind, "--sdk"]);
    let made = run(new
        .arg(format!("path={}", repository().display()))
        .arg(&folder))
    .expect_code(0);
    let next: Vec<&str> = made.stdout.lines().collect();
    assert_eq!(next.len(), 3, "the next three commands: {}", made.stdout);
    assert_eq!(next[0], format!("cd {}", folder.display()));
    assert_eq!(next[1], "cargo test");
    assert!(next[2].contains("linkspan run --once --plugin-path target/debug pipeline.yaml"));

    cargo(&scratch, &folder, "test");
    assert!(
        scratch.read("stdout").contains("tests::it_conforms ... ok"),
        "{}",
        scratch.read("stdout")
    );
    let built = cargo(&scratch, &folder, "build");
    let tested = plugin_test(&scratch, &folder).expect_code(0);
    let said: Value = serde_json::from_str(tested.stdout.trim()).unwrap();
    assert_eq!(said["conformance"], true, "{said}");
    let one = format!("fresh-{kind}");
    assert!(
        said["classes"][0].as_str().unwrap().starts_with(&one),
        "{said}"
    );
    let plugins = scratch.path("plugins");
    fs::create_dir(&plugins).unwrap();
    let library = format!("libfresh_{kind}.so");
    fs::copy(built.join(&library), plugins.join(&library)).unwrap();
    for _ in 0..2 {
        run_once(
            &folder.join("pipeline.yaml"),
            &["--plugin-path", plugins.to_str().unwrap()],
        )
        .expect_code(0);
        let text = fs::read_to_string(folder.join("out.txt")).unwrap();
        assert_eq!(text.lines().count(), 1000, "{kind}");
    }
    // A suite that cannot fail would prove nothing: the source is made to forget its offset, the sink to write nothing, the
    // transform to take what it must refuse for a defect of its own.
    let (file, sound, broken) = match kind {
        "source" => (
            "src/source.rs",
            "u64(\"next\")?.unwrap_or(0)",
            "u64(\"next\")?.map_or(0, |_| 0)",
        ),
        "sink" => ("src/sink.rs", "self.file.write_all(&lines)?;", ""),
        _ => (
            "src/transform.rs",
            ".map_err(|_| Error::data_invalid(\"the value is no UTF-8\"))?;",
            ".unwrap();",
        ),
    };
    let text = fs::read_to_string(folder.join(file)).unwrap();
    assert!(text.contains(sound), "{text}");
    fs::write(folder.join(file), text.replace(sound, broken)).unwrap();
    plugin_test(&scratch, &folder).expect_code(1).says(&[
        "does not conform",
        "LS0311",
        "tests of the crate fail",
    ]);
    fs::write(folder.join(file), format!("{text}\nnot rust")).unwrap();
    plugin_test(&scratch, &folder).expect_code(1).says(&[
        "LS0311",
        "the crate does not build",
        "src/",
    ]);
}

#[test]
fn a_new_source_builds_conforms_and_runs() {
    lives("source");
}

#[test]
fn a_new_sink_builds_conforms_and_runs() {
    lives("sink");
}

#[test]
fn a_new_transform_builds_conforms_and_runs() {
    lives("transform");
}

#[test]
fn nothing_is_written_over_and_bad_names_are_refused() {
    let scratch = Scratch::new();
    scratch.write("there/notes.txt", "mine");
    run(linkspan(&["plugin", "new", "acme"]).arg(scratch.path("there")))
        .expect_code(3)
        .says(&["is not empty", "LS0707"]);
    assert_eq!(fs::read_dir(scratch.path("there")).unwrap().count(), 1);
    scratch.write("file", "mine");
    run(linkspan(&["plugin", "new", "acme"]).arg(scratch.path("file")))
        .expect_code(3)
        .says(&["is a file"]);
    for (name, why) in [
        ("Acme", "`A` is not allowed"),
        ("a--b", "a dash stands"),
        ("linkspan-sdk", "is taken"),
    ] {
        run(linkspan(&["plugin", "new", name]).arg(scratch.path("new")))
            .expect_code(2)
            .says(&[why, "acme-orders"]);
    }
    assert!(!scratch.path("new").try_exists().unwrap());
}
