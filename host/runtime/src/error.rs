//! What stops a task, in one shape, wherever it came from.

use std::time::Duration;

use linkspan_convert::Stage;
use linkspan_plugin::PluginError;

/// Why a task stopped or has to wait. Restart and failure look only at `kind` and `temporary`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskError {
    /// Stable code of the message, `LS04xx` unless a lower layer has its own.
    pub code: &'static str,
    /// The plugin boundary's word for the class of failure, for example `data_invalid`.
    pub kind: String,
    /// Whether the same call may work later.
    pub temporary: bool,
    /// How long the failing side asked us to wait.
    pub retry_after: Option<Duration>,
    /// What happened, where, and what to do.
    pub message: String,
    /// Where a record failed, for its dead letter.
    pub(crate) site: Option<Box<Site>>,
    /// Connect's exception for it; `None` where the kind says enough.
    pub(crate) exception: Option<&'static str>,
    /// A temporary error that was retried as long as it may be.
    pub(crate) exhausted: bool,
    /// JSON for machines that a plugin sent along.
    #[expect(
        clippy::box_collection,
        reason = "errors travel by value; a thin pointer keeps them small"
    )]
    pub(crate) detail: Option<Box<String>>,
}

/// Where a record failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Site {
    pub(crate) stage: Stage,
    /// The name of the transform's step, else empty.
    pub(crate) step: String,
}

impl TaskError {
    pub(crate) fn permanent(code: &'static str, kind: &str, message: impl Into<String>) -> Self {
        Self {
            code,
            kind: kind.to_owned(),
            temporary: false,
            retry_after: None,
            message: message.into(),
            site: None,
            exception: None,
            exhausted: false,
            detail: None,
        }
    }

    /// Says at which stage a record failed; the innermost word counts.
    pub(crate) fn at(mut self, stage: Stage) -> Self {
        self.site.get_or_insert_with(|| {
            Box::new(Site {
                stage,
                step: String::new(),
            })
        });
        self
    }

    /// Whether nothing but the record in hand is to blame: its data, or a retry of its conversion that was given up.
    pub(crate) fn is_of_record(&self) -> bool {
        let stage = self.site.as_ref().map(|site| site.stage);
        let given_up = self.exhausted && stage.is_some_and(|stage| stage != Stage::TaskPut);
        !self.temporary
            && (given_up || (self.kind == "data_invalid" && self.code.starts_with("LS04")))
    }

    /// A record that cannot be stored or delivered.
    pub(crate) fn data(message: impl Into<String>) -> Self {
        Self::permanent("LS0410", "data_invalid", message)
    }

    /// The host's own code panicked in a task; it is caught there.
    pub(crate) fn host_panic() -> Self {
        Self::internal("the host's own code for this task panicked, this is a defect")
    }

    /// A defect of the host or a plugin, not of data or configuration.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::permanent("LS0499", "internal", message)
    }

    /// The code of a refusal of the log.
    pub(crate) fn from_log_code(error: &linkspan_log::Error) -> &'static str {
        code_and_kind(error).0
    }

    /// Whether the restart policy starts the task again by itself (DESIGN §8).
    pub(crate) fn restarts(&self) -> bool {
        self.temporary || self.kind == "internal" || self.kind == "panicked"
    }

    /// The task was told to stop in the middle of something; what it was about is done again by its next life.
    pub(crate) fn stopped() -> Self {
        Self::permanent("LS0401", "stopped", "told to stop")
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.kind == "stopped"
    }
}

impl std::fmt::Display for TaskError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for TaskError {}

impl From<PluginError> for TaskError {
    fn from(error: PluginError) -> Self {
        let code = match error.kind.as_str() {
            "config_invalid" => "LS0210",
            "data_invalid" => "LS0410",
            "panicked" => "LS0403",
            "not_found" => "LS0404",
            "permission" => "LS0405",
            "unavailable" | "rate_limited" => "LS0406",
            "conflict" => "LS0407",
            "unsupported" => "LS0408",
            _ => "LS0401",
        };
        Self {
            code,
            kind: error.kind.as_str().to_owned(),
            temporary: error.is_temporary(),
            retry_after: error.retry_after,
            message: error.message,
            site: None,
            exception: None,
            exhausted: false,
            detail: Some(error.detail)
                .filter(|detail| !detail.is_empty())
                .map(Box::new),
        }
    }
}

/// The code and the kind of a refusal of the log.
fn code_and_kind(error: &linkspan_log::Error) -> (&'static str, &'static str) {
    use linkspan_log::Error as Log;
    match error {
        Log::Fenced { .. } => ("LS0510", "conflict"),
        Log::DiskFull { .. } | Log::OutOfFiles { .. } => ("LS0511", "unavailable"),
        Log::DiskBound { .. } => ("LS0519", "unavailable"),
        Log::Poisoned { .. } => ("LS0512", "unavailable"),
        Log::Corrupt { .. } | Log::Damaged { .. } => ("LS0513", "data_invalid"),
        Log::TooLarge { .. } => ("LS0514", "data_invalid"),
        Log::OffsetOutOfRange { .. } | Log::UnknownPosition { .. } => ("LS0515", "data_invalid"),
        Log::UnknownTopic { .. } | Log::UnknownPartition { .. } => ("LS0516", "not_found"),
        Log::InvalidTopic { .. }
        | Log::InvalidSettings { .. }
        | Log::CompactedTopic { .. }
        | Log::InvalidOption { .. } => ("LS0517", "config_invalid"),
        Log::Aborted | Log::Closed => ("LS0518", "unavailable"),
        _ => ("LS0501", "unsupported"),
    }
}

impl From<linkspan_log::Error> for TaskError {
    fn from(error: linkspan_log::Error) -> Self {
        let (code, kind) = code_and_kind(&error);
        Self {
            code,
            kind: kind.to_owned(),
            temporary: error.is_temporary(),
            retry_after: None,
            message: linkspan_types::error_chain(&error),
            site: None,
            exception: None,
            exhausted: false,
            detail: None,
        }
    }
}

/// Why a run could not start at all.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration asks for what a plugin or the log refuses; every problem at once.
    #[error("the configuration is not valid")]
    Invalid(Vec<TaskError>),
    /// The log refused.
    #[error("could not use the log")]
    Log(#[from] linkspan_log::Error),
    /// Threads could not be had.
    #[error("could not start a thread")]
    Io(#[from] std::io::Error),
}
