//! Why a command to a connector was refused: a status as Kafka Connect's REST interface has it, a stable code, a remedy.

use linkspan_types::error_chain;

/// A refused command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    /// The HTTP status that Kafka Connect answers with.
    pub status: u16,
    /// The stable code, `LSnnnn`.
    pub code: &'static str,
    /// What happened, where, why.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

impl Refused {
    /// A refusal without a remedy.
    pub(crate) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            help: None,
        }
    }

    #[must_use]
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Nobody knows the connector; Connect's words.
    pub(crate) fn unknown(name: &str) -> Self {
        Self::new(404, "LS0610", format!("Unknown connector {name}"))
            .help("`linkspan get` lists the connectors that this data directory knows")
    }
}

impl From<linkspan_log::Error> for Refused {
    fn from(error: linkspan_log::Error) -> Self {
        let status = if error.is_temporary() { 503 } else { 500 };
        let code = crate::TaskError::from_log_code(&error);
        Self::new(status, code, error_chain(&error))
    }
}
