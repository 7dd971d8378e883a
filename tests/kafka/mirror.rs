//! Two clusters that mirror each other: one broker with two sets of topics plays both.

use crate::broker::broker;
use crate::client::Row;
use crate::pipeline::{Pipeline, name};

#[test]
fn what_came_from_a_cluster_is_not_written_back_to_it() {
    let Some(broker) = broker("mirrors do not loop") else {
        return;
    };
    let (east, west) = (name("east"), name("west"));
    for topic in [&east, &west] {
        broker.topic(topic, 1, &[]);
    }
    broker.write(&east, &[Row::of("born in the east")]);
    broker.write(&west, &[Row::of("born in the west")]);
    let yaml = |guard: bool| {
        let (to_west, to_east) = if guard {
            (", target.alias: west", ", target.alias: east")
        } else {
            ("", "")
        };
        format!(
            "connectors:
  from-east: {{ connector: kafka-source, bootstrap.servers: '{0}', topics: [{east}], source.alias: east, topic.rename: e2w-{east} }}
  from-west: {{ connector: kafka-source, bootstrap.servers: '{0}', topics: [{west}], source.alias: west, topic.rename: w2e-{west} }}
  to-west: {{ connector: kafka-sink, bootstrap.servers: '{0}', topics: [e2w-{east}], topic.rename: {west}, transactional.id: {west}{to_west} }}
  to-east: {{ connector: kafka-sink, bootstrap.servers: '{0}', topics: [w2e-{west}], topic.rename: {east}, transactional.id: {east}{to_east} }}
",
            broker.plain
        )
    };
    let texts = |topic: &str| broker.read(topic).iter().map(Row::text).collect::<Vec<_>>();
    let pipeline = Pipeline::new(&yaml(true));
    for _ in 0..3 {
        pipeline.run(&[]).expect_code(0);
    }
    assert_eq!(texts(&east), ["born in the east", "born in the west"]);
    assert_eq!(texts(&west), ["born in the west", "born in the east"]);

    // Without the guard the same pipelines turn the same records round and round.
    let pipeline = Pipeline::new(&yaml(false).replace("from-", "f-").replace("  to-", "  t-"));
    for _ in 0..3 {
        pipeline.run(&[]).expect_code(0);
    }
    assert!(
        texts(&east).len() > 4,
        "the negative control does not loop: {:?}",
        texts(&east)
    );
}
