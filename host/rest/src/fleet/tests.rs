//! What a fleet shows of made-up statuses and a log in memory.

use std::path::Path;

use linkspan_log::{Append, Commit, LocalOptions, MemFs, TopicSpec, open_local};
use linkspan_types::{GroupId, Offset, OwnerId, PartitionId, TopicName, TopicPartition};
use linkspan_wire::{BatchBuilder, Compression};

use super::*;

#[derive(Debug)]
struct Told(Mutex<Value>);

impl HostView for Told {
    fn connectors(&self) -> Value {
        self.0.lock().unwrap().clone()
    }

    fn remedy(&self, code: &str) -> Option<String> {
        (code == "LS0412").then(|| "mend it".to_owned())
    }
}

fn log() -> Arc<dyn LogBackend> {
    let options = LocalOptions {
        journal_file_bytes: 3 << 20,
        commit_bytes_max: 1 << 20,
        ..LocalOptions::new(Path::new("/data"))
    };
    open_local(
        Arc::new(MemFs::new()),
        Arc::new(SystemClock::default()),
        options,
    )
    .unwrap()
}

fn status(name: &str, kind: &str, state: &str, task: &str, trace: Option<&str>) -> Value {
    json!({
        "name": name, "type": kind, "class": "some", "origin": "a.yaml:3", "target": "RUNNING", "state": state,
        "records": 5, "bytes": 50, "topics": ["lines"],
        "tasks": [{ "id": 0, "state": task, "connect_state": task, "trace": trace, "records": 5 }],
    })
}

#[test]
fn what_failed_comes_first_with_its_remedy() {
    let told = json!([
        status("a", "source", "RUNNING", "RUNNING", None),
        status(
            "b",
            "sink",
            "RUNNING",
            "FAILED",
            Some("LS0412: duplicate key")
        ),
        status("c", "sink", "RUNNING", "RETRYING", Some("LS0430: later")),
        status("d", "sink", "PAUSED", "PAUSED", None),
    ]);
    let fleet = Fleet::new(log(), Arc::new(Told(Mutex::new(told))));
    let page = fleet.page();
    let names: Vec<_> = page["connectors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            format!(
                "{}:{}",
                row["name"].as_str().unwrap(),
                row["health"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(names, ["b:failed", "c:retrying", "a:running", "d:paused"]);
    assert_eq!(
        page["connectors"][0]["error"],
        json!({ "code": "LS0412", "message": "duplicate key", "remedy": "mend it" })
    );
    assert_eq!(page["connectors"][2]["error"], Value::Null);
    assert_eq!(page["totals"]["failed"], 1);
    assert_eq!(page["totals"]["tasks_failed"], 1);
    assert_eq!(page["totals"]["connectors"], 4);
}

#[test]
fn who_owns_a_connector_is_read_from_its_origin() {
    let owners = |rows: &[(&str, bool)]| -> Vec<Value> {
        let told = rows.iter().enumerate().map(|(n, (origin, left))| {
            let mut row = status(&n.to_string(), "source", "RUNNING", "RUNNING", None);
            row["origin"] = json!(origin);
            row["left"] = json!(left);
            row
        });
        let fleet = Fleet::new(log(), Arc::new(Told(Mutex::new(told.collect()))));
        let page = fleet.page();
        let rows = page["connectors"].as_array().unwrap();
        rows.iter().map(|row| row["owner"].clone()).collect()
    };
    let rows = [
        ("a.yaml:3:1", false),
        ("REST:7:1", false),
        ("REST", false),
        ("a.yaml:3:1", true),
    ];
    assert_eq!(owners(&rows), ["file", "rest", "rest", "none"]);
}

#[test]
fn a_job_tells_states_of_tasks_alone() {
    let row =
        json!({ "name": "in", "type": "source", "tasks": ["RUNNING", "COMPLETED"], "records": 7 });
    let status = Look::of(row);
    assert_eq!((status.health(), status.records), ("running", 7));
    assert_eq!(Look::of(json!({ "name": "x", "tasks": 3 })).name, "x");
}

#[test]
fn a_rate_is_the_growth_over_the_time_and_forgets_what_went_back() {
    let start = Instant::now();
    let at = |ms: u64| start + Duration::from_millis(ms);
    let mut rate = Rate::default();
    assert!(rate.add(at(0), 100).abs() < 0.01);
    assert!((rate.add(at(2000), 300) - 100.0).abs() < 0.01);
    // A new life of the counter.
    assert!(rate.add(at(3000), 10).abs() < 0.01);
    assert!((rate.add(at(4000), 20) - 10.0).abs() < 0.01);
    // What is older than the window does not count.
    for second in 5..40 {
        rate.add(at(second * 1000), 20);
    }
    assert!(rate.mean().abs() < 0.01);
}

#[test]
fn a_sink_is_behind_by_what_it_has_not_committed() {
    let log = log();
    let name = TopicName::try_new("lines").unwrap();
    let topic = log
        .create_topic(&name, &TopicSpec::with_partitions(1))
        .unwrap();
    let producer = log.open_producer(&OwnerId::from("t")).unwrap();
    let now = SystemClock::default().now_ms();
    for age_ms in [90_000, 60_000, 30_000] {
        let mut builder = BatchBuilder::new(Compression::None);
        builder.push_plain(now - age_ms, None, Some(b"v")).unwrap();
        let commit = Commit {
            appends: vec![Append {
                topic: topic.id,
                partition: PartitionId(0),
                batch: builder.finish().unwrap(),
            }],
            puts: Vec::new(),
        };
        producer.submit(commit).unwrap().wait().unwrap();
    }
    let group = GroupId::from("connect-out");
    let place = TopicPartition::new(name, PartitionId(0));
    log.set_group_offsets(&group, &[(place.clone(), Some(Offset(1)))])
        .unwrap();
    let told = json!([status("out", "sink", "RUNNING", "RUNNING", None)]);
    let fleet = Fleet::new(Arc::clone(&log), Arc::new(Told(Mutex::new(told))));
    let row = fleet.page()["connectors"][0].clone();
    assert_eq!(row["lag"]["records"], 2);
    let seconds = row["lag"]["seconds"].as_f64().unwrap();
    assert!((60.0..90.0).contains(&seconds), "{seconds}");
    let graph = fleet.graph();
    assert_eq!(graph["edges"][0]["from"], "t:lines");
    assert_eq!(graph["edges"][0]["to"], "c:out");
    assert_eq!(graph["edges"][0]["lag_records"], 2);

    log.set_group_offsets(&group, &[(place, Some(Offset(3)))])
        .unwrap();
    fleet.look();
    assert_eq!(
        fleet.page()["connectors"][0]["lag"],
        json!({ "records": 0, "seconds": 0.0, "partitions": 1 })
    );
}

#[test]
fn a_stream_begins_with_everything_and_goes_on_with_changes() {
    let view = Arc::new(Told(Mutex::new(json!([
        status("a", "source", "RUNNING", "RUNNING", None),
        status("b", "sink", "RUNNING", "RUNNING", None),
    ]))));
    let fleet = Fleet::new(log(), Arc::clone(&view) as Arc<dyn HostView>);
    let mut reader = stream::Reader::after(None);
    let first = reader.news(&fleet);
    assert!(first.starts_with("event: fleet\ndata: {"), "{first}");
    assert!(first.contains("\"full\":true") && first.ends_with("\n\n"));
    assert!(first.contains("\"name\":\"a\"") && first.contains("\"name\":\"b\""));
    fleet.look();
    assert_eq!(reader.news(&fleet), "");

    let failed = Some("LS0412: duplicate key");
    *view.0.lock().unwrap() = json!([status("b", "sink", "RUNNING", "FAILED", failed)]);
    fleet.look();
    let next = reader.news(&fleet);
    assert!(next.contains("\"full\":false"), "{next}");
    assert!(next.contains("\"removed\":[\"a\"]"), "{next}");
    assert!(next.contains("event: state\n"), "{next}");
    // Whoever comes back with the number of an event gets what came after it.
    let mut back = stream::Reader::after(Some(2));
    let news = back.news(&fleet);
    assert_eq!(news.matches("event: state\n").count(), 2, "{news}");
    assert!(!news.contains("event: gap"));
}

#[test]
fn a_connector_is_told_with_its_events_errors_and_history() {
    let view = Arc::new(Told(Mutex::new(json!([status(
        "b", "sink", "RUNNING", "RUNNING", None
    )]))));
    let fleet = Fleet::new(log(), Arc::clone(&view) as Arc<dyn HostView>);
    fleet.look();
    let failed = Some("LS0412: duplicate key");
    *view.0.lock().unwrap() = json!([status("b", "sink", "RUNNING", "FAILED", failed)]);
    fleet.look();
    let told = fleet.detail("b", json!({ "name": "b", "state": "RUNNING", "starts": 3 }));
    assert_eq!(
        (&told["health"], &told["starts"]),
        (&json!("failed"), &json!(3))
    );
    let kinds: Vec<&Value> = told["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| &e["type"])
        .collect();
    assert_eq!(kinds, [&json!("added"), &json!("connector")]);
    assert_eq!(told["errors"][0]["code"], "LS0412");
    assert_eq!(told["errors"][0]["remedy"], "mend it");
    assert_eq!(told["history"].as_array().unwrap().len(), 1);
    // The same error a second later is no event.
    fleet.look();
    let events = fleet.state().events.of("b", 9);
    assert_eq!(events.len(), 2);
}
