use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use super::{ByteSize, ConfigProblem, Options, PathList, Secret};
use crate::{OptionEnum, Options as DeriveOptions, TopicName};

#[derive(Debug, Clone, Copy, PartialEq, OptionEnum)]
enum Mode {
    Fast,
    #[option(name = "very-safe", alias = "safe")]
    VerySafe,
    ReadCommitted,
}

/// Reads things.
#[derive(Debug, DeriveOptions)]
#[options(validate = "Everything::sane")]
struct Everything {
    /// Where records go.
    /// Second line.
    #[option(importance = "high")]
    topic: TopicName,
    #[option(default = "1s", min = "10ms", max = "1h")]
    every: Duration,
    #[option(default = "100", group = "timing")]
    wait_ms: Duration,
    #[option(default = "1MiB", min = 1, max = 16_777_216)]
    size: ByteSize,
    #[option(default = 4096)]
    max_bytes: ByteSize,
    #[option(default = "fast")]
    mode: Mode,
    #[option(default = "lines", values("lines", "csv"))]
    format: String,
    #[option(name = "null.texts", alias = "nulls", default = "[\"\"]")]
    null_values: Vec<String>,
    #[option(default = "{}")]
    types: BTreeMap<String, String>,
    ports: Option<Vec<u16>>,
    path: Option<PathBuf>,
    password: Option<Secret>,
    #[option(secret, default = "")]
    pin: String,
    #[option(default = false)]
    strict: bool,
    #[option(nest = "csv")]
    csv: Csv,
}

#[derive(Debug, DeriveOptions)]
struct Csv {
    #[option(default = ",")]
    delimiter: String,
    #[option(default = "0.5", min = 0, max = 1)]
    share: f64,
    #[option(default = "a")]
    files: PathList,
}

impl Everything {
    fn sane(&self) -> Vec<ConfigProblem> {
        if self.strict && self.mode == Mode::Fast {
            vec![ConfigProblem::new("strict", "cannot be fast")]
        } else {
            Vec::new()
        }
    }
}

fn config(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect()
}

#[test]
fn defaults_fill_what_is_missing() {
    let options = Everything::from_config(&config(&[("topic", "t")])).unwrap();
    assert_eq!(options.topic, "t");
    assert_eq!(options.every, Duration::from_secs(1));
    assert_eq!(options.wait_ms, Duration::from_millis(100));
    assert_eq!(
        (options.size, options.max_bytes),
        (ByteSize(1 << 20), ByteSize(4096))
    );
    assert_eq!(
        (options.mode, options.format.as_str()),
        (Mode::Fast, "lines")
    );
    assert_eq!(options.null_values, [""]);
    assert!(options.types.is_empty() && options.ports.is_none() && options.path.is_none());
    assert_eq!(
        (options.csv.delimiter.as_str(), options.csv.share),
        (",", 0.5)
    );
    assert!(!options.strict && options.password.is_none() && options.pin.is_empty());
}

#[test]
fn every_form_of_a_value_is_read() {
    let options = Everything::from_config(&config(&[
        ("topic", "t"),
        ("mode", "Safe"),
        ("nulls", "NA, -"),
        ("types", r#"{"a":"int32","n":5}"#),
        ("ports", "[80, 443]"),
        ("wait.ms", "2s"),
        ("max.bytes", "1KiB"),
        ("password", "hunter2"),
        ("strict", "True"),
        ("csv.files", r#"["a,b.csv","c"]"#),
    ]))
    .unwrap();
    assert_eq!(options.mode, Mode::VerySafe);
    assert_eq!(options.null_values, ["NA", "-"]);
    assert_eq!(options.types, config(&[("a", "int32"), ("n", "5")]));
    assert_eq!(options.ports, Some(vec![80, 443]));
    assert_eq!(options.wait_ms, Duration::from_secs(2));
    assert_eq!(options.max_bytes, ByteSize(1024));
    assert_eq!(
        options.csv.files.iter().collect::<Vec<_>>(),
        ["a,b.csv", "c"]
    );
    let shown = format!("{options:?}");
    assert!(shown.contains("[hidden]") && !shown.contains("hunter2"));
    assert_eq!(Mode::ReadCommitted as u8, 2);
}

#[test]
fn all_problems_are_told_at_once() {
    let problems = Everything::from_config(&config(&[
        ("every", "2h"),
        ("size", "0B"),
        ("mode", "slow"),
        ("format", "xml"),
        ("ports", "[80, \"x\"]"),
        ("pin", "1"),
        ("nulls", "a"),
        ("null.texts", "b"),
        ("csv.share", "2"),
        ("strict", "yes"),
    ]))
    .unwrap_err();
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let expected = [
        "`topic` is missing",
        "`every` must be at most 1h",
        "`size` must be at least 1",
        "`mode` is `slow`; it must be `fast`, `very-safe` or `read_committed`",
        "`format` is `xml`; it must be `lines` or `csv`",
        "`nulls` is another name of `null.texts`, which is set too",
        "`ports` is `[80, \"x\"]`; it must be a list; each item a whole number from 0 to 65535",
        "`strict` is `yes`; it must be `true` or `false`",
        "`csv.share` must be at most 1",
    ];
    assert_eq!(told, expected);
}

#[test]
fn words_are_read_in_any_case() {
    let options = Everything::from_config(&config(&[
        ("topic", "t"),
        ("mode", "READ_COMMITTED"),
        ("format", "CSV"),
    ]))
    .unwrap();
    assert_eq!(
        (options.mode, options.format.as_str()),
        (Mode::ReadCommitted, "csv")
    );
}

#[test]
fn the_check_runs_when_the_rest_is_fine() {
    let problems =
        Everything::from_config(&config(&[("topic", "t"), ("strict", "true")])).unwrap_err();
    assert_eq!(problems, [ConfigProblem::new("strict", "cannot be fast")]);
}

#[test]
fn definitions_say_what_the_struct_says() {
    let definitions = Everything::definitions();
    let find = |name: &str| definitions.iter().find(|one| one.name == name).unwrap();
    assert_eq!(Everything::DOCS, "Reads things.");
    let topic = find("topic");
    assert_eq!((topic.kind.as_str(), topic.required), ("topic", true));
    assert_eq!(topic.docs, "Where records go. Second line.");
    assert_eq!(topic.importance, "high");
    let every = find("every");
    assert_eq!(every.min.as_deref(), Some("10ms"));
    assert_eq!(
        (every.required, every.default.as_deref()),
        (false, Some("1s"))
    );
    assert_eq!(find("size").max.as_deref(), Some("16777216"));
    assert_eq!(find("mode").values, ["fast", "very-safe", "read_committed"]);
    assert_eq!(find("null.texts").aliases, ["nulls"]);
    assert_eq!(find("wait.ms").group, "timing");
    assert!(find("password").secret && find("pin").secret && !find("password").required);
    assert_eq!(find("csv.delimiter").default.as_deref(), Some(","));
    assert_eq!(find("csv.share").kind, "double");
}
