//! A plugin in this process: what it answers, and what it may ask.

use std::{collections::BTreeMap, sync::Arc, thread, time::Duration};

use linkspan_plugin::{
    ClassKind, Registry,
    batch::{Data, Limits, SourceBatch},
    schema::NoSchemas,
};

use crate::support::{Services, good, search};

fn registry() -> (Registry, Arc<Services>) {
    let services = Arc::new(Services::default());
    let good = good();
    let host = Arc::clone(&services);
    let (registry, findings) = Registry::discover(&search(&[&good], &[]), host);
    assert_eq!(findings, []);
    (registry, services)
}

#[test]
fn a_class_is_found_by_name_and_alias() {
    let (registry, _) = registry();
    let class = registry.class("fixture-source-alias").unwrap();
    assert_eq!(
        (class.name(), class.kind()),
        ("fixture-source", ClassKind::Source)
    );
    assert!(class.has_feature("fenced") && !class.has_feature("unbounded"));
    assert_eq!(class.plugin().version, "0.0.1");
    assert!(registry.class("fixture").is_none());
}

#[test]
fn configurations_are_checked_and_split() {
    let (registry, _) = registry();
    let class = registry.class("fixture-source").unwrap();
    let mut config = BTreeMap::new();
    let problems = class.validate(&config).unwrap();
    assert_eq!(problems[0].option, "topic");
    let tasks = class.task_configs(&config, 2).unwrap();
    assert_eq!(tasks[1]["part"], "1");
    config.insert("x".to_owned(), "garbage".to_owned());
    let error = class.validate(&config).unwrap_err();
    assert_eq!(error.kind.as_str(), "internal");
    assert!(error.message.contains("plugin `fixture`"), "{error}");
    assert_eq!(class.call("echo", b"hi").unwrap(), b"hi");
    assert_eq!(
        class.call("dance", b"").unwrap_err().kind.as_str(),
        "unsupported"
    );
}

#[test]
fn a_source_is_polled_and_its_batch_is_valid() {
    let (registry, _services) = registry();
    let class = registry.class("fixture-source").unwrap();
    let task = class.create_task(7, "{}").unwrap();
    let opened = task.open().unwrap();
    assert_eq!(opened, b"7 {\"p\":1}", "it read its offset from the host");
    let control = task.control();
    control.durable(9);
    let batch = task.poll(3, 1 << 20, Duration::ZERO).unwrap();
    assert_eq!((batch.seq(), batch.count()), (10, 3));
    let parsed = SourceBatch::parse_and_validate(&batch, &Limits::DEFAULT, &NoSchemas).unwrap();
    let values: Vec<_> = parsed.records().map(|record| record.value).collect();
    assert_eq!(values, [Data::Utf8("0"), Data::Utf8("1"), Data::Utf8("2")]);
    let error = task.apply(b"", 0, 0).unwrap_err();
    assert!(error.message.contains("format 9"), "{error}");
    let other = control.clone();
    thread::spawn(move || other.stop()).join().unwrap();
    let stopped = task.poll(1, 1, Duration::ZERO).unwrap_err();
    assert_eq!(
        (stopped.kind.as_str(), stopped.is_temporary()),
        ("stopped", true)
    );
    task.close().unwrap();
    control.stop();
    control.durable(10);
}

#[test]
fn a_sink_is_called() {
    let (registry, _) = registry();
    let task = registry
        .class("fixture-sink")
        .unwrap()
        .create_task(1, "{}")
        .unwrap();
    assert_eq!(task.open_partitions("[]").unwrap(), "[]");
    assert_eq!(task.put(b"12345", 2, 0).unwrap(), b"2:5");
    assert_eq!(task.flush().unwrap(), b"");
    task.close_partitions("[]").unwrap();
}

#[test]
fn what_the_host_answers_reaches_the_plugin() {
    let (registry, _) = registry();
    let class = registry.class("fixture-source").unwrap();
    let task = class.create_task(13, "{}").unwrap();
    let error = task.open().unwrap_err();
    assert_eq!(
        (error.kind.as_str(), error.is_temporary()),
        ("unavailable", true)
    );
    assert_eq!(error.message, "the log is away");
    assert_eq!(task.call("schema", b"").unwrap(), 42_u32.to_le_bytes());
    let error = task.call("request", b"").unwrap_err();
    assert_eq!(
        error.kind.as_str(),
        "internal",
        "a panic of the host stays in the host: {error}"
    );
}

#[test]
fn controls_and_close_may_race() {
    let (registry, _) = registry();
    let class = registry.class("fixture-source").unwrap();
    for instance in 0..200 {
        let task = class.create_task(instance, "{}").unwrap();
        let control = task.control();
        let other = thread::spawn(move || {
            for seq in 0..100 {
                control.durable(seq);
                control.stop();
            }
        });
        task.close().unwrap();
        other.join().unwrap();
    }
}
