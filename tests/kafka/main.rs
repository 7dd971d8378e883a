//! The Kafka connectors and the Avro converter against a real broker: Apache Kafka in KRaft mode, one process for all tests.
//!
//! The broker's jars come from Maven (`tests/run --install`); without them every test here is a counted skip, in CI a failure.
//! What is written is read back, and the other way round, by librdkafka or by Kafka's own Java classes, never by us alone.

#[cfg(test)]
mod avro;
#[cfg(test)]
mod broker;
#[cfg(test)]
mod client;
#[cfg(test)]
mod cluster;
#[cfg(test)]
mod exact;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod groups;
#[cfg(test)]
mod json_schema;
#[cfg(test)]
mod kills;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod mirror;
#[cfg(test)]
mod outage;
#[cfg(test)]
mod pipeline;
#[cfg(test)]
mod recipes;
#[cfg(test)]
mod registry;
#[cfg(test)]
#[path = "../../connectors/sql/src/tests/servers.rs"]
#[expect(
    clippy::allow_attributes,
    reason = "each target uses its part of the shared module"
)]
#[allow(dead_code, reason = "as above")]
mod servers;
#[cfg(test)]
mod sink;
#[cfg(test)]
mod source;
#[cfg(test)]
#[path = "../support/mod.rs"]
#[expect(
    clippy::allow_attributes,
    reason = "each target uses its part of the shared module, one uses all of it"
)]
#[allow(dead_code, reason = "as above")]
mod support;
#[cfg(test)]
mod tls;
