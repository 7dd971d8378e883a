//! Who owns a connector, over restarts of the host: every change of the files × every target state, on a log in memory.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use linkspan_log::{Commit, KvPut, LocalOptions, LogBackend, MemFs, Store, list_group, open_local};
use linkspan_types::{Offset, OwnerId, PartitionId, SystemClock, TopicName, TopicPartition};

use super::keeper::Keeper;
use super::ownership::{self, Settled};
use super::target::{self, Target};
use crate::offsets::{list, offset_key};
use crate::sink::group_of;
use crate::spec::{ConnectorSpec, KindOfConnector, Resolved};

/// A host's memory, which is opened anew at every start.
struct Memory {
    fs: Arc<MemFs>,
    log: Arc<dyn LogBackend>,
}

fn open(fs: &Arc<MemFs>) -> Arc<dyn LogBackend> {
    let options = LocalOptions {
        journal_file_bytes: 3 << 20,
        commit_bytes_max: 1 << 20,
        ..LocalOptions::new(Path::new("/data"))
    };
    open_local(
        Arc::clone(fs) as _,
        Arc::new(SystemClock::default()),
        options,
    )
    .unwrap()
}

impl Memory {
    fn new() -> Self {
        let fs = Arc::new(MemFs::new());
        let log = open(&fs);
        Self { fs, log }
    }

    fn restart(&mut self) {
        self.log.close().unwrap();
        self.log = open(&self.fs);
    }

    fn keeper(&self) -> Keeper {
        Keeper::new(Arc::clone(&self.log))
    }

    /// What a start of a host with these files does.
    fn settle(&self, specs: &[Arc<ConnectorSpec>]) -> Settled {
        let keeper = self.keeper();
        for spec in specs {
            ownership::adopt(self.log.as_ref(), &keeper, spec, 1).unwrap();
        }
        for spec in specs
            .iter()
            .filter(|spec| spec.kind == KindOfConnector::Sink)
        {
            self.log
                .declare_reader(&group_of(&spec.name), &spec.topics)
                .unwrap();
        }
        ownership::settle(self.log.as_ref(), &keeper, specs, 1).unwrap()
    }

    fn command(&self, name: &str, target: Target) {
        self.keeper()
            .put(vec![target::put(name, target, 2)])
            .unwrap();
    }

    fn source_offset(&self, name: &str) -> Option<String> {
        let all = list(self.log.as_ref(), name, &serde_json::Map::new()).unwrap();
        all.first().map(|(_, offset)| offset.to_string())
    }

    fn position(&self, name: &str) -> Option<i64> {
        let rows = list_group(self.log.as_ref(), &group_of(name)).unwrap();
        rows.first().map(|(_, _, offset)| offset.next.0)
    }

    fn is_reader(&self, name: &str) -> bool {
        let readers = self.log.readers().unwrap();
        readers.iter().any(|(group, _)| *group == group_of(name))
    }

    fn work(&self) {
        let producer = self.log.open_producer(&OwnerId::from("in")).unwrap();
        let put = KvPut {
            store: Store::SourceOffsets,
            key: offset_key("in", r#"{"filename":"a"}"#).unwrap().into(),
            value: Some(br#"{"position":7}"#.to_vec().into()),
        };
        let commit = Commit {
            appends: Vec::new(),
            puts: vec![put],
        };
        producer.submit(commit).unwrap().wait().unwrap();
        let topic = TopicName::try_new("t").unwrap();
        self.log
            .create_topic(&topic, &linkspan_log::TopicSpec::with_partitions(1))
            .unwrap();
        let at = TopicPartition::new(topic, PartitionId(0));
        self.log
            .set_group_offsets(&group_of("out"), &[(at, Some(Offset(0)))])
            .unwrap();
    }
}

fn spec(
    name: &str,
    kind: KindOfConnector,
    change: impl FnOnce(&mut ConnectorSpec),
) -> Arc<ConnectorSpec> {
    let mut spec = ConnectorSpec {
        topics_regex: None,
        name: name.to_owned(),
        class: "fake".to_owned(),
        kind,
        resolve: Arc::new(|| Ok(Resolved::default())),
        tasks_max: 1,
        topics: match kind {
            KindOfConnector::Source => Vec::new(),
            KindOfConnector::Sink => vec![TopicName::try_new("t").unwrap()],
        },
        key_fields: Vec::new(),
        flush_interval: Duration::from_secs(1),
        restarts: true,
        restart_delay_max: Duration::from_secs(1),
        tasks_max_enforced: true,
        hung_after: None,
        initial_state: Target::Started,
        moved_from: None,
        fingerprint: "1".to_owned(),
        origin: "a.yaml:1:1".to_owned(),
        stage: 0,
    };
    change(&mut spec);
    Arc::new(spec)
}

fn files() -> Vec<Arc<ConnectorSpec>> {
    vec![
        spec("in", KindOfConnector::Source, |_| {}),
        spec("out", KindOfConnector::Sink, |_| {}),
    ]
}

fn renamed() -> Vec<Arc<ConnectorSpec>> {
    vec![
        spec("in-2", KindOfConnector::Source, |spec| {
            spec.moved_from = Some("in".to_owned())
        }),
        spec("out-2", KindOfConnector::Sink, |spec| {
            spec.moved_from = Some("out".to_owned())
        }),
    ]
}

fn targets(pairs: &[(&str, Target)]) -> BTreeMap<String, Target> {
    pairs
        .iter()
        .map(|(name, target)| ((*name).to_owned(), *target))
        .collect()
}

#[test]
fn two_keepers_of_one_process_do_not_shut_each_other_out() {
    let memory = Memory::new();
    let (host, job) = (memory.keeper(), memory.keeper());
    let put = |keeper: &Keeper, key: &'static str| {
        keeper.put(vec![linkspan_log::KvPut {
            store: linkspan_log::Store::Meta,
            key: key.as_bytes().into(),
            value: Some(key.as_bytes().into()),
        }])
    };
    for key in ["a", "b", "c"] {
        put(&host, key).unwrap();
        put(&job, key).unwrap();
    }
    // What else a log refuses is not tried again for ever.
    memory.log.close().unwrap();
    put(&host, "d").unwrap_err();
}

/// What happened to the files × what was commanded before, each over a restart.
#[test]
#[expect(
    clippy::too_many_lines,
    reason = "one table and what holds for each of its rows"
)]
fn every_change_of_the_files_and_every_command_over_a_restart() {
    type Change = (
        &'static str,
        fn() -> Vec<Arc<ConnectorSpec>>,
        [Option<&'static str>; 2],
    );
    let changes: [Change; 4] = [
        ("nothing", files, [Some("in"), Some("out")]),
        (
            "another option",
            || {
                files()
                    .iter()
                    .map(|one| {
                        spec(&one.name, one.kind, |spec| {
                            spec.fingerprint = "2".to_owned();
                            // It was here before: the file's word on how it begins says nothing any more.
                            spec.initial_state = Target::Stopped;
                        })
                    })
                    .collect()
            },
            [Some("in"), Some("out")],
        ),
        ("both left", Vec::new, [None, None]),
        ("renamed", renamed, [Some("in-2"), Some("out-2")]),
    ];
    for (what, files_now, names) in changes {
        for commanded in [
            None,
            Some(Target::Started),
            Some(Target::Paused),
            Some(Target::Stopped),
        ] {
            let mut memory = Memory::new();
            let first = memory.settle(&files());
            assert_eq!(
                first.targets,
                targets(&[("in", Target::Started), ("out", Target::Started)])
            );
            memory.work();
            if let Some(target) = commanded {
                memory.command("in", target);
                memory.command("out", target);
            }
            let wanted = commanded.unwrap_or_default();
            // Twice: what was taken over once is not taken over again, and stays.
            for round in 0..2 {
                memory.restart();
                let settled = memory.settle(&files_now());
                let said = format!("{what}, {commanded:?}, round {round}");
                let expected: Vec<(&str, Target)> =
                    names.iter().flatten().map(|name| (*name, wanted)).collect();
                assert_eq!(settled.targets, targets(&expected), "{said}");
                let left: Vec<&str> = settled.left.keys().map(String::as_str).collect();
                let expected_left: &[&str] = if names[0].is_none() {
                    &["in", "out"]
                } else {
                    &[]
                };
                assert_eq!(left, expected_left, "{said}");
                let (source, sink) = (names[0].unwrap_or("in"), names[1].unwrap_or("out"));
                assert_eq!(
                    memory.source_offset(source).as_deref(),
                    Some(r#"{"position":7}"#),
                    "{said}"
                );
                assert_eq!(memory.position(sink), Some(0), "{said}");
                assert!(memory.is_reader(sink), "{said}");
                if what == "renamed" {
                    assert_eq!(memory.source_offset("in"), None, "{said}");
                    assert_eq!(memory.position("out"), None, "{said}");
                    assert!(!memory.is_reader("out"), "{said}");
                    let fence = |name| memory.log.current_fence(&OwnerId::from(name)).unwrap();
                    assert!(fence("in-2") >= fence("in"), "{said}");
                }
            }
            // Back in its file: as it was commanded, wherever it had been.
            if names[0].is_none() {
                memory.restart();
                let settled = memory.settle(&files());
                assert_eq!(
                    settled.targets,
                    targets(&[("in", wanted), ("out", wanted)]),
                    "{what} and back"
                );
            }
        }
    }
}

#[test]
fn a_new_connector_begins_as_its_file_says_and_a_command_lasts() {
    let mut memory = Memory::new();
    let paused = [spec("in", KindOfConnector::Source, |spec| {
        spec.initial_state = Target::Paused
    })];
    assert_eq!(
        memory.settle(&paused).targets,
        targets(&[("in", Target::Paused)])
    );
    memory.command("in", Target::Started);
    memory.restart();
    assert_eq!(
        memory.settle(&paused).targets,
        targets(&[("in", Target::Started)])
    );
}

#[test]
fn a_deleted_connector_leaves_nothing_and_holds_nothing() {
    let mut memory = Memory::new();
    memory.settle(&files());
    memory.work();
    memory.command("out", Target::Paused);
    for name in ["in", "out"] {
        ownership::forget(memory.log.as_ref(), &memory.keeper(), name).unwrap();
    }
    memory.restart();
    assert_eq!(memory.source_offset("in"), None);
    assert_eq!(memory.position("out"), None);
    assert!(!memory.is_reader("out"));
    assert_eq!(memory.settle(&[]), Settled::default());
    // Once more is fine, and a new one of the name is new.
    ownership::forget(memory.log.as_ref(), &memory.keeper(), "out").unwrap();
    assert_eq!(memory.settle(&files()).targets["out"], Target::Started);
}

#[test]
fn an_heir_with_offsets_of_its_own_takes_nothing_over() {
    let memory = Memory::new();
    memory.settle(&files());
    memory.work();
    let heir = spec("in-2", KindOfConnector::Source, |spec| {
        spec.moved_from = Some("in".to_owned())
    });
    let own = KvPut {
        store: Store::SourceOffsets,
        key: offset_key("in-2", r#"{"filename":"b"}"#).unwrap().into(),
        value: Some(br#"{"position":1}"#.to_vec().into()),
    };
    memory.keeper().put(vec![own]).unwrap();
    assert!(!ownership::adopt(memory.log.as_ref(), &memory.keeper(), &heir, 1).unwrap());
    assert_eq!(
        memory.source_offset("in").as_deref(),
        Some(r#"{"position":7}"#)
    );
}

#[test]
fn two_heirs_or_an_heir_beside_its_origin_are_refused() {
    let heir = |name: &str| {
        spec(name, KindOfConnector::Source, |spec| {
            spec.moved_from = Some("in".to_owned())
        })
    };
    for (specs, problems) in [
        (vec![heir("a")], 0),
        (vec![heir("a"), heir("b")], 1),
        (
            vec![heir("a"), spec("in", KindOfConnector::Source, |_| {})],
            1,
        ),
    ] {
        let found = ownership::check_moves(specs.iter().map(AsRef::as_ref));
        assert_eq!(found.len(), problems, "{found:?}");
    }
}
