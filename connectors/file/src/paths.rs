//! Which files `path` names: plain paths and globs, in the order of the list, each file once.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// One entry of `path` that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PathError {
    #[error("`{pattern}` is not a glob")]
    Pattern {
        pattern: String,
        source: glob::PatternError,
    },
    #[error("list the folder `{}`", path.display())]
    List {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("the file name `{}` is not UTF-8, so its position cannot be stored; rename the file", path.display())]
    NotUtf8 { path: PathBuf },
}

/// The files that were found and the entries that named none.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) files: Vec<String>,
    pub(crate) without_match: Vec<String>,
}

/// Says whether `pattern` is a glob: one with `*`, `?` or `[`, and no file of exactly that name.
fn is_glob(pattern: &str) -> bool {
    pattern.contains(['*', '?', '[']) && !Path::new(pattern).is_file()
}

/// Escapes the leading folders that exist under exactly these names: a folder called `[x]` is no pattern.
fn escape_folders(pattern: &str) -> String {
    let mut escaped = String::new();
    let mut rest = pattern;
    let mut real = String::new();
    while let Some((folder, behind)) = rest.split_once('/') {
        real.push_str(folder);
        real.push('/');
        if !Path::new(&real).is_dir() {
            break;
        }
        escaped.push_str(&glob::Pattern::escape(folder));
        escaped.push('/');
        rest = behind;
    }
    escaped + rest
}

/// Looks for the files that `patterns` name; the matches of one glob come sorted by name, folders left out.
///
/// Without `globs` each entry is the name of a file, whatever characters it has.
pub(crate) fn find(patterns: &[String], globs: bool) -> Result<Found, PathError> {
    let (mut found, mut seen) = (Found::default(), HashSet::new());
    for pattern in patterns {
        if globs && is_glob(pattern) {
            let bad = |source| PathError::Pattern {
                pattern: pattern.clone(),
                source,
            };
            let mut matched = false;
            for entry in glob::glob(&escape_folders(pattern)).map_err(bad)? {
                let path = entry.map_err(|error| PathError::List {
                    path: error.path().to_owned(),
                    source: error.into(),
                })?;
                if !path.is_file() {
                    continue;
                }
                matched = true;
                let name = path
                    .into_os_string()
                    .into_string()
                    .map_err(|name| PathError::NotUtf8 { path: name.into() })?;
                if seen.insert(name.clone()) {
                    found.files.push(name);
                }
            }
            if !matched {
                found.without_match.push(pattern.clone());
            }
        } else if !Path::new(pattern).is_file() {
            found.without_match.push(pattern.clone());
        } else if seen.insert(pattern.clone()) {
            found.files.push(pattern.clone());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::find;

    fn check(patterns: &[&str], files: &[&str], without_match: &[&str]) {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a.csv", "b.csv", "c.txt", "we[i]rd.csv", "d.csv/inner.csv"] {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let full = |name: &&str| format!("{}/{name}", dir.path().display());
        let found = find(&patterns.iter().map(full).collect::<Vec<_>>(), true).unwrap();
        assert_eq!(found.files, files.iter().map(full).collect::<Vec<_>>());
        assert_eq!(
            found.without_match,
            without_match.iter().map(full).collect::<Vec<_>>()
        );
    }

    #[test]
    fn globs_sort_and_leave_folders_out() {
        check(&["*.csv"], &["a.csv", "b.csv", "we[i]rd.csv"], &[]);
        check(&["*/*.csv"], &["d.csv/inner.csv"], &[]);
        check(&["we[i]rd.csv"], &["we[i]rd.csv"], &[]);
    }

    #[test]
    fn a_folder_with_the_characters_of_a_glob_is_itself() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["da*a/mine.csv", "data/other.csv"] {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let pattern = format!("{}/da*a/*.csv", dir.path().display());
        let found = find(&[pattern], true).unwrap();
        assert_eq!(
            found.files,
            [format!("{}/da*a/mine.csv", dir.path().display())]
        );
    }

    #[test]
    fn lists_keep_their_order_and_name_a_file_once() {
        check(
            &["c.txt", "[ab].csv", "a.csv", "a*"],
            &["c.txt", "a.csv", "b.csv"],
            &[],
        );
    }

    #[test]
    fn entries_without_a_file_are_named() {
        check(
            &["x*.csv", "a.csv", "gone.txt"],
            &["a.csv"],
            &["x*.csv", "gone.txt"],
        );
    }
}
