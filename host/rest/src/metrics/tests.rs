//! The page of a made-up host, held against the rules of Prometheus and the dashboard that comes with the program.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use linkspan_log::{LocalOptions, LogBackend, MemFs, TopicSpec, open_local};
use linkspan_types::TopicName;
use serde_json::{Value, json};

use super::page::{Family, Kind};
use super::*;
use crate::fleet::Fleet;
use crate::view::HostView;

/// The dashboard for Grafana.
const DASHBOARD: &str = include_str!("../../../../configs/grafana/linkspan.json");

/// Labels whose values are not from a closed list: names, and numbers of tasks and partitions.
const FREE: [&str; 5] = ["connector", "topic", "task", "partition", "version"];

#[derive(Debug)]
struct Told;

impl HostView for Told {
    fn connectors(&self) -> Value {
        json!([
            { "name": "in \"x\"\\", "type": "source", "state": "RUNNING", "tasks": [], "records": 7 },
            { "name": "out", "type": "sink", "state": "FAILED", "trace": "LS0412: secret-value", "tasks": [], "lost": 2 },
        ])
    }

    fn measures(&self) -> Value {
        json!({ "buckets_us": [1000, 1_000_000], "tasks": [{
            "connector": "out", "task": 1, "written": 9, "transformed": 11, "buffer_bytes": 64, "committed": 7, "bytes": 70, "dead_letters": 2,
            "last_record_ms": 500, "put": { "counts": [3, 1, 1], "sum_us": 2_500_000 },
            "told": [
                { "name": "linkspan_kafka_source_lag_records", "labels": { "partition": "0", "topic": "a\"b" }, "value": 7.0 },
                { "name": "linkspan_kafka_source_lag_records", "labels": { "partition": "1", "topic": "a\"b" }, "value": null },
                { "name": "linkspan_kafka_client_sent_bytes_total", "labels": {}, "value": 12.0 },
                { "name": "linkspan_task_put_seconds_sum", "labels": {}, "value": 1.0 },
            ],
        }]})
    }
}

fn host() -> Host {
    let options = LocalOptions {
        journal_file_bytes: 3 << 20,
        commit_bytes_max: 1 << 20,
        ..LocalOptions::new(Path::new("/data"))
    };
    let clock = Arc::new(SystemClock::default());
    let log: Arc<dyn LogBackend> = open_local(Arc::new(MemFs::new()), clock, options).unwrap();
    let topic = TopicName::try_new("lines").unwrap();
    log.create_topic(&topic, &TopicSpec::with_partitions(2))
        .unwrap();
    let view: Arc<dyn HostView> = Arc::new(Told);
    let fleet = Fleet::new(Arc::clone(&log), Arc::clone(&view));
    Host::new(log, view, fleet)
}

/// The families of a page by name, each with the lines of its samples. Panics where the text is not well-formed.
fn read(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut families: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut current = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(!help.trim().is_empty(), "{line}");
            name.clone_into(&mut current);
            assert!(families.insert(current.clone(), Vec::new()).is_none());
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            assert_eq!(rest.split(' ').next(), Some(current.as_str()));
        } else {
            assert!(line.starts_with(&current), "{line} under {current}");
            let (_, value) = line.rsplit_once(' ').unwrap();
            assert!(value.parse::<f64>().is_ok(), "{line}");
            families.get_mut(&current).unwrap().push(line.to_owned());
        }
    }
    families
}

/// Says what is wrong with a family by the conventions of Prometheus.
fn lint(family: &Family) -> Result<(), String> {
    let name = family.name;
    if !name.starts_with("linkspan_") && !name.starts_with("process_") {
        return Err(format!("{name}: prefix"));
    }
    if name
        .bytes()
        .any(|b| !b.is_ascii_lowercase() && b != b'_' && !b.is_ascii_digit())
    {
        return Err(format!("{name}: letters"));
    }
    if (family.kind == Kind::Counter) != name.ends_with("_total") {
        return Err(format!("{name}: `_total` is for counters"));
    }
    let bad_unit = [
        "_ms", "_millis", "_us", "_kb", "_mb", "_percent", "_minutes",
    ];
    if bad_unit
        .iter()
        .any(|unit| name.contains(&format!("{unit}_")) || name.ends_with(unit))
    {
        return Err(format!("{name}: no base unit"));
    }
    if matches!(family.kind, Kind::Histogram | Kind::Summary) && !name.ends_with("_seconds") {
        return Err(format!("{name}: a duration is in seconds"));
    }
    if family.help.is_empty() || !family.help.ends_with('.') {
        return Err(format!("{name}: help"));
    }
    let closed = ["state", "type", "stage", "kind", "route", "method", "code"];
    for label in family.labels {
        if !FREE.contains(label) && !closed.contains(label) {
            return Err(format!(
                "{name}: label `{label}` is not known to be bounded"
            ));
        }
    }
    Ok(())
}

#[test]
fn families_keep_the_conventions() {
    let problems: Vec<String> = f::ALL
        .iter()
        .filter_map(|family| lint(family).err())
        .collect();
    assert_eq!(problems, Vec::<String>::new());
    let names: BTreeSet<&str> = f::ALL.iter().map(|family| family.name).collect();
    assert_eq!(names.len(), f::ALL.len());
    // The rules do find something.
    for (name, kind, labels) in [
        ("other_records_total", Kind::Counter, &[][..]),
        ("linkspan_records", Kind::Counter, &[]),
        ("linkspan_poll_ms", Kind::Gauge, &[]),
        ("linkspan_errors_total", Kind::Counter, &["message"]),
    ] {
        let help = "Something.";
        let family = Family {
            name,
            kind,
            labels,
            help,
        };
        assert!(lint(&family).is_err(), "{name}");
    }
}

#[test]
fn the_page_tells_connectors_tasks_log_and_process() {
    REQUESTS.count("/connectors", "GET", 200);
    let text = text(&host());
    let families = read(&text);
    for line in [
        r#"linkspan_connector_state{connector="in \"x\"\\",type="source",state="running"} 1"#,
        r#"linkspan_connector_state{connector="out",type="sink",state="failed"} 1"#,
        r#"linkspan_connector_state{connector="out",type="sink",state="running"} 0"#,
        r#"linkspan_connector_lost_records_total{connector="out"} 2"#,
        r#"linkspan_task_records_total{connector="out",task="1",stage="written"} 9"#,
        r#"linkspan_task_records_total{connector="out",task="1",stage="transformed"} 11"#,
        r#"linkspan_task_records_total{connector="out",task="1",stage="committed"} 7"#,
        r#"linkspan_task_buffer_bytes{connector="out",task="1"} 64"#,
        r#"linkspan_task_errors_total{connector="out",task="1",kind="data"} 2"#,
        r#"linkspan_task_put_seconds_bucket{connector="out",task="1",le="0.001"} 3"#,
        r#"linkspan_task_put_seconds_bucket{connector="out",task="1",le="1"} 4"#,
        r#"linkspan_task_put_seconds_bucket{connector="out",task="1",le="+Inf"} 5"#,
        r#"linkspan_task_put_seconds_sum{connector="out",task="1"} 2.5"#,
        r#"linkspan_task_put_seconds_count{connector="out",task="1"} 5"#,
        r#"linkspan_topic_records_total{topic="lines"} 0"#,
        "linkspan_log_healthy 1",
    ] {
        assert!(
            text.lines().any(|known| known == line),
            "no {line} in:\n{text}"
        );
    }
    assert_eq!(
        families["linkspan_kafka_source_lag_records"],
        [
            r#"linkspan_kafka_source_lag_records{connector="out",task="1",partition="0",topic="a\"b"} 7"#
        ]
    );
    assert!(text.contains("# TYPE linkspan_kafka_client_sent_bytes_total counter\n"));
    assert!(text.contains("# TYPE linkspan_kafka_source_lag_records gauge\n"));
    // A plugin's metric does not take the host's name.
    assert_eq!(text.matches("linkspan_task_put_seconds_sum").count(), 1);
    assert_eq!(families["linkspan_log_size_bytes"].len(), 2);
    assert!(families.contains_key("process_resident_memory_bytes"));
    assert!(families.contains_key("linkspan_http_requests_total"));
    // Nothing was polled: a sink has no such histogram.
    assert!(!families.contains_key("linkspan_task_poll_seconds"));
    assert!(!text.contains("secret-value"));
}

#[test]
fn the_dashboard_asks_for_figures_that_exist() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut asked = BTreeSet::new();
    for panel in panels {
        for target in panel["targets"].as_array().unwrap() {
            let expr = target["expr"].as_str().unwrap();
            let words = expr.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let names = words.filter(|w| w.starts_with("linkspan_") || w.starts_with("process_"));
            let names: Vec<String> = names.map(ToOwned::to_owned).collect();
            assert!(!names.is_empty(), "{expr}");
            asked.extend(names);
        }
    }
    let served = |name: &str| {
        f::ALL.iter().any(|family| {
            family.name == name
                || (family.kind == Kind::Histogram
                    && ["_bucket", "_sum", "_count"]
                        .iter()
                        .any(|suffix| name.strip_suffix(suffix) == Some(family.name)))
        })
    };
    let unknown: Vec<&String> = asked.iter().filter(|name| !served(name)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    assert!(asked.len() > 15, "{asked:?}");
    assert!(!served("linkspan_nothing_total"));
}
