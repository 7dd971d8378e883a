//! Every pipeline that people copy works as it is, and every example of a connector too.

use std::fs;
use std::path::{Path, PathBuf};

use crate::pipeline::summary;
use crate::support::{Scratch, linkspan, repository, run, run_once};

#[test]
fn every_shipped_pipeline_runs() {
    let scratch = Scratch::new();
    let root = repository();
    copy(&root.join("configs/data"), &scratch.path("configs/data"));
    let mut count = 0;
    for yaml in yaml_files(&root.join("configs")) {
        // Recipes that need a broker are run by the tests that have one, `tests/kafka`.
        if fs::read_to_string(&yaml)
            .unwrap()
            .contains("connector: kafka-")
        {
            continue;
        }
        let name = yaml.file_name().unwrap().to_string_lossy().into_owned();
        let copied = scratch.write(&format!("configs/{name}"), fs::read(&yaml).unwrap());
        let data = scratch.path(&format!("data-{name}"));
        let ran = run_once(
            &copied,
            &["--timeout", "60s", "--data", data.to_str().unwrap()],
        )
        .expect_code(0);
        assert_eq!(summary(&ran)["status"], "ok", "{name}");
        count += 1;
    }
    assert!(count >= 3, "{count} pipelines");
    weather_keeps_the_order_of_each_airport(&scratch);
}

#[test]
fn every_example_of_a_connector_runs() {
    let scratch = Scratch::new();
    let root = repository();
    let mut count = 0;
    for connector in fs::read_dir(root.join("connectors")).unwrap() {
        let folder = connector.unwrap().path();
        if !folder.join("example.yaml").is_file() {
            continue;
        }
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        if name == "http" || name == "kafka" {
            continue; // Its example needs a server, which tests/http and tests/kafka have.
        }
        copy(&folder, &scratch.path(&name));
        let example = scratch.path(&name).join("example.yaml");
        let ran = run_once(&example, &["--timeout", "60s"]).expect_code(0);
        assert_eq!(summary(&ran)["status"], "ok", "{name}");
        count += 1;
    }
    assert!(count >= 3, "{count} connectors have an example");
}

/// What is copied first must not begin with a warning; a variable that its user sets is none.
#[test]
fn nothing_shipped_is_warned_of() {
    let root = repository();
    let folders = [
        "configs",
        "configs/host",
        "configs/http",
        "configs/legacy",
        "configs/servers",
    ];
    let mut files: Vec<PathBuf> = folders
        .iter()
        .flat_map(|folder| yaml_files(&root.join(folder)))
        .collect();
    files.extend(
        fs::read_dir(root.join("connectors"))
            .unwrap()
            .map(|folder| folder.unwrap().path().join("example.yaml"))
            .filter(|example| example.is_file()),
    );
    // It is laid over another file.
    let overlay = root.join("configs/legacy/postgres.yaml");
    files.retain(|yaml| *yaml != overlay);
    for yaml in &files {
        let mut command = linkspan(&["validate"]);
        command.arg(yaml);
        if yaml.ends_with("legacy/nightly.yaml") {
            command.arg("--overlay").arg(&overlay);
        }
        let said = run(&mut command).expect_code(0).stderr;
        let lints: Vec<&str> = said
            .lines()
            .filter(|line| line.starts_with("warning[LS09"))
            .collect();
        assert!(lints.is_empty(), "{}: {lints:#?}", yaml.display());
    }
    assert!(files.len() >= 25, "{} files", files.len());
}

fn weather_keeps_the_order_of_each_airport(scratch: &Scratch) {
    let (input, output) = (
        scratch.read("configs/data/weather-2013-01.csv"),
        scratch.read("configs/out/weather.jsonl"),
    );
    for airport in ["EWR", "JFK", "LGA"] {
        let times_in: Vec<&str> = input
            .lines()
            .filter(|line| line.starts_with(airport))
            .map(|line| line.rsplit(',').next().unwrap())
            .collect();
        let rows = output
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let times_out: Vec<String> = rows
            .filter(|row| row["origin"] == airport)
            .map(|row| row["time_hour"].as_str().unwrap().replace(".000Z", "Z"))
            .collect();
        assert_eq!(times_in, times_out, "{airport}");
    }
    assert_eq!(input.lines().count() - 1, output.lines().count());
}

fn yaml_files(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    found.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "yaml")
    });
    found.sort();
    found
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}
