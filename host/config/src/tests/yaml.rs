//! Texts and trees: what YAML means here.

use super::{Case, check, config, source};

#[test]
fn scalars_keep_their_source_text() {
    let config = config(&source(
        "csv.null.values: [004, 1.10, yes, '', \"a b\", 2026-11-01, ~x]\ncsv.types: { a: 1e3, b: 0x10 }",
    ));
    assert_eq!(
        config["csv.null.values"],
        r#"["004","1.10","yes","","a b","2026-11-01","~x"]"#
    );
    assert_eq!(config["csv.types"], r#"{"a":"1e3","b":"0x10"}"#);
}

#[test]
fn nesting_and_dots_are_the_same() {
    let nested = config(&source(
        "csv:\n  header: true\n  null.values: [NA]\n  types: { a.b: int32 }",
    ));
    let flat = config(&source(
        "csv.header: true\ncsv: { null: { values: [NA] } }\ncsv.types: { a.b: int32 }",
    ));
    assert_eq!(nested, flat);
    assert_eq!(nested["csv.types"], r#"{"a.b":"int32"}"#);
    assert_eq!(nested["connector.class"], "file-source");
}

#[test]
fn units_are_normalised_where_the_name_carries_them() {
    let config = config(&source(
        "idle.ms: 2s\nbuffer.bytes: 64KiB\npoll.interval: 7d\nmax.line: 1GiB\ncsv.header: TRUE",
    ));
    let shown: Vec<&str> = [
        "idle.ms",
        "buffer.bytes",
        "poll.interval",
        "max.line",
        "csv.header",
    ]
    .iter()
    .map(|name| config[*name].as_str())
    .collect();
    assert_eq!(shown, ["2000", "65536", "7d", "1GiB", "true"]);
    assert_eq!(self::config(&source("idle.ms: 250"))["idle.ms"], "250");
}

#[test]
fn allowed_words_are_known_in_any_case() {
    let format = |text: &str| config(&source(&format!("format: {text}")))["format"].clone();
    assert_eq!(
        ["csv", "CSV", "Lines"].map(format),
        ["csv", "csv", "lines"].map(str::to_owned)
    );
    use crate::{OptionDef, OptionType};
    let word = |words: &[&str], text: &str| {
        let def = OptionDef::new("o", OptionType::String, None, "").one_of(words);
        def.word(text).map(str::to_owned)
    };
    for (words, text, expected) in [
        (
            &["plaintext", "sasl_ssl"] as &[&str],
            "SASL_SSL",
            Some("sasl_ssl"),
        ),
        (
            &["PLAIN", "SCRAM-SHA-256"],
            "scram-sha-256",
            Some("SCRAM-SHA-256"),
        ),
        (&["exactly-once"], "EXACTLY_ONCE", Some("exactly-once")),
        (&["exactly-once"], "exactlyonce", None),
        // Where two words differ in case alone, only the exact one is meant.
        (&["m", "M"], "M", Some("M")),
        (&["ab", "AB"], "Ab", None),
    ] {
        assert_eq!(word(words, text).as_deref(), expected, "{text}");
    }
}

#[test]
fn words_of_a_list_take_the_spelling_of_the_allowed_ones() {
    use crate::{OptionDef, OptionType};
    let def = OptionDef::new("o", OptionType::List, None, "").one_of(&["a", "b-c"]);
    let read = |text: &str| crate::check::check(&def, "o", text, true);
    assert_eq!(read("a,b-c").unwrap(), "a,b-c");
    assert_eq!(read("[\"A\",\"b_c\"]").unwrap(), "[\"a\",\"b-c\"]");
    let fault = read("a,C").unwrap_err();
    assert!(fault.message.contains("found `C`"), "{}", fault.message);
}

#[test]
fn block_scalars_anchors_and_merge_keys_are_understood() {
    let text = "
x-base: &base { connector: file-source, topic: t, format: csv, x-note: free }
connectors:
  a: { <<: *base, path: /a, format: lines }
  b:
    <<: [*base, { topic: u }]
    path: >-
      /a
      b
";
    let plan = Case::one(text).plan();
    let of = |index: usize, name: &str| plan.connectors[index].config[name].clone();
    assert_eq!(
        (of(0, "format"), of(0, "topic"), of(0, "path")),
        ("lines".into(), "t".into(), "/a".into())
    );
    assert_eq!(
        (of(1, "format"), of(1, "topic"), of(1, "path")),
        ("csv".into(), "t".into(), "/a b".into())
    );
}

#[test]
fn syntax_errors_are_explained() {
    check(
        "connectors:\n\tin:\n",
        "
error[LS0102]: a tab is used for indentation
  --> a.yaml:2:1
   |
 2 |     in:
   | ^^^^ write spaces here
   = while scanning for the next token
",
    );
    check(
        "connectors:\n  in: { path: ${env:X} }\n",
        "
error[LS0101]: inside { } and [ ] a placeholder must stand in quotes
  --> a.yaml:2:15
   |
 2 |   in: { path: ${env:X} }
   |               ^^
   = while parsing a flow mapping at line 2 column 7
   = help: write \"${...}\"
",
    );
    check(
        "connectors:\n  in: \"abc\n",
        "
error[LS0101]: not valid YAML: found unexpected end of stream
  --> a.yaml:3:1
   |
 3 |
   | ^
   = while scanning a quoted scalar at line 2 column 7
",
    );
}

#[test]
fn limits_stop_what_multiplies() {
    let code = |text: &str| {
        Case::one(text)
            .lines()
            .iter()
            .map(|line| line.chars().take(6).collect::<String>())
            .collect::<Vec<_>>()
    };
    let mut bomb = "x-a: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..10 {
        let items = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("x-{level}: &a{level} [{items}]\n"));
    }
    assert_eq!(code(&bomb), ["LS0108"]);
    assert_eq!(code(&"[".repeat(500_000)), ["LS0108"]);
    assert_eq!(code(&"- ".repeat(500_000)), ["LS0108"]);
    assert_eq!(code(&"{a: ".repeat(200_000)), ["LS0108"]);
    assert_eq!(
        code(&format!("# {}\n", "x".repeat(1024 * 1024))),
        ["LS0108"]
    );
    assert_eq!(code("a: b\n---\nc: d\n").last().unwrap(), "LS0110");
    assert_eq!(code("x-a: &x [*x]\n"), ["LS0111"]);
    assert_eq!(code("x-a: *nowhere\n"), ["LS0101"]);
    assert_eq!(code("? [a]\n: b\n").first().unwrap(), "LS0103");
}

#[test]
fn a_file_that_is_not_text_is_refused() {
    let case = Case::new(&[]).paths(&["bin.yaml"]);
    std::fs::write(case.path("bin.yaml"), [0x61, 0xff, 0xfe]).unwrap();
    assert_eq!(
        case.lines(),
        ["LS0108 - file bin.yaml cannot be read: it is not UTF-8 text (byte 1)"]
    );
}
