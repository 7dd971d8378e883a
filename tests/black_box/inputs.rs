//! Inputs that change between two runs, and patterns that match nothing.

use crate::pipeline::{Pipeline, numbered, records, summary};

#[test]
fn a_replaced_or_truncated_input_fails_unless_told_otherwise() {
    for (what, second) in [
        ("truncated", numbered(0..5)),
        ("replaced", numbered(500..520)),
    ] {
        let refused = after_first_run(&[], &second);
        let ran = refused
            .run()
            .expect_code(1)
            .says(&["in.txt", "on.replaced"]);
        assert_eq!(summary(&ran)["status"], "failed", "{what}");
        assert_eq!(
            refused.output(),
            numbered(0..10),
            "{what}: nothing was written"
        );

        let restarted = after_first_run(&["on.replaced: restart"], &second);
        restarted.run().expect_code(0);
        assert_eq!(
            restarted.output(),
            numbered(0..10) + &second,
            "{what}: read from its start"
        );

        let skipped = after_first_run(&["on.replaced: skip"], &second);
        skipped.run().expect_code(0).says(&["in.txt"]);
        assert_eq!(skipped.output(), numbered(0..10), "{what}: left alone");
    }
}

#[test]
fn a_longer_input_is_no_replacement() {
    let pipeline = after_first_run(&[], &numbered(0..30));
    let ran = pipeline.run().expect_code(0);
    assert_eq!(pipeline.output(), numbered(0..30));
    assert_eq!(records(&summary(&ran), "in"), 20);
}

#[test]
fn a_glob_reads_every_match_and_none_is_exit_1_naming_the_pattern() {
    let pipeline = Pipeline::new(&["path: \"in-*.txt\""], &[]);
    pipeline.run().expect_code(1).says(&["in-*.txt"]);
    pipeline.edit(&["path: \"in-*.txt\"", "on.no.input: ok"], &[]);
    pipeline.run().expect_code(0);

    pipeline.scratch.write("in-a.txt", "a1\na2\n");
    pipeline.scratch.write("in-b.txt", "b1");
    pipeline.scratch.write("other.txt", "no\n");
    pipeline.run().expect_code(0);
    assert_eq!(pipeline.output(), "a1\na2\nb1\n");
    pipeline.scratch.write("in-c.txt", "c1\n");
    pipeline.run().expect_code(0);
    assert_eq!(pipeline.output(), "a1\na2\nb1\nc1\n");
}

#[test]
fn a_missing_input_file_is_exit_1() {
    Pipeline::new(&[], &[])
        .run()
        .expect_code(1)
        .says(&["in.txt"]);
}

#[test]
fn an_empty_input_is_fine() {
    let pipeline = Pipeline::new(&[], &[]);
    pipeline.input("");
    let ran = pipeline.run().expect_code(0);
    assert_eq!(records(&summary(&ran), "out"), 0);
}

/// A pipeline that has run over ten lines and whose input then became another.
fn after_first_run(source: &[&str], second: &str) -> Pipeline {
    let pipeline = Pipeline::new(source, &[]);
    pipeline.input(numbered(0..10));
    pipeline.run().expect_code(0);
    pipeline.input(second);
    pipeline
}
