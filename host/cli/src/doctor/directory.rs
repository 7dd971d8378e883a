//! The data directory: whether it is one, who may write and read it, how much room and how fast a disk it has.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use linkspan_log::DiskFs;
use linkspan_types::SystemClock;
use rustix::fs::{Access, access, statvfs};

use super::Finding;

const CHECK: &str = "data directory";
/// Less free space than this stops a host soon.
const FREE_BYTES_MIN: u64 = 256 << 20;
/// Less than this is worth a look.
const FREE_BYTES_WANTED: u64 = 2 << 30;
/// Writes of the fsync check; the middle one counts.
const SYNCS: usize = 15;
/// Bytes of one of them.
const SYNC_BYTES: usize = 4096;
/// A disk that takes longer makes every durable answer slow.
const SYNC_SLOW: Duration = Duration::from_millis(20);

/// Looks at `data`; also says whether a host holds it.
pub(super) fn look(data: &Path) -> (Vec<Finding>, bool) {
    let shown = std::path::absolute(data).unwrap_or_else(|_| data.to_owned());
    let shown = shown.display();
    let there = data.try_exists().unwrap_or(false);
    let folder = if there {
        data.to_owned()
    } else {
        nearest(data)
    };
    let mut held = false;
    let mut findings = Vec::new();
    if there {
        let opened =
            linkspan_log::open_read_only(Arc::new(DiskFs), Arc::new(SystemClock::default()), data);
        findings.push(match opened {
            Ok(_) => Finding::ok(CHECK, format!("{shown}, no host holds it")),
            Err(linkspan_log::Error::Locked { pid, .. }) => {
                held = true;
                Finding::ok(CHECK, format!("{shown}, held by process {pid}"))
            }
            Err(error) => {
                let failure = crate::exit::Failure::from(error);
                let remedy = failure.help.unwrap_or_default();
                Finding::fail(CHECK, failure.message, remedy)
            }
        });
    } else {
        findings.push(Finding::ok(
            CHECK,
            format!("{shown} is not there yet; `linkspan run` makes it"),
        ));
    }
    findings.push(writable(&folder));
    if there {
        findings.extend(private(data));
    }
    findings.push(space(&folder));
    findings.push(sync_speed(&folder));
    (findings, held)
}

/// The nearest folder above that exists.
fn nearest(data: &Path) -> PathBuf {
    let whole = std::path::absolute(data).unwrap_or_else(|_| data.to_owned());
    let mut above = whole.ancestors();
    let found = above.find(|path| path.try_exists().unwrap_or(false));
    found.map_or_else(|| PathBuf::from("/"), Path::to_path_buf)
}

fn writable(folder: &Path) -> Finding {
    const CHECK: &str = "permission";
    match access(folder, Access::WRITE_OK | Access::EXEC_OK) {
        Ok(()) => Finding::ok(CHECK, format!("{} can be written to", folder.display())),
        Err(error) => Finding::fail(
            CHECK,
            format!("{} cannot be written to: {error}", folder.display()),
            "run as its owner, or name another data directory with --data",
        ),
    }
}

/// Records lie in it: nobody else should read them.
fn private(data: &Path) -> Option<Finding> {
    const CHECK: &str = "privacy";
    let mode = fs::metadata(data).ok()?.permissions().mode() & 0o777;
    Some(if mode & 0o077 == 0 {
        Finding::ok(CHECK, "only its owner may look into the data directory")
    } else {
        Finding::warn(
            CHECK,
            format!("others may look into the data directory (mode {mode:o})"),
            format!("chmod 700 {}", data.display()),
        )
    })
}

fn space(folder: &Path) -> Finding {
    const CHECK: &str = "disk space";
    let remedy = "make room, shorten the retention of topics, or set `host.log.max.bytes`";
    let stat = match statvfs(folder) {
        Ok(stat) => stat,
        Err(error) => {
            return Finding::warn(CHECK, format!("it cannot be asked for: {error}"), remedy);
        }
    };
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    let found = format!("{} MiB free", crate::terminal::count(free >> 20));
    match free {
        ..FREE_BYTES_MIN => Finding::fail(CHECK, found, remedy),
        FREE_BYTES_MIN..FREE_BYTES_WANTED => Finding::warn(CHECK, found, remedy),
        FREE_BYTES_WANTED.. => Finding::ok(CHECK, found),
    }
}

/// How long the disk takes to make a small write durable.
fn sync_speed(folder: &Path) -> Finding {
    const CHECK: &str = "disk speed";
    match syncs(folder) {
        Ok(middle) if middle > SYNC_SLOW => Finding::warn(
            CHECK,
            format!("a durable write of 4 KiB takes {:.1} ms", millis(middle)),
            "put the data directory on a faster disk: each commit waits for one such write",
        ),
        Ok(middle) => Finding::ok(
            CHECK,
            format!("a durable write of 4 KiB takes {:.2} ms", millis(middle)),
        ),
        Err(error) => Finding::fail(
            CHECK,
            format!(
                "a file in {} cannot be made durable: {error}",
                folder.display()
            ),
            "look at the disk and its file system",
        ),
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn syncs(folder: &Path) -> std::io::Result<Duration> {
    let path = folder.join(format!(".linkspan-doctor-{}", std::process::id()));
    let measured = timed(&path);
    // A file that could not be made need not be removed.
    drop(fs::remove_file(&path));
    measured
}

fn timed(path: &Path) -> std::io::Result<Duration> {
    let mut file = File::options().write(true).create_new(true).open(path)?;
    let mut times = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        let start = Instant::now();
        file.write_all(&[0; SYNC_BYTES])?;
        file.sync_data()?;
        times.push(start.elapsed());
    }
    times.sort_unstable();
    Ok(times.get(SYNCS / 2).copied().unwrap_or_default())
}
