//! Which files `path` names: plain paths and globs, in the order of the list, each file once.
//!
//! `*` and `?` match within one name, `[a-z]` one of its characters, `**` any depth of folders. A name that is not UTF-8 (an old
//! share's, say) is a name like any other; in offsets, logs and headers its odd bytes are written as `\xNN`.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use linkspan_sdk::OptionEnum;

use crate::storage::{Entry, Meta, Storage};

/// A glob does not go deeper than this many folders: links may lead anywhere.
const DEPTH_MAX: usize = 64;

/// One entry of `path` that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PathError {
    #[error("`{pattern}` is not a glob")]
    Pattern {
        pattern: String,
        source: glob::PatternError,
    },
    #[error("list the folder `{}`", shown(path))]
    List {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("look at `{}`", shown(path))]
    Look {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("`{}` is {what}, and only regular files are read", shown(path))]
    NotAFile { path: PathBuf, what: &'static str },
}

/// In which order the matches of a glob are read: `order`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum Order {
    Name,
    Mtime,
    Size,
}

/// What to look for.
#[derive(Debug, Clone)]
pub(crate) struct Patterns {
    pub(crate) include: Vec<String>,
    pub(crate) exclude: Vec<glob::Pattern>,
    pub(crate) order: Order,
    /// Without it each entry is the name of a file, whatever characters it has.
    pub(crate) globs: bool,
}

impl Patterns {
    /// Files by their names alone.
    pub(crate) fn literal(names: Vec<String>) -> Self {
        Self {
            include: names,
            exclude: Vec::new(),
            order: Order::Name,
            globs: false,
        }
    }
}

/// A file that was found.
#[derive(Debug, Clone)]
pub(crate) struct FoundFile {
    pub(crate) path: PathBuf,
    pub(crate) name: String,
    pub(crate) meta: Meta,
}

/// The files that were found, the entries that named none, and what a glob matched that is no file.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) files: Vec<FoundFile>,
    pub(crate) without_match: Vec<String>,
    pub(crate) passed: Vec<PathError>,
}

/// Returns a path as text: as it is, or with `\xNN` for what is not UTF-8.
pub(crate) fn shown(path: impl AsRef<OsStr>) -> String {
    let mut text = String::new();
    for chunk in path.as_ref().as_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            // Writing to a text does not fail.
            let _written = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// Looks for the files that `patterns` name.
pub(crate) fn find(storage: &dyn Storage, patterns: &Patterns) -> Result<Found, PathError> {
    let mut search = Search {
        storage,
        patterns,
        found: Found::default(),
        seen: HashSet::new(),
    };
    for pattern in &patterns.include {
        let before = search.found.files.len();
        let matched = search.entry(pattern)?;
        if !matched {
            search.found.without_match.push(pattern.clone());
        }
        let new = search.found.files.get_mut(before..).unwrap_or_default();
        match patterns.order {
            Order::Name => {}
            Order::Mtime => new.sort_by_key(|file| file.meta.modified_ns),
            Order::Size => new.sort_by_key(|file| file.meta.size),
        }
    }
    Ok(search.found)
}

struct Search<'a> {
    storage: &'a dyn Storage,
    patterns: &'a Patterns,
    found: Found,
    seen: HashSet<PathBuf>,
}

impl Search<'_> {
    /// One entry of `path`; says whether it named a file.
    fn entry(&mut self, pattern: &str) -> Result<bool, PathError> {
        let path = Path::new(pattern);
        let looked = self.storage.meta(path);
        let is_glob = self.patterns.globs && pattern.contains(['*', '?', '[']);
        match looked {
            Ok(Some(meta)) if meta.entry == Entry::File => {
                self.add(path.to_owned(), meta);
                Ok(true)
            }
            _ if is_glob => self.glob(pattern),
            Ok(Some(meta)) => Err(PathError::NotAFile {
                path: path.to_owned(),
                what: meta.entry.noun(),
            }),
            Ok(None) => Ok(false),
            Err(source) => Err(PathError::Look {
                path: path.to_owned(),
                source,
            }),
        }
    }

    fn glob(&mut self, pattern: &str) -> Result<bool, PathError> {
        let before = self.found.files.len() + self.seen.len();
        let mut base = PathBuf::new();
        let mut rest: Vec<Step> = Vec::new();
        for component in Path::new(pattern).components() {
            let name = match component {
                Component::Normal(name) => name.to_str().unwrap_or_default(),
                other => {
                    base.push(other);
                    continue;
                }
            };
            let magic = name.contains(['*', '?', '[']);
            // A folder called `[x]` is no pattern where there is one of exactly that name.
            let exists = magic
                && rest.is_empty()
                && matches!(self.storage.meta(&base.join(name)), Ok(Some(_)));
            if rest.is_empty() && (!magic || exists) {
                base.push(name);
            } else if name == "**" {
                rest.push(Step::Deep);
            } else {
                let step = glob::Pattern::new(name).map_err(|source| PathError::Pattern {
                    pattern: pattern.to_owned(),
                    source,
                })?;
                rest.push(Step::Name(step));
            }
        }
        let mut above = Vec::new();
        if let Ok(Some(meta)) = self.storage.meta(&base) {
            above.push((meta.device, meta.inode));
        }
        self.descend(&base, &rest, &mut above)?;
        Ok(self.found.files.len() + self.seen.len() > before)
    }

    /// Goes through one folder; `above` holds the folders on the way, so that a link cannot lead in circles.
    fn descend(
        &mut self,
        folder: &Path,
        steps: &[Step],
        above: &mut Vec<(u64, u64)>,
    ) -> Result<(), PathError> {
        let Some((step, rest)) = steps.split_first() else {
            return Ok(());
        };
        if let Step::Deep = step {
            self.descend(folder, rest, above)?;
        }
        let mut names = match self.storage.list(folder) {
            Ok(names) => names,
            Err(error)
                if matches!(
                    error.kind(),
                    std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
                ) =>
            {
                return Ok(());
            }
            Err(source) => {
                return Err(PathError::List {
                    path: folder.to_owned(),
                    source,
                });
            }
        };
        names.sort_unstable();
        for name in names {
            if !step.matches(&name) {
                continue;
            }
            let path = folder.join(&name);
            let last = rest.is_empty();
            let meta = match self.storage.meta(&path) {
                Ok(Some(meta)) => meta,
                Ok(None) => continue,
                Err(source) => {
                    self.found.passed.push(PathError::Look { path, source });
                    continue;
                }
            };
            match (meta.entry, step) {
                (Entry::Folder, Step::Deep) => self.enter(&path, &meta, steps, above)?,
                (Entry::Folder, Step::Name(_)) if !last => {
                    self.enter(&path, &meta, rest, above)?;
                }
                (Entry::Folder, Step::Name(_)) => {}
                (Entry::File, Step::Deep) if !last => {}
                (Entry::File, _) if last => self.add(path, meta),
                (_, Step::Name(_)) if last => self.found.passed.push(PathError::NotAFile {
                    path,
                    what: meta.entry.noun(),
                }),
                _ => {}
            }
        }
        Ok(())
    }

    fn enter(
        &mut self,
        folder: &Path,
        meta: &Meta,
        steps: &[Step],
        above: &mut Vec<(u64, u64)>,
    ) -> Result<(), PathError> {
        let here = (meta.device, meta.inode);
        if above.contains(&here) || above.len() >= DEPTH_MAX {
            return Ok(());
        }
        above.push(here);
        let done = self.descend(folder, steps, above);
        above.pop();
        done
    }

    fn add(&mut self, path: PathBuf, meta: Meta) {
        let name = shown(&path);
        if self
            .patterns
            .exclude
            .iter()
            .any(|pattern| excluded(pattern, &path, &name))
        {
            // It counts as found: the entry did match something.
            self.seen.insert(path);
            return;
        }
        if self.seen.insert(path.clone()) {
            self.found.files.push(FoundFile { path, name, meta });
        }
    }
}

/// A pattern without a `/` is about the file's name, any other about the whole path.
fn excluded(pattern: &glob::Pattern, path: &Path, name: &str) -> bool {
    if pattern.as_str().contains('/') {
        return pattern.matches(name);
    }
    path.file_name()
        .is_some_and(|file| pattern.matches(&file.to_string_lossy()))
}

/// One component of a glob.
#[derive(Debug, Clone)]
enum Step {
    /// `**`
    Deep,
    Name(glob::Pattern),
}

impl Step {
    fn matches(&self, name: &Path) -> bool {
        match self {
            Self::Deep => true,
            Self::Name(pattern) => pattern.matches(&name.to_string_lossy()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::ffi::OsStrExt;

    use super::{Patterns, find, shown};
    use crate::storage::Local;

    fn check_with(exclude: &[&str], patterns: &[&str], files: &[&str], without_match: &[&str]) {
        let dir = tempfile::tempdir().unwrap();
        for name in [
            "a.csv",
            "b.csv",
            "c.txt",
            "we[i]rd.csv",
            "d.csv/inner.csv",
            "x/y/z/deep.csv",
            "x/top.csv",
        ] {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        std::os::unix::fs::symlink(dir.path().join("x"), dir.path().join("x/loop")).unwrap();
        let full = |name: &&str| format!("{}/{name}", dir.path().display());
        let patterns = Patterns {
            include: patterns.iter().map(full).collect(),
            exclude: exclude
                .iter()
                .map(|pattern| glob::Pattern::new(pattern).unwrap())
                .collect(),
            globs: true,
            ..Patterns::literal(Vec::new())
        };
        let found = find(&Local, &patterns).unwrap();
        let names: Vec<_> = found.files.iter().map(|file| file.name.clone()).collect();
        assert_eq!(names, files.iter().map(full).collect::<Vec<_>>());
        assert_eq!(
            found.without_match,
            without_match.iter().map(full).collect::<Vec<_>>()
        );
    }

    fn check(patterns: &[&str], files: &[&str], without_match: &[&str]) {
        check_with(&[], patterns, files, without_match);
    }

    #[test]
    fn globs_and_paths_keep_the_order_of_the_list() {
        check(&["*.csv"], &["a.csv", "b.csv", "we[i]rd.csv"], &[]);
        check(
            &["c.txt", "?.csv", "a.csv"],
            &["c.txt", "a.csv", "b.csv"],
            &[],
        );
        check(&["we[i]rd.csv"], &["we[i]rd.csv"], &[]);
        check(&["*.csv/*.csv"], &["d.csv/inner.csv"], &[]);
    }

    #[test]
    fn entries_without_a_match_are_named() {
        check(
            &["none.txt", "*.xml", "a.csv"],
            &["a.csv"],
            &["none.txt", "*.xml"],
        );
    }

    #[test]
    fn any_depth_of_folders_and_no_circles() {
        check(&["x/**/*.csv"], &["x/top.csv", "x/y/z/deep.csv"], &[]);
        check(&["x/y/**/deep.csv"], &["x/y/z/deep.csv"], &[]);
    }

    #[test]
    fn what_is_excluded_is_left_out_and_is_no_missing_input() {
        check_with(&["b*", "**/we*"], &["*.csv"], &["a.csv"], &[]);
        check_with(&["*.txt"], &["c.txt"], &[], &[]);
    }

    #[test]
    fn what_is_no_file_is_named_with_what_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let looped = dir.path().join("loop.csv");
        std::os::unix::fs::symlink(&looped, &looped).unwrap();
        let socket = dir.path().join("s.csv");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let patterns = |names: &[&str]| Patterns {
            globs: true,
            ..Patterns::literal(
                names
                    .iter()
                    .map(|name| format!("{}/{name}", dir.path().display()))
                    .collect(),
            )
        };
        let told = |error: &dyn std::error::Error| {
            let source = error.source().map(ToString::to_string).unwrap_or_default();
            format!("{error} {source}").replace(dir.path().to_str().unwrap(), "DIR")
        };
        let found = find(&Local, &patterns(&["*.csv"])).unwrap();
        assert!(found.files.is_empty());
        let passed: Vec<_> = found.passed.iter().map(|error| told(error)).collect();
        assert_eq!(
            passed,
            [
                "look at `DIR/loop.csv` Too many levels of symbolic links (os error 40)",
                "`DIR/s.csv` is a socket, and only regular files are read ",
            ]
        );
        let error = find(&Local, &patterns(&["s.csv"])).unwrap_err();
        assert_eq!(
            told(&error),
            "`DIR/s.csv` is a socket, and only regular files are read "
        );
        let error = find(&Local, &Patterns::literal(vec!["/dev/null".to_owned()])).unwrap_err();
        assert_eq!(
            told(&error),
            "`/dev/null` is a device, and only regular files are read "
        );
        assert!(find(&Local, &patterns(&["loop.csv"])).is_err());
    }

    #[test]
    fn a_name_that_is_not_utf_8_is_found_and_shown() {
        let dir = tempfile::tempdir().unwrap();
        let name = std::ffi::OsStr::from_bytes(b"\xbc\xad\xbf\xef.csv");
        fs::write(dir.path().join(name), "x").unwrap();
        let patterns = Patterns {
            globs: true,
            ..Patterns::literal(vec![format!("{}/*.csv", dir.path().display())])
        };
        let found = find(&Local, &patterns).unwrap();
        assert_eq!(found.files[0].path, dir.path().join(name));
        assert_eq!(
            found.files[0].name,
            format!("{}/\\xbc\\xad\\xbf\\xef.csv", dir.path().display())
        );
        assert_eq!(shown("plain 서울"), "plain 서울");
    }
}
