//! What a process holds, before and after many opens and closes.

use std::{
    fs,
    sync::{Mutex, PoisonError},
};

/// How often a task is opened and closed.
const CYCLES: usize = 40;
/// Cycles before the first look: pools fill up.
const WARM_UP: usize = 8;
/// Other tests of the process come and go meanwhile: what grows must grow every time.
const ATTEMPTS: usize = 3;
/// Bytes that may stay for each cycle. An allocator gives little back, so less than this is not noticed.
const BYTES_PER_CYCLE_MAX: u64 = 192 * 1024;

/// Two leak checks at a time would count each other.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

#[derive(Debug, Clone, Copy)]
struct Held {
    threads: u64,
    files: u64,
    bytes: u64,
}

impl Held {
    /// Reads what this process holds, from `/proc/self`.
    fn now() -> Option<Self> {
        let status = fs::read_to_string("/proc/self/status").ok()?;
        let number = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name))?;
            line.split_whitespace().nth(1)?.parse::<u64>().ok()
        };
        Some(Self {
            threads: number("Threads:")?,
            files: u64::try_from(fs::read_dir("/proc/self/fd").ok()?.count()).ok()?,
            bytes: number("VmRSS:")? * 1024,
        })
    }
}

/// Runs the cycle often and returns what has grown.
pub(super) fn check(mut cycle: impl FnMut() -> Result<(), String>) -> Vec<String> {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let mut grown = Vec::new();
    for _ in 0..ATTEMPTS {
        grown = match attempt(&mut cycle) {
            Ok(grown) => grown,
            Err(problem) => return vec![problem],
        };
        if grown.is_empty() {
            break;
        }
    }
    grown
}

fn attempt(cycle: &mut impl FnMut() -> Result<(), String>) -> Result<Vec<String>, String> {
    for _ in 0..WARM_UP {
        cycle()?;
    }
    let unreadable = || "`/proc/self` cannot be read".to_owned();
    let before = Held::now().ok_or_else(unreadable)?;
    for _ in 0..CYCLES {
        cycle()?;
    }
    let after = Held::now().ok_or_else(unreadable)?;
    let half = CYCLES as u64 / 2;
    let mut grown = Vec::new();
    for (what, before, after, most) in [
        ("threads", before.threads, after.threads, half),
        ("file descriptors", before.files, after.files, half),
        (
            "bytes of memory",
            before.bytes,
            after.bytes,
            BYTES_PER_CYCLE_MAX * CYCLES as u64,
        ),
    ] {
        let more = after.saturating_sub(before);
        if more >= most {
            grown.push(format!(
                "{more} {what} more after {CYCLES} opens and closes"
            ));
        }
    }
    Ok(grown)
}
