//! What is wrong with options, and what streams take over from their connector.

use super::*;

fn flat(config: &[(&str, &str)]) -> BTreeMap<String, String> {
    config
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect()
}

fn check(config: &[(&str, &str)], expected: &[&str]) {
    let problems = HttpSourceOptions::from_config(&flat(config))
        .err()
        .unwrap_or_default();
    let options: Vec<_> = problems
        .iter()
        .map(|problem| problem.option.as_str())
        .collect();
    assert_eq!(options, expected, "{config:?}: {problems:?}");
}

#[test]
fn what_is_wrong_is_named_all_at_once() {
    let base = [("url", "http://h/"), ("topic", "t")];
    let with = |more: &[(&'static str, &'static str)]| [&base, more].concat();
    check(&base, &[]);
    check(&[], &["url", "topic"]);
    check(
        &with(&[
            ("headers", "{\"a b\":\"x\"}"),
            ("charset", "klingon"),
            ("key.path", "id"),
        ]),
        &["headers", "charset", "key.path"],
    );
    check(
        &[("url", "h"), ("topic", "t"), ("pagination.stop.when", "(")],
        &["url", "pagination.stop.when"],
    );
    check(&with(&[("params", "{\"a\":\"{{\"}")]), &["params"]);
    check(&with(&[("cursor.start", "1")]), &["cursor.field"]);
    check(
        &with(&[("cursor.field", "/u"), ("cursor.step", "1d")]),
        &["cursor.start"],
    );
    check(
        &with(&[
            ("cursor.field", "/u"),
            ("cursor.type", "integer"),
            ("cursor.lookback", "1h"),
        ]),
        &["cursor.lookback"],
    );
    check(
        &with(&[("cursor.field", "/u"), ("cursor.start", "soon")]),
        &["cursor.start"],
    );
    check(
        &with(&[("partition.parent.stream", "p")]),
        &["partition.parent.stream"],
    );
    check(&with(&[("records.path", "data")]), &["records.path"]);
}

#[test]
fn streams_take_over_what_they_leave_out() {
    let streams = r#"[{"name":"a","url":"http://h/a","pagination":{"type":"page"}},{"topic":"b","url":"http://h/b","headers":{"x":"1"},"csv":{"header":"false"}}]"#;
    let config = flat(&[
        ("streams", streams),
        ("topic", "all"),
        ("pagination.page.size", "5"),
    ]);
    let options = HttpSourceOptions::from_config(&config).unwrap();
    let streams = options.resolve(&config).unwrap();
    let told: Vec<_> = streams
        .iter()
        .map(|one| {
            (
                one.named(),
                one.topic.as_ref().unwrap().to_string(),
                one.pagination.page_size,
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("a".to_owned(), "all".to_owned(), Some(5)),
            ("b".to_owned(), "b".to_owned(), Some(5))
        ]
    );
    assert_eq!(
        (streams[0].pagination.kind, streams[1].pagination.kind),
        (PaginationType::Page, PaginationType::None)
    );
    assert_eq!(
        (streams[1].headers.len(), streams[1].csv_header),
        (1, false)
    );
}

#[test]
fn what_is_wrong_with_a_stream_names_it() {
    check(
        &[(
            "streams",
            r#"[{"name":"a","url":"http://h/","topic":"t","pagination":{"tpye":"page"}}]"#,
        )],
        &["streams"],
    );
    check(
        &[(
            "streams",
            r#"[{"name":"a","url":"http://h/","topic":"t","decoder":"yaml"}]"#,
        )],
        &["streams"],
    );
    check(&[("streams", r#"["a"]"#)], &["streams"]);
    check(
        &[("streams", r#"[{"name":"a","topic":"t"}]"#)],
        &["streams"],
    );
    let check = |streams: &str, text: &str| {
        let config = flat(&[("streams", streams), ("topic", "t")]);
        let problems = match HttpSourceOptions::from_config(&config) {
            Err(problems) => problems,
            Ok(options) => options.resolve(&config).unwrap_err(),
        };
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert!(told.iter().any(|told| told.contains(text)), "{told:?}");
    };
    check(r#"[{"name":"a"}]"#, "stream `a`: `url` is missing");
    check(
        r#"[{"name":"a","url":"http://h/"},{"name":"a","url":"http://h/"}]"#,
        "two streams",
    );
    check(
        r#"[{"name":"a","url":"http://h/","partition":{"parent":{"stream":"p"}}}]"#,
        "there is no stream `p`",
    );
}
