//! What the process answers. Scripts rely on these numbers.

use std::fmt;

use serde_json::json;

use crate::args::Output;
use crate::terminal;

/// The exit codes of every command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All went well.
    Ok,
    /// Something failed while it ran.
    Runtime,
    /// Wrong arguments or configuration.
    Invalid,
    /// The surroundings do not allow it: a directory in use, no permission.
    Environment,
    /// Dead letters or skipped records, and no failure.
    Partial,
    /// Stopped by SIGINT.
    Interrupted,
    /// Stopped by SIGTERM.
    Terminated,
}

impl Exit {
    /// Returns the exit of a number; one that nobody knows counts as a failure while running.
    pub(crate) fn from_code(code: u8) -> Self {
        let known = [
            Self::Ok,
            Self::Invalid,
            Self::Environment,
            Self::Partial,
            Self::Interrupted,
            Self::Terminated,
        ];
        known
            .into_iter()
            .find(|exit| exit.code() == code)
            .unwrap_or(Self::Runtime)
    }

    /// Returns the number.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Runtime => 1,
            Self::Invalid => 2,
            Self::Environment => 3,
            Self::Partial => 4,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }
}

/// A command that could not do its work.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    /// The exit code.
    pub(crate) exit: Exit,
    /// Stable code of the message.
    pub(crate) code: &'static str,
    /// What happened, where, why.
    pub(crate) message: String,
    /// What to do.
    pub(crate) help: Option<String>,
    /// The form of results that was asked for: stdout gets the failure in it too.
    pub(crate) form: Output,
    /// The diagnostics of a configuration were printed already.
    pub(crate) printed: bool,
}

impl Failure {
    /// A failure with its exit code and stable code.
    pub(crate) fn new(exit: Exit, code: &'static str, message: impl fmt::Display) -> Self {
        Self {
            exit,
            code,
            message: message.to_string(),
            help: None,
            form: Output::Table,
            printed: false,
        }
    }

    /// Adds what to do.
    #[must_use]
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Prints it on stdout as well, where results were asked for as JSON or YAML.
    #[must_use]
    pub(crate) fn form(mut self, form: Output) -> Self {
        self.form = form;
        self
    }

    /// The message is on stderr already.
    #[must_use]
    pub(crate) fn printed(mut self) -> Self {
        self.printed = true;
        self
    }

    /// Prints the failure; returns its exit code.
    pub(crate) fn report(self) -> Exit {
        if !self.printed {
            terminal::error(self.code, &self.message, self.help.as_deref());
        }
        let mut error = json!({ "code": self.code, "message": self.message });
        if let (Some(help), Some(error)) = (self.help, error.as_object_mut()) {
            error.insert("help".to_owned(), help.into());
        }
        let object = json!({ "status": "failed", "error": error });
        match self.form {
            Output::Table | Output::Name => {}
            Output::Json => terminal::line(&object.to_string()),
            Output::Yaml => terminal::line(linkspan_config::to_yaml(&object).trim_end()),
        }
        self.exit
    }
}

impl From<linkspan_log::Error> for Failure {
    fn from(error: linkspan_log::Error) -> Self {
        use linkspan_log::Error as Log;
        let message = linkspan_types::error_chain(&error);
        match error {
            Log::Locked { pid, dir } => {
                let (message, holder) = match pid {
                    // The directory is locked and its file `lock`, which names the holder, is gone.
                    0 => (format!("data directory `{}` is in use by another process", dir.display()), String::new()),
                    pid => (message, format!(" (kill {pid})")),
                };
                Self::new(Exit::Environment, "LS0701", message)
                    .help(format!("a host works on this directory; stop it{holder} or choose another with --data"))
            }
            Log::NewerFormat { .. } => {
                Self::new(Exit::Environment, "LS0702", message).help("use the linkspan version that wrote it, or a later one")
            }
            Log::NotADataDirectory { .. } => Self::new(Exit::Environment, "LS0703", message)
                .help("name an empty folder, or one that linkspan made, with --data"),
            Log::Damaged { .. } => Self::new(Exit::Environment, "LS0513", message)
                .help("acknowledged records are damaged, so nothing was changed; `linkspan log verify` names every place; `linkspan log repair` says what it would cut, `linkspan restore` takes a backup"),
            Log::LaterVersion { .. } => {
                Self::new(Exit::Environment, "LS0702", message).help("use the linkspan version that wrote it, or a later one; nothing was changed")
            }
            Log::InvalidBackup { .. } => Self::new(Exit::Runtime, "LS0526", message)
                .help("take another backup; a complete one has `backup.json` and files that match it"),
            Log::NotEmpty { .. } => Self::new(Exit::Environment, "LS0707", message)
                .help("name a folder that does not exist, or an empty one; nothing is ever written over"),
            Log::InvalidTopic { .. } | Log::InvalidSettings { .. } | Log::CompactedTopic { .. } | Log::TopicExists { .. } => {
                Self::new(Exit::Invalid, "LS0517", message)
            }
            Log::DiskBound { .. } => Self::new(Exit::Environment, "LS0519", message),
            Log::UnknownTopic { .. } => Self::new(Exit::Invalid, "LS0516", message),
            Log::Io { .. } | Log::DiskFull { .. } | Log::OutOfFiles { .. } => Self::new(Exit::Environment, "LS0704", message),
            _ => Self::new(Exit::Runtime, "LS0501", message),
        }
    }
}
