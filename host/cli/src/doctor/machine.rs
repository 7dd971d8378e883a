//! What of this machine matters to a host: its program, plugins, limits and clock, and who may read the contexts.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use linkspan_types::{Clock, SystemClock};
use rustix::process::{Resource, getrlimit};

use super::Finding;
use crate::{context, plugins};

/// Fewer open files do not last for a handful of topics and connectors.
const OPEN_FILES_MIN: u64 = 256;
/// What a host with many topics wants.
const OPEN_FILES_WANTED: u64 = 4096;
/// The clock of a machine that shows less than this was never set: 2024-01-01, in milliseconds since 1970.
const CLOCK_MIN_MS: i64 = 1_704_067_200_000;
/// How far in the future what is stored may seem to be.
const CLOCK_SLACK: Duration = Duration::from_secs(5);

pub(super) fn version() -> Finding {
    let program = std::env::current_exe().map_or_else(
        |error| format!("at an unknown place: {error}"),
        |path| path.display().to_string(),
    );
    Finding::ok(
        "program",
        format!("linkspan {}, {program}", env!("CARGO_PKG_VERSION")),
    )
}

/// Whether plugins load, and which files were refused.
pub(super) fn plugins(paths: &[PathBuf]) -> Vec<Finding> {
    let (found, findings) = match plugins::look(paths) {
        Ok(looked) => looked,
        Err(failure) => {
            return vec![Finding::fail(
                "plugins",
                failure.message,
                "correct --plugin-path",
            )];
        }
    };
    let mut all = vec![classes(found.registry.classes().len())];
    all.extend(findings.into_iter().map(|finding| {
        let first = finding
            .message
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned();
        let remedy = format!("linkspan explain {}", finding.code);
        Finding::warn("plugin file", format!("{}: {first}", finding.code), remedy)
    }));
    all
}

/// Whether there is anything to connect with.
fn classes(n: usize) -> Finding {
    if n == 0 {
        return Finding::fail(
            "plugins",
            "none was found: there is nothing that could be connected",
            "put plugins into a folder `plugins` beside the program, or name their folder with --plugin-path",
        );
    }
    Finding::ok("plugins", format!("{n} classes load"))
}

/// How many files may be open at once.
pub(super) fn open_files() -> Finding {
    const CHECK: &str = "open files";
    let limit = getrlimit(Resource::Nofile);
    let remedy = "raise it: `ulimit -n 65536` in the shell, `LimitNOFILE=65536` in a systemd unit";
    match limit.current {
        None => Finding::ok(CHECK, "no limit"),
        Some(n) if n < OPEN_FILES_MIN => Finding::fail(CHECK, format!("at most {n}"), remedy),
        Some(n) if n < OPEN_FILES_WANTED => Finding::warn(
            CHECK,
            format!("at most {n}: enough for few topics only"),
            remedy,
        ),
        Some(n) => Finding::ok(CHECK, format!("at most {n}")),
    }
}

/// Whether the clock was set, and has not gone back behind what is stored.
pub(super) fn clock(data: &Path) -> Finding {
    const CHECK: &str = "clock";
    let remedy = "set it, and let NTP keep it (timedatectl set-ntp true): retention and times of records go by it";
    let now_ms = SystemClock::default().now_ms();
    if now_ms < CLOCK_MIN_MS {
        return Finding::fail(CHECK, "it was never set", remedy);
    }
    let newest = ["ckpt.a", "ckpt.b", "journal", "runs"]
        .iter()
        .filter_map(|name| fs::metadata(data.join(name)).ok()?.modified().ok())
        .max();
    let now = SystemTime::UNIX_EPOCH + Duration::from_millis(now_ms.unsigned_abs());
    match newest {
        Some(newest) if newest > now + CLOCK_SLACK => {
            let ahead = newest.duration_since(now).unwrap_or_default();
            Finding::fail(
                CHECK,
                format!(
                    "it is {} s behind the last write of the data directory",
                    ahead.as_secs()
                ),
                remedy,
            )
        }
        _ => Finding::ok(CHECK, "set, and not behind what is stored"),
    }
}

/// Whether others may read or change which hosts elsewhere commands go to.
pub(super) fn contexts() -> Option<Finding> {
    const CHECK: &str = "contexts";
    let file = context::file().ok()?;
    let mode = fs::metadata(&file).ok()?.permissions().mode() & 0o777;
    Some(if mode & 0o077 == 0 {
        Finding::ok(CHECK, format!("{} is yours alone", file.display()))
    } else {
        Finding::warn(
            CHECK,
            format!("others may use {} (mode {mode:o})", file.display()),
            format!("chmod 600 {}", file.display()),
        )
    })
}
