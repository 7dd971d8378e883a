//! The host's own log: what it says about itself while it runs.
//!
//! `host: logging.*` chooses the output (stderr, a file that rotates, journald), the form (text or JSON) and the level, one
//! for all and one per connector. `LINKSPAN_LOG` overrides the level with a filter of tracing's syntax. Record values never
//! come here; secrets are concealed by whoever writes the event.

mod file;
mod journald;
mod levels;
mod recent;

use std::io;
use std::sync::{Arc, OnceLock};

use linkspan_config::{LoggingFormat, LoggingOutput, LoggingSettings};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::{Layer, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry, fmt};

use self::file::RotatingFile;
use self::journald::Journald;
pub(crate) use self::levels::Levels;
use self::recent::Recent;
pub(crate) use self::recent::lines as recent_lines;
use crate::exit::{Exit, Failure};

/// The variable that overrides `logging.level`.
const VARIABLE: &str = "LINKSPAN_LOG";

type BoxedLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// The levels in force, which REST may change.
static LEVELS: OnceLock<Arc<Levels>> = OnceLock::new();

/// The words of levels, as Kafka Connect's interface has them.
const WORDS: [(&str, LevelFilter); 6] = [
    ("OFF", LevelFilter::OFF),
    ("ERROR", LevelFilter::ERROR),
    ("WARN", LevelFilter::WARN),
    ("INFO", LevelFilter::INFO),
    ("DEBUG", LevelFilter::DEBUG),
    ("TRACE", LevelFilter::TRACE),
];

/// The level of everything that has none of its own.
pub(crate) fn level_of_all() -> String {
    let level = LEVELS
        .get()
        .map_or(LevelFilter::INFO, |levels| levels.all());
    WORDS
        .iter()
        .find(|(_, known)| *known == level)
        .map_or("INFO", |(word, _)| word)
        .to_owned()
}

/// Sets the level of everything (`root`) or of one connector; `FATAL` is Java's word for ERROR. Returns the word, `None` when
/// there is no such level.
pub(crate) fn set_level(name: &str, level: &str) -> Option<&'static str> {
    let wanted = if level.eq_ignore_ascii_case("FATAL") {
        "ERROR"
    } else {
        level
    };
    let (word, filter) = WORDS
        .iter()
        .find(|(word, _)| word.eq_ignore_ascii_case(wanted))?;
    if let Some(levels) = LEVELS.get() {
        levels.set(name, *filter);
    }
    Some(word)
}

/// Starts the log as the settings say. `quiet` is for jobs: without a level of its own only warnings show.
///
/// # Errors
/// The file or the socket cannot be opened (exit 3).
pub(crate) fn init(settings: &LoggingSettings, quiet: bool) -> Result<(), Failure> {
    let levels = Arc::clone(LEVELS.get_or_init(|| Arc::new(Levels::new(settings, quiet))));
    let output = output(settings)?;
    let layer: BoxedLayer = match std::env::var(VARIABLE)
        .ok()
        .and_then(|text| EnvFilter::try_new(text).ok())
    {
        Some(filter) => output.with_filter(filter).boxed(),
        None => output.with_filter(levels.filter()).boxed(),
    };
    let recent: BoxedLayer = Recent.with_filter(levels.filter()).boxed();
    // A second initialisation cannot happen in one process; if it did, the first one stays.
    drop(
        tracing_subscriber::registry()
            .with(vec![layer, recent])
            .try_init(),
    );
    Ok(())
}

fn output(settings: &LoggingSettings) -> Result<BoxedLayer, Failure> {
    let cannot = |what: String, error: io::Error| {
        Failure::new(Exit::Environment, "LS0704", format!("{what}: {error}"))
    };
    Ok(match settings.output {
        LoggingOutput::Stderr => lines(settings.format, io::stderr),
        LoggingOutput::File => {
            let path = &settings.file;
            let file = RotatingFile::open(
                path,
                settings.file_bytes_max,
                settings.file_daily,
                settings.files_kept,
            )
            .map_err(|e| {
                cannot(
                    format!(
                        "could not open the log file `{}` (`logging.file`)",
                        path.display()
                    ),
                    e,
                )
            })?;
            lines(settings.format, Arc::new(file))
        }
        LoggingOutput::Journald => {
            let path = &settings.journald_socket;
            let socket = Journald::connect(path).map_err(|e| {
                cannot(
                    format!(
                        "could not reach journald at `{}` (`logging.journald.socket`)",
                        path.display()
                    ),
                    e,
                )
            })?;
            Box::new(socket)
        }
    })
}

fn lines<W>(format: LoggingFormat, writer: W) -> BoxedLayer
where
    W: for<'w> fmt::MakeWriter<'w> + Send + Sync + 'static,
{
    // A line that cannot be written is not complained of on stderr: where that is gone, a closed terminal's, the complaint panics.
    match format {
        LoggingFormat::Text => fmt::layer()
            .with_writer(writer)
            .with_ansi(false)
            .log_internal_errors(false)
            .boxed(),
        LoggingFormat::Json => fmt::layer()
            .json()
            .flatten_event(true)
            .with_writer(writer)
            .log_internal_errors(false)
            .boxed(),
    }
}
