//! Input that cannot be right: the job fails and names file, line and byte; what came before is not lost.

use std::fs;

use crate::pipeline::{Pipeline, summary};

/// One bad line: the bytes of the input and the places that the error must name.
fn check(pipeline: &Pipeline, input: Vec<u8>, places: &[&str]) {
    pipeline.input(input);
    let ran = pipeline.run().expect_code(1);
    println!("{}", ran.stderr);
    let ran = ran.says(&["in.txt"]).says(places);
    let summary = summary(&ran);
    assert_eq!(summary["status"], "failed");
    let source = summary["connectors"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["name"] == "in")
        .unwrap();
    assert_eq!(source["state"], "FAILED");
    assert!(
        source["error"]["message"]
            .as_str()
            .unwrap()
            .contains("in.txt"),
        "{source}"
    );
}

#[test]
fn invalid_utf8_names_file_line_and_byte() {
    let mut input = b"first,1\nsecond,2\nth".to_vec();
    let byte = input.len();
    input.extend_from_slice(b"\xff\xferd,3\n");
    check(
        &Pipeline::csv(&[], &[]),
        input,
        &["line 3", &format!("byte {byte}")],
    );
}

#[test]
fn a_row_with_too_few_fields_names_file_line_and_byte() {
    let input = b"a,b,c\n1,2,3\n4,5\n6,7,8\n".to_vec();
    check(&Pipeline::csv(&[], &[]), input, &["line 3", "byte 12"]);
}

#[test]
fn a_value_that_does_not_parse_names_its_column() {
    let input = b"a,b\n1,2\n3,x\n".to_vec();
    check(
        &Pipeline::csv(&["csv: { types: { b: int32 } }"], &[]),
        input,
        &["line 3", "byte 8", "`b`"],
    );
}

#[test]
fn a_line_of_64_mebibytes_is_refused_by_a_limit_that_is_an_option() {
    let mut input = b"short\n".to_vec();
    input.resize(input.len() + (64 << 20), b'x');
    input.push(b'\n');
    check(
        &Pipeline::new(&[], &[]),
        input,
        &["line 2", "byte 6", "max.line.bytes"],
    );
}

#[test]
fn a_longer_line_than_the_default_passes_when_both_options_allow_it() {
    let pipeline = Pipeline::new(&["max.line.bytes: 4MiB"], &[]);
    let topics = "topics: { lines: { partitions: 1, max.message.bytes: 8MiB } }\n";
    let yaml = fs::read_to_string(&pipeline.yaml).unwrap();
    fs::write(&pipeline.yaml, topics.to_owned() + &yaml).unwrap();
    let long = "y".repeat(2_000_000);
    pipeline.input(format!("{long}\nshort\n"));
    pipeline.run().expect_code(0);
    assert!(
        pipeline.output() == format!("{long}\nshort\n"),
        "{} bytes",
        pipeline.output().len()
    );
}

#[test]
fn after_the_bad_line_is_mended_the_job_goes_on_where_it_was() {
    let pipeline = Pipeline::csv(&["on.replaced: restart"], &[]);
    pipeline.input("a,b\n1,2\n3\n");
    pipeline.run().expect_code(1);
    pipeline.input("a,b\n1,2\n3,4\n");
    pipeline.run().expect_code(0);
    let output = pipeline.output();
    assert!(output.ends_with("{\"a\":\"3\",\"b\":\"4\"}\n"), "{output}");
}
