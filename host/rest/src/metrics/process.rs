//! The process as the system sees it, out of `/proc`. What cannot be read is left out.

use std::fs;

/// Ticks of a second in `/proc/self/stat`: a constant of Linux's interface to programs.
const TICKS_PER_SECOND: f64 = 100.0;

/// Figures of the process.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Process {
    pub(crate) cpu_seconds: Option<f64>,
    pub(crate) memory_bytes: Option<u64>,
    pub(crate) open_files: Option<u64>,
    pub(crate) threads: Option<u64>,
    /// Seconds since 1970.
    pub(crate) started: Option<f64>,
}

impl Process {
    /// Reads them.
    pub(crate) fn read() -> Self {
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        // The name in brackets may hold anything; numbers follow its last bracket, the state first (field 3 of the manual).
        let fields: Vec<&str> = stat
            .rsplit_once(')')
            .map(|(_, rest)| rest.split_whitespace().collect())
            .unwrap_or_default();
        let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name))?;
            line.split_whitespace().nth(1)?.parse::<u64>().ok()
        };
        let boot = fs::read_to_string("/proc/stat").ok().and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("btime "))?;
            line.split_whitespace().nth(1)?.parse::<f64>().ok()
        });
        Self {
            cpu_seconds: field(14)
                .zip(field(15))
                .map(|(user, system)| (user + system) / TICKS_PER_SECOND),
            memory_bytes: line("VmRSS:").map(|kib| kib * 1024),
            open_files: fs::read_dir("/proc/self/fd")
                .ok()
                .map(|entries| u64::try_from(entries.count()).unwrap_or(u64::MAX)),
            threads: line("Threads:"),
            started: boot
                .zip(field(22))
                .map(|(boot, ticks)| boot + ticks / TICKS_PER_SECOND),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_all_figures() {
        let process = Process::read();
        assert!(process.cpu_seconds.is_some_and(|cpu| cpu >= 0.0));
        assert!(process.memory_bytes.is_some_and(|bytes| bytes > 1 << 20));
        assert!(process.open_files.is_some_and(|files| files > 2));
        assert!(process.threads.is_some_and(|threads| threads > 0));
        assert!(process.started.is_some_and(|at| at > 1.6e9));
    }
}
