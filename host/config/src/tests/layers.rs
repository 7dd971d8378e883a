//! Several files, directories, defaults, overlays, `--set`, paths.

use super::{Case, OptionType, Prefixes, RestartPolicy, load, source};

const PIPE: &str = "
connectors:
  in:  { connector: file-source, path: data/*.csv, topic: t.a, csv: { header: true } }
  out: { connector: file-sink, path: ../out/./x, topics: [t.a] }
topics: { t.a: { partitions: 2, retention.ms: 7d, max.message.bytes: 2MiB } }
";

#[test]
fn relative_paths_resolve_against_the_file_that_names_them() {
    let case = Case::new(&[("sub/a.yaml", PIPE)]).paths(&["sub/a.yaml"]);
    let plan = case.plan();
    let root = std::fs::canonicalize(case.path("")).unwrap();
    let text = |path: &str| root.join(path).to_string_lossy().into_owned();
    assert_eq!(plan.connectors[0].config["path"], text("sub/data/*.csv"));
    assert_eq!(plan.connectors[1].config["path"], text("out/./x"));
    assert_eq!(plan.host.data, root.join("sub/linkspan-data"));
    assert_eq!(plan.base_dir, root.join("sub"));
    let set = case.set("connectors.out.path=here").set("host.data=d");
    assert_eq!(
        set.plan().connectors[1].config["path"],
        set.path("here").to_string_lossy()
    );
    assert_eq!(set.plan().host.data, set.path("d"));
}

#[test]
fn a_directory_is_all_its_yaml_and_its_host_settings() {
    let case = Case::new(&[
        ("d/linkspan.yaml", "data: store\nplugins: [p, /q]\nlog: { durability: os, journal.bytes: 8MiB }\nnum.partitions: 3\n"),
        ("d/b.yml", "connectors: { out: { connector: blackhole-sink, topics: t } }"),
        ("d/a.yaml", &source("")),
        ("d/notes.txt", "connectors: ["),
    ])
    .paths(&["d"]);
    let plan = case.plan();
    let root = std::fs::canonicalize(case.path("d")).unwrap();
    assert_eq!(
        plan.connectors
            .iter()
            .map(|plan| plan.name.as_str())
            .collect::<Vec<_>>(),
        ["in", "out"]
    );
    assert_eq!(plan.host.data, root.join("store"));
    assert_eq!(plan.host.plugin_paths, [root.join("p"), "/q".into()]);
    assert_eq!(plan.host.log.durability, crate::Durability::Os);
    assert_eq!(
        (plan.host.log.journal_bytes, plan.host.num_partitions),
        (8 << 20, 3)
    );
    assert_eq!(
        Case::new(&[("e/x.txt", "")]).paths(&["e"]).lines()[0],
        "LS0107 - directory e holds no *.yaml or *.yml file"
    );
}

#[test]
fn overlays_and_sets_win_in_order_whatever_the_spelling() {
    let mut case = Case::new(&[
        ("a.yaml", PIPE),
        ("over.yaml", "connectors: { in: { csv.header: false, format: csv, tasks.max: 2 } }\nhost: { num.partitions: 5 }"),
    ])
    .paths(&["a.yaml"]);
    case.request.overlays = vec!["over.yaml".into()];
    let plan = case.plan();
    assert_eq!(
        (
            plan.connectors[0].config["csv.header"].as_str(),
            plan.connectors[0].tasks_max
        ),
        ("false", 2)
    );
    assert_eq!(plan.host.num_partitions, 5);
    let case = case
        .set("connectors.in.tasks.max=7")
        .set("topics.t.a.partitions=9")
        .set("connectors.out.topics=[t.a, b]");
    let plan = case.plan();
    assert_eq!(
        (plan.connectors[0].tasks_max, plan.topics[0].partitions),
        (7, Some(9))
    );
    assert_eq!(plan.connectors[1].config["topics"], "t.a,b");
    for (set, expected) in [
        (
            "connectors.in.tasks.max=many",
            "LS0202 --set:1:25 `tasks.max` takes a whole number, found `many`",
        ),
        (
            "connectors.inn.tasks.max=1",
            "LS0115 --set:1:1 `--set`: `connectors.inn.tasks.max` names no option of an entry of `connectors`",
        ),
        ("nonsense", "LS0115 --set:1:1 `--set nonsense` has no `=`"),
        ("a.b=c", "LS0115 --set:1:1 `--set` knows no `a.b`"),
        ("connectors.in.pth=c", "LS0103 --set:1:1 unknown key `pth`"),
    ] {
        assert_eq!(Case::one(PIPE).set(set).lines(), [expected]);
    }
}

#[test]
fn defaults_yield_to_what_a_connector_says() {
    let text = format!(
        "defaults:\n  file-source: {{ format: csv, tasks.max: 3, restart: {{ policy: never }} }}\n{}",
        source("format: lines")
    );
    let plan = Case::one(&text).plan();
    assert_eq!(plan.connectors[0].config["format"], "lines");
    assert_eq!(plan.connectors[0].tasks_max, 3);
    assert_eq!(plan.connectors[0].restart, RestartPolicy::Never);
    let unknown = format!("defaults: {{ file-sorce: {{ a: b }} }}\n{}", source(""));
    assert!(Case::one(&unknown).lines()[0].starts_with("LS0201 a.yaml:1:13 "));
}

#[test]
fn classes_answer_to_the_names_people_know() {
    let text = "connectors: { in: { connector.class: com.github.jcustenborder.SpoolDirCsvSourceConnector, file: /x, topic: t, key.fields: [a, b] } }";
    let plan = Case::one(text).plan();
    let connector = &plan.connectors[0];
    assert_eq!(
        (
            connector.class.as_str(),
            connector.config["connector.class"].as_str()
        ),
        ("file-source", "file-source")
    );
    assert_eq!(connector.config["path"], "/x");
    assert_eq!(connector.key_fields, ["a", "b"]);
    assert_eq!(
        connector
            .class_options
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>(),
        ["path", "topic"]
    );
    assert_eq!(connector.origins["path"].to_string(), "a.yaml:1:97");
}

#[test]
fn the_hash_changes_with_what_was_read() {
    let hash = |text: &str| Case::one(text).plan().config_sha256;
    assert_eq!(hash(&source("")), hash(&source("")));
    assert_ne!(hash(&source("")), hash(&source("format: csv")));
    assert_eq!(hash(&source("")).len(), 64);
}

#[test]
fn the_file_of_a_database_is_relative_to_the_yaml_file() {
    use crate::OptionType;
    let check = |text: &str, expected: &str| {
        let base = std::path::Path::new("/a/b");
        assert_eq!(
            crate::settings::place_of(OptionType::Url, text, base),
            expected
        );
    };
    check("sqlite:out/x.db", "sqlite:/a/b/out/x.db");
    check("jdbc:sqlite:../x.db?a=b", "jdbc:sqlite:/a/x.db?a=b");
    check("sqlite:///c/x.db", "sqlite:/c/x.db");
    check("sqlite::memory:", "sqlite::memory:");
    check("sqlite:${env:DB}", "sqlite:${env:DB}");
    check("postgres://h/d", "postgres://h/d");
}

#[test]
fn converters_of_the_host_serve_connectors_that_name_none() {
    let yaml = |host: &str, own: &str| format!("host: {{ {host} }}\n{}", super::source(own));
    let host =
        "value.converter: json, value.converter.schemas.enable: false, key.converter: string";
    for (own, expected) in [
        ("", [Some("string"), Some("json"), Some("false")]),
        (
            "value.converter: bytes",
            [Some("string"), Some("bytes"), None],
        ),
        (
            "value.converter.schemas.enable: true",
            [Some("string"), Some("json"), Some("true")],
        ),
        (
            "key.converter: long",
            [Some("long"), Some("json"), Some("false")],
        ),
    ] {
        let plan = Case::one(&yaml(host, own)).plan();
        let config = &plan.connectors[0].config;
        let keys = [
            "key.converter",
            "value.converter",
            "value.converter.schemas.enable",
        ];
        assert_eq!(
            keys.map(|key| config.get(key).map(String::as_str)),
            expected,
            "{own}"
        );
        // Connectors that come over the network get the same.
        let mut lent: std::collections::BTreeMap<String, String> = own
            .split_once(": ")
            .map(|(key, text)| (key.to_owned(), text.to_owned()))
            .into_iter()
            .collect();
        plan.host.lend_converters(&mut lent);
        assert_eq!(
            keys.map(|key| lent.get(key).map(String::as_str)),
            expected,
            "{own}"
        );
    }
    let defaults =
        "defaults: { file-source: { value.converter: row } }\n".to_owned() + &yaml(host, "");
    let plan = Case::one(&defaults).plan();
    let config = &plan.connectors[0].config;
    assert_eq!(config["value.converter"], "row");
    assert!(!config.contains_key("value.converter.schemas.enable"));
}

#[test]
fn an_entry_of_a_map_may_be_written_with_its_dot() {
    let one = |body: &str| super::config(&source(body))["csv.types"].clone();
    assert_eq!(one("csv.types.a: int32"), r#"{"a":"int32"}"#);
    assert_eq!(
        one("csv: { types.a.b: date, types: { c: string } }\ncsv.types.d: int64"),
        r#"{"a.b":"date","c":"string","d":"int64"}"#
    );
    // `defaults:` fill in what the connector does not say.
    let text = format!(
        "defaults: {{ file-source: {{ csv.types.a: date, csv.types.b: date }} }}\n{}",
        source("csv.types.b: int8\ncsv.types.c: time")
    );
    assert_eq!(
        super::config(&text)["csv.types"],
        r#"{"a":"date","b":"int8","c":"time"}"#
    );
    super::check(
        &source("csv.types.a: int8\ncsv: { types: { a: int16 } }"),
        "error[LS0106]: connector `in`: `csv.types.a` is set twice
  --> a.yaml:7:21
   |
 7 |     csv: { types: { a: int16 } }
   |                     ^
   = first set at: a.yaml:6:5",
    );
}

#[test]
fn a_sinks_map_may_be_called_as_options_of_sources_are() {
    let mut classes = super::catalog();
    let sink = classes
        .iter_mut()
        .find(|class| class.name == "blackhole-sink")
        .unwrap();
    sink.options
        .push(super::option("topic.creation.config", OptionType::Map));
    let lines = |more: &str| {
        let text = format!(
            "topics: {{ t: {{}} }}\nconnectors:\n  out: {{ connector: blackhole-sink, topics: [t], {more} }}\n"
        );
        let (plan, diagnostics) = load(&Case::one(&text).request, &Prefixes(classes.clone()));
        match plan {
            Some(plan) => plan.connectors[0].config["topic.creation.config"].clone(),
            None => diagnostics.render(false),
        }
    };
    let expected = r#"{"cleanup.policy":"compact"}"#;
    assert_eq!(
        lines("topic.creation.config: { cleanup.policy: compact }"),
        expected
    );
    assert_eq!(
        lines("topic.creation.config.cleanup.policy: compact"),
        expected
    );
    // What the class does not have is the other side's all the same.
    assert!(lines("topic.creation.groups: [a]").contains("is an option of sources"));
}
