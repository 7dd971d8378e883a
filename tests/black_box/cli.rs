//! The command line as people and scripts meet it: one form of results, one of failures, names that are nearly right, hosts
//! elsewhere, shells and manuals.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Ran, Scratch, eventually, linkspan, run, start};

const SOON: Duration = Duration::from_secs(60);

/// A host with a listener, in a folder of its own: two connectors and a topic.
struct Host {
    scratch: Scratch,
    child: Child,
}

const PIPELINE: &str = "connectors:\n  words-in:\n    connector: file-source\n    path: in.txt\n    topic: words\n    poll.interval: 100ms\n  \
    words-out:\n    connector: file-sink\n    topics: [words]\n    path: out.txt\n    on.existing: append\n";

impl Host {
    fn new() -> Self {
        let scratch = Scratch::new();
        scratch.write("p.yaml", PIPELINE);
        scratch.write("in.txt", "one\ntwo\n");
        let mut command = linkspan(&["run", "--listen", "127.0.0.1:0"]);
        let child = start(
            command.arg(scratch.path("p.yaml")),
            &scratch.path("stdout"),
            &scratch.path("stderr"),
        );
        let host = Self { scratch, child };
        let written = || fs::read_to_string(host.scratch.path("out.txt")).unwrap_or_default();
        let ready = eventually(SOON, || {
            host.said().contains("connectors; Ctrl-C") && written() == "one\ntwo\n"
        });
        assert!(ready, "{}", host.said());
        host
    }

    fn said(&self) -> String {
        self.scratch.read("stderr")
    }

    fn url(&self) -> String {
        let said = self.said();
        let (_, rest) = said.split_once("REST on ").unwrap();
        rest.lines().next().unwrap().to_owned()
    }

    fn data(&self) -> std::path::PathBuf {
        self.scratch.path("linkspan-data")
    }

    fn call(&self, arguments: &[&str]) -> Ran {
        run(linkspan(arguments).args([Path::new("--data"), &self.data()]))
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn json_of(ran: &Ran) -> Value {
    serde_json::from_str(ran.stdout.trim())
        .unwrap_or_else(|error| panic!("{error}: {}", ran.stdout))
}

/// The lines of a result, with `-o name`.
fn names(ran: Ran) -> Vec<String> {
    ran.expect_code(0)
        .stdout
        .lines()
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_kind_is_listed_in_four_forms() {
    let host = Host::new();
    for (kind, expected) in [
        ("connectors", vec!["words-in", "words-out"]),
        ("tasks", vec!["words-in-0", "words-out-0"]),
        ("topics", vec!["words"]),
        ("groups", vec!["connect-words-out"]),
        ("jobs", vec![]),
        ("runs", vec![]),
        ("dlq", vec![]),
    ] {
        assert_eq!(
            names(host.call(&["get", kind, "-o", "name"])),
            expected,
            "{kind}"
        );
        let rows = json_of(&host.call(&["get", kind, "-o", "json"]).expect_code(0));
        assert_eq!(rows.as_array().unwrap().len(), expected.len(), "{kind}");
        let yaml = host
            .call(&["get", kind, "-o", "yaml"])
            .expect_code(0)
            .stdout;
        assert_eq!(
            yaml.matches("\n- ").count() + usize::from(yaml.starts_with("- ")),
            expected.len(),
            "{yaml}"
        );
        let table = host.call(&["get", kind]).expect_code(0);
        assert!(
            table.stdout.lines().count() == expected.len() + 1 || expected.is_empty(),
            "{}",
            table.stdout
        );
    }
    let plugins = names(host.call(&["get", "plugins", "-o", "name"]));
    assert!(plugins.contains(&"file-source".to_owned()), "{plugins:?}");
    let offsets = json_of(&host.call(&["get", "offsets", "words-in", "-o", "json"]));
    assert_eq!(offsets[0]["connector"], "words-in", "{offsets}");
    for words in [
        &["describe", "words-in"][..],
        &["describe", "topic", "words"],
        &["describe", "group", "connect-words-out"],
        &["describe", "plugin", "file-source"],
        &["describe", "offsets", "words-out"],
    ] {
        host.call(words).expect_code(0);
    }
}

#[test]
fn a_name_that_is_nearly_right_is_suggested() {
    let host = Host::new();
    for (words, code, meant) in [
        (
            &["pause", "words-inn"][..],
            "LS0610",
            "did you mean `words-in`?",
        ),
        (
            &["describe", "wrods-out"],
            "LS0610",
            "did you mean `words-out`?",
        ),
        (
            &["offsets", "get", "word-in"],
            "LS0610",
            "did you mean `words-in`?",
        ),
        (
            &["pause", "nothing*"],
            "LS0610",
            "there are: words-in, words-out",
        ),
        (&["get", "topcs", "x"], "LS0220", "did you mean `topics`?"),
        (&["get", "topc"], "LS0610", "was the kind `topics` meant?"),
        (
            &["topic", "describe", "wrods"],
            "LS0516",
            "did you mean `words`?",
        ),
        (
            &["get", "topics", "wrods"],
            "LS0516",
            "did you mean `words`?",
        ),
        (&["topc", "list"], "unrecognized subcommand", "topic"),
        (
            &["plugin", "inspect", "file-sorce"],
            "LS0201",
            "did you mean `file-source`?",
        ),
    ] {
        let ran = run(&mut if words[0] == "plugin" || words[0] == "topc" {
            linkspan(words)
        } else {
            let mut command = linkspan(words);
            command.arg("--data").arg(host.data());
            command
        });
        ran.expect_code(2).says(&[code, meant]);
    }
}

#[test]
fn stars_and_all_mean_several_connectors_and_one_that_refuses_is_partly_done() {
    let host = Host::new();
    let paused = host.call(&["pause", "words-*", "-o", "name"]);
    assert_eq!(names(paused), ["words-in", "words-out"]);
    let one = json_of(
        &host
            .call(&["resume", "words-in", "-o", "json"])
            .expect_code(0),
    );
    assert_eq!(one["name"], "words-in", "one name, one object");
    let all = json_of(&host.call(&["resume", "--all", "-o", "json"]).expect_code(0));
    assert_eq!(all.as_array().unwrap().len(), 2);
    host.call(&["stop", "words-in", "nobody"])
        .expect_code(4)
        .says(&["connector words-in is to be STOPPED", "LS0610"]);
}

#[test]
fn a_failure_is_one_object_where_json_was_asked_for() {
    let scratch = Scratch::new();
    let nowhere = scratch.path("nowhere");
    let nowhere = nowhere.to_str().unwrap();
    for words in [
        &["get", "--data", nowhere][..],
        &["describe", "a", "--data", nowhere],
        &["pause", "a", "--data", nowhere],
        &["offsets", "get", "a", "--data", nowhere],
        &["topic", "list", "--data", nowhere],
        &["groups", "list", "--data", nowhere],
        &["dlq", "list", "--data", nowhere],
        &["consume", "t", "--data", nowhere],
        &["log", "stat", "--data", nowhere],
        &["log", "verify", "--data", nowhere],
        &["jobs", "--data", nowhere],
        &["runs", "list", "--data", nowhere],
        &["apply", "--data", nowhere],
        &["backup", "b", "--data", nowhere],
        &["restore", nowhere, "--data", nowhere],
        &["explain", "LS9999"],
        &["plugin", "inspect", "no-class"],
        &["no-command"],
        &["get", "--no-option"],
        &["get", "--url", "ftp://a"],
        &["get", "--context", "nobody"],
    ] {
        let plain = run(linkspan(words).env("XDG_CONFIG_HOME", scratch.path("config")));
        assert!(
            plain.stderr.contains("error"),
            "{words:?}: {}",
            plain.stderr
        );
        assert_eq!(plain.stdout, "", "{words:?}");
        let words = [words, &["-o", "json"]].concat();
        let ran = run(linkspan(&words).env("XDG_CONFIG_HOME", scratch.path("config")));
        assert_eq!(ran.status.code(), plain.status.code(), "{words:?}");
        let object = json_of(&ran);
        assert_eq!(object["status"], "failed", "{words:?}");
        let code = object["error"]["code"].as_str().unwrap();
        assert!(
            code.starts_with("LS") && code.len() == 6,
            "{words:?}: {object}"
        );
        assert!(
            !object["error"]["message"].as_str().unwrap().is_empty(),
            "{words:?}"
        );
    }
}

#[test]
fn a_host_elsewhere_is_reached_by_url_variable_and_context() {
    let host = Host::new();
    let url = host.url();
    let config = host.scratch.path("config");
    let call = |words: &[&str]| run(linkspan(words).env("XDG_CONFIG_HOME", &config));
    let expected = ["words-in", "words-out"];
    assert_eq!(names(call(&["get", "-o", "name", "--url", &url])), expected);
    let by_variable = run(linkspan(&["get", "-o", "name"])
        .env("LINKSPAN_URL", &url)
        .env("XDG_CONFIG_HOME", &config));
    assert_eq!(names(by_variable), expected);

    call(&["context", "add", "here", "--url", &url, "--use"]).expect_code(0);
    let file = config.join("linkspan/config.yaml");
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(names(call(&["get", "-o", "name"])), expected);
    let text = call(&["consume", "words", "--exit"]).expect_code(0).stdout;
    assert_eq!(text.lines().count(), 2, "{text}");
    call(&["topic", "create", "more", "--context", "here"]).expect_code(0);
    assert_eq!(
        names(host.call(&["get", "topics", "-o", "name"])),
        ["more", "words"]
    );
    let classes = names(call(&["get", "plugins", "-o", "name"]));
    assert!(
        classes.iter().any(|class| class == "file-source"),
        "{classes:?}"
    );
    call(&["doctor"])
        .expect_code(0)
        .says(&["reachable", "ready", "access"]);
    runs_of_a_host_elsewhere(&host, &call);
    let class = json_of(&call(&["describe", "plugin", "file-source", "-o", "json"]).expect_code(0));
    assert_eq!(class["name"], "file-source", "{class}");
    call(&["describe", "plugin", "file-source"])
        .expect_code(0)
        .says(&["file-source (source)", "required"]);
    call(&["describe", "plugin", "file-sorce"])
        .expect_code(2)
        .says(&["LS0201"]);
    call(&["backup", "b"])
        .expect_code(2)
        .says(&["on the machine itself", "linkspan backup"]);
    call(&["get", "--context", "hree"])
        .expect_code(2)
        .says(&["LS0225", "did you mean `here`?"]);

    // A directory that is named is meant.
    call(&[
        "get",
        "--data",
        host.scratch.path("nowhere").to_str().unwrap(),
    ])
    .expect_code(3);
    call(&["context", "use", "--none"]).expect_code(0);
    call(&["get", "--url", "http://127.0.0.1:1"])
        .expect_code(3)
        .says(&["LS0706", "cannot be reached"]);
}

/// A job that ran in the host is listed and shown from elsewhere as it is beside the data directory.
fn runs_of_a_host_elsewhere(host: &Host, call: &dyn Fn(&[&str]) -> Ran) {
    assert_eq!(json_of(&call(&["runs", "list", "-o", "json"])), json!([]));
    let job = "connectors:\n  made: { connector: generator-source, topic: made, count: 3 }\n";
    let job = host.scratch.write("job/job.yaml", job);
    run(linkspan(&["run", "--once", "--data"])
        .arg(host.data())
        .arg(job))
    .expect_code(0);
    for words in [
        &["runs", "list", "-o", "json"][..],
        &["get", "runs", "-o", "json"],
        &["runs", "show", "last", "-o", "json"],
        &["describe", "run", "last", "-o", "json"],
    ] {
        let (there, here) = (json_of(&call(words)), json_of(&host.call(words)));
        assert!(
            there == here && there.to_string().contains("\"made\""),
            "{words:?}: {there} {here}"
        );
    }
    call(&["runs", "show", "last"])
        .expect_code(0)
        .says(&["run_id", "made"]);
    call(&["runs", "show", "nothing"])
        .expect_code(2)
        .says(&["LS0222"]);
}

#[test]
fn what_a_host_says_of_a_connector_is_printed() {
    let host = Host::new();
    host.call(&["restart", "words-in", "--include-tasks"])
        .expect_code(0);
    let lines = || {
        json_of(
            &host
                .call(&["logs", "words-in", "-o", "json"])
                .expect_code(0),
        )
    };
    let some = || !lines().as_array().unwrap().is_empty();
    assert!(eventually(SOON, some), "{}", host.said());
    let first = lines()[0].clone();
    let message = first["message"].as_str().unwrap().to_owned();
    host.call(&["logs", "words-in"])
        .expect_code(0)
        .says(&[&message]);
    let one = host.call(&["logs", "words-in", "--limit", "1", "-o", "name"]);
    assert_eq!(names(one).len(), 1);
    let grave = host.call(&["logs", "words-in", "--level", "error", "-o", "json"]);
    assert_eq!(json_of(&grave), json!([]));
    host.call(&["logs", "words-on"])
        .expect_code(2)
        .says(&["LS0610"]);
    // With --watch lines that come later are printed, too.
    let out = host.scratch.path("watched");
    let mut command = linkspan(&["logs", "words-in", "--watch", "-o", "json", "--data"]);
    let mut watching = start(command.arg(host.data()), &out, &host.scratch.path("err"));
    let count = || fs::read_to_string(&out).unwrap_or_default().lines().count();
    assert!(eventually(SOON, || count() > 0));
    let before = count();
    host.call(&["restart", "words-in", "--include-tasks"])
        .expect_code(0);
    let came = eventually(SOON, || count() > before);
    watching.kill().unwrap();
    watching.wait().unwrap();
    assert!(came, "{}", fs::read_to_string(&out).unwrap());
}

/// What there is without a plugin is listed beside the plugins' classes, and shown.
#[test]
fn transforms_predicates_and_converters_are_plugins_too() {
    let list = |more: &[&str]| run(linkspan(&["plugin", "list"]).args(more)).expect_code(0);
    let rows = json_of(&list(&["-o", "json"]));
    let kinds = ["source", "sink", "transform", "predicate", "converter"];
    for kind in kinds {
        assert!(
            rows.as_array()
                .unwrap()
                .iter()
                .any(|row| row["type"] == kind),
            "{kind}"
        );
    }
    let table = list(&[]).stdout;
    let line = |name: &str| {
        let found = table
            .lines()
            .find(|line| line.split_whitespace().next() == Some(name));
        found
            .unwrap_or_else(|| panic!("{name}: {table}"))
            .to_owned()
    };
    assert!(line("MaskField").contains("built in") && line("file-source").contains(".so"));
    let inspect = |name: &str| run(&mut linkspan(&["plugin", "inspect", name]));
    for name in names(list(&["-o", "name"])) {
        inspect(&name).expect_code(0).says(&[&name]);
    }
    inspect("MaskField")
        .expect_code(0)
        .says(&["replacement", "built in"]);
    inspect("MaskFeild")
        .expect_code(2)
        .says(&["did you mean `MaskField`?"]);
}

/// A token is read from a file or a variable, goes into no output, and never over an open line to another machine.
#[test]
fn a_token_is_not_shown_and_not_sent_in_the_open() {
    let scratch = Scratch::new();
    let token = scratch.path("token");
    scratch.write("token", "canary-77\n");
    let call = |words: &[&str]| {
        run(linkspan(words)
            .env("XDG_CONFIG_HOME", scratch.path("config"))
            .env("LINKSPAN_TOKEN", "canary-77"))
    };
    let ran = call(&["get", "--url", "http://linkspan.example.org:8083"]).expect_code(2);
    assert!(ran.stderr.contains("LS0226"), "{}", ran.stderr);
    let added = call(&[
        "context",
        "add",
        "prod",
        "--url",
        "https://linkspan.example.org",
        "--token-file",
        token.to_str().unwrap(),
    ])
    .expect_code(0);
    let listed = call(&["context", "list", "-o", "json"]).expect_code(0);
    let kept = fs::read_to_string(scratch.path("config/linkspan/config.yaml")).unwrap();
    let all = format!(
        "{}{}{}{}{}{kept}",
        ran.stderr, added.stdout, added.stderr, listed.stdout, listed.stderr
    );
    assert!(!all.contains("canary"), "{all}");
    assert!(kept.contains("token_file"), "{kept}");
}

#[test]
fn scripts_for_shells_are_taken_by_them_and_manuals_have_every_command() {
    for (shell, word) in [
        ("bash", "complete -F"),
        ("zsh", "#compdef linkspan"),
        ("fish", "complete -c linkspan"),
    ] {
        let script = run(&mut linkspan(&["completions", shell]))
            .expect_code(0)
            .stdout;
        assert!(
            script.contains(word) && script.contains("describe"),
            "{shell}"
        );
        if shell == "bash" {
            let scratch = Scratch::new();
            scratch.write("c.sh", &script);
            let checked = run(Command::new("bash").arg("-n").arg(scratch.path("c.sh")));
            checked.expect_code(0);
        }
    }
    let scratch = Scratch::new();
    run(linkspan(&["man"]).arg(scratch.path("man"))).expect_code(0);
    let page = fs::read_to_string(scratch.path("man/linkspan-topic-create.1")).unwrap();
    assert!(
        page.contains(".TH") && page.contains("retention.ms"),
        "{page}"
    );
    assert!(
        !scratch
            .path("man/linkspan-plugin-probe.1")
            .try_exists()
            .unwrap()
    );
}

#[test]
fn doctor_says_what_is_wrong_and_what_to_do() {
    let scratch = Scratch::new();
    let call = |data: &str, more: &[&str]| {
        run(linkspan(&["doctor", "--listen", "127.0.0.1:0", "--data"])
            .arg(scratch.path(data))
            .args(more)
            .env("XDG_CONFIG_HOME", scratch.path("config")))
    };
    let well = json_of(&call("new", &["-o", "json"]).expect_code(0));
    let status = |rows: &Value, check: &str| {
        let rows = rows.as_array().unwrap();
        rows.iter()
            .find(|row| row["check"] == check)
            .map(|row| row["status"].clone())
    };
    for check in [
        "program",
        "plugins",
        "data directory",
        "permission",
        "disk speed",
        "port",
        "open files",
        "clock",
    ] {
        assert!(
            status(&well, check).is_some_and(|status| status == "ok" || status == "warn"),
            "{check}: {well}"
        );
    }
    fs::create_dir(scratch.path("other")).unwrap();
    scratch.write("other/letter.txt", "dear");
    let bad = json_of(&call("other", &["-o", "json"]).expect_code(3));
    assert_eq!(status(&bad, "data directory"), Some(json!("fail")), "{bad}");
    call("other", &[])
        .expect_code(3)
        .says(&["fail", "→", "1 failures"]);
}

#[test]
fn nothing_is_painted_where_nobody_looks_and_bare_linkspan_says_what_to_type() {
    let scratch = Scratch::new();
    let bare =
        run(linkspan::<&str>(&[]).env("XDG_CONFIG_HOME", scratch.path("config"))).expect_code(0);
    bare.says(&["Try next", "linkspan run --once", "--help"]);
    for words in [
        &["get"][..],
        &["doctor"],
        &["explain", "all"],
        &["--help"],
        &["nonsense"],
    ] {
        let ran = run(linkspan(words).env("XDG_CONFIG_HOME", scratch.path("config")));
        assert!(
            !ran.stdout.contains('\x1b') && !ran.stderr.contains('\x1b'),
            "{words:?}"
        );
    }
}

#[test]
fn a_code_is_explained_in_english_and_korean() {
    let call = |words: &[&str]| run(&mut linkspan(words)).expect_code(0).stdout;
    assert!(call(&["explain", "LS0103"]).starts_with("LS0103: unknown key"));
    assert!(call(&["explain", "LS0103", "--lang", "ko"]).starts_with("LS0103: 알 수 없는 키"));
    let all: Value =
        serde_json::from_str(&call(&["explain", "all", "--lang", "ko", "-o", "json"])).unwrap();
    assert_eq!(
        all.as_array().unwrap().len(),
        call(&["explain", "all"]).lines().count()
    );
}
