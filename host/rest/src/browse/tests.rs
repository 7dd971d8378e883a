//! Pages of topics in memory.

use std::path::Path;
use std::sync::Arc;

use linkspan_log::{LocalOptions, MemFs, TopicSpec, open_local};
use linkspan_types::{SystemClock, TopicName};

use super::*;
use crate::produce::{NewRecord, produce};

/// A topic of two partitions: 30 records `k0…k29` of `v…`, in turn.
fn log() -> Arc<dyn LogBackend> {
    let options = LocalOptions {
        journal_file_bytes: 3 << 20,
        commit_bytes_max: 1 << 20,
        ..LocalOptions::new(Path::new("/data"))
    };
    let clock = Arc::new(SystemClock::default());
    let log = open_local(Arc::new(MemFs::new()), clock, options).unwrap();
    let name = TopicName::try_new("t").unwrap();
    log.create_topic(&name, &TopicSpec::with_partitions(2))
        .unwrap();
    let records: Vec<NewRecord> = (0..30)
        .map(|n| NewRecord {
            partition: Some(n % 2),
            timestamp: Some(1_000 * i64::from(n)),
            key: Some(format!("k{n}").into()),
            value: Some(format!("서울{n}").into()),
            ..NewRecord::default()
        })
        .collect();
    produce(&*log, "t", &records).unwrap();
    log
}

fn ask(log: &dyn LogBackend, change: impl FnOnce(&mut Wanted)) -> Value {
    let mut wanted = Wanted::default();
    change(&mut wanted);
    page(log, "t", &wanted).unwrap()
}

fn keys(page: &Value) -> Vec<&str> {
    let records = page["records"].as_array().unwrap();
    records
        .iter()
        .map(|record| record["key"].as_str().unwrap())
        .collect()
}

#[test]
fn pages_together_are_the_topic() {
    let log = log();
    let mut from = "earliest".to_owned();
    let mut all: Vec<String> = Vec::new();
    for _ in 0..10 {
        let page = ask(&*log, |wanted| {
            wanted.from = Some(from.clone());
            wanted.limit = Some(7);
        });
        assert!(keys(&page).len() <= 7);
        all.extend(keys(&page).into_iter().map(str::to_owned));
        from = page["next"].as_str().unwrap().to_owned();
        if page["end"] == true {
            break;
        }
    }
    let mut expected: Vec<String> = (0..30).map(|n| format!("k{n}")).collect();
    all.sort();
    expected.sort();
    assert_eq!(all, expected);
}

#[test]
fn a_page_begins_where_it_is_told() {
    let log = log();
    for (from, partition, expected) in [
        ("tail", None, vec!["k26", "k28", "k27", "k29"]),
        ("13", Some(1), vec!["k27", "k29"]),
        ("1970-01-01T00:00:26Z", Some(0), vec!["k26", "k28"]),
        ("latest", None, vec![]),
        ("0:14", None, vec!["k28"]),
    ] {
        let page = ask(&*log, |wanted| {
            wanted.from = Some(from.to_owned());
            wanted.partition = partition;
            wanted.limit = Some(2);
        });
        assert_eq!(keys(&page), expected, "{from}");
        assert_eq!(page["notes"], json!([]), "{from}");
    }
    let beyond = ask(&*log, |wanted| wanted.from = Some("99".to_owned()));
    assert_eq!(beyond["notes"].as_array().unwrap().len(), 2);
    for bad in ["0:", "yesterday", "1:x"] {
        let wanted = Wanted {
            from: Some(bad.to_owned()),
            ..Wanted::default()
        };
        assert_eq!(page(&*log, "t", &wanted).unwrap_err().error_code, 400);
    }
}

#[test]
fn keys_are_found_and_long_values_cut_between_characters() {
    let log = log();
    let exact = ask(&*log, |wanted| wanted.key = Some("k2".to_owned()));
    assert_eq!(keys(&exact), ["k2"]);
    assert_eq!(
        (&exact["end"], &exact["scanned"]),
        (&json!(true), &json!(30))
    );
    let some = ask(&*log, |wanted| {
        wanted.key = Some("k2".to_owned());
        wanted.key_match = Some("contains".to_owned());
        wanted.value_bytes = Some(4);
    });
    assert_eq!(keys(&some).len(), 11);
    let first = &some["records"][0];
    // The value has 7 bytes, of which 3 are the first character.
    assert_eq!(
        (&first["value"], &first["value_bytes"], &first["truncated"]),
        (&json!("서"), &json!(7), &json!(true))
    );
}

#[test]
fn viewers_see_that_there_is_something_and_not_what() {
    let log = log();
    let page_of = |key: Option<&str>| {
        let wanted = Wanted {
            hidden: true,
            key: key.map(str::to_owned),
            ..Wanted::default()
        };
        page(&*log, "t", &wanted)
    };
    let shown = page_of(None).unwrap();
    assert_eq!(shown["records"][0]["value"], json!({ "hidden": true }));
    assert_eq!(shown["records"][0]["key_bytes"], 2);
    let text = shown.to_string();
    assert!(!text.contains("k1") && !text.contains("서울"), "{text}");
    assert_eq!(page_of(Some("k1")).unwrap_err().error_code, 403);
}
