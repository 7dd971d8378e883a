//! What discovery has to say: refusals and warnings, each in at most five lines.

use std::path::{Path, PathBuf};

use linkspan_abi::ABI_VERSION;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// A file or a class is refused.
    Error,
    /// Something a person should know.
    Warning,
}

/// Something that discovery found out about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The stable code, `LS03xx`.
    pub code: &'static str,
    /// The file or directory.
    pub path: PathBuf,
    /// What it is, for people: path and reason in the first line.
    pub message: String,
}

impl Finding {
    /// Returns whether something is refused.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    pub(crate) fn warning(code: &'static str, path: &Path, message: String) -> Self {
        Self {
            severity: Severity::Warning,
            code,
            path: path.to_path_buf(),
            message,
        }
    }
}

/// Why a file is refused. Its text has the same five lines every time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: &'static str,
    pub(crate) reason: String,
    /// What the plugin says it was built with, where that is known.
    pub(crate) plugin: Option<String>,
    pub(crate) differs: Option<String>,
    pub(crate) help: &'static str,
}

pub(crate) const NOT_A_PLUGIN: &str = "LS0301";
pub(crate) const UNREADABLE: &str = "LS0302";
pub(crate) const CRASHED: &str = "LS0303";
pub(crate) const LAYOUT: &str = "LS0304";
pub(crate) const MAJOR: &str = "LS0305";
pub(crate) const NAME_CONFLICT: &str = "LS0306";
pub(crate) const CLASS_CONFLICT: &str = "LS0307";
pub(crate) const SHADOWED: &str = "LS0308";
pub(crate) const PANICKED: &str = "LS0309";
pub(crate) const MANIFEST: &str = "LS0310";

impl Refusal {
    pub(crate) fn new(code: &'static str, reason: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.into(),
            plugin: None,
            differs: None,
            help: help(code),
        }
    }

    pub(crate) fn built_with(mut self, plugin: impl Into<String>) -> Self {
        self.plugin = Some(plugin.into());
        self
    }

    pub(crate) fn differing(mut self, difference: impl Into<String>) -> Self {
        self.differs = Some(difference.into());
        self
    }

    pub(crate) fn at(&self, path: &Path) -> Finding {
        let plugin = self.plugin.as_deref().unwrap_or("unknown");
        let differs = self.differs.as_deref().unwrap_or(&self.reason);
        Finding {
            severity: Severity::Error,
            code: self.code,
            path: path.to_path_buf(),
            message: format!(
                "plugin `{}` is refused: {}\n  host ABI:     {ABI_VERSION}\n  plugin SDK:   {plugin}\n  what differs: {differs}\n  what to do:   {}",
                path.display(),
                self.reason,
                self.help
            ),
        }
    }
}

/// Returns the code of a word that a probing child printed.
pub(crate) fn code(word: &str) -> &'static str {
    [
        NOT_A_PLUGIN,
        UNREADABLE,
        CRASHED,
        LAYOUT,
        MAJOR,
        PANICKED,
        MANIFEST,
    ]
    .into_iter()
    .find(|code| *code == word)
    .unwrap_or(CRASHED)
}

fn help(code: &str) -> &'static str {
    match code {
        NOT_A_PLUGIN => {
            "name a library that was built with `export_plugin!` of linkspan-sdk, or remove the file from this directory"
        }
        UNREADABLE => "check the permissions, or copy the file again: it is not complete",
        CRASHED => {
            "run `linkspan plugin inspect FILE` to see it alone, and ask the plugin's author"
        }
        LAYOUT | MAJOR => {
            "rebuild the plugin with the linkspan-sdk of this host, or use the host that it was built for"
        }
        NAME_CONFLICT => "keep one of the two files in this directory",
        CLASS_CONFLICT => "remove one of the two plugins from the search path",
        PANICKED => "ask the plugin's author: its start-up code failed",
        _ => "rebuild the plugin with a current linkspan-sdk",
    }
}
