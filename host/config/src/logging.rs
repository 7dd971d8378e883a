//! `host: logging.*`: where the host's own log goes, in which form, and how much of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::codes;
use crate::report::{Draft, Report};
use crate::settings::Setting;

/// The words of a level, most severe first.
pub(crate) const LEVELS: &[&str] = &["error", "warn", "info", "debug", "trace"];
/// The log file of a host that names none, next to the first PATH.
const FILE_DEFAULT: &str = "linkspan.log";

/// Where the host's own log goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoggingOutput {
    /// Standard error.
    #[default]
    Stderr,
    /// A file that rotates.
    File,
    /// systemd's journal.
    Journald,
}

/// How a line looks. journald gets fields, whatever this says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoggingFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// The host's own log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoggingSettings {
    /// Where it goes.
    pub output: LoggingOutput,
    /// How it looks.
    pub format: LoggingFormat,
    /// The level of all; `None` = info, for a job warn.
    pub level: Option<String>,
    /// Levels of single connectors.
    pub levels: BTreeMap<String, String>,
    /// The file of [`LoggingOutput::File`], absolute.
    pub file: PathBuf,
    /// At which size the file begins anew.
    pub file_bytes_max: u64,
    /// Whether it begins anew at midnight, UTC.
    pub file_daily: bool,
    /// How many old files are kept.
    pub files_kept: usize,
    /// journald's socket.
    pub journald_socket: PathBuf,
}

/// Reads the settings; `value` gives an option's text or its default.
pub(crate) fn read(
    report: &mut Report,
    settings: &BTreeMap<String, Setting>,
    value: &dyn Fn(&str) -> String,
    base: &Path,
) -> LoggingSettings {
    let levels = value("logging.levels");
    let levels: BTreeMap<String, String> = serde_json::from_str(&levels).unwrap_or_default();
    for (connector, level) in &levels {
        if !LEVELS.contains(&level.as_str())
            && let Some(setting) = settings.get("logging.levels")
        {
            report.push(Draft::error(
                &codes::WRONG_TYPE,
                setting.span,
                format!(
                    "`logging.levels`: the level of `{}` is one of {}, found `{}`",
                    connector.escape_debug(),
                    LEVELS.join(", "),
                    level.escape_debug()
                ),
            ));
        }
    }
    let file = value("logging.file");
    LoggingSettings {
        output: match value("logging.output").as_str() {
            "file" => LoggingOutput::File,
            "journald" => LoggingOutput::Journald,
            _ => LoggingOutput::Stderr,
        },
        format: if value("logging.format") == "json" {
            LoggingFormat::Json
        } else {
            LoggingFormat::Text
        },
        level: Some(value("logging.level")).filter(|level| !level.is_empty()),
        levels,
        file: if file.is_empty() {
            base.join(FILE_DEFAULT)
        } else {
            PathBuf::from(file)
        },
        file_bytes_max: value("logging.file.max.bytes").parse().unwrap_or(u64::MAX),
        file_daily: value("logging.file.daily") == "true",
        files_kept: value("logging.file.keep").parse().unwrap_or_default(),
        journald_socket: PathBuf::from(value("logging.journald.socket")),
    }
}
