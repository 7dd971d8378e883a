//! Transforms and predicates of a plugin: records become none, one or several, in sources and in sinks, with nothing lost,
//! nothing twice, and every mistake named.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;

use serde_json::{Value, json};

use crate::hosted::Hosted;
use crate::support::{Ran, Scratch, linkspan, run, run_once};

const SPLIT: &str = "{ name: split, type: rogue-split, most: 3 }";

/// A file into a topic into a file, once; what the source and the sink have beside that is given.
fn pipeline(source: &str, sink: &str) -> String {
    format!(
        "connectors:\n  in: {{ connector: file-source, path: in.txt, format: lines, topic: lines{source} }}\n  \
         out: {{ connector: file-sink, topics: [lines], path: out.txt, format: lines{sink} }}\n"
    )
}

fn once(scratch: &Scratch, plugins: &Path, yaml: &str) -> Ran {
    let yaml = scratch.write("p.yaml", yaml);
    let plugins = plugins.to_str().unwrap();
    run_once(&yaml, &["--timeout", "60s", "--plugin-path", plugins])
}

fn count(ran: &Ran, connector: &str, what: &str) -> u64 {
    let summary: Value = serde_json::from_str(&ran.stdout).unwrap();
    let connectors = summary["connectors"].as_array().unwrap();
    let found = connectors.iter().find(|found| found["name"] == connector);
    found.unwrap()[what].as_u64().unwrap()
}

#[test]
fn one_record_becomes_none_one_or_several_and_comes_once() {
    let plugins = crate::hosted::rogue();
    let step = format!(", transforms: [{SPLIT}]");
    for (source, sink) in [(step.as_str(), ""), ("", step.as_str())] {
        let scratch = Scratch::new();
        scratch.write("in.txt", "a,b\n,\nc\nd,e,f\n");
        let yaml = pipeline(source, sink);
        let ran = once(&scratch, &plugins, &yaml).expect_code(0);
        assert_eq!(scratch.read("out.txt"), "a\nb\nc\nd\ne\nf\n", "{ran:?}");
        assert_eq!(count(&ran, "out", "records"), 6);
        let splits = if source.is_empty() { "out" } else { "in" };
        assert_eq!(count(&ran, splits, "filtered"), 1);
        // The offsets passed what was dropped and what became several: nothing is left, nothing comes again.
        let again = once(&scratch, &plugins, &yaml).expect_code(0);
        assert_eq!(count(&again, "out", "records"), 0);
        assert_eq!(scratch.read("out.txt"), "a\nb\nc\nd\ne\nf\n");
    }
}

#[test]
fn a_plugins_predicate_chooses_the_records_of_any_step() {
    let plugins = crate::hosted::rogue();
    let commas = "predicates: { commas: { type: rogue-has-comma } }";
    for (step, expected) in [
        (
            "{ name: s, type: rogue-split, predicate: commas }",
            "a\nb\nc;d\n",
        ),
        (
            "{ name: s, type: rogue-split, by: ;, predicate: commas, negate: true }",
            "a,b\nc\nd\n",
        ),
        ("{ name: s, type: Filter, predicate: commas }", "c;d\n"),
        (
            "{ name: s, type: rogue-split, by: ;, predicate: all }, { name: t, type: Filter, predicate: commas }",
            "c\nd\n",
        ),
    ] {
        let scratch = Scratch::new();
        scratch.write("in.txt", "a,b\nc;d\n");
        let all = "all: { type: TopicNameMatches, pattern: lines }";
        let predicates = commas.replace("predicates: {", &format!("predicates: {{ {all}, "));
        let sink = format!(", transforms: [{step}], {predicates}");
        let ran = once(&scratch, &plugins, &pipeline("", &sink)).expect_code(0);
        assert_eq!(scratch.read("out.txt"), expected, "{step}: {ran:?}");
    }
}

#[test]
fn a_refused_record_is_a_dead_letter_of_its_step_and_a_panic_fails_the_task() {
    let plugins = crate::hosted::rogue();
    let tolerant = ", errors: { tolerance: all, deadletterqueue.topic.name: dead }";
    let step = format!(", transforms: [{SPLIT}]");
    for side in ["source", "sink"] {
        let scratch = Scratch::new();
        scratch.write("in.txt", "a,b\n1,2,3,4\nc\n");
        let both = format!("{step}{tolerant}");
        let yaml = match side {
            "source" => pipeline(&both, ""),
            _ => pipeline("", &both),
        };
        let ran = once(&scratch, &plugins, &yaml);
        assert_eq!(scratch.read("out.txt"), "a\nb\nc\n", "{side}: {ran:?}");
        let data = scratch.path("linkspan-data");
        let mut dump = linkspan(&["consume", "dead", "--exit", "-o", "json", "--data"]);
        let letter = run(dump.arg(&data)).expect_code(0).stdout;
        assert_eq!(letter.lines().count(), 1, "{side}: {letter}");
        for told in [
            "TRANSFORMATION",
            "rogue-split",
            "1,2,3,4",
            "has too many parts",
        ] {
            assert!(letter.contains(told), "{side}: {told}: {letter}");
        }
        // Without tolerance the same record fails the job, and names the step.
        let strict = Scratch::new();
        strict.write("in.txt", "a,b\n1,2,3,4\nc\n");
        let yaml = match side {
            "source" => pipeline(&step, ""),
            _ => pipeline("", &step),
        };
        let ran = once(&strict, &plugins, &yaml);
        assert_ne!(ran.status.code(), Some(0), "{ran:?}");
        ran.says(&["transform `split`", "has too many parts"]);
        // A panic is no record's fault, whatever is tolerated.
        let panics = Scratch::new();
        panics.write("in.txt", "panic\n");
        let policy = ", restart.policy: never";
        let yaml = match side {
            "source" => pipeline(&format!("{both}{policy}"), ""),
            _ => pipeline("", &format!("{both}{policy}")),
        };
        let ran = once(&panics, &plugins, &yaml);
        assert_ne!(ran.status.code(), Some(0), "{ran:?}");
        ran.says(&["transform `split`", "rogue in apply", "lib.rs:"]);
    }
}

#[test]
fn options_of_steps_are_checked_with_all_others_at_once() {
    let plugins = crate::hosted::rogue();
    let scratch = Scratch::new();
    let steps = "transforms: [{ name: a, type: rogue-split, most: 0, bye: x }, { name: b, type: rogue-has-comma }, { name: c, type: HoistField$Value }]";
    let yaml = scratch.write("p.yaml", pipeline(&format!(", {steps}"), ", pth: x"));
    let mut validate = linkspan(&["validate", "--plugin-path"]);
    let ran = run(validate.arg(&plugins).arg(&yaml)).expect_code(2);
    ran.says(&[
        "`transforms.a.most` must be at least 1",
        "`transforms.a.bye`",
        "did you mean `transforms.a.by`?",
        "`rogue-has-comma` is no transform",
        "plugins offer rogue-split",
        "`transforms.c.field` is required",
        "did you mean `path`?",
    ]);
}

#[test]
fn transform_try_shows_every_record_that_a_step_makes() {
    let plugins = crate::hosted::rogue();
    let scratch = Scratch::new();
    let steps =
        format!(", transforms: [{SPLIT}, {{ name: up, type: HoistField$Value, field: x }}]");
    let yaml = scratch.write("p.yaml", pipeline(&steps, ""));
    let record = scratch.write("record.json", r#"{"topic":"lines","value":"a,b"}"#);
    let mut tried = linkspan(&["transform", "try", "-o", "json", "--plugin-path"]);
    let tried = tried.arg(&plugins).arg(&yaml).arg("--record").arg(&record);
    let shown: Value = serde_json::from_str(&run(tried).expect_code(0).stdout).unwrap();
    let values: Vec<&Value> = shown["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| &step["record"]["value"])
        // What a plugin made has a schema, and so has what is made of it.
        .map(|value| value.get("payload").unwrap_or(value))
        .collect();
    let expected = serde_json::json!(["a,b", "a", "b", { "x": "a" }, { "x": "b" }]);
    assert_eq!(serde_json::json!(values), expected);
}

/// One request; the JSON of the answer with its status.
fn ask(address: &str, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let mut stream = TcpStream::connect(address).unwrap();
    let body = body.to_string();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    // A chunked answer has lengths around its JSON.
    let ends = (body.find(['{', '[']), body.rfind(['}', ']']));
    let json = ends.0.zip(ends.1).and_then(|(a, z)| body.get(a..=z));
    let json = json.and_then(|json| serde_json::from_str(json).ok());
    (status, json.unwrap_or(Value::Null))
}

fn row<'a>(list: &'a Value, key: &str, name: &str) -> &'a Value {
    let rows = list.as_array().unwrap().iter();
    let mut rows = rows.filter(|row| row.pointer(key).is_some_and(|found| found == name));
    rows.next().unwrap_or(&Value::Null)
}

#[test]
fn the_rest_interface_lists_and_checks_steps_of_plugins() {
    let plugins = crate::hosted::rogue();
    let mut host = Hosted::new("connectors: {}\n");
    let at = host.start_heard(&["--plugin-path", plugins.to_str().unwrap()]);
    let none = Value::Null;
    let (_, all) = ask(&at, "GET", "/connector-plugins?connectorsOnly=false", &none);
    assert_eq!(row(&all, "/class", "rogue-split")["type"], "transformation");
    assert_eq!(row(&all, "/class", "rogue-has-comma")["type"], "predicate");
    let (_, connectors) = ask(&at, "GET", "/connector-plugins", &none);
    assert_eq!(row(&connectors, "/class", "rogue-split"), &none);
    let (status, keys) = ask(&at, "GET", "/connector-plugins/rogue-split/config", &none);
    assert_eq!((status, keys.as_array().unwrap().len()), (200, 2), "{keys}");
    assert_eq!(row(&keys, "/name", "most")["default_value"], "100");

    let config = |most: &str, predicate: &str| {
        json!({
            "connector.class": "file-sink", "name": "x", "topics": "t", "path": "/tmp/never-written",
            "transforms": "a", "transforms.a.type": "rogue-split", "transforms.a.most": most,
            "transforms.a.predicate": "p", "predicates": "p", "predicates.p.type": predicate,
        })
    };
    let validate = "/connector-plugins/file-sink/config/validate";
    let (_, good) = ask(&at, "PUT", validate, &config("3", "rogue-has-comma"));
    assert_eq!(good["error_count"], 0, "{good}");
    let most = row(&good["configs"], "/value/name", "transforms.a.most");
    assert_eq!(most["value"]["value"], "3", "{most}");
    assert_eq!(most["definition"]["group"], "Transforms: a");
    let kind = row(&good["configs"], "/value/name", "transforms.a.type");
    let recommended = kind["value"]["recommended_values"].as_array().unwrap();
    assert!(recommended.contains(&json!("rogue-split")), "{kind}");
    // A wrong option, and a transform that is no predicate: both at once, each at its key.
    let (_, bad) = ask(&at, "PUT", validate, &config("0", "rogue-split"));
    assert_eq!(bad["error_count"], 2, "{bad}");
    for (name, told) in [
        ("transforms.a.most", "must be at least 1"),
        ("predicates.p.type", "is no predicate"),
    ] {
        let errors = &row(&bad["configs"], "/value/name", name)["value"]["errors"];
        assert!(errors.to_string().contains(told), "{name}: {errors}");
    }
    // The folder of the path is no folder; that is looked at only when it is asked for.
    let file = host.scratch.write("file", "no folder");
    let nowhere = json!({
        "connector.class": "file-sink", "name": "x", "topics": "t",
        "path": file.join("out.txt").to_str().unwrap(),
    });
    for (query, count) in [("", 0), ("?connect=false", 0), ("?connect=true", 1)] {
        let (_, said) = ask(&at, "PUT", &format!("{validate}{query}"), &nowhere);
        assert_eq!(said["error_count"], count, "{query}: {said}");
        let path = row(&said["configs"], "/value/name", "path");
        let errors = path["value"]["errors"].to_string();
        assert_eq!(errors.contains("is no folder"), count == 1, "{path}");
    }
    // A step is no connector.
    let (status, refused) = ask(
        &at,
        "POST",
        "/connectors",
        &json!({ "name": "y", "config": { "connector.class": "rogue-split", "name": "y" } }),
    );
    assert_eq!(status, 400, "{refused}");
    assert!(
        refused["message"]
            .as_str()
            .unwrap()
            .contains("Failed to find any class")
    );
    let (_, made) = ask(&at, "GET", "/connectors", &none);
    assert_eq!(made, json!([]));
}

/// Kafka Connect's own files name steps by flat keys, and the class of a plugin as any other.
#[test]
fn a_file_of_kafka_connect_names_a_plugins_steps() {
    let plugins = crate::hosted::rogue();
    let scratch = Scratch::new();
    scratch.write("in.txt", "a,b\n,\nc\nd,e,f\n");
    let source = scratch.write(
        "in.properties",
        "name=in\nconnector.class=FileStreamSource\nfile=in.txt\ntopic=lines\ntransforms=split\ntransforms.split.type=rogue-split\n\
         transforms.split.most=3\ntransforms.split.predicate=commas\npredicates=commas\npredicates.commas.type=rogue-has-comma\n",
    );
    let config = json!({"connector.class": "FileStreamSink", "topics": "lines", "file": "out.txt"});
    let sink = scratch.write(
        "out.json",
        json!({"name": "out", "config": config}).to_string(),
    );
    let ran = run(linkspan(&[
        "run",
        "--once",
        "-o",
        "json",
        "--timeout",
        "60s",
        "--plugin-path",
    ])
    .arg(&plugins)
    .args([&source, &sink])
    .current_dir(scratch.path("")));
    let ran = ran.expect_code(0);
    assert_eq!(scratch.read("out.txt"), "a\nb\nc\nd\ne\nf\n", "{ran:?}");
    // As in Connect a key that nobody knows is ignored, and said; a value that the step refuses is an error.
    let wrong = |line: &str| {
        let text = "name=in\nconnector.class=FileStreamSource\nfile=in.txt\ntopic=lines\ntransforms=split\ntransforms.split.type=rogue-split\n";
        scratch.write("in.properties", format!("{text}{line}\n"));
        run(linkspan(&["validate", "--plugin-path"])
            .arg(&plugins)
            .arg(&source))
    };
    wrong("transforms.split.mosst=3").expect_code(0).says(&[
        "transforms.split.mosst",
        "ignored",
        "did you mean `transforms.split.most`?",
    ]);
    wrong("transforms.split.most=many").expect_code(2).says(&[
        "in.properties:7",
        "transforms.split.most",
        "many",
    ]);
}
