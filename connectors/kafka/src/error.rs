//! What goes wrong with Kafka, as the host's errors: the cluster first, then what was asked, the reason, and what to do.

use linkspan_sdk::prelude::*;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

/// The pause before the next attempt where brokers are away or choosing a leader. Each attempt waits for an answer itself, so
/// this is no storm, and what came back is found soon.
const RETRY_PAUSE: Duration = Duration::from_secs(3);

/// What a code of librdkafka means for whoever runs the connector.
pub(crate) struct Meaning {
    pub(crate) kind: ErrorKind,
    pub(crate) temporary: bool,
    /// What to do, as a fragment; empty where waiting is all.
    pub(crate) remedy: &'static str,
}

const fn meaning(kind: ErrorKind, temporary: bool, remedy: &'static str) -> Meaning {
    Meaning {
        kind,
        temporary,
        remedy,
    }
}

/// The one table of codes.
#[expect(
    clippy::too_many_lines,
    reason = "one table is easier to check than its halves"
)]
pub(crate) const fn of(code: Code) -> Meaning {
    use ErrorKind::{
        ConfigInvalid, Conflict, DataInvalid, NotFound, Permission, RateLimited, Unavailable,
        Unsupported,
    };
    match code {
        Code::Authentication | Code::SaslAuthenticationFailed => meaning(
            Permission,
            false,
            "check `sasl.username`, `sasl.password` and `sasl.mechanism`, and `security.protocol` against the broker's listener",
        ),
        Code::UnsupportedSASLMechanism | Code::IllegalSASLState => meaning(
            ConfigInvalid,
            false,
            "check `sasl.mechanism` and `security.protocol` against the broker's listener",
        ),
        Code::SSL => meaning(
            Permission,
            false,
            "check `ssl.ca.location`, and that the broker's certificate names the host in `bootstrap.servers` (`ssl.endpoint.identification.algorithm: none` does without)",
        ),
        Code::TopicAuthorizationFailed => meaning(
            Permission,
            false,
            "grant this user READ, WRITE or DESCRIBE on the topic",
        ),
        Code::GroupAuthorizationFailed => {
            meaning(Permission, false, "grant this user READ on the group")
        }
        Code::ClusterAuthorizationFailed => meaning(
            Permission,
            false,
            "grant this user IDEMPOTENT_WRITE or CREATE on the cluster",
        ),
        Code::TransactionalIdAuthorizationFailed => meaning(
            Permission,
            false,
            "grant this user WRITE and DESCRIBE on the transactional id",
        ),
        Code::Fenced
        | Code::ProducerFenced
        | Code::InvalidProducerEpoch
        | Code::TransactionCoordinatorFenced => meaning(
            Conflict,
            false,
            "another producer with the same `transactional.id` took over: run this connector once, or give each its own `transactional.id`",
        ),
        Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition => meaning(
            NotFound,
            false,
            "create the topic, or check its name and number of partitions",
        ),
        Code::InvalidTopic => meaning(
            ConfigInvalid,
            false,
            "Kafka allows letters, digits, `.`, `_` and `-`",
        ),
        Code::MessageSizeTooLarge | Code::MessageBatchTooLarge | Code::InvalidMessageSize => {
            meaning(
                DataInvalid,
                false,
                "raise `max.request.bytes` here and `max.message.bytes` of the topic, or send the record to a dead letter queue",
            )
        }
        Code::InvalidRecord | Code::InvalidTimestamp | Code::InvalidMessage => meaning(
            DataInvalid,
            false,
            "the broker refuses the record: a compacted topic needs keys, `message.timestamp.after.max.ms` bounds times",
        ),
        Code::InvalidReplicationFactor
        | Code::InvalidPartitions
        | Code::InvalidConfig
        | Code::PolicyViolation => {
            meaning(ConfigInvalid, false, "check the options `topic.creation.*`")
        }
        Code::InvalidTransactionTimeout => meaning(
            ConfigInvalid,
            false,
            "lower `transaction.timeout` to the broker's `transaction.max.timeout.ms`",
        ),
        Code::UnsupportedVersion
        | Code::UnsupportedFeature
        | Code::UnsupportedForMessageFormat
        | Code::NotImplemented => meaning(Unsupported, false, "the broker is too old for this"),
        Code::ThrottlingQuotaExceeded => meaning(RateLimited, true, ""),
        Code::InvalidArgument | Code::Conflict | Code::NotConfigured => {
            meaning(ConfigInvalid, false, "")
        }
        // The network, elections, timeouts, and what a later version calls by another number.
        _ => meaning(
            Unavailable,
            true,
            "it is tried again; check that the brokers run and that `bootstrap.servers` leads to them",
        ),
    }
}

/// Makes an error of a code: where, what was being done, what librdkafka says, what to do.
pub(crate) fn from_code(code: Code, place: &str, doing: &str, reason: &str) -> Error {
    let Meaning {
        kind,
        temporary,
        remedy,
    } = of(code);
    let what = match (reason, code) {
        ("", Code::BrokerTransportFailure | Code::AllBrokersDown | Code::OperationTimedOut) => {
            "no broker answers".to_owned()
        }
        ("", code) => spoken(code),
        (reason, _) => without_times(reason).to_owned(),
    };
    let mut message = format!("Kafka at {place}: {doing}: {what}");
    if !remedy.is_empty() {
        message.push_str("; ");
        message.push_str(remedy);
    }
    let error = Error::new(kind, message).detail(serde_json::json!({"kafka_error": code as i32}));
    if temporary {
        error.retry_after(RETRY_PAUSE)
    } else {
        error
    }
}

/// What librdkafka says of a code, without its own name for it: `Broker: Invalid replication factor`.
fn spoken(code: Code) -> String {
    let text = code.to_string();
    let said = text
        .split_once(" (")
        .and_then(|(_, said)| said.strip_suffix(')'));
    said.map_or_else(|| text.clone(), str::to_owned)
}

/// A reason without how long the client was in which state, and how often it left the same out.
fn without_times(reason: &str) -> &str {
    match reason.rsplit_once(" (after ") {
        Some((said, times)) if times.contains("ms in state") => said,
        _ => reason,
    }
}

/// Makes an error of what passes by itself: the cluster did not answer in time, or not yet as it should.
pub(crate) fn away(message: impl Into<String>) -> Error {
    Error::unavailable(message).retry_after(RETRY_PAUSE)
}

/// Makes an error of what a call answered; `client` is what the client itself said last, which often knows more.
pub(crate) fn from_call(
    error: &KafkaError,
    place: &str,
    doing: &str,
    client: Option<(Code, String)>,
) -> Error {
    // The library keeps the code of an administrator's question to itself; without it a timeout would be a wrong option.
    let code = match error {
        KafkaError::AdminOp(code) => Some(*code),
        error => error.rdkafka_error_code(),
    };
    match (error, code, client) {
        // A call that ran out of time knows nothing; the client may.
        (
            _,
            Some(Code::OperationTimedOut | Code::BrokerTransportFailure | Code::AllBrokersDown),
            Some((code, reason)),
        ) => from_code(code, place, doing, &reason),
        (KafkaError::Transaction(error), Some(code), _) => {
            from_code(code, place, doing, &error.string())
        }
        (_, Some(code), _) => from_code(code, place, doing, ""),
        (KafkaError::ClientConfig(_, why, name, _), None, _) => {
            Error::config_invalid(format!("Kafka at {place}: setting `{name}`: {why}"))
        }
        (error, None, _) => {
            let mut message = format!("Kafka at {place}: {doing}: {error}");
            if message.contains("ssl.") {
                message.push_str("; check that the file is there, can be read, and is PEM");
            }
            Error::config_invalid(message)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_status_decide_what_the_host_does() {
        for (code, kind, temporary) in [
            (Code::BrokerTransportFailure, ErrorKind::Unavailable, true),
            (Code::AllBrokersDown, ErrorKind::Unavailable, true),
            (Code::Resolve, ErrorKind::Unavailable, true),
            (Code::NotEnoughReplicas, ErrorKind::Unavailable, true),
            (Code::SaslAuthenticationFailed, ErrorKind::Permission, false),
            (Code::SSL, ErrorKind::Permission, false),
            (Code::ProducerFenced, ErrorKind::Conflict, false),
            (Code::MessageSizeTooLarge, ErrorKind::DataInvalid, false),
            (Code::UnknownTopicOrPartition, ErrorKind::NotFound, false),
        ] {
            let error = from_code(code, "h:1", "ask", "because");
            assert_eq!(
                (error.kind(), error.is_temporary()),
                (kind, temporary),
                "{code:?}"
            );
            assert!(
                error.message().starts_with("Kafka at h:1: ask: because"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_timeout_says_what_the_client_knows() {
        let timeout = KafkaError::MetadataFetch(Code::OperationTimedOut);
        let known = Some((Code::SaslAuthenticationFailed, "user unknown".to_owned()));
        let error = from_call(&timeout, "h:1", "ask", known);
        assert_eq!(
            (error.kind(), error.is_temporary()),
            (ErrorKind::Permission, false)
        );
        assert!(error.message().contains("user unknown"), "{error}");
        let error = from_call(&timeout, "h:1", "ask", None);
        assert!(
            error.is_temporary() && error.message().contains("no broker answers"),
            "{error}"
        );
        assert_eq!(error.retry_delay(), Some(RETRY_PAUSE));
    }

    #[test]
    fn what_the_client_says_is_shown_without_its_own_affairs() {
        let code = Code::InvalidReplicationFactor;
        let error = from_code(code, "h:1", "create topic `t`", "");
        let says = "Kafka at h:1: create topic `t`: Broker: Invalid replication factor; check";
        assert!(error.message().starts_with(says), "{error}");
        let reason = "h:1/bootstrap: Connect to ipv4#1 failed: refused (after 0ms in state CONNECT, 1 identical error(s) suppressed)";
        let error = from_code(Code::BrokerTransportFailure, "h:1", "ask", reason);
        assert!(
            error.message().contains("failed: refused; it is"),
            "{error}"
        );
    }

    #[test]
    fn a_topic_that_could_not_be_created_in_time_is_tried_again() {
        let error = KafkaError::AdminOp(Code::OperationTimedOut);
        let told = from_call(&error, "h:1", "create topic `t`", None);
        assert_eq!(
            (told.kind(), told.is_temporary()),
            (ErrorKind::Unavailable, true)
        );
    }
}
