//! Options of `kafka-source` and `kafka-sink`, and what is wrong with them before a broker is asked.

use std::collections::BTreeMap;

use linkspan_sdk::prelude::*;

use crate::connection::Connection;
use crate::source::{LostPosition, StartFrom};

/// The longest `transactional.id`, `group.id` or alias.
const NAME_BYTES_MAX: usize = 200;

/// Reads topics of an Apache Kafka cluster, exactly once, into topics here.
#[derive(Debug, Clone, Options)]
#[options(validate = "SourceOptions::check")]
pub(crate) struct SourceOptions {
    #[option(nest = "")]
    pub(crate) connection: Connection,
    /// The topics to read. Either this or `topics.regex`.
    #[option(default = "[]", importance = "high")]
    pub(crate) topics: Vec<String>,
    /// Reads all topics whose whole name matches; new ones are found while the source runs. Internal topics (`__…`) never
    /// match.
    #[option(importance = "high", alias = "topics.pattern")]
    pub(crate) topics_regex: Option<String>,
    /// Shares the partitions with all members of this consumer group. Unset: the connector's tasks divide all partitions
    /// among themselves. The positions are this host's in both cases; with a group they are also committed to Kafka, for
    /// its tools.
    pub(crate) group_id: Option<String>,
    /// Where to begin with a partition that has no position yet: `earliest`, `latest`, or a time such as
    /// `2026-01-31T00:00:00Z` (the first record of that time or later).
    #[option(default = "earliest", alias = "auto.offset.reset", importance = "high")]
    pub(crate) start_from: String,
    /// Begins at these offsets where a partition has no position yet: a map such as `orders-0: 1500`.
    #[option(default = "{}")]
    pub(crate) start_offsets: BTreeMap<String, String>,
    /// What to do when the position is not in the topic any more, because records were deleted or the topic was made
    /// anew: `fail` says how many were lost, `earliest` and `latest` go on there with a warning.
    #[option(default = "fail")]
    pub(crate) on_lost_position: LostPosition,
    /// `read_committed` sees records of transactions when these are committed; `read_uncommitted` sees all.
    #[option(default = "read_committed")]
    pub(crate) isolation_level: Isolation,
    /// The name of the topic here: `{topic}` is the one in Kafka, `{alias}` is `source.alias`.
    #[option(default = "{topic}")]
    pub(crate) topic_rename: String,
    /// Keeps each record in the partition of its number. The topic here gets at least as many partitions. If not, the key
    /// decides.
    #[option(default = "true")]
    pub(crate) preserve_partition: bool,
    /// A short name of the cluster. When set, each record gets a header `linkspan.src` = `alias/topic/partition/offset`, by
    /// which mirrors avoid loops.
    #[option(group = "mirror")]
    pub(crate) source_alias: Option<String>,
    /// Skips records that came from one of these clusters, by their headers `linkspan.src`.
    #[option(default = "[]", group = "mirror")]
    pub(crate) skip_origins: Vec<String>,
    /// How often new topics and partitions are looked for.
    #[option(default = "30s", min = "1s")]
    pub(crate) refresh_interval: Duration,
    /// The most records in a batch.
    #[option(default = "50000", alias = "max.poll.records", min = 1)]
    pub(crate) batch_records: u32,
    /// The most bytes in a batch.
    #[option(default = "4MiB", min = 1)]
    pub(crate) batch_bytes: ByteSize,
    /// Which share of the partitions this task reads, as `index/count`. Set by the connector.
    #[option(default = "0/1", importance = "low")]
    pub(crate) partition_share: String,
}

/// Which records of transactions a source sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum Isolation {
    ReadCommitted,
    ReadUncommitted,
}

/// Writes records to topics of an Apache Kafka cluster.
#[derive(Debug, Clone, Options)]
#[options(validate = "SinkOptions::check")]
pub(crate) struct SinkOptions {
    #[option(nest = "")]
    pub(crate) connection: Connection,
    /// `exactly-once`: records and position in one Kafka transaction, one task. `at-least-once`: idempotent producers, as
    /// many as `tasks.max` says; a crash may repeat the last records.
    #[option(default = "exactly-once", importance = "high")]
    pub(crate) delivery: Delivery,
    /// The name of the topic in Kafka: `{topic}` is the record's here.
    #[option(default = "{topic}")]
    pub(crate) topic_rename: String,
    /// Writes each record to the partition of its number. If not, the key decides, as the Java client does it.
    #[option(default = "false")]
    pub(crate) preserve_partition: bool,
    /// The id by which Kafka fences an older producer of this connector. Unset: `linkspan-`, the connector's name and the id of
    /// the log here, so that two data directories do not fence each other.
    #[option(group = "exactly once")]
    pub(crate) transactional_id: Option<String>,
    /// The compacted topic in Kafka that keeps positions; created where it is missing.
    #[option(default = "linkspan.positions", group = "exactly once")]
    pub(crate) position_topic: TopicName,
    /// How long Kafka keeps a transaction open whose producer is gone.
    #[option(
        default = "60s",
        alias = "transaction.timeout.ms",
        min = "1s",
        max = "15m",
        group = "exactly once"
    )]
    pub(crate) transaction_timeout: Duration,
    /// Creates topics that are missing in Kafka.
    #[option(default = "true", group = "topics")]
    pub(crate) topic_creation_enable: bool,
    /// Partitions of a created topic; -1 is the broker's default.
    #[option(default = "-1", min = -1, max = 100_000, group = "topics")]
    pub(crate) topic_creation_partitions: i32,
    /// Replicas of a created topic; -1 is the broker's default.
    #[option(default = "-1", min = -1, max = 1_000, group = "topics")]
    pub(crate) topic_creation_replication_factor: i32,
    /// Settings of a created topic, a map such as `cleanup.policy: compact`.
    #[option(default = "{}", group = "topics")]
    pub(crate) topic_creation_config: BTreeMap<String, String>,
    /// How record batches are compressed.
    #[option(default = "none")]
    pub(crate) compression_type: Compression,
    /// The largest record, with its framing; a larger one is refused. The broker's and the topic's `max.message.bytes` must
    /// allow it too.
    #[option(default = "1048588", min = 1_000, max = 1_000_000_000)]
    pub(crate) max_request_bytes: ByteSize,
    /// How long a batch is tried before it is a failure that the host tries again.
    #[option(default = "30s", alias = "delivery.timeout.ms", min = "1s", max = "1h")]
    pub(crate) delivery_timeout: Duration,
    /// The short name of the cluster that is written to: records whose headers `linkspan.src` say that they came from it are
    /// not written back.
    #[option(group = "mirror")]
    pub(crate) target_alias: Option<String>,
}

/// What a sink promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum Delivery {
    #[option(name = "exactly-once", alias = "exactly_once")]
    ExactlyOnce,
    #[option(name = "at-least-once", alias = "at_least_once")]
    AtLeastOnce,
}

/// How batches are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum Compression {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl Compression {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}

impl SourceOptions {
    fn check(&self) -> Vec<ConfigProblem> {
        let mut problems = self.connection.check();
        let mut problem =
            |option: &str, message: String| problems.push(ConfigProblem::new(option, message));
        match (&self.topics_regex, self.topics.is_empty()) {
            (None, true) => problem(
                "topics",
                "is missing; name topics here, or set `topics.regex`".to_owned(),
            ),
            (Some(_), false) => problem("topics.regex", "cannot be set beside `topics`".to_owned()),
            (Some(text), true) => {
                if let Err(error) = whole_name(text) {
                    problem(
                        "topics.regex",
                        format!("is not a regular expression: {error}"),
                    );
                }
            }
            (None, false) => {}
        }
        for topic in &self.topics {
            if let Err(error) = TopicName::try_new(topic) {
                problem(
                    "topics",
                    format!("names `{}`: {error}", topic.escape_debug()),
                );
            }
        }
        if let Err(message) = StartFrom::parse(&self.start_from) {
            problem("start.from", message);
        }
        for (partition, offset) in &self.start_offsets {
            if split_partition(partition).is_none() {
                problem(
                    "start.offsets",
                    format!(
                        "`{}` is not a topic, `-` and a partition",
                        partition.escape_debug()
                    ),
                );
            }
            if offset.parse::<i64>().map_or(true, |offset| offset < 0) {
                problem(
                    "start.offsets",
                    format!(
                        "`{}` has an offset that is not a whole number from 0",
                        partition.escape_debug()
                    ),
                );
            }
        }
        for name in self.rename_problems() {
            problem("topic.rename", name);
        }
        if share(&self.partition_share).is_none() {
            problem("partition.share", "is not `index/count`".to_owned());
        }
        let group = self.group_id.as_ref();
        if group.is_some_and(|group| group.is_empty() || group.len() > NAME_BYTES_MAX) {
            problem("group.id", format!("has 1 to {NAME_BYTES_MAX} bytes"));
        }
        let aliases = self
            .source_alias
            .iter()
            .map(|alias| ("source.alias", alias));
        let skipped = self
            .skip_origins
            .iter()
            .map(|alias| ("skip.origins", alias));
        for (option, alias) in aliases.chain(skipped) {
            if let Some(message) = alias_problem(alias) {
                problem(option, message);
            }
        }
        problems
    }

    fn rename_problems(&self) -> Vec<String> {
        let mut problems = template_problems(&self.topic_rename, &["topic", "alias"]);
        if self.topic_rename.contains("{alias}") && self.source_alias.is_none() {
            problems.push("uses `{alias}`, which needs `source.alias`".to_owned());
        }
        problems
    }
}

impl SinkOptions {
    fn check(&self) -> Vec<ConfigProblem> {
        let mut problems = self.connection.check();
        let mut problem =
            |option: &str, message: String| problems.push(ConfigProblem::new(option, message));
        for message in template_problems(&self.topic_rename, &["topic"]) {
            problem("topic.rename", message);
        }
        if let Some(id) = &self.transactional_id {
            if id.is_empty() || id.len() > NAME_BYTES_MAX {
                problem(
                    "transactional.id",
                    format!("has 1 to {NAME_BYTES_MAX} bytes"),
                );
            }
            if self.delivery == Delivery::AtLeastOnce {
                problem(
                    "transactional.id",
                    "is of no use with `delivery: at-least-once`".to_owned(),
                );
            }
        }
        for (option, count) in [
            ("topic.creation.partitions", self.topic_creation_partitions),
            (
                "topic.creation.replication.factor",
                self.topic_creation_replication_factor,
            ),
        ] {
            if count == 0 {
                problem(
                    option,
                    "is 0; it must be at least 1, or -1 for the broker's default".to_owned(),
                );
            }
        }
        if let Some(message) = self.target_alias.as_deref().and_then(alias_problem) {
            problem("target.alias", message);
        }
        problems
    }
}

/// Compiles a regular expression that must match a whole name.
pub(crate) fn whole_name(text: &str) -> std::result::Result<fancy_regex::Regex, String> {
    fancy_regex::Regex::new(&format!("^(?:{text})$")).map_err(|error| error.to_string())
}

/// Fills a template of `{name}`s in.
pub(crate) fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut text = template.to_owned();
    for (name, value) in values {
        text = text.replace(&format!("{{{name}}}"), value);
    }
    text
}

fn template_problems(template: &str, names: &[&str]) -> Vec<String> {
    let mut rest = template.to_owned();
    for name in names {
        rest = rest.replace(&format!("{{{name}}}"), "x");
    }
    let words: Vec<String> = names.iter().map(|name| format!("`{{{name}}}`")).collect();
    let Err(error) = TopicName::try_new(&rest) else {
        return Vec::new();
    };
    vec![format!(
        "is `{}`, which makes no topic name: {error}; it may contain {}",
        template.escape_debug(),
        words.join(" and ")
    )]
}

fn alias_problem(alias: &str) -> Option<String> {
    let good = !alias.is_empty()
        && alias.len() <= NAME_BYTES_MAX
        && alias
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
    (!good).then(|| {
        format!(
            "`{}` is no alias: letters, digits, `.`, `_` and `-`",
            alias.escape_debug()
        )
    })
}

/// Reads `index/count`.
pub(crate) fn share(text: &str) -> Option<(u64, u64)> {
    let (index, count) = text.split_once('/')?;
    let (index, count) = (index.parse().ok()?, count.parse().ok()?);
    (index < count).then_some((index, count))
}

/// Divides `topic-3` into topic and partition.
pub(crate) fn split_partition(text: &str) -> Option<(&str, i32)> {
    let (topic, partition) = text.rsplit_once('-')?;
    let partition = partition.parse().ok().filter(|partition| *partition >= 0)?;
    TopicName::try_new(topic).ok()?;
    Some((topic, partition))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<O: Options>(config: &[(&str, &str)], expected: &[&str]) {
        let mut config: BTreeMap<String, String> = config
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        config
            .entry("bootstrap.servers".to_owned())
            .or_insert_with(|| "localhost:9092".to_owned());
        let problems = O::from_config(&config).err().unwrap_or_default();
        let mut options: Vec<_> = problems
            .iter()
            .map(|problem| problem.option.as_str())
            .collect();
        options.sort_unstable();
        assert_eq!(options, expected, "{config:?}: {problems:?}");
    }

    #[test]
    fn a_source_says_all_that_is_wrong_at_once() {
        check::<SourceOptions>(&[("topics", "a,b")], &[]);
        check::<SourceOptions>(&[("topics.regex", "orders\\..*")], &[]);
        check::<SourceOptions>(&[], &["topics"]);
        check::<SourceOptions>(&[("topics", "a"), ("topics.regex", "b")], &["topics.regex"]);
        check::<SourceOptions>(&[("topics.regex", "(")], &["topics.regex"]);
        check::<SourceOptions>(
            &[
                ("topics", "a b"),
                ("start.from", "yesterday"),
                ("start.offsets", r#"{"a":"1","a-0":"-1"}"#),
            ],
            &["start.from", "start.offsets", "start.offsets", "topics"],
        );
        check::<SourceOptions>(
            &[("topics", "a"), ("start.from", "2026-01-31T00:00:00Z")],
            &[],
        );
        check::<SourceOptions>(
            &[("topics", "a"), ("topic.rename", "{alias}.{topic}")],
            &["topic.rename"],
        );
        check::<SourceOptions>(
            &[
                ("topics", "a"),
                ("topic.rename", "{alias}.{topic}"),
                ("source.alias", "eu"),
            ],
            &[],
        );
        check::<SourceOptions>(
            &[("topics", "a"), ("topic.rename", "{table}")],
            &["topic.rename"],
        );
        check::<SourceOptions>(
            &[("topics", "a"), ("source.alias", "a/b")],
            &["source.alias"],
        );
        check::<SourceOptions>(
            &[("topics", "a"), ("librdkafka", r#"{"acks":"0"}"#)],
            &["librdkafka"],
        );
    }

    #[test]
    fn names_of_java_clients_are_known() {
        let config = |all: &[(&str, &str)]| -> BTreeMap<String, String> {
            let all = [&[("bootstrap.servers", "h:1"), ("topics", "t")], all].concat();
            let owned = all.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
            owned.collect()
        };
        let source = SourceOptions::from_config(&config(&[
            ("request.timeout.ms", "30000"),
            ("max.poll.records", "500"),
        ]))
        .unwrap();
        assert_eq!(source.connection.request_timeout, Duration::from_secs(30));
        assert_eq!(source.batch_records, 500);
        let sink = SinkOptions::from_config(&config(&[
            ("delivery.timeout.ms", "120000"),
            ("transaction.timeout.ms", "60000"),
        ]))
        .unwrap();
        assert_eq!(sink.delivery_timeout, Duration::from_secs(120));
        assert_eq!(sink.transaction_timeout, Duration::from_secs(60));
    }

    #[test]
    fn a_sink_says_all_that_is_wrong_at_once() {
        check::<SinkOptions>(&[], &[]);
        check::<SinkOptions>(&[("delivery", "twice")], &["delivery"]);
        check::<SinkOptions>(
            &[
                ("delivery", "at-least-once"),
                ("transactional.id", "x"),
                ("topic.creation.partitions", "0"),
            ],
            &["topic.creation.partitions", "transactional.id"],
        );
        check::<SinkOptions>(
            &[("topic.rename", "a {topic}"), ("target.alias", "")],
            &["target.alias", "topic.rename"],
        );
        check::<SinkOptions>(&[("bootstrap.servers", "nowhere")], &["bootstrap.servers"]);
    }
}
