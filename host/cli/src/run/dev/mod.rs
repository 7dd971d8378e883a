//! `linkspan run --dev`: as `linkspan run`, and plugins that were rebuilt are taken over while it runs.
//!
//! ```text
//! a `.so` was rebuilt ─► copy by content, probe, check ─► refused: said, the old one runs on
//!                        └─► reload with the newer classes: connectors of that plugin restart, the others do not notice
//! ```
//! A task that does not close in time is not replaced before it has. Watched are the files and folders that the command line and
//! `host.plugins` name, not the plugins beside the program.

mod copies;

use std::path::{Path, PathBuf};

use self::copies::Copies;
use super::plan;
use super::reload::Reload;
use super::watch::Watch;
use crate::args::RunArgs;
use crate::exit::{Exit, Failure};
use crate::plugins::{self, Plugins};
use crate::terminal;

/// The plugins that are worked on.
pub(super) struct Workshop {
    copies: Copies,
    watch: Watch,
}

impl Workshop {
    /// Copies the plugins that were named, and loads the copies.
    pub(super) fn open(args: &RunArgs) -> Result<(Self, Plugins), Failure> {
        let mut copies = Copies::new().map_err(|error| {
            Failure::new(
                Exit::Environment,
                "LS0704",
                format!("could not make a folder for copies of plugins: {error}"),
            )
            .help("the variable TMPDIR names another folder for temporary files")
        })?;
        let places = plan::plugin_places(&args.paths, &args.config)?;
        let watch = Watch::plugins(places.clone());
        let files = first_copies(&places, &watch, &mut copies)?;
        let plugins = plugins::discover(&files, None, plugins::level())?;
        Ok((Self { copies, watch }, plugins))
    }

    /// Takes over plugins that were rebuilt since the last look.
    pub(super) fn look(&mut self, reload: &Reload) {
        if !self.watch.changed() {
            return;
        }
        let mut rebuilt = Vec::new();
        for original in self.watch.files() {
            let name = original
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            match self.copies.take(&original) {
                Ok(None) => {}
                Ok(Some(copy)) => rebuilt.push((name, copy)),
                Err(error) => terminal::note(&format!(
                    "reload: {name} cannot be read ({error}); what was loaded keeps running"
                )),
            }
        }
        for (name, copy) in rebuilt {
            reload.use_plugins(|loaded| newer(loaded, &name, &copy));
        }
    }
}

/// These plugins with a rebuilt one among them, unless it is refused.
fn newer(loaded: &Plugins, name: &str, copy: &Path) -> Option<Plugins> {
    match plugins::newer(loaded, copy) {
        Ok(newer) => {
            terminal::note(&format!("reload: {name} was rebuilt"));
            Some(newer)
        }
        Err(failure) => {
            failure.report();
            terminal::note(&format!(
                "reload: {name} was refused; what was loaded keeps running"
            ));
            None
        }
    }
}

/// Copies of all plugins that were named; what is no file of its own is left to the search to complain of.
fn first_copies(
    places: &[PathBuf],
    watch: &Watch,
    copies: &mut Copies,
) -> Result<Vec<PathBuf>, Failure> {
    if let Some(missing) = places
        .iter()
        .find(|place| !place.try_exists().unwrap_or(false))
    {
        return Err(Failure::new(
            Exit::Environment,
            "LS0302",
            format!("there is no plugin folder `{}`", missing.display()),
        ));
    }
    let mut files = Vec::new();
    for original in watch.files() {
        let copied = copies.take(&original).map_err(|error| {
            Failure::new(
                Exit::Environment,
                "LS0302",
                format!("`{}` could not be copied: {error}", original.display()),
            )
        })?;
        files.extend(copied);
    }
    Ok(files)
}
