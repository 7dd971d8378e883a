//! The plugin table, as a host calls it.

use linkspan_abi::{
    ErrorKind as AbiKind, Plugin_Ref, R, RErr, ROk, RSlice, RStr,
    manifest::{ClassKind, Manifest},
};

use super::{Class, PluginDef, make_plugin};
use crate::{OffsetChange, options::Options as _, prelude::*};

/// Reads nothing.
#[derive(Options)]
struct NothingOptions {
    topic: Option<TopicName>,
    #[option(default = "1")]
    parts: u32,
}

struct Nothing;

impl SourceTask for Nothing {
    type Options = NothingOptions;

    async fn open(options: NothingOptions, _ctx: SourceContext) -> Result<Self> {
        options
            .topic
            .map(|_| Self)
            .ok_or_else(|| Error::config_invalid("no topic"))
    }

    async fn poll(&mut self, _out: &mut BatchBuilder) -> Result<Poll> {
        Ok(Poll::Exhausted)
    }
}

struct NothingConnector;

impl SourceConnector for NothingConnector {
    type Options = NothingOptions;

    fn validate(options: &NothingOptions) -> Vec<ConfigProblem> {
        if options.parts == 0 {
            vec![ConfigProblem::new("parts", "must not be 0")]
        } else {
            Vec::new()
        }
    }

    async fn task_configs(options: &NothingOptions, max: u32) -> Result<Vec<TaskConfig>> {
        assert!(options.parts != 13, "unlucky");
        let tasks = options.parts.min(max);
        Ok((0..tasks)
            .map(|n| TaskConfig::from([("part".to_owned(), n.to_string())]))
            .collect())
    }

    fn alter_offsets(_options: &NothingOptions, offsets: &[OffsetChange]) -> Result<bool> {
        if offsets.iter().any(|change| change.offset.is_some()) {
            return Err(Error::data_invalid("there is nothing to stand at"));
        }
        Ok(true)
    }

    async fn created(_options: &NothingOptions, connector: &str) -> Result<()> {
        if connector == "taken" {
            Err(Error::conflict("the name is taken"))
        } else {
            Ok(())
        }
    }
}

impl SinkTask for Nothing {
    type Options = ();

    async fn open(_options: (), _ctx: SinkContext) -> Result<Self> {
        Ok(Self)
    }

    async fn put(&mut self, records: Records<'_>, _report: &mut Report) -> Result<Progress> {
        Ok(records.progress())
    }
}

fn ok<T>(answer: R<T>) -> T {
    match answer {
        ROk(value) => value,
        RErr(error) => panic!("{error}"),
    }
}

fn failed<T>(answer: R<T>) -> (AbiKind, String) {
    match answer {
        ROk(_) => panic!("an error was expected"),
        RErr(error) => (error.kind, error.message.as_str().to_owned()),
    }
}

/// Returns the one plugin of this test binary.
fn plugin() -> Plugin_Ref {
    let classes = vec![
        crate::__class!(
            sources (crate::__class!(@new sources Nothing, "nothing-source"));
            aliases: ["NothingSource"], connector: NothingConnector, features: ["fenced"],
        ),
        Class::sink::<Nothing>("nothing-sink").docs("Takes nothing."),
    ];
    make_plugin(PluginDef::new(
        "linkspan-connector-nothing",
        "1.2.3",
        classes,
    ))
}

#[test]
fn the_manifest_says_what_the_macro_says() {
    let plugin = plugin();
    let manifest = Manifest::from_json(plugin.manifest()().as_str()).unwrap();
    assert_eq!(
        (manifest.name.as_str(), manifest.version.as_str()),
        ("linkspan-connector-nothing", "1.2.3")
    );
    let [source, sink] = manifest.classes.as_slice() else {
        panic!("two classes")
    };
    assert_eq!(
        (source.kind, sink.kind),
        (ClassKind::Source, ClassKind::Sink)
    );
    assert_eq!(
        (source.docs.as_str(), sink.docs.as_str()),
        ("Reads nothing.", "Takes nothing.")
    );
    assert_eq!(
        (&source.aliases[..], &source.features[..]),
        (
            &["NothingSource".to_owned()][..],
            &["fenced".to_owned()][..]
        )
    );
    assert_eq!(source.options, NothingOptions::definitions());
}

#[test]
fn validation_tells_all_problems() {
    let plugin = plugin();
    let validate = |config: &str| {
        ok(plugin.validate()(
            RStr::from("NothingSource"),
            RStr::from(config),
        ))
        .as_str()
        .to_owned()
    };
    assert_eq!(validate(r#"{"topic":"t"}"#), "[]");
    assert_eq!(
        validate(r#"{"parts":"0","topic":"t"}"#),
        r#"[{"option":"parts","message":"must not be 0"}]"#
    );
    let both = validate(r#"{"parts":"x","topic":"a b"}"#);
    assert!(
        both.contains(r#""option":"topic""#) && both.contains(r#""option":"parts""#),
        "{both}"
    );
}

#[test]
fn a_connector_is_split_into_tasks() {
    let plugin = plugin();
    let split = |config: &str, max| {
        plugin.task_configs()(RStr::from("nothing-source"), RStr::from(config), max)
    };
    let configs = ok(split(r#"{"topic":"t","parts":"5"}"#, 2));
    let configs: Vec<&str> = configs.iter().map(|config| config.as_str()).collect();
    assert_eq!(configs, [r#"{"part":"0"}"#, r#"{"part":"1"}"#]);
    let (kind, message) = failed(split(r#"{"topic":"t","parts":"13"}"#, 2));
    assert_eq!(kind, AbiKind::PANICKED);
    assert!(
        message.contains("unlucky") && message.contains("tests.rs:"),
        "{message}"
    );
    assert_eq!(
        failed(split(r#"{"parts":"x"}"#, 2)).0,
        AbiKind::CONFIG_INVALID
    );
    let sinks = ok(plugin.task_configs()(
        RStr::from("nothing-sink"),
        RStr::from("{}"),
        3,
    ));
    assert_eq!(sinks.len(), 3);
}

#[test]
fn hooks_and_unknown_names_are_answered() {
    let plugin = plugin();
    let call =
        |op: &str, body: &str| plugin.call()(RStr::from(op), RSlice::from_slice(body.as_bytes()));
    let created = |name: &str| {
        let body = serde_json::json!({"class": "nothing-source", "connector": name, "config": {"topic": "t"}});
        call("connector.created", &body.to_string())
    };
    ok(created("mine"));
    assert_eq!(
        failed(created("taken")),
        (AbiKind::CONFLICT, "the name is taken".to_owned())
    );
    let alter = |offset: &str| {
        call(
            "connector.alter_offsets",
            &format!(
                r#"{{"class":"nothing-source","config":{{"topic":"t"}},"offsets":[{{"partition":{{"p":1}},"offset":{offset}}}]}}"#
            ),
        )
    };
    assert_eq!(ok(alter("null")).as_slice(), b"true");
    assert_eq!(failed(alter("{}")).0, AbiKind::DATA_INVALID);
    assert_eq!(failed(call("fly", "{}")).0, AbiKind::UNSUPPORTED);
    assert_eq!(
        failed(plugin.create_task()(
            RStr::from("other"),
            1,
            RStr::from("{}")
        ))
        .0,
        AbiKind::NOT_FOUND
    );
}

/// Waits for ever.
struct Patient;

impl SourceTask for Patient {
    type Options = ();

    async fn open(_options: (), _ctx: SourceContext) -> Result<Self> {
        Ok(Self)
    }

    async fn poll(&mut self, _out: &mut BatchBuilder) -> Result<Poll> {
        std::future::pending::<()>().await;
        Ok(Poll::More)
    }
}

#[test]
fn a_wake_ends_the_wait_of_a_poll_and_not_the_poll() {
    use std::time::{Duration, Instant};
    let class = Class::source::<Patient>("patient");
    let mut task = super::LocalTask::create(&class, 1, r#"{"config":{}}"#).unwrap();
    task.open().unwrap();
    let control = task.control();
    let minute = 60_000;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(50));
            control.wake();
        });
        let begun = Instant::now();
        let batch = task.poll(1, 1, minute).unwrap();
        assert_eq!(batch.count, 0);
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "it was not woken"
        );
    });
    // Without one it waits as long as it was told to.
    let begun = Instant::now();
    task.poll(1, 1, 50).unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(50));
}
