//! What a sink answers to `put` and `flush`.

use linkspan_convert::Stage;
use serde::Deserialize;

use crate::error::TaskError;

/// Most bytes of progress metadata per partition, as Kafka's `offset.metadata.max.bytes`.
const METADATA_BYTES_MAX: usize = 4096;

/// The plugin's answer.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Reply {
    #[serde(default)]
    pub(crate) progress: Vec<Progress>,
    #[serde(default)]
    pub(crate) rejected: Vec<Rejected>,
}

/// The next offset of a partition whose earlier records are safely outside.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Progress {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    #[serde(default)]
    pub(crate) metadata: String,
}

/// One record the sink refuses.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Rejected {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) error: RejectedError,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct RejectedError {
    pub(crate) kind: String,
    pub(crate) message: String,
}

impl Rejected {
    /// Why, as of a record that failed in `put`.
    pub(crate) fn error(&self) -> TaskError {
        TaskError::permanent("LS0414", &self.error.kind, &self.error.message).at(Stage::TaskPut)
    }
}

impl Reply {
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, TaskError> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let reply: Self = serde_json::from_slice(bytes).map_err(|error| {
            TaskError::internal(format!("the sink's answer is not valid: {error}"))
        })?;
        for progress in &reply.progress {
            if progress.metadata.len() > METADATA_BYTES_MAX {
                return Err(TaskError::internal(format!(
                    "the sink's metadata for `{}`-{} has {} bytes, {METADATA_BYTES_MAX} are allowed",
                    progress.topic,
                    progress.partition,
                    progress.metadata.len()
                )));
            }
        }
        Ok(reply)
    }

    /// The records that an error of a whole `put` names as the ones at fault; none where it names none.
    pub(crate) fn blamed(error: &TaskError) -> Self {
        let detail = error.detail.as_deref();
        detail
            .and_then(|detail| serde_json::from_str(detail).ok())
            .unwrap_or_default()
    }

    /// Without tolerance a rejected record stops the task.
    pub(crate) fn refuse_rejected(&self, connector: &str) -> Result<(), TaskError> {
        let Some(first) = self.rejected.first() else {
            return Ok(());
        };
        let others = match self.rejected.len() {
            1 => String::new(),
            n => format!(" (and {} more of the same batch)", n - 1),
        };
        Err(TaskError::permanent(
            "LS0414",
            &first.error.kind,
            format!(
                "connector `{connector}`: topic `{}` partition {} offset {}: {}{others}",
                first.topic, first.partition, first.offset, first.error.message
            ),
        ))
    }
}
