//! `on.failure` and `on.success` of a job: commands and calls with its summary.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use serde_json::Value;

use crate::pipeline::{Pipeline, summary};
use crate::support::{Ran, run_once};

/// A pipeline whose file says what to do afterwards.
fn pipeline(head: &str) -> Pipeline {
    let pipeline = Pipeline::new(&[], &[]);
    let text = std::fs::read_to_string(&pipeline.yaml).unwrap();
    std::fs::write(&pipeline.yaml, format!("{head}\n{text}")).unwrap();
    pipeline
}

fn warnings(ran: &Ran) -> String {
    summary(ran)["warnings"].to_string()
}

#[test]
fn a_command_gets_the_summary_on_its_standard_input_and_no_shell_reads_its_arguments() {
    let head = "on.success: { command: [./hook.sh, \"$HOME; ok\"] }\non.failure: { command: [./hook.sh, failure] }";
    let pipeline = pipeline(head);
    let script = pipeline.scratch.write(
        "hook.sh",
        "#!/bin/sh\necho said by the hook\necho \"$1 $LINKSPAN_STATUS $LINKSPAN_JOB\" > told.txt\ncat > summary.json\n",
    );
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let told = || pipeline.scratch.read("told.txt");
    // The input is missing: the job fails.
    let ran = pipeline.run().expect_code(1).says(&["said by the hook"]);
    assert_eq!(told(), "failure failed pipeline\n");
    let given: Value = serde_json::from_str(&pipeline.scratch.read("summary.json")).unwrap();
    assert_eq!(
        given,
        summary(&ran),
        "stdout has the summary and nothing else"
    );
    pipeline.input("a\n");
    let ran = pipeline.run().expect_code(0);
    assert_eq!(told(), "$HOME; ok ok pipeline\n");
    assert_eq!(warnings(&ran), "[]");
}

#[test]
fn a_hook_that_does_not_work_is_a_warning_and_changes_nothing_else() {
    for (hook, says) in [
        ("command: [./nowhere.sh]", "could not be started"),
        ("command: [sh, -c, 'exit 7']", "exit status: 7"),
        (
            "command: [sleep, '60'], timeout: 300ms",
            "took longer than 0.3 s",
        ),
        ("url: \"http://127.0.0.1:9/\"", "cannot be reached"),
    ] {
        let pipeline = pipeline(&format!("on.success: {{ {hook} }}"));
        pipeline.input("a\n");
        let ran = pipeline.run().expect_code(0).says(&["LS0430", says]);
        assert!(warnings(&ran).contains(says), "{}", ran.stdout);
        assert_eq!(pipeline.output(), "a\n");
    }
}

#[test]
fn a_call_posts_the_summary() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut heard = String::new();
        let mut piece = [0; 4096];
        while !heard.contains("\"warnings\":[]}") {
            let read = stream.read(&mut piece).unwrap();
            assert_ne!(read, 0, "{heard}");
            heard.push_str(&String::from_utf8_lossy(&piece[..read]));
        }
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            .unwrap();
        heard
    });
    let pipeline = pipeline(&format!(
        "on.success:\n  url: http://localhost:{port}/done\n  headers: {{ x-token: \"${{env:HOOK_TOKEN}}\" }}"
    ));
    pipeline.input("a\n");
    let mut command = crate::support::linkspan(&["run", "--once", "-o", "json"]);
    let ran = crate::support::run(
        command
            .arg(&pipeline.yaml)
            .env("HOOK_TOKEN", "s3cret-token"),
    )
    .expect_code(0);
    let heard = server.join().unwrap();
    assert!(heard.starts_with("POST /done HTTP/1.1\r\n"), "{heard}");
    assert!(heard.contains("x-token: s3cret-token"), "{heard}");
    let (_, body) = heard.split_once("\r\n\r\n").unwrap();
    assert_eq!(serde_json::from_str::<Value>(body).unwrap(), summary(&ran));
    let log = pipeline.scratch.path("linkspan-data/runs");
    for entry in std::fs::read_dir(log).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        assert!(!text.contains("s3cret-token"), "{text}");
    }
}

#[test]
fn dead_letters_are_a_failure_for_hooks() {
    let yaml = "on.failure: { command: [sh, -c, 'echo $LINKSPAN_STATUS > told.txt'] }\nconnectors:\n  in:\n    connector: file-source\n    path: in.txt\n    \
                topic: lines\n  s:\n    connector: blackhole-sink\n    topics: [lines]\n    rehearse.refuse: bad\n    errors: { tolerance: all }\n";
    let pipeline = Pipeline::new(&[], &[]);
    std::fs::write(&pipeline.yaml, yaml).unwrap();
    pipeline.input("good\nbad\n");
    run_once(&pipeline.yaml, &["--timeout", "60s"]).expect_code(4);
    assert_eq!(pipeline.scratch.read("told.txt"), "partial\n");
}
