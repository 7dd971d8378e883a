use std::collections::BTreeMap;

use super::*;
use crate::{Converter, ConverterClass, Field, Kind};

#[test]
fn the_frame_is_confluents() {
    let mut bytes = Vec::new();
    frame(0x0102_0304, &mut bytes);
    bytes.push(9);
    assert_eq!(bytes, [0, 1, 2, 3, 4, 9]);
    assert_eq!(unframe(&bytes).unwrap(), (0x0102_0304, &[9][..]));
    assert!(
        unframe(b"{\"a\":1}")
            .unwrap_err()
            .to_string()
            .contains("0x7b")
    );
    assert!(
        unframe(&[0, 1])
            .unwrap_err()
            .to_string()
            .contains("too few")
    );
    assert!(unframe(b"").is_err());
}

fn configure(class: &str, options: &[(&str, &str)]) -> Result<Arc<RegisteredConverter>, String> {
    let options: BTreeMap<String, String> = options
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect();
    match ConverterClass::find(class).unwrap().configure(&options) {
        Ok(Converter::Registered(made)) => Ok(made),
        Ok(other) => panic!("{other:?}"),
        Err(problems) => Err(problems
            .iter()
            .map(|one| format!("{}: {}", one.option, one.message))
            .collect()),
    }
}

#[test]
fn subjects_are_named_by_topic_record_or_both() {
    let schema = Schema::structure(vec![Field::new("a", Schema::new(Kind::Int32))]).unwrap();
    let named = Arc::new(schema.with_name("shop.Order"));
    let plain = Arc::new(Schema::new(Kind::Int32));
    for class in ["avro", "json-schema"] {
        for (strategy, subject) in [
            ("TopicNameStrategy", "t-value"),
            (
                "io.confluent.kafka.serializers.subject.RecordNameStrategy",
                "shop.Order",
            ),
            ("TopicRecordNameStrategy", "t-shop.Order"),
        ] {
            let made = configure(
                class,
                &[
                    ("schema.registry.url", "http://h:1"),
                    ("value.subject.name.strategy", strategy),
                ],
            )
            .unwrap();
            let of = |schema| made.subject("t", true, &made.form.of(schema).unwrap());
            assert_eq!(of(&named).unwrap(), subject, "{class}");
            assert_eq!(
                of(&plain).is_ok(),
                strategy == "TopicNameStrategy",
                "{class}"
            );
            let key = made.subject("t", false, &made.form.of(&plain).unwrap());
            assert_eq!(key.unwrap(), "t-key");
        }
    }
}

#[test]
fn options_that_do_not_fit_are_named_and_no_secret_is_shown() {
    let url = ("schema.registry.url", "http://h:1");
    for class in ["avro", "json-schema"] {
        for (options, says) in [
            (&[("schema.registry.url", "h:1")][..], "schema.registry.url"),
            (&[], "schema.registry.url"),
            (&[url, ("use.latest.version", "true")], "use.latest.version"),
            (
                &[url, ("key.subject.name.strategy", "Mine")],
                "key.subject.name.strategy",
            ),
            (
                &[url, ("basic.auth.credentials.source", "USER_INFO")],
                "basic.auth.user.info",
            ),
        ] {
            let problem = configure(class, options).unwrap_err();
            assert!(problem.contains(says), "{class}: {problem}");
        }
        let made = configure(
            class,
            &[
                url,
                ("basic.auth.credentials.source", "USER_INFO"),
                ("basic.auth.user.info", "u:hidden-word"),
                ("bearer.auth.token", "hidden-token"),
            ],
        )
        .unwrap();
        assert_eq!(made.user_info.as_deref(), Some("u:hidden-word"));
        assert!(!format!("{made:?}").contains("hidden"));
    }
}
