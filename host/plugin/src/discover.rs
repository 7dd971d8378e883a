//! Which files are plugins, and which of them count.

use std::{
    collections::HashSet,
    fs,
    num::NonZero,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use linkspan_abi::{manifest::Manifest, root};

use crate::{
    cache::{Cache, Stamp},
    elf::{self, Look},
    finding::{Finding, NAME_CONFLICT, NOT_A_PLUGIN, Refusal, SHADOWED, UNREADABLE},
    probe::probe,
    registry::Registry,
    services::HostServices,
};

/// Where to look for plugins. Places are searched in order, the first that offers a plugin wins.
#[derive(Debug, Clone, Default)]
pub struct Search {
    /// Directories or files that a person named: what is no plugin in them is refused aloud.
    pub explicit: Vec<PathBuf>,
    /// Directories that are looked into anyway: what is no plugin in them is passed over.
    pub implicit: Vec<PathBuf>,
    /// A file that remembers probes between starts.
    pub cache: Option<PathBuf>,
    /// The program whose `plugin-probe FILE` calls [`crate::probe_main`].
    pub probe: PathBuf,
}

/// A file that exports our symbol.
#[derive(Debug)]
struct Candidate {
    path: PathBuf,
    stamp: Stamp,
    /// The index of the place that it was found in.
    place: usize,
}

/// A file that says what it offers.
#[derive(Debug)]
struct Offer {
    candidate: Candidate,
    manifest: Manifest,
    in_conflict: bool,
}

impl Registry {
    /// Finds the plugins; none of them is loaded into this process yet.
    ///
    /// Findings are in the order of the search. A refused file never prevents the others from being found.
    pub fn discover(search: &Search, services: Arc<dyn HostServices>) -> (Self, Vec<Finding>) {
        let mut findings = Vec::new();
        let candidates = candidates(search, &mut findings);
        let offers = offers(search, candidates, &mut findings);
        let plugins = choose(offers, &mut findings)
            .into_iter()
            .map(|offer| (offer.candidate.path, offer.manifest))
            .collect();
        let registry = Self::new(plugins, &services, &mut findings);
        (registry, findings)
    }
}

fn candidates(search: &Search, findings: &mut Vec<Finding>) -> Vec<Candidate> {
    let explicit = search.explicit.iter().map(|place| (place, true));
    let implicit = search.implicit.iter().map(|place| (place, false));
    let mut seen = HashSet::new();
    let mut candidates = Vec::new();
    for (place, (path, is_explicit)) in explicit.chain(implicit).enumerate() {
        let files = match files(path) {
            Ok(files) => files,
            Err(error) if is_explicit => {
                let message = format!("plugin path `{}` cannot be read: {error}", path.display());
                let mut finding = Finding::warning(UNREADABLE, path, message);
                finding.severity = crate::finding::Severity::Error;
                findings.push(finding);
                continue;
            }
            Err(_) => continue,
        };
        for file in files {
            match candidate(&file, place, &mut seen) {
                Ok(Some(candidate)) => candidates.push(candidate),
                Ok(None) => {}
                Err(refusal) if is_explicit => findings.push(refusal.at(&file)),
                Err(refusal) => {
                    tracing::debug!(path = %file.display(), reason = refusal.reason, "not a plugin");
                }
            }
        }
    }
    candidates
}

/// Returns the libraries of a directory by name, or a file itself.
fn files(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    if fs::metadata(path)?.is_file() {
        return Ok(vec![path.to_path_buf()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "so") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Looks at a file; `None` where the same file was seen before under another name.
fn candidate(
    path: &Path,
    place: usize,
    seen: &mut HashSet<(u64, u64)>,
) -> Result<Option<Candidate>, Refusal> {
    let stamp = Stamp::of(path).map_err(|error| Refusal::new(UNREADABLE, error.to_string()))?;
    if !seen.insert((stamp.device, stamp.inode)) {
        return Ok(None);
    }
    match elf::look(path, root::SYMBOL) {
        Look::Exports => Ok(Some(Candidate {
            // A relative path must not depend on where the process goes later.
            path: fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf()),
            stamp,
            place,
        })),
        Look::Foreign(reason) => Err(Refusal::new(NOT_A_PLUGIN, reason)),
        Look::Broken(reason) => Err(Refusal::new(UNREADABLE, reason)),
    }
}

/// Asks each file what it offers: the cache, else a child process, several at a time.
fn offers(search: &Search, candidates: Vec<Candidate>, findings: &mut Vec<Finding>) -> Vec<Offer> {
    let mut cache = Cache::open(search.cache.as_deref());
    let answers: Vec<Mutex<Option<Result<Manifest, Refusal>>>> = candidates
        .iter()
        .map(|candidate| Mutex::new(cache.get(&candidate.path, &candidate.stamp).map(Ok)))
        .collect();
    let next = AtomicUsize::new(0);
    let work = || {
        while let (Some(candidate), Some(answer)) = {
            let index = next.fetch_add(1, Ordering::Relaxed);
            (candidates.get(index), answers.get(index))
        } {
            let mut answer = answer.lock().unwrap_or_else(PoisonError::into_inner);
            if answer.is_none() {
                *answer = Some(probe(&search.probe, &candidate.path));
            }
        }
    };
    thread::scope(|scope| {
        let helpers = thread::available_parallelism().map_or(1, NonZero::get);
        for _ in 1..helpers.min(candidates.len()) {
            scope.spawn(work);
        }
        work();
    });
    let mut offers = Vec::new();
    for (candidate, answer) in candidates.into_iter().zip(answers) {
        match answer.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(Ok(manifest)) => {
                if cache.get(&candidate.path, &candidate.stamp).is_none() {
                    cache.put(&candidate.path, &candidate.stamp, &manifest);
                }
                offers.push(Offer {
                    candidate,
                    manifest,
                    in_conflict: false,
                });
            }
            Some(Err(refusal)) => findings.push(refusal.at(&candidate.path)),
            None => {}
        }
    }
    cache.save();
    offers
}

/// Applies the rules for two files that offer one name.
fn choose(offers: Vec<Offer>, findings: &mut Vec<Finding>) -> Vec<Offer> {
    let mut chosen: Vec<Offer> = Vec::new();
    for offer in offers {
        let Some(first) = chosen
            .iter_mut()
            .find(|first| first.manifest.name == offer.manifest.name)
        else {
            chosen.push(offer);
            continue;
        };
        if same_bytes(&first.candidate, &offer.candidate) {
            continue;
        }
        let (kept, other) = (&first.candidate.path, &offer.candidate.path);
        if first.candidate.place == offer.candidate.place {
            let reason = format!(
                "`{}` in the same directory offers the plugin `{}` too, and neither is used",
                kept.display(),
                offer.manifest.name
            );
            let built = offer.manifest.sdk_version.as_str();
            findings.push(
                Refusal::new(NAME_CONFLICT, reason)
                    .built_with(built)
                    .at(other),
            );
            first.in_conflict = true;
        } else {
            let message = format!(
                "plugin `{}` is used from `{}`; `{}` is not, its directory is searched later",
                offer.manifest.name,
                kept.display(),
                other.display()
            );
            findings.push(Finding::warning(SHADOWED, other, message));
        }
    }
    chosen.retain(|offer| !offer.in_conflict);
    chosen
}

/// Cargo links one library into two directories, and people copy them.
fn same_bytes(one: &Candidate, other: &Candidate) -> bool {
    if one.stamp.size != other.stamp.size {
        return false;
    }
    match (fs::read(&one.path), fs::read(&other.path)) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}
