//! Files as they come: bad records with their place and their bytes, spools, packed files, outputs by template.

use std::fs;

use serde_json::Value;

use crate::support::{Scratch, linkspan, run, run_once};

/// The records of a topic as `consume` prints them.
fn stored(scratch: &Scratch, topic: &str) -> Vec<Value> {
    let data = scratch.path("linkspan-data");
    let ran = run(linkspan(&[
        "consume", topic, "--from", "earliest", "--exit", "-o", "json", "--data",
    ])
    .arg(&data))
    .expect_code(0);
    ran.stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn header<'a>(record: &'a Value, name: &str) -> &'a str {
    let headers = record["headers"].as_array().unwrap();
    let found = headers.iter().find(|header| header[0] == name);
    found.unwrap()[1].as_str().unwrap()
}

#[test]
fn a_bad_record_of_a_file_is_a_dead_letter_with_its_bytes_and_its_place() {
    let scratch = Scratch::new();
    scratch.write(
        "in.csv",
        b"n,t\n1,a\n300,b\n2\n\"x\"y,c\n3,\"\xff\nd\"\n4,e\n".as_slice(),
    );
    scratch.write(
        "pipeline.yaml",
        "connectors:\n  in:\n    connector: file-source\n    path: in.csv\n    format: csv\n    csv: { types: { n: int8 } }\n    topic: rows\n    \
         errors: { tolerance: all, deadletterqueue.topic.name: letters }\n",
    );
    let ran = run_once(&scratch.path("pipeline.yaml"), &[]).expect_code(4);
    let summary: Value = serde_json::from_str(ran.stdout.lines().last().unwrap()).unwrap();
    let connector = &summary["connectors"][0];
    assert_eq!(
        (&connector["records"], &connector["dlq"]),
        (&6.into(), &4.into())
    );
    assert_eq!(stored(&scratch, "rows").len(), 2);
    let letters = stored(&scratch, "letters");
    let found: Vec<(Value, String)> = letters
        .iter()
        .map(|letter| {
            let message = header(letter, "__connect.errors.exception.message");
            let place = message.split_once("in.csv` ").unwrap().1;
            (letter["value"].clone(), place.to_owned())
        })
        .collect();
    // Bytes that are no text: `3,"\xff\nd"\n`.
    let raw = serde_json::json!({"base64": "Mywi/wpkIgo="});
    assert_eq!(
        found,
        [
            (
                "300,b\n".into(),
                "line 3, byte 8: column `n` is not of type `int8`".to_owned()
            ),
            (
                "2\n".into(),
                "line 4, byte 14: too few fields: 1 where 2 are expected".to_owned()
            ),
            (
                "\"x\"y,c\n".into(),
                "line 5, byte 19: a field goes on after its closing quote".to_owned()
            ),
            (
                raw,
                "line 6, byte 26: the bytes are not valid UTF-8".to_owned()
            ),
        ]
    );
    // Nothing is new: the job reads nothing, and the letters stay.
    run_once(&scratch.path("pipeline.yaml"), &[]).expect_code(0);
    assert_eq!(stored(&scratch, "letters").len(), 4);
}

#[test]
fn without_tolerance_the_first_bad_record_fails_the_job_and_names_its_place() {
    let scratch = Scratch::new();
    scratch.write("in.jsonl", "{\"a\":1}\n{\"a\":\n");
    scratch.write(
        "pipeline.yaml",
        "connectors:\n  in: { connector: file-source, path: in.jsonl, format: jsonl, topic: rows }\n",
    );
    run_once(&scratch.path("pipeline.yaml"), &[])
        .expect_code(1)
        .says(&["in.jsonl` line 2, byte 12: it is not JSON"]);
    assert_eq!(stored(&scratch, "rows").len(), 1);
}

#[test]
fn a_spool_goes_to_files_by_template_and_a_bad_file_to_its_folder() {
    use std::io::Write as _;
    let scratch = Scratch::new();
    fs::create_dir_all(scratch.path("in")).unwrap();
    scratch.write(
        "in/a.jsonl",
        "{\"c\":\"KR\",\"n\":1}\n{\"c\":\"US\",\"n\":2}\n",
    );
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(b"{\"c\":\"KR\",\"n\":3}\n").unwrap();
    let packed = packed.finish().unwrap();
    scratch.write("in/b.jsonl.gz", &packed);
    scratch.write("in/c.jsonl.gz", packed.get(..packed.len() - 9).unwrap());
    scratch.write(
        "pipeline.yaml",
        "connectors:\n  in:\n    connector: file-source\n    path: in/*\n    mode: spool\n    format: jsonl\n    topic: rows\n    \
         cleanup: move\n    finished.path: done\n    error.path: bad\n    on.no.input: ok\n  \
         out:\n    connector: file-sink\n    topics: [rows]\n    format: jsonl\n    \
         path: \"out/country={field:c}/{partition}-{start_offset}.jsonl\"\n",
    );
    let ran = run_once(&scratch.path("pipeline.yaml"), &[]).expect_code(1);
    ran.says(&[
        "put into `error.path`, because it could not be read",
        "c.jsonl.gz` cannot be unpacked",
    ]);
    assert!(scratch.path("bad/c.jsonl.gz.error.txt").is_file());
    assert!(scratch.path("done/b.jsonl.gz").is_file() && scratch.path("done/a.jsonl").is_file());
    // Run again there is nothing to read, and what is in the log goes out.
    run_once(&scratch.path("pipeline.yaml"), &[]).expect_code(0);
    assert_eq!(
        scratch.read("out/country=US/0-1.jsonl"),
        "{\"c\":\"US\",\"n\":2}\n"
    );
    let korea: String = fs::read_dir(scratch.path("out/country=KR"))
        .unwrap()
        .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    assert!(
        korea.contains("\"n\":1") && korea.contains("\"n\":3"),
        "{korea}"
    );
}

#[test]
fn what_was_read_is_written_though_a_source_failed_at_its_end() {
    let scratch = Scratch::new();
    fs::create_dir_all(scratch.path("in")).unwrap();
    let lines: String = (0..60_000).map(|n| format!("line {n}\n")).collect();
    scratch.write("in/a.txt", &lines);
    scratch.write("in/b.txt", b"\xff\n".as_slice());
    scratch.write(
        "pipeline.yaml",
        "connectors:\n  in: { connector: file-source, path: in/*, mode: spool, topic: t, error.path: bad }\n  \
         out: { connector: file-sink, topics: [t], path: out.txt }\n",
    );
    let ran = run_once(&scratch.path("pipeline.yaml"), &[]).expect_code(1);
    ran.says(&["b.txt` line 1, byte 0: the bytes are not valid UTF-8"]);
    assert_eq!(scratch.read("out.txt"), lines);
}
