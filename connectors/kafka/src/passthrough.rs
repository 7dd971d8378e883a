//! `librdkafka.*`: which of librdkafka's settings may be passed through, and why the others may not.
//!
//! The list is closed: a setting that could break what the connectors promise (offsets, acknowledgements, order), leak a
//! secret past redaction or read a file is either an option of its own or not available.

use std::collections::BTreeMap;

use linkspan_sdk::prelude::*;

/// What may be set, with a class each: `true` for settings of consumers, producers or both.
const ALLOWED: &[&str] = &[
    "batch.num.messages",
    "batch.size",
    "broker.address.family",
    "broker.address.ttl",
    "check.crcs",
    "client.dns.lookup",
    "client.rack",
    "compression.level",
    "connections.max.idle.ms",
    "fetch.error.backoff.ms",
    "fetch.max.bytes",
    "fetch.message.max.bytes",
    "fetch.min.bytes",
    "fetch.queue.backoff.ms",
    "fetch.wait.max.ms",
    "group.instance.id",
    "group.protocol",
    "group.remote.assignor",
    "heartbeat.interval.ms",
    "linger.ms",
    "log.connection.close",
    "max.in.flight.requests.per.connection",
    "max.partition.fetch.bytes",
    "max.poll.interval.ms",
    "metadata.max.age.ms",
    "metadata.recovery.strategy",
    "partition.assignment.strategy",
    "queue.buffering.max.kbytes",
    "queue.buffering.max.messages",
    "queue.buffering.max.ms",
    "queued.max.messages.kbytes",
    "queued.min.messages",
    "receive.message.max.bytes",
    "reconnect.backoff.max.ms",
    "reconnect.backoff.ms",
    "retry.backoff.max.ms",
    "retry.backoff.ms",
    "session.timeout.ms",
    "socket.connection.setup.timeout.ms",
    "socket.keepalive.enable",
    "socket.nagle.disable",
    "socket.receive.buffer.bytes",
    "socket.send.buffer.bytes",
    "socket.timeout.ms",
    "ssl.cipher.suites",
    "ssl.curves.list",
    "ssl.sigalgs.list",
    "sticky.partitioning.linger.ms",
    "topic.metadata.propagation.max.ms",
    "topic.metadata.refresh.interval.ms",
    "topic.metadata.refresh.sparse",
];

/// Settings that are asked for often and belong to an option of ours, or to nobody.
const INSTEAD: &[(&str, &str)] = &[
    ("acks", "it is `all` always"),
    ("request.required.acks", "it is `all` always"),
    (
        "auto.offset.reset",
        "use `start.from` and `on.lost.position`",
    ),
    ("bootstrap.servers", "use `bootstrap.servers`"),
    ("metadata.broker.list", "use `bootstrap.servers`"),
    ("client.id", "use `client.id`"),
    ("compression.type", "use `compression.type`"),
    ("compression.codec", "use `compression.type`"),
    ("debug", "set the host's log level to debug"),
    ("delivery.timeout.ms", "use `delivery.timeout`"),
    ("message.timeout.ms", "use `delivery.timeout`"),
    (
        "enable.auto.commit",
        "positions are stored with the records",
    ),
    ("enable.idempotence", "it is on always"),
    ("group.id", "use `group.id`"),
    ("isolation.level", "use `isolation.level`"),
    ("message.max.bytes", "use `max.request.bytes`"),
    ("partitioner", "it is that of the Java client"),
    ("sasl.password", "use `sasl.password`"),
    ("sasl.username", "use `sasl.username`"),
    ("sasl.mechanism", "use `sasl.mechanism`"),
    ("sasl.mechanisms", "use `sasl.mechanism`"),
    ("security.protocol", "use `security.protocol`"),
    ("ssl.ca.location", "use `ssl.ca.location`"),
    ("ssl.certificate.location", "use `ssl.certificate.location`"),
    ("ssl.key.location", "use `ssl.key.location`"),
    ("ssl.key.password", "use `ssl.key.password`"),
    ("statistics.interval.ms", "use `statistics.interval`"),
    ("transactional.id", "use `transactional.id`"),
];

/// Settings that say what holds anyway, copied from a producer's or consumer's configuration: they are left out.
const HOLDS: &[(&str, &[&str])] = &[
    ("acks", &["all", "-1"]),
    ("request.required.acks", &["all", "-1"]),
    ("enable.auto.commit", &["false"]),
    ("enable.idempotence", &["true"]),
];

/// Java's classes of `partition.assignment.strategy`, and librdkafka's words for them.
const ASSIGNORS: &[(&str, &str)] = &[
    ("CooperativeStickyAssignor", "cooperative-sticky"),
    ("RangeAssignor", "range"),
    ("RoundRobinAssignor", "roundrobin"),
];
/// The package of these classes.
const ASSIGNOR_PACKAGE: &str = "org.apache.kafka.clients.consumer.";
const ASSIGNMENT: &str = "partition.assignment.strategy";

fn holds_anyway(name: &str, value: &str) -> bool {
    HOLDS.iter().any(|(setting, values)| {
        let value = value.trim();
        *setting == name && values.iter().any(|one| one.eq_ignore_ascii_case(value))
    })
}

/// Returns the settings as librdkafka takes them.
pub(crate) fn settings(
    settings: &BTreeMap<String, String>,
) -> impl Iterator<Item = (&str, String)> {
    let passed = settings
        .iter()
        .filter(|(name, value)| !holds_anyway(name, value));
    passed.map(|(name, value)| match name.as_str() {
        ASSIGNMENT => (ASSIGNMENT, assignors(value)),
        name => (name, value.clone()),
    })
}

fn assignors(value: &str) -> String {
    let word = |one: &str| {
        let one = one.trim();
        let class = one.strip_prefix(ASSIGNOR_PACKAGE).unwrap_or(one);
        let known = ASSIGNORS.iter().find(|(java, _)| *java == class);
        known.map_or_else(|| one.to_owned(), |(_, word)| (*word).to_owned())
    };
    value.split(',').map(word).collect::<Vec<_>>().join(",")
}

/// Returns what is wrong with the names of a passthrough.
pub(crate) fn check(settings: &BTreeMap<String, String>) -> Vec<ConfigProblem> {
    let refused = settings
        .iter()
        .filter(|(name, value)| !ALLOWED.contains(&name.as_str()) && !holds_anyway(name, value));
    refused
        .map(|(name, _)| {
            let why = INSTEAD.iter().find(|(other, _)| other == name);
            let why = why.map_or("it is not on the list of settings that may be passed through; the connector's README has it", |(_, why)| why);
            ConfigProblem::new("librdkafka", format!("`{name}` cannot be set here: {why}"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_break_a_promise_is_refused_with_the_way_to_do_it() {
        let settings =
            ["linger.ms", "acks", "ssl.ca.pem"].map(|name| (name.to_owned(), "1".to_owned()));
        let problems = check(&settings.into());
        let texts: Vec<_> = problems
            .iter()
            .map(|problem| problem.message.as_str())
            .collect();
        assert_eq!(texts.len(), 2, "{texts:?}");
        assert!(
            texts[0].contains("`acks`") && texts[0].contains("`all` always"),
            "{texts:?}"
        );
        assert!(
            texts[1].contains("`ssl.ca.pem`") && texts[1].contains("README"),
            "{texts:?}"
        );
    }

    #[test]
    fn settings_that_say_what_holds_anyway_are_left_out() {
        let map = |all: &[(&str, &str)]| -> BTreeMap<String, String> {
            let owned = all
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            owned.collect()
        };
        let same = map(&[
            ("acks", "ALL"),
            ("request.required.acks", "-1"),
            ("enable.idempotence", "true"),
            ("enable.auto.commit", "False"),
            ("linger.ms", "5"),
        ]);
        assert!(check(&same).is_empty());
        let passed: Vec<_> = super::settings(&same).collect();
        assert_eq!(passed, [("linger.ms", "5".to_owned())]);
        for (name, value) in [("acks", "1"), ("enable.idempotence", "false")] {
            assert_eq!(check(&map(&[(name, value)])).len(), 1, "{name}={value}");
        }
    }

    #[test]
    fn words_of_java_clients_are_understood() {
        let given = BTreeMap::from([(
            ASSIGNMENT.to_owned(),
            "org.apache.kafka.clients.consumer.CooperativeStickyAssignor, RangeAssignor".to_owned(),
        )]);
        let passed: Vec<_> = super::settings(&given).collect();
        assert_eq!(
            passed,
            [(ASSIGNMENT, "cooperative-sticky,range".to_owned())]
        );
        // Enumerations in capitals, as Java writes them: librdkafka reads them in any case.
        for (name, value) in [
            ("group.protocol", "CONSUMER"),
            ("client.dns.lookup", "USE_ALL_DNS_IPS"),
            ("broker.address.family", "V4"),
            ("compression.type", "ZSTD"),
            ("compression.codec", "SNAPPY"),
            ("isolation.level", "READ_COMMITTED"),
            ("security.protocol", "SASL_PLAINTEXT"),
            ("acks", "all"),
        ] {
            let mut config = rdkafka::ClientConfig::new();
            config.set(name, value);
            let made = config.create_native_config();
            assert!(made.is_ok(), "{name}={value}: {:?}", made.err());
        }
    }

    #[test]
    fn both_tables_are_sorted_apart_and_known_to_librdkafka() {
        for name in ALLOWED {
            assert!(!INSTEAD.iter().any(|(other, _)| other == name), "{name}");
        }
        let mut config = rdkafka::ClientConfig::new();
        // A setting that librdkafka does not know fails with its name, whatever the value.
        for name in ALLOWED {
            let tls = name.starts_with("ssl.") && !cfg!(feature = "kafka-ssl");
            config.set(*name, "no such value \u{1}");
            let answer = config
                .create_native_config()
                .err()
                .map(|error| error.to_string());
            assert!(
                tls || !answer
                    .unwrap_or_default()
                    .contains("No such configuration property"),
                "{name}"
            );
            config.remove(name);
        }
    }
}
