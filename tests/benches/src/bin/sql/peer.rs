//! The Debezium JDBC sink, by a script, against the same server.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::servers::{Server, USER};

/// Runs the script once; returns its steady rows a second and all that it said.
pub(crate) fn run(
    script: &Path,
    rows: &Path,
    server: &Server,
    tasks: u32,
    mode: &str,
) -> Result<(f64, String)> {
    let database = server.database();
    let output = Command::new(script)
        .arg(rows)
        .arg(format!("127.0.0.1:{}/{database}", server.port))
        .args([USER, &tasks.to_string(), mode])
        .output()?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if !output.status.success() {
        bail!(
            "{}: {said}\n{}",
            script.display(),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let rate = said
        .split("steady ")
        .nth(1)
        .and_then(|rest| rest.split_whitespace().next())
        .with_context(|| format!("the peer printed no `steady N rows/s`: {said}"))?;
    Ok((
        rate.parse()
            .with_context(|| format!("the peer's rate `{rate}`"))?,
        said,
    ))
}
