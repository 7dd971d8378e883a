//! A host under measurement.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result};

/// A running host, killed when this is dropped, and its folder removed.
pub(crate) struct Host {
    child: Child,
    folder: PathBuf,
}

impl Host {
    /// Starts `linkspan run` on a pipeline.
    pub(crate) fn start(binary: &Path, name: &str, yaml: &str) -> Result<Self> {
        let folder =
            std::env::temp_dir().join(format!("linkspan-http-bench-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let path = folder.join("pipeline.yaml");
        fs::write(&path, yaml)?;
        let log = File::create(folder.join("log"))?;
        let child = Command::new(binary)
            .args(["run"])
            .arg(&path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        Ok(Self { child, folder })
    }

    /// Returns resident memory in KiB.
    pub(crate) fn resident_kib(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .context("no VmRSS")?;
        Ok(line.trim().trim_end_matches("kB").trim().parse()?)
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // Whatever is left of it goes.
        let _gone = self.child.kill().is_ok()
            && self.child.wait().is_ok()
            && fs::remove_dir_all(&self.folder).is_ok();
    }
}
