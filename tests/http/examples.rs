//! What people copy: the pipelines of `configs/http` and the connector's example, against the server of these tests.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::server::serve;
use crate::support::{
    Ran, Scratch, eventually, linkspan, plugins, repository, run_once, skip, skip_outside_ci,
    start, wait,
};

fn copied(scratch: &Scratch) -> PathBuf {
    let (from, to) = (repository().join("configs/http"), scratch.path("http"));
    for folder in ["", "data"] {
        fs::create_dir_all(to.join(folder)).unwrap();
        for entry in fs::read_dir(from.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                fs::copy(&path, to.join(folder).join(path.file_name().unwrap())).unwrap();
            }
        }
    }
    fs::create_dir_all(scratch.path("data")).unwrap();
    fs::copy(
        repository().join("configs/data/meters.db"),
        scratch.path("data/meters.db"),
    )
    .unwrap();
    to
}

fn once(yaml: &Path, server: &str) -> Ran {
    run_once(
        yaml,
        &["--timeout", "60s", "--param", &format!("server={server}")],
    )
    .expect_code(0)
}

fn ids(text: &str) -> Vec<String> {
    text.lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].to_string())
        .collect()
}

#[test]
fn every_shape_of_an_api_is_read_whole_and_a_second_run_is_said_to_be_one() {
    let (at, _) = serve("127.0.0.1:0", 0).unwrap();
    let server = format!("http://{at}");
    let scratch = Scratch::new();
    let folder = copied(&scratch);
    for (name, out, first) in [
        ("github", "issues", "0"),
        ("stripe", "charges", "\"ch_0\""),
        ("shopify", "orders", "0"),
    ] {
        once(&folder.join(format!("{name}.yaml")), &server);
        let found = ids(&scratch.read(&format!("http/out/{out}.jsonl")));
        assert_eq!(
            (found.len(), found[0].as_str()),
            (7, first),
            "{name}: {found:?}"
        );
    }
    // The one with a cursor has nothing new.
    once(&folder.join("github.yaml"), &server);
    assert_eq!(ids(&scratch.read("http/out/issues.jsonl")).len(), 7);
}

#[test]
fn rows_of_a_file_go_to_an_endpoint() {
    let (at, memory) = serve("127.0.0.1:0", 0).unwrap();
    let scratch = Scratch::new();
    let folder = copied(&scratch);
    once(
        &folder.join("csv-to-endpoint.yaml"),
        &format!("http://{at}"),
    );
    let received = memory.received();
    let mut names: Vec<String> = received
        .iter()
        .map(|one| {
            serde_json::from_str::<Value>(&one.body).unwrap()["name"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    names.sort();
    assert_eq!(names, ["Bremen", "Busan", "Seoul", "Zürich"]);
    assert!(
        received.iter().all(|one| one.key.len() > 36),
        "{received:?}"
    );
}

#[test]
fn a_table_of_a_database_goes_to_an_endpoint() {
    if !plugins()
        .iter()
        .any(|(name, _)| name.contains("connector_sql"))
    {
        return skip(
            "configs/http/table-to-endpoint.yaml",
            "this build has no SQL plugin",
        );
    }
    let (at, memory) = serve("127.0.0.1:0", 0).unwrap();
    let scratch = Scratch::new();
    let folder = copied(&scratch);
    once(
        &folder.join("table-to-endpoint.yaml"),
        &format!("http://{at}"),
    );
    let rows: Vec<String> = memory
        .received()
        .iter()
        .map(|one| one.body.clone())
        .collect();
    assert_eq!(rows.len(), 3, "{rows:?}");
    assert!(rows.iter().any(|row| row.contains("Mitte")), "{rows:?}");
}

#[test]
fn an_api_goes_into_a_table() {
    let recipe = "configs/http/api-to-sql.yaml";
    if !plugins()
        .iter()
        .any(|(name, _)| name.contains("connector_sql"))
    {
        return skip(recipe, "this build has no SQL plugin");
    }
    if std::process::Command::new("sqlite3")
        .arg("-version")
        .output()
        .is_err()
    {
        return skip_outside_ci(recipe, "sqlite3 not found");
    }
    let (at, _) = serve("127.0.0.1:0", 0).unwrap();
    let scratch = Scratch::new();
    let folder = copied(&scratch);
    let (yaml, server) = (folder.join("api-to-sql.yaml"), format!("http://{at}"));
    // Without the table nothing is made up: the error says what to do.
    run_once(
        &yaml,
        &["--timeout", "60s", "--param", &format!("server={server}")],
    )
    .expect_code(1)
    .says(&["table `issues`", "make the table"]);
    let ask = |sql: &str| {
        let answer = std::process::Command::new("sqlite3")
            .arg(folder.join("out/issues.db"))
            .arg(sql)
            .output()
            .unwrap();
        assert!(answer.status.success(), "{answer:?}");
        String::from_utf8(answer.stdout).unwrap()
    };
    ask(&fs::read_to_string(folder.join("data/issues.sql")).unwrap());
    let rows = "SELECT id, title, updated_at FROM issues ORDER BY id";
    once(&yaml, &server);
    let found = ask(rows);
    assert_eq!(found.lines().count(), 7, "{found}");
    assert!(
        found.starts_with("0|issue 0|2024-01-01T00:00:00Z\n"),
        "{found}"
    );
    once(&yaml, &server);
    assert_eq!(ask(rows), found);
}

#[test]
fn a_webhook_goes_to_a_file_and_a_stop_is_orderly() {
    use std::io::{Read as _, Write as _};
    let scratch = Scratch::new();
    let folder = copied(&scratch);
    let listen = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let yaml = folder.join("webhook-to-file.yaml");
    let mut host = start(
        linkspan(&["run", "--param", &format!("listen={listen}")]).arg(&yaml),
        &scratch.path("stdout"),
        &scratch.path("stderr"),
    );
    let post = |key: &str, body: &str| -> Option<String> {
        let mut stream = std::net::TcpStream::connect(listen).ok()?;
        let request = format!(
            "POST /post HTTP/1.1\r\nhost: h\r\nconnection: close\r\nidempotency-key: {key}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    };
    let mut first = None;
    assert!(
        eventually(Duration::from_secs(60), || {
            first = post("a", "{\"n\":1}");
            first.is_some()
        }),
        "{}",
        scratch.read("stderr")
    );
    assert!(first.unwrap().starts_with("HTTP/1.1 202"));
    assert!(post("a", "{\"n\":1}").unwrap().contains("repeated"));
    assert!(post("b", "{\"n\":2}").unwrap().starts_with("HTTP/1.1 202"));
    let written = || fs::read_to_string(scratch.path("http/out/hooks.jsonl")).unwrap_or_default();
    assert!(
        eventually(Duration::from_secs(30), || written().lines().count() == 2),
        "{}",
        written()
    );
    assert_eq!(written(), "{\"n\":1}\n{\"n\":2}\n");
    let stopped = std::process::Command::new("kill")
        .args(["-TERM", &host.id().to_string()])
        .status()
        .unwrap();
    assert!(stopped.success());
    assert_eq!(
        wait(&mut host, Duration::from_secs(30)).and_then(|status| status.code()),
        Some(143)
    );
    // A job has no end with a webhook, and says so before it starts.
    run_once(&yaml, &["--param", &format!("listen={listen}")])
        .expect_code(2)
        .says(&["webhook-source"]);
}

#[test]
fn the_example_of_the_connector_runs() {
    let (at, memory) = serve("127.0.0.1:0", 25).unwrap();
    let scratch = Scratch::new();
    let yaml = scratch.write(
        "example.yaml",
        fs::read(repository().join("connectors/http/example.yaml")).unwrap(),
    );
    once(&yaml, &format!("http://{at}"));
    assert_eq!((memory.count(), memory.pages()), (25, 3));
    once(&yaml, &format!("http://{at}"));
    assert_eq!(memory.count(), 25, "a second run finds nothing new");
}

#[test]
fn a_sink_does_not_reach_the_hosts_own_ports_nor_a_clouds_metadata() {
    let scratch = Scratch::new();
    scratch.write("in.txt", "a\n");
    for (url, text) in [
        ("http://169.254.169.254/latest", "link-local"),
        ("http://2852039166/", "link-local"),
        ("ftp://h/", "egress.schemes"),
    ] {
        let yaml = scratch.write(
            "pipeline.yaml",
            format!("connectors:\n  in: {{ connector: file-source, path: in.txt, topic: lines }}\n  out: {{ connector: http-sink, topics: [lines], url: \"{url}\" }}\n"),
        );
        let data = scratch.path(&format!("data-{}", text.len() + url.len()));
        run_once(
            &yaml,
            &["--timeout", "60s", "--data", data.to_str().unwrap()],
        )
        .expect_code(1)
        .says(&[text, "is not sent"]);
    }
}
