//! `linkspan backup` and `linkspan restore`.

use std::path::{Path, PathBuf};

use linkspan_log::{DiskFs, restore as restore_log};
use linkspan_rest::Operation;
use linkspan_types::{Clock, SystemClock};

use crate::args::{At, BackupArgs, Output, RestoreArgs};
use crate::exit::{Exit, Failure};
use crate::shown::{structured, text};
use crate::target::perform;
use crate::terminal::{self, count};
use crate::topic::answer;

pub(crate) fn backup(args: &BackupArgs) -> Result<Exit, Failure> {
    let dir = real(&args.dir)?;
    let data = real(&args.target.at.data())?;
    if dir.starts_with(&data) {
        let message = format!("`{}` is inside of the data directory", dir.display());
        return Err(Failure::new(Exit::Invalid, "LS0220", message)
            .help("name a folder outside of it, best on another disk"));
    }
    // The running host writes it: the path must mean the same there.
    let operation = Operation::Backup(dir.display().to_string());
    let busy = terminal::Busy::new("copying the log");
    answer(&args.target, operation, move |report| {
        drop(busy);
        let number = |name: &str| {
            report
                .get(name)
                .and_then(serde_json::Value::as_u64)
                .unwrap_or(0)
        };
        let time = std::time::Duration::from_millis(number("duration_ms"));
        terminal::line(&format!(
            "backup {}: {} files, {} bytes, {} records in segments, up to commit {}, {}",
            text(report, "dir"),
            count(number("files")),
            count(number("bytes")),
            count(number("records")),
            count(number("last_lsn")),
            terminal::duration(time),
        ));
        terminal::note(&format!(
            "restore it with: linkspan restore {} --data DIR",
            text(report, "dir")
        ));
    })
}

/// Returns an absolute path whose existing part has no links in it.
fn real(path: &Path) -> Result<PathBuf, Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(
            Exit::Environment,
            "LS0704",
            format!("could not look at `{}`: {error}", path.display()),
        )
    };
    let absolute = std::path::absolute(path).map_err(failed)?;
    let mut rest = Vec::new();
    let mut at = absolute.as_path();
    loop {
        if let Ok(found) = at.canonicalize() {
            return Ok(rest.iter().rev().fold(found, |path, name| path.join(name)));
        }
        let (Some(parent), Some(name)) = (at.parent(), at.file_name()) else {
            return Ok(absolute);
        };
        rest.push(name.to_owned());
        at = parent;
    }
}

pub(crate) fn restore(args: &RestoreArgs) -> Result<Exit, Failure> {
    let now_ms = SystemClock::default().now_ms();
    if !args.backup.is_dir() {
        let message = format!("there is no folder `{}`", args.backup.display());
        return Err(Failure::new(Exit::Invalid, "LS0526", message)
            .help("name the folder that `linkspan backup` made"));
    }
    let busy = terminal::Busy::new("checking and copying the backup");
    let report = restore_log(&DiskFs, &args.backup, &args.data, now_ms)?;
    // Opening it replays the end of the journal: what cannot be opened is said now, not tomorrow.
    let at = At {
        data: Some(args.data.clone()),
        ..At::default()
    };
    let stat = perform(&at, Operation::Stat)?;
    drop(busy);
    match args.output {
        Output::Table => {
            terminal::line(&format!(
                "restored {}: {} files, {} bytes, up to commit {}, {} topics",
                report.dir,
                count(report.files),
                count(report.bytes),
                count(report.last_lsn),
                stat.get("topics")
                    .and_then(serde_json::Value::as_array)
                    .map_or(0, Vec::len),
            ));
            terminal::note(&format!(
                "leader epoch {} begins when a host opens it: positions that sinks keep outside beyond the backup are refused, not skipped",
                report.leader_epoch
            ));
        }
        Output::Json | Output::Yaml | Output::Name => {
            let value = serde_json::to_value(&report).unwrap_or_default();
            structured(args.output, &value, |report| text(report, "dir"));
        }
    }
    Ok(Exit::Ok)
}
