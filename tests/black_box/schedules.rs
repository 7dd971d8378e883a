//! Jobs that run by themselves: `schedule:` in `linkspan run`. Times over clock changes and downtime are tested beside the
//! code, with a clock of the test's own.

use std::process::{Child, Command};
use std::time::Duration;

use serde_json::Value;

use crate::support::{Scratch, eventually, linkspan, run, start, wait};

const SOON: Duration = Duration::from_secs(60);

struct Host {
    scratch: Scratch,
    child: Option<Child>,
}

impl Host {
    /// A job `nightly` that copies `in.txt`, and whatever else stands beside it.
    fn new(head: &str) -> Self {
        let scratch = Scratch::new();
        scratch.write(
            "jobs/nightly.yaml",
            format!(
                "{head}\nconnectors:\n  in:\n    connector: file-source\n    path: ../in.txt\n    topic: lines\n  out:\n    \
                 connector: file-sink\n    topics: [lines]\n    path: ../out.txt\n"
            ),
        );
        scratch.write("in.txt", "a\n");
        Self {
            scratch,
            child: None,
        }
    }

    fn start(&mut self) {
        let mut command = linkspan(&["run", "--listen", "none", "--data"]);
        command
            .arg(self.scratch.path("data"))
            .arg(self.scratch.path("jobs"));
        let (out, err) = (self.scratch.path("o"), self.scratch.path("e"));
        self.child = Some(start(&mut command, &out, &err));
        assert!(
            eventually(SOON, || self.said().contains("next run")),
            "{}",
            self.said()
        );
    }

    fn said(&self) -> String {
        self.scratch.read("e")
    }

    fn stop(&mut self) -> Option<i32> {
        let mut child = self.child.take().unwrap();
        let id = child.id().to_string();
        Command::new("kill").args(["-TERM", &id]).status().unwrap();
        wait(&mut child, SOON).and_then(|status| status.code())
    }

    fn ask(&self, words: &[&str]) -> Value {
        let ran = run(linkspan(words)
            .args(["-o", "json", "--data"])
            .arg(self.scratch.path("data")))
        .expect_code(0);
        serde_json::from_str(ran.stdout.trim()).unwrap()
    }

    fn runs(&self) -> Vec<Value> {
        self.ask(&["runs", "list"]).as_array().unwrap().clone()
    }

    fn output(&self) -> String {
        std::fs::read_to_string(self.scratch.path("out.txt")).unwrap_or_default()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

#[test]
fn a_job_runs_when_its_time_comes_again_and_again() {
    let mut host = Host::new("schedule: { cron: \"* * * * * *\" }");
    host.start();
    assert!(
        eventually(SOON, || host.output() == "a\n"),
        "{}",
        host.said()
    );
    host.scratch.write("in.txt", "a\nb\n");
    assert!(
        eventually(SOON, || host.output() == "a\nb\n"),
        "{}",
        host.said()
    );
    let runs = host.runs();
    assert!(runs.len() >= 2, "{runs:?}");
    let ended = runs.iter().find(|run| run["status"] == "ok").unwrap();
    assert_eq!(ended["trigger"], "schedule");
    assert_eq!(ended["job"], "nightly");
    assert!(ended["due"].as_str().unwrap().ends_with(".000Z"), "{ended}");
    assert_eq!(host.stop(), Some(143));
    // What a schedule ran can be repeated by hand.
    let data = host.scratch.path("data");
    let again =
        run(linkspan(&["run", "--once", "-o", "json", "--rerun", "last", "--data"]).arg(&data))
            .expect_code(0);
    assert!(
        again.stdout.contains("\"status\":\"ok\""),
        "{}",
        again.stdout
    );
}

#[test]
fn the_next_run_is_shown_and_a_job_that_waits_runs_nothing() {
    let mut host = Host::new("schedule: { cron: \"0 3 1 1 *\", timezone: Asia/Seoul }");
    host.start();
    let jobs = host.ask(&["jobs"]);
    assert_eq!(jobs[0]["job"], "nightly");
    assert_eq!(jobs[0]["state"], "SCHEDULED");
    let next = jobs[0]["next"].as_str().unwrap();
    assert!(next.ends_with("-01-01T03:00:00+09:00"), "{next}");
    let connectors = host.ask(&["get"]);
    assert_eq!(connectors[0]["state"], "SCHEDULED");
    assert_eq!(connectors[0]["next"], next);
    run(linkspan(&["get", "--data"]).arg(host.scratch.path("data")))
        .expect_code(0)
        .says(&["SCHEDULED, next", next]);
    assert!(host.runs().is_empty());
    // By hand it runs at once, on this host.
    let mut command = linkspan(&["run", "--once", "--job", "nightly", "--data"]);
    command
        .arg(host.scratch.path("data"))
        .arg(host.scratch.path("jobs"));
    run(&mut command).expect_code(0).says(&["held by a host"]);
    assert_eq!(host.output(), "a\n");
    assert_eq!(host.stop(), Some(143));
}

#[test]
fn times_without_a_host_are_made_up_for_at_the_next_start() {
    for (missed, says) in [
        ("run-once", "one makes up for them"),
        ("skip", "runs left out: no host ran"),
    ] {
        let mut host = Host::new(&format!(
            "schedule: {{ cron: \"* * * * * *\", missed: {missed} }}"
        ));
        host.start();
        assert!(
            eventually(SOON, || host.output() == "a\n"),
            "{}",
            host.said()
        );
        assert_eq!(host.stop(), Some(143));
        std::thread::sleep(Duration::from_secs(3));
        host.start();
        assert!(
            eventually(SOON, || host.said().contains(says)),
            "{missed}: {}",
            host.said()
        );
        assert_eq!(host.stop(), Some(143));
    }
}

#[test]
fn a_job_that_cannot_end_or_runs_in_a_circle_is_refused_at_the_start() {
    let host = Host::new("schedule: { cron: \"@daily\" }");
    host.scratch.write(
        "jobs/circle.yaml",
        "schedule: { cron: \"@daily\" }\nconnectors:\n  a:\n    connector: file-source\n    path: x.txt\n    topic: t\n  b:\n    \
         connector: file-sink\n    topics: [t]\n    path: x.txt\n",
    );
    let mut command = linkspan(&["run", "--listen", "none", "--data"]);
    command
        .arg(host.scratch.path("data"))
        .arg(host.scratch.path("jobs"));
    run(&mut command).expect_code(2).says(&["LS0216"]);
}

#[test]
fn a_run_that_fails_does_not_end_the_schedule_and_calls_on_failure() {
    let mut host = Host::new(
        "schedule: { cron: \"* * * * * *\" }\non.failure: { command: [sh, -c, 'cat > ../failed.json'] }\non.success: { command: [sh, -c, 'cat > ../ok.json'] }",
    );
    std::fs::remove_file(host.scratch.path("in.txt")).unwrap();
    host.start();
    let told = |name: &str| {
        std::fs::read_to_string(host.scratch.path(name))
            .ok()
            .and_then(|text| serde_json::from_str::<Value>(&text).ok())
    };
    assert!(
        eventually(SOON, || told("failed.json").is_some()),
        "{}",
        host.said()
    );
    assert_eq!(told("failed.json").unwrap()["status"], "failed");
    host.scratch.write("in.txt", "late\n");
    assert!(
        eventually(SOON, || told("ok.json").is_some()),
        "{}",
        host.said()
    );
    assert_eq!(host.output(), "late\n");
    // A file that is not valid any more fails the run, and the job goes on when it is mended.
    let yaml = host.scratch.path("jobs/nightly.yaml");
    let good = std::fs::read_to_string(&yaml).unwrap();
    std::fs::write(&yaml, good.replace("topic: lines", "topci: lines")).unwrap();
    let broken = || {
        host.runs()
            .iter()
            .any(|run| run["error"]["code"] == "LS0103")
    };
    assert!(eventually(SOON, broken), "{}", host.said());
    std::fs::write(&yaml, good).unwrap();
    host.scratch.write("in.txt", "late\nlater\n");
    assert!(
        eventually(SOON, || host.output() == "late\nlater\n"),
        "{}",
        host.said()
    );
    assert_eq!(host.stop(), Some(143));
}
