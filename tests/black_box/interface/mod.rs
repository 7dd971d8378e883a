//! `/api/v1` of a real host against the description that it serves itself: every route that is described is asked, answers with
//! a status that is described, and with JSON that fits its shape and has no field that is not described.

mod schema;

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Child;
use std::time::Duration;

use serde_json::{Value, json};

use crate::client::{self, Answer};
use crate::support::{Scratch, eventually, linkspan, run, start};

const SOON: Duration = Duration::from_secs(60);
const SECRET: &str = "canary-7c1f";

/// A source, a sink with a transform and dead letters, and one made over the network.
const PIPELINE: &str = "connectors:
  in: { connector: file-source, format: lines, path: in.txt, topic: lines, poll.interval: 50ms }
  out:
    connector: file-sink
    topics: [lines]
    path: out.txt
    value.converter: json
    value.converter.schemas.enable: false
    transforms: [hide]
    transforms.hide.type: MaskField$Value
    transforms.hide.fields: [n]
    errors: { tolerance: all, deadletterqueue.topic.name: letters }
";

/// A host that listens, and its description.
struct Host {
    scratch: Scratch,
    child: Child,
    address: SocketAddr,
    document: Value,
    /// `GET /api/v1/topics` and so on: what was asked so far.
    asked: BTreeSet<String>,
}

impl Drop for Host {
    fn drop(&mut self) {
        // It is the test's own, and nothing of it is kept.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Host {
    fn start() -> Self {
        let scratch = Scratch::new();
        scratch.write("in.txt", "{\"n\":1}\npoison\n{\"n\":2}\n");
        let yaml = scratch.write("p.yaml", PIPELINE);
        let data = scratch.path("data");
        let job = scratch.write(
            "job.yaml",
            "connectors:\n  tick: { connector: generator-source, topic: ticks, count: 3 }\n",
        );
        run(linkspan(&["run", "--once", "--data"]).arg(&data).arg(job)).expect_code(0);
        scratch.write("more/libcut.so", "not a plugin any more");
        let mut command = linkspan(&["run", "--listen", "127.0.0.1:0", "--plugin-path"]);
        command.arg(scratch.path("more")).arg("--data");
        let child = start(
            command.arg(&data).arg(yaml),
            &scratch.path("stdout"),
            &scratch.path("stderr"),
        );
        let address = |text: &str| -> Option<SocketAddr> {
            let (_, rest) = text.split_once("REST on http://")?;
            rest.lines().next()?.trim().parse().ok()
        };
        let mut found = None;
        eventually(SOON, || {
            found = address(&scratch.read("stderr"));
            found.is_some()
        });
        let address = found.unwrap_or_else(|| panic!("{}", scratch.read("stderr")));
        let mut host = Self {
            scratch,
            child,
            address,
            document: Value::Null,
            asked: BTreeSet::new(),
        };
        assert!(eventually(SOON, || host.raw("GET", "/readyz", None).status == 200));
        let answer = host.raw("GET", "/api/v1/openapi.json", None);
        host.document = serde_json::from_slice(&answer.body).unwrap();
        host
    }

    fn raw(&self, method: &str, path: &str, body: Option<&str>) -> Answer {
        let json = [("Content-Type".to_owned(), "application/json".to_owned())];
        client::ask(self.address, method, path, &json, body.map(str::as_bytes)).unwrap()
    }

    fn operation(&self, route: &str) -> Value {
        let (method, path) = route.split_once(' ').unwrap();
        let operation = self.document["paths"][path][method.to_lowercase()].clone();
        assert!(operation.is_object(), "not described: {route}");
        operation
    }

    /// Asks, and checks that the answer is a success as described. `with` fills the braces of the route, then the query.
    #[track_caller]
    fn ask(&mut self, route: &str, with: &[&str], body: Option<Value>) -> Value {
        let operation = self.operation(route);
        let (method, path) = route.split_once(' ').unwrap();
        let mut path = path.to_owned();
        for value in with {
            match (path.find('{'), path.find('}')) {
                (Some(from), Some(to)) => path.replace_range(from..=to, value),
                _ => path.push_str(value),
            }
        }
        let body = body.map(|body| match body {
            Value::String(lines) => lines,
            other => other.to_string(),
        });
        let answer = self.raw(method, &path, body.as_deref());
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        let described = &operation["responses"][answer.status.to_string()];
        assert!(described.is_object(), "{route}: {} {text}", answer.status);
        self.asked.insert(route.to_owned());
        let content = described["content"].as_object().unwrap();
        let (media, content) = content.iter().next().unwrap();
        let sent = answer.header("content-type").unwrap_or_default();
        assert!(sent.starts_with(media.as_str()), "{route}: {sent}");
        match media.as_str() {
            "application/json" => {
                let value: Value = serde_json::from_str(&text).unwrap();
                self.fits(route, &content["schema"], &value);
                value
            }
            "application/x-ndjson" => {
                let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
                let lines: Vec<Value> = lines.collect();
                for line in &lines {
                    self.fits(route, &content["schema"], line);
                }
                Value::Array(lines)
            }
            _ => Value::String(text),
        }
    }

    #[track_caller]
    fn fits(&self, what: &str, shape: &Value, value: &Value) {
        let wrong = schema::check(&self.document, shape, value);
        assert!(wrong.is_empty(), "{what}: {wrong:#?}\n{value:#}");
    }

    /// Asks for something that is refused.
    #[track_caller]
    fn refused(&self, method: &str, path: &str, body: Option<&str>, status: u16) -> Value {
        let answer = self.raw(method, path, body);
        let value: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        assert_eq!(answer.status, status, "{method} {path}: {value}");
        self.fits(
            path,
            &json!({ "$ref": "#/components/schemas/Error" }),
            &value,
        );
        value
    }

    /// The beginning of the stream, up to its first event.
    fn stream(&mut self) -> String {
        self.asked.insert("GET /api/v1/events".to_owned());
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        let head = format!(
            "GET /api/v1/events HTTP/1.1\r\nHost: {}\r\n\r\n",
            self.address
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut text = Vec::new();
        let mut chunk = [0; 4096];
        while !String::from_utf8_lossy(&text).contains("event: fleet") {
            let read = stream.read(&mut chunk).unwrap();
            assert!(read > 0, "{}", String::from_utf8_lossy(&text));
            text.extend_from_slice(chunk.get(..read).unwrap());
        }
        String::from_utf8_lossy(&text).into_owned()
    }
}

/// What the first event of this name says.
#[track_caller]
fn told(stream: &str, event: &str) -> Value {
    let from = stream
        .split_once(&format!("event: {event}\ndata: "))
        .unwrap_or_else(|| panic!("no `{event}`: {stream}"));
    let line = from.1.lines().next().unwrap();
    serde_json::from_str(line).unwrap()
}

#[test]
fn every_route_answers_as_it_is_described() {
    let mut host = Host::start();
    let host = &mut host;
    connectors(host);
    offsets(host);
    letters(host);
    topics(host);
    groups(host);
    workbench(host);
    trials(host);
    changes(host);
    let stream = host.stream();
    assert!(stream.contains("text/event-stream"), "{stream}");
    // A page that reads the stream needs no other request: who reads it and the host stand before the fleet.
    for (event, shape) in [("who", "Whoami"), ("host", "Host")] {
        let place = json!({ "$ref": format!("#/components/schemas/{shape}") });
        host.fits(event, &place, &told(&stream, event));
    }

    let mut described = BTreeSet::new();
    for (path, operations) in host.document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            if operation["x-on-machine"] == true {
                let refused = host.refused(&method.to_uppercase(), path, Some("{}"), 403);
                assert_eq!(refused["code"], "LS0623");
            } else {
                described.insert(format!("{} {path}", method.to_uppercase()));
            }
        }
    }
    assert_eq!(host.asked, described);
    assert!(described.len() > 50, "{}", described.len());
    // Nothing that was asked told the secret of a connector, and neither did the host's own log.
    assert!(!host.scratch.read("stderr").contains(SECRET));
}

fn connectors(host: &mut Host) {
    let made = json!({ "name": "hook", "config": {
        "connector.class": "http-sink", "topics": "lines", "url": "http://127.0.0.1:9/", "auth.type": "bearer",
        "auth.token": SECRET,
    } });
    let answer = host.raw("POST", "/connectors?", Some(&made.to_string()));
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!(answer.status, 201, "{text}");
    assert!(eventually(SOON, || {
        let lag = host.raw("GET", "/api/v1/connectors/out", None).body;
        let lag: Value = serde_json::from_slice(&lag).unwrap();
        lag["dead_letters"] == 1 && lag["lag_by_partition"][0]["lag"] == 0
    }));
    for route in ["GET /api/v1/connectors", "GET /api/v1/pipelines"] {
        host.ask(route, &[], None);
    }
    // Of a look a second later.
    assert!(eventually(SOON, || {
        let fleet = host.ask("GET /api/v1/fleet", &[], None);
        fleet["totals"]["connectors"] == 3
    }));
    let metrics = host.ask("GET /metrics", &[], None);
    for line in [
        "linkspan_task_lag_records{connector=\"out\",task=\"0\"} 0",
        "linkspan_task_records_total{connector=\"out\",task=\"0\",stage=\"transformed\"} 2",
        "linkspan_task_buffer_bytes{connector=\"out\",task=\"0\"} 0",
    ] {
        let text = metrics.as_str().unwrap();
        assert!(text.lines().any(|known| known == line), "{line}\n{text}");
    }
    let detail = host.ask("GET /api/v1/connectors/{name}", &["out"], None);
    assert_eq!(detail["config"]["transforms.hide.type"], "MaskField$Value");
    let hook = host.ask("GET /api/v1/connectors/{name}", &["hook"], None);
    assert_eq!(hook["config"]["auth.token"], "[hidden]");
    host.ask(
        "GET /api/v1/connectors/{name}/events",
        &["out", "?limit=2"],
        None,
    );
    let logs = "GET /api/v1/connectors/{name}/logs";
    let told = host.ask(logs, &["out"], None);
    let lines = told["lines"].as_array().unwrap();
    assert!(!lines.is_empty());
    let after = format!("?after={}", told["next"]);
    assert_eq!(host.ask(logs, &["out", &after], None)["dropped"], 0);
    host.refused("GET", "/api/v1/connectors/out/logs?level=loud", None, 400);
}

/// A preview changes nothing, whatever the connector does.
fn offsets(host: &mut Host) {
    let before = host.ask("GET /api/v1/connectors/{name}/offsets", &["out"], None);
    let rewind = "POST /api/v1/connectors/{name}/offsets/rewind";
    let preview = host.ask(
        rewind,
        &["out", "?preview=true"],
        Some(json!({ "to_ms": 0 })),
    );
    assert_eq!(preview["stopped"], false);
    assert_eq!(preview["changes"][0]["from"], json!({ "kafka_offset": 3 }));
    assert_eq!(preview["changes"][0]["to"], json!({ "kafka_offset": 0 }));
    let reset = host.ask(
        "DELETE /api/v1/connectors/{name}/offsets",
        &["out", "?preview=true"],
        None,
    );
    assert_eq!(reset["changes"][0]["to"], Value::Null);
    let beyond = json!({ "offsets": [{
        "partition": { "kafka_topic": "lines", "kafka_partition": 0 }, "offset": { "kafka_offset": 99 },
    }] });
    let path = "/api/v1/connectors/out/offsets?preview=true";
    host.refused("PATCH", path, Some(&beyond.to_string()), 400);
    assert_eq!(
        host.ask("GET /api/v1/connectors/{name}/offsets", &["out"], None),
        before
    );
    // Without it a connector that works is not touched either.
    host.refused("DELETE", "/api/v1/connectors/out/offsets", None, 400);

    for verb in ["pause", "resume", "stop"] {
        host.ask(
            &format!("PUT /api/v1/connectors/{{name}}/{verb}"),
            &["out"],
            None,
        );
    }
    assert!(eventually(SOON, || {
        let body = host.raw("GET", "/api/v1/connectors/out", None).body;
        serde_json::from_slice::<Value>(&body).unwrap()["state"] == "STOPPED"
    }));
    let patch = "PATCH /api/v1/connectors/{name}/offsets";
    let back = json!({ "offsets": [{
        "partition": { "kafka_topic": "lines", "kafka_partition": 0 }, "offset": { "kafka_offset": 1 },
    }] });
    host.ask(patch, &["out"], Some(back));
    host.ask(rewind, &["out"], Some(json!({ "to_ms": 0 })));
    host.ask("DELETE /api/v1/connectors/{name}/offsets", &["out"], None);
    host.ask(
        "POST /api/v1/connectors/{name}/restart",
        &["out", "?includeTasks=true"],
        None,
    );
    host.ask(
        "POST /api/v1/connectors/{name}/tasks/{task}/restart",
        &["in", "0"],
        None,
    );
}

fn letters(host: &mut Host) {
    assert_eq!(
        host.ask("GET /api/v1/dlq", &[], None)[0]["topic"],
        "letters"
    );
    let shown = host.ask(
        "POST /api/v1/dlq/{topic}/show",
        &["letters"],
        Some(json!({ "limit": 5 })),
    );
    assert_eq!(shown["letters"][0]["value"], "poison");
    let replay = "POST /api/v1/dlq/{topic}/replay";
    let again = |preview: bool| Some(json!({ "to": "again", "preview": preview }));
    host.ask("POST /api/v1/topics", &[], Some(json!({ "name": "again" })));
    for _ in 0..2 {
        let preview = host.ask(replay, &["letters"], again(true));
        assert_eq!(
            preview["replayed"],
            json!([{ "topic": "again", "records": 1 }])
        );
    }
    let done = host.ask(replay, &["letters"], again(false));
    assert_eq!(
        (&done["preview"], &done["before"]),
        (&json!(false), &json!(0))
    );
    assert_eq!(host.ask(replay, &["letters"], again(true))["before"], 1);
    mended(host);
}

/// A letter that no reader of JSON takes, made into JSON by a step on its way back.
fn mended(host: &mut Host) {
    let replay = "POST /api/v1/dlq/{topic}/replay";
    host.ask(
        "POST /api/v1/topics",
        &[],
        Some(json!({ "name": "mended" })),
    );
    let body = |field: &str, preview: bool| {
        json!({ "to": "mended", "preview": preview, "transforms": {
            "transforms": "wrap", "transforms.wrap.type": "HoistField$Value", "transforms.wrap.field": field,
        } })
    };
    let preview = host.ask(replay, &["letters"], Some(body("text", true)));
    let sample = &preview["samples"][0];
    assert_eq!(sample["before"]["value"], "poison", "{preview}");
    assert_eq!(sample["after"][0]["value"], "{\"text\":\"poison\"}");
    let path = "/api/v1/dlq/letters/replay";
    let wrong =
        json!({ "to": "mended", "transforms": { "transforms": "x", "transforms.x.type": "Nope" } });
    let refused = host.refused("POST", path, Some(&wrong.to_string()), 400);
    assert_eq!(refused["code"], "LS0210");
    let routed = json!({ "to": "mended", "transforms": {
        "transforms": "x", "transforms.x.type": "RegexRouter", "transforms.x.regex": ".*", "transforms.x.replacement": "lines",
    } });
    host.refused("POST", path, Some(&routed.to_string()), 400);
    let empty = host.ask("GET /api/v1/topics/{topic}/browse", &["mended"], None);
    assert_eq!(empty["records"], json!([]), "a preview or a refusal wrote");
    let done = host.ask(replay, &["letters"], Some(body("text", false)));
    assert_eq!(
        (&done["filtered"], &done["samples"]),
        (&json!(0), &json!([]))
    );
    let page = host.ask("GET /api/v1/topics/{topic}/browse", &["mended"], None);
    assert_eq!(page["records"][0]["value"], "{\"text\":\"poison\"}");
    assert_eq!(page["records"][1], Value::Null);
    let again = host.ask(replay, &["letters"], Some(body("text", false)));
    assert_eq!(
        (&again["before"], &again["replayed"]),
        (&json!(1), &json!([]))
    );
}

fn topics(host: &mut Host) {
    host.ask("GET /api/v1/topics", &[], None);
    host.ask("GET /api/v1/topics/{topic}", &["again"], None);
    let change = json!({ "partitions": 2, "settings": { "retention.ms": "1000000" } });
    host.ask("PATCH /api/v1/topics/{topic}", &["again"], Some(change));
    let produce = "POST /api/v1/topics/{topic}/records";
    let lines = json!(
        "{\"key\":\"a\",\"value\":\"1\"}\n{\"key\":\"b\",\"value\":{\"base64\":\"/w==\"},\"headers\":[[\"h\",null]]}\n"
    );
    assert_eq!(host.ask(produce, &["again"], Some(lines))["records"], 2);
    let records = host.ask(
        "GET /api/v1/topics/{topic}/records",
        &["again", "?exit=true"],
        None,
    );
    assert_eq!(records.as_array().unwrap().len(), 3);
    let browse = "GET /api/v1/topics/{topic}/browse";
    let page = host.ask(browse, &["again", "?from=earliest&key=b"], None);
    assert_eq!(page["records"][0]["value"], json!({ "base64": "/w==" }));
    assert_eq!((&page["end"], &page["scanned"]), (&json!(true), &json!(3)));
    host.refused("GET", "/api/v1/topics/again/browse?limit=many", None, 400);
    host.refused("GET", "/api/v1/topics/nowhere/browse", None, 404);
    let before = json!({ "partition": 0, "before": 1 });
    host.ask(
        "POST /api/v1/topics/{topic}/delete-records",
        &["again"],
        Some(before),
    );
}

fn groups(host: &mut Host) {
    let members = "POST /api/v1/groups/{group}/members";
    let joined = host.ask(members, &["g"], Some(json!({ "topics": ["lines"] })));
    let member = joined["member"].as_str().unwrap().to_owned();
    let poll = format!("{members}/{{member}}/poll");
    assert!(eventually(SOON, || {
        let polled = host.ask(&poll, &["g", &member, "?wait_ms=1000"], None);
        !polled["records"].as_array().unwrap().is_empty()
    }));
    host.ask(
        &format!("{members}/{{member}}/commit"),
        &["g", &member],
        None,
    );
    host.ask("GET /api/v1/groups", &[], None);
    let group = host.ask("GET /api/v1/groups/{group}", &["g"], None);
    assert_eq!(group["offsets"][0]["lag"], 0);
    host.ask(
        "DELETE /api/v1/groups/{group}/members/{member}",
        &["g", &member],
        None,
    );
    let reset = json!({ "topics": ["lines"], "to": "earliest" });
    host.ask("POST /api/v1/groups/{group}/reset", &["g"], Some(reset));
    host.ask("DELETE /api/v1/groups/{group}", &["g"], None);
}

fn workbench(host: &mut Host) {
    let about = host.ask("GET /api/v1/host", &[], None);
    assert_eq!(about["ready"], true);
    assert_eq!(about["listen"]["address"], host.address.to_string());
    assert!(about["disk"]["free_bytes"].as_u64().unwrap() > 0);
    assert_eq!(host.ask("GET /api/v1/whoami", &[], None)["role"], "admin");
    let metrics = host.ask("GET /metrics", &[], None);
    assert!(metrics.as_str().unwrap().contains("linkspan_build_info"));
    for route in [
        "GET /api/v1/jobs",
        "GET /api/v1/log/stat",
        "GET /api/v1/audit",
        "GET /api/v1/openapi.json",
    ] {
        host.ask(route, &[], None);
    }
    let english = host.ask("GET /api/v1/explain/{code}", &["LS0103"], None);
    let korean = host.ask("GET /api/v1/explain/{code}", &["LS0103", "?lang=ko"], None);
    assert_ne!(english["text"], korean["text"]);
    host.refused("GET", "/api/v1/explain/LS0103?lang=fr", None, 400);

    let runs = host.ask("GET /api/v1/runs", &["?limit=5"], None);
    let id = runs[0]["run_id"].as_str().unwrap();
    assert_eq!(host.ask("GET /api/v1/runs/{id}", &[id], None), runs[0]);
    host.refused("GET", "/api/v1/runs/nope", None, 404);
    host.refused("DELETE", "/api/v1/jobs/nope", None, 404);
    // A job of a schedule would have to work at this moment; its refusal is described as well.
    host.asked.insert("DELETE /api/v1/jobs/{id}".to_owned());

    let plugins = host.ask("GET /api/v1/plugins", &[], None);
    let classes = plugins
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["class"].as_str().unwrap());
    for class in classes {
        let detail = host.ask("GET /api/v1/plugins/{class}", &[class], None);
        assert!(!detail["config_keys"].as_array().unwrap().is_empty());
    }
    host.refused("GET", "/api/v1/plugins/nope", None, 404);
}

/// What is tried before it is done: transforms, a source, a configuration, the machine.
fn trials(host: &mut Host) {
    let trial =
        json!({ "connector": "out", "record": { "topic": "lines", "value": { "n": 7, "m": 1 } } });
    let tried = host.ask("POST /api/v1/transforms/try", &[], Some(trial));
    assert_eq!(tried["steps"][1]["step"], "hide");
    assert_eq!(
        tried["steps"][1]["record"]["value"],
        json!({ "n": 0, "m": 1 })
    );
    let given = json!({
        "options": { "transforms": "drop", "transforms.drop.type": "ReplaceField$Value", "transforms.drop.exclude": "n" },
        "record": { "topic": "lines", "value": { "n": 7, "m": 1 } },
    });
    let tried = host.ask("POST /api/v1/transforms/try", &[], Some(given));
    assert_eq!(tried["steps"][1]["record"]["value"], json!({ "m": 1 }));
    let unknown = json!({
        "options": { "transforms": "drop", "transforms.drop.type": "Nope" }, "record": {},
    });
    let path = "/api/v1/transforms/try";
    let refused = host.refused("POST", path, Some(&unknown.to_string()), 400);
    assert_eq!(refused["code"], "LS0210");
    let source = json!({ "limit": 2, "config": {
        "connector.class": "generator-source", "topic": "made-up", "rate": "1000", "transforms": "wrap",
        "transforms.wrap.type": "HoistField$Value", "transforms.wrap.field": "n",
    } });
    let tried = host.ask("POST /api/v1/sources/try", &[], Some(source));
    let records = tried["records"].as_array().unwrap();
    assert_eq!(records.len(), 2, "{tried}");
    assert!(records.iter().all(|record| record["topic"] == "made-up"));
    assert!(records[0]["value"].as_str().unwrap().starts_with("{\"n\":"));
    let topics = host.ask("GET /api/v1/topics", &[], None).to_string();
    assert!(!topics.contains("made-up"), "a trial wrote: {topics}");
    let sink = json!({ "config": { "connector.class": "blackhole-sink", "topics": "lines" } });
    let path = "/api/v1/sources/try";
    let refused = host.refused("POST", path, Some(&sink.to_string()), 400);
    assert_eq!(refused["code"], "LS0619");
    let doctor = host.ask("GET /api/v1/doctor", &[], None);
    let findings = doctor["findings"].as_array().unwrap();
    let of = |check: &str| findings.iter().find(|found| found["check"] == check);
    assert_eq!(of("data directory").unwrap()["status"], "ok", "{doctor}");
    assert_eq!(of("disk speed").unwrap()["remedy"], Value::Null);
    let refused = of("plugin file").unwrap()["found"].as_str().unwrap();
    assert!(refused.contains("libcut.so"), "{doctor}");
    let wrong = json!({ "name": "x", "config": { "connector.class": "file-source", "pth": "a" } });
    let infos = host.ask("POST /api/v1/validate", &[], Some(wrong));
    assert!(infos["error_count"].as_u64().unwrap() > 0, "{infos}");
    host.refused("POST", "/api/v1/validate", Some("{\"config\":{}}"), 400);
    // What it needs outside is tried only where that is asked for.
    let nowhere = json!({ "name": "x", "config": { "connector.class": "file-source", "path": "/nowhere/at-all.txt", "topic": "t" } });
    for (query, errors) in [("", 0), ("?connect=true", 1)] {
        let infos = host.ask("POST /api/v1/validate", &[query], Some(nowhere.clone()));
        assert_eq!(infos["error_count"], errors, "{query}: {infos}");
    }
    host.refused(
        "POST",
        "/api/v1/transforms/try",
        Some("{\"connector\":5}"),
        400,
    );
}

fn changes(host: &mut Host) {
    let plan = "GET /api/v1/config/plan";
    let same = host.ask(plan, &[], None);
    assert_eq!(
        (&same["valid"], &same["unchanged"]),
        (&json!(true), &json!(3))
    );
    let exported = host.ask("GET /api/v1/config/export", &[], None);
    let yaml = exported["yaml"].as_str().unwrap();
    assert!(yaml.contains("hook") && !yaml.contains(SECRET), "{yaml}");
    // A secret is named anew, or the file is refused.
    let written = host.scratch.write("exported.yaml", yaml);
    run(linkspan(&["validate"]).arg(&written))
        .expect_code(2)
        .says(&["LS0232", "auth.token"]);
    let named = yaml
        .replace("'[hidden]'", "${env:TOKEN}")
        .replace("\"[hidden]\"", "${env:TOKEN}");
    let written = host.scratch.write("exported.yaml", named);
    run(linkspan(&["validate"]).arg(&written)).expect_code(0);
    for route in ["POST /api/v1/config/apply", "POST /api/v1/apply"] {
        assert_eq!(host.ask(route, &[], None)["unchanged"], 3);
    }
    // What the host is asked to do when files change, it tells before; a broken file changes nothing.
    let listen = host.raw("GET", "/", None);
    let server: Value = serde_json::from_slice(&listen.body).unwrap();
    assert_eq!(server["kafka_cluster_id"].as_str().unwrap().len(), 22);

    host.refused("DELETE", "/api/v1/connectors/in", None, 409);
    host.asked
        .insert("DELETE /api/v1/connectors/{name}".to_owned());
    let wrong = host.raw("PUT", "/api/v1/topics", None);
    assert_eq!(wrong.status, 405);
    assert_eq!(wrong.header("allow"), Some("GET, POST, HEAD, OPTIONS"));
    host.refused("GET", "/api/v1/nothing", None, 404);
    host.refused("GET", "/api/v1/topics/%FF", None, 400);
    host.ask("DELETE /api/v1/topics/{topic}", &["again"], None);
}

#[test]
fn the_command_line_plans_exports_and_previews() {
    let host = Host::start();
    let data = host.scratch.path("data");
    let at = |words: &[&str]| run(linkspan(words).arg("--data").arg(&data));
    at(&["plan"]).expect_code(0).says(&["2 not touched"]);
    let exported = at(&["export"]).expect_code(0);
    assert!(
        exported.stdout.starts_with("connectors:"),
        "{}",
        exported.stdout
    );
    let preview = [
        "offsets",
        "rewind",
        "out",
        "--to",
        "1970-01-01",
        "--dry-run",
    ];
    assert!(eventually(SOON, || {
        let ran = at(&["offsets", "get", "out", "-o", "json"]);
        ran.stdout.contains("\"kafka_offset\":3")
    }));
    at(&preview).expect_code(0).says(&[
        "{\"kafka_offset\":3} → {\"kafka_offset\":0}",
        "nothing was changed",
    ]);
    at(&["offsets", "get", "out"])
        .expect_code(0)
        .says(&["{\"kafka_offset\":3}"]);

    host.scratch.write(
        "p.yaml",
        "connectors:\n  in: { connector: file-source, pth: x }\n",
    );
    at(&["plan"])
        .expect_code(2)
        .says(&["pth", "would change nothing"]);
}
