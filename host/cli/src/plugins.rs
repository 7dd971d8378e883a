//! Where plugins are found: `--plugin-path`, then beside the program.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use linkspan_plugin::{Finding, Registry, Search};
use linkspan_runtime::Services;
use tracing::Level;
use tracing::level_filters::LevelFilter;

use crate::exit::{Exit, Failure};
use crate::terminal;

/// The host's side of all plugins, and the plugins. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Plugins {
    pub(crate) services: Arc<Services>,
    pub(crate) registry: Arc<Registry>,
}

impl Plugins {
    /// Says which plugins there are, in one line.
    pub(crate) fn announce(&self) {
        let mut names: Vec<String> = Vec::new();
        for class in self.registry.classes() {
            let plugin = class.plugin();
            let name = format!("{} {}", plugin.name, plugin.version);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        terminal::note(&format!("plugins: {}", names.join(", ")));
    }
}

/// Finds plugins; prints what was refused. `cache` is a file that remembers probes between runs.
pub(crate) fn discover(
    explicit: &[PathBuf],
    cache: Option<&Path>,
    level: u32,
) -> Result<Plugins, Failure> {
    let (plugins, findings) = find(&search(explicit, cache)?, level);
    print(&findings);
    Ok(plugins)
}

/// Finds plugins; returns what was refused and why.
pub(crate) fn look(explicit: &[PathBuf]) -> Result<(Plugins, Vec<Finding>), Failure> {
    Ok(find(&search(explicit, None)?, level()))
}

/// Where plugins are searched: the folders that a person named, then beside the program.
fn search(explicit: &[PathBuf], cache: Option<&Path>) -> Result<Search, Failure> {
    for path in explicit {
        if !path.try_exists().unwrap_or(false) {
            return Err(Failure::new(
                Exit::Environment,
                "LS0302",
                format!("there is no plugin folder `{}`", path.display()),
            )
            .help("name the folder that holds the `.so` files; `cargo build` makes `target/debug`, unless CARGO_TARGET_DIR names another place"));
        }
    }
    let program = program()?;
    let beside = program.parent().map(Path::to_path_buf).unwrap_or_default();
    Ok(Search {
        explicit: explicit.to_vec(),
        implicit: vec![beside.join("plugins"), beside.clone(), beside.join("deps")],
        cache: cache.map(Path::to_path_buf),
        probe: program,
    })
}

/// Loads one file, wherever it lies.
pub(crate) fn one(file: &Path) -> Result<Plugins, Failure> {
    if !file.try_exists().unwrap_or(false) {
        return Err(Failure::new(
            Exit::Invalid,
            "LS0302",
            format!("there is no file `{}`", file.display()),
        )
        .help("name a `.so` file that `cargo build` made, or a class; `linkspan plugin list` shows the classes"));
    }
    let program = program()?;
    let search = Search {
        explicit: vec![file.to_path_buf()],
        implicit: Vec::new(),
        cache: None,
        probe: program,
    };
    let (plugins, findings) = find(&search, level());
    print(&findings);
    if plugins.registry.classes().is_empty() {
        return Err(Failure::new(
            Exit::Invalid,
            "LS0301",
            format!("`{}` was refused", file.display()),
        )
        .printed());
    }
    Ok(plugins)
}

/// Returns these plugins with a file's classes in place of those of the same names.
pub(crate) fn newer(plugins: &Plugins, file: &Path) -> Result<Plugins, Failure> {
    let search = Search {
        explicit: vec![file.to_path_buf()],
        implicit: Vec::new(),
        cache: None,
        probe: program()?,
    };
    let services = Arc::clone(&plugins.services);
    let (newer, findings) = Registry::discover(
        &search,
        Arc::clone(&services) as Arc<dyn linkspan_plugin::HostServices>,
    );
    print(&findings);
    if newer.classes().is_empty() {
        return Err(Failure::new(
            Exit::Invalid,
            "LS0301",
            format!("`{}` was refused", file.display()),
        )
        .printed());
    }
    Ok(Plugins {
        services,
        registry: Arc::new(plugins.registry.replaced_by(&newer)),
    })
}

/// The level of plugin events that are forwarded, as the host's own log wants them: 1 is error, 5 trace.
pub(crate) fn level() -> u32 {
    match LevelFilter::current().into_level() {
        Some(Level::TRACE) => 5,
        Some(Level::DEBUG) => 4,
        Some(Level::WARN) => 2,
        Some(Level::ERROR) => 1,
        Some(Level::INFO) | None => 3,
    }
}

fn program() -> Result<PathBuf, Failure> {
    std::env::current_exe().map_err(|error| {
        Failure::new(
            Exit::Environment,
            "LS0704",
            format!("could not find the path of this program: {error}"),
        )
    })
}

fn find(search: &Search, level: u32) -> (Plugins, Vec<Finding>) {
    let services = Services::new(level);
    let (registry, findings) = Registry::discover(
        search,
        Arc::clone(&services) as Arc<dyn linkspan_plugin::HostServices>,
    );
    let plugins = Plugins {
        services,
        registry: Arc::new(registry),
    };
    (plugins, findings)
}

/// The code of a file that is passed over because a folder before it has a plugin of the same name.
const SHADOWED: &str = "LS0308";

fn print(findings: &[Finding]) {
    let shadowed: Vec<_> = findings
        .iter()
        .filter(|finding| finding.code == SHADOWED)
        .collect();
    // A build leaves older copies of all plugins behind, and one line is enough to say so.
    let together = match shadowed.as_slice() {
        [first, _, ..] => Some(format!(
            "{} plugin files are passed over: folders searched before theirs have plugins of the same names and other bytes, for example {}",
            shadowed.len(),
            first.message
        )),
        _ => None,
    };
    if let Some(together) = &together {
        terminal::warning(SHADOWED, together);
    }
    let rest = findings
        .iter()
        .filter(|finding| together.is_none() || finding.code != SHADOWED);
    for finding in rest {
        if finding.is_error() {
            terminal::error(finding.code, &finding.message, None);
        } else {
            terminal::warning(finding.code, &finding.message);
        }
    }
}
