//! How a source's consumer is configured, and which cluster answers.

use linkspan_sdk::prelude::*;
use rdkafka::consumer::{BaseConsumer, Consumer as _};

use super::client::SourceClient;
use crate::client::Events;
use crate::error;
use crate::metadata::Question;
use crate::options::{Isolation, SourceOptions};

/// Asks for the id of the cluster with a client of its own, so that a wrong address or password ends the start at once.
pub(super) fn cluster_id(
    options: &SourceOptions,
    ctx: &SourceContext,
    place: &str,
) -> Result<Option<String>> {
    let client = SourceClient::new(Events::new((**ctx).clone()), None);
    let mut config = options.connection.client_config(ctx.connector());
    config.set("allow.auto.create.topics", "false");
    let consumer: BaseConsumer<SourceClient> = config
        .create_with_context(client)
        .map_err(|failed| error::from_call(&failed, place, "make a client", None))?;
    let question = Question {
        events: consumer.context().events(),
        place,
        doing: "reach a broker",
        limit: options.connection.request_timeout,
    };
    let pump = || {
        for _ in 0..16 {
            if consumer.poll(Duration::ZERO).is_none() {
                break;
            }
        }
    };
    // The smallest question that needs a broker's answer.
    question.ask(pump, |limit| {
        consumer
            .client()
            .fetch_metadata(options.topics.first().map(String::as_str), limit)
    })?;
    Ok(consumer
        .client()
        .fetch_cluster_id(options.connection.request_timeout))
}

pub(super) fn client_config(options: &SourceOptions, ctx: &SourceContext) -> rdkafka::ClientConfig {
    let mut config = options.connection.client_config(ctx.connector());
    let group = options
        .group_id
        .clone()
        .unwrap_or_else(|| format!("linkspan-{}", ctx.connector()));
    let isolation = match options.isolation_level {
        Isolation::ReadCommitted => "read_committed",
        Isolation::ReadUncommitted => "read_uncommitted",
    };
    config
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error")
        .set("allow.auto.create.topics", "false")
        .set("isolation.level", isolation)
        .set(
            "enable.partition.eof",
            if ctx.bounded() { "true" } else { "false" },
        );
    config
}
