//! `linkspan doctor`: whether this machine, the data directory, the plugins and the host are as they should be.
//!
//! Every check is one line: ok, warn or fail, with what was found and, where something is wrong, what to do. Nothing is
//! changed; the fsync check writes one small file and removes it. Not here: what is inside the log (`linkspan log verify`).

mod directory;
mod host;
mod machine;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::args::DoctorArgs;
use crate::context;
use crate::exit::{Exit, Failure};
use crate::shown::structured;
use crate::terminal;

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Ok,
    Warn,
    Fail,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// One check and what it found.
#[derive(Debug)]
struct Finding {
    check: &'static str,
    verdict: Verdict,
    found: String,
    remedy: Option<String>,
}

impl Finding {
    fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self {
            check,
            verdict: Verdict::Ok,
            found: found.into(),
            remedy: None,
        }
    }

    fn warn(check: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            check,
            verdict: Verdict::Warn,
            found: found.into(),
            remedy: Some(remedy.into()),
        }
    }

    fn fail(check: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Fail,
            ..Self::warn(check, found, remedy)
        }
    }

    fn value(&self) -> Value {
        json!({ "check": self.check, "status": self.verdict.word(), "found": self.found, "remedy": self.remedy })
    }
}

pub(crate) fn run(args: &DoctorArgs) -> Result<Exit, Failure> {
    let findings = match context::elsewhere(&args.at)? {
        Some(host) => host::elsewhere(&host),
        None => here(args),
    };
    let failed = findings
        .iter()
        .any(|finding| finding.verdict == Verdict::Fail);
    let rows = findings.iter().map(Finding::value).collect();
    if !structured(args.output, &rows, |row| crate::shown::text(row, "check")) {
        print(&findings);
    }
    Ok(if failed { Exit::Environment } else { Exit::Ok })
}

fn here(args: &DoctorArgs) -> Vec<Finding> {
    let data = args.at.data();
    let (directory, held) = directory::look(&data);
    let mut findings = vec![machine::version()];
    findings.extend(machine::plugins(&args.plugin_paths));
    findings.extend(directory);
    if held {
        findings.push(host::beside(&data));
    }
    findings.push(host::port(&args.listen, held));
    findings.push(machine::open_files());
    findings.push(machine::clock(&data));
    findings.extend(machine::contexts());
    findings
}

/// What a running host finds of its own machine; `plugin_paths` is where it was told to look for plugins.
pub(crate) fn of_host(data: &Path, plugin_paths: &[PathBuf]) -> Vec<Value> {
    let mut findings = vec![machine::version()];
    findings.extend(machine::plugins(plugin_paths));
    findings.extend(directory::look(data).0);
    findings.push(machine::open_files());
    findings.push(machine::clock(data));
    findings.iter().map(Finding::value).collect()
}

fn print(findings: &[Finding]) {
    let width = findings.iter().map(|of| of.check.len()).max().unwrap_or(0);
    for finding in findings {
        let word = terminal::painted(
            match finding.verdict {
                Verdict::Ok => terminal::Colour::Green,
                Verdict::Warn => terminal::Colour::Yellow,
                Verdict::Fail => terminal::Colour::Red,
            },
            &format!("{:<4}", finding.verdict.word()),
        );
        terminal::line(&format!(
            "{word}  {:<width$}  {}",
            finding.check, finding.found
        ));
        if let Some(remedy) = &finding.remedy {
            terminal::line(&format!("{:>6}{:<width$}  → {remedy}", "", ""));
        }
    }
    let count = |verdict| findings.iter().filter(|of| of.verdict == verdict).count();
    terminal::line(&format!(
        "{} ok, {} warnings, {} failures",
        count(Verdict::Ok),
        count(Verdict::Warn),
        count(Verdict::Fail)
    ));
}

#[cfg(test)]
mod tests;
