//! What a run was asked: kept in its record for `--rerun`, and handed to the host that holds the data directory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use linkspan_config::Plan;
use serde::{Deserialize, Serialize};

use super::plan;
use crate::args::ConfigArgs;
use crate::exit::{Exit, Failure};

/// Everything that decides which configuration is read. Holds no variables of the environment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Asked {
    /// Files and folders, absolute.
    pub(crate) paths: Vec<PathBuf>,
    /// `--overlay`, absolute.
    pub(crate) overlays: Vec<PathBuf>,
    /// `--set`; `None` in a record when one of them carried a secret.
    pub(crate) sets: Option<Vec<String>>,
    /// In a record the values that all declared parameters had.
    pub(crate) params: BTreeMap<String, String>,
    /// `--env-file`, absolute.
    pub(crate) env_file: Option<PathBuf>,
    /// `--plugin-path`, absolute.
    pub(crate) plugin_paths: Vec<PathBuf>,
    /// `--job`: only the connectors of this one.
    #[serde(default)]
    pub(crate) job: Option<String>,
    /// What relative paths in `--set` resolve against.
    pub(crate) cwd: PathBuf,
}

impl Asked {
    /// What a command line asks.
    pub(crate) fn of(paths: &[PathBuf], args: &ConfigArgs) -> Self {
        let cwd = plan::here(args);
        let absolute = |paths: &[PathBuf]| paths.iter().map(|path| cwd.join(path)).collect();
        Self {
            paths: absolute(paths),
            overlays: absolute(&args.overlays),
            sets: Some(args.sets.clone()),
            params: args
                .params
                .iter()
                .filter_map(|text| text.split_once('='))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            env_file: args.env_file.as_ref().map(|file| cwd.join(file)),
            plugin_paths: absolute(&args.plugin_paths),
            job: None,
            cwd: cwd.clone(),
        }
    }

    /// The name of the job: its own, else that of the first file.
    pub(crate) fn name(&self) -> String {
        self.job.clone().unwrap_or_else(|| job_name(&self.paths))
    }

    /// The same as a record keeps it: with the values of all parameters, without secrets.
    #[must_use]
    pub(crate) fn lasting(mut self, plan: &Plan) -> Self {
        self.params = plan.params.clone().into_iter().collect();
        let secret = plan
            .connectors
            .iter()
            .any(|connector| connector.secret_from("--set"));
        if secret {
            self.sets = None;
        }
        self
    }

    /// The arguments that ask the same again.
    ///
    /// # Errors
    /// A `--set` was not kept.
    pub(crate) fn arguments(&self) -> Result<ConfigArgs, Failure> {
        let Some(sets) = self.sets.clone() else {
            return Err(Failure::new(
                Exit::Invalid,
                "LS0224",
                "the run was given a secret with --set, which its record does not hold",
            )
            .help("run its files by name, and write `${env:NAME}` for secrets"));
        };
        let mut args = ConfigArgs {
            params: self
                .params
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect(),
            sets,
            env_file: self.env_file.clone(),
            overlays: self.overlays.clone(),
            plugin_paths: self.plugin_paths.clone(),
            ..ConfigArgs::default()
        };
        args.elsewhere.cwd = Some(self.cwd.clone());
        Ok(args)
    }
}

/// The name of a job: that of its first file, without its ending.
fn job_name(paths: &[PathBuf]) -> String {
    paths
        .first()
        .and_then(|path| path.file_stem().or_else(|| Path::file_name(path)))
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}
