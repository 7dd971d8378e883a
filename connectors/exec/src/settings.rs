//! What is common to both classes: how a program is started and what its exit code means.

use std::collections::BTreeMap;
use std::path::PathBuf;

use linkspan_sdk::prelude::*;

use crate::options::{ExecSinkOptions, ExecSourceOptions};

/// How a program is run.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) command: Vec<String>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) cwd: Option<PathBuf>,
    pub(crate) stop_timeout: Duration,
    pub(crate) stderr_lines: u32,
    pub(crate) line_bytes_max: usize,
    success_codes: Vec<i32>,
}

impl Settings {
    /// Says whether a program that ended so did what it was to do.
    pub(crate) fn is_success(&self, code: Option<i32>) -> bool {
        code.is_some_and(|code| self.success_codes.contains(&code))
    }

    /// Names the program in messages; its arguments may hold what nobody is to see.
    pub(crate) fn name(&self) -> &str {
        self.command.first().map_or("", String::as_str)
    }
}

fn codes(texts: &[String]) -> Vec<i32> {
    texts
        .iter()
        .filter_map(|text| text.trim().parse().ok())
        .collect()
}

impl From<&ExecSourceOptions> for Settings {
    fn from(options: &ExecSourceOptions) -> Self {
        Self {
            command: options.command.clone(),
            env: options.env.clone(),
            cwd: options.cwd.clone(),
            stop_timeout: options.stop_timeout,
            stderr_lines: options.stderr_lines,
            line_bytes_max: options.max_line_bytes.as_usize(),
            success_codes: codes(&options.success_codes),
        }
    }
}

impl From<&ExecSinkOptions> for Settings {
    fn from(options: &ExecSinkOptions) -> Self {
        Self {
            command: options.command.clone(),
            env: options.env.clone(),
            cwd: options.cwd.clone(),
            stop_timeout: options.stop_timeout,
            stderr_lines: options.stderr_lines,
            line_bytes_max: 1 << 20,
            success_codes: codes(&options.success_codes),
        }
    }
}
