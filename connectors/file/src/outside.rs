//! What `linkspan validate --connect` tries: whether files may be read, and places written to. Changes nothing.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use linkspan_sdk::prelude::*;

use crate::paths::{Found, shown};

/// Most files that are opened: a spool may have very many, and they are alike.
const FILES_MAX: usize = 1_000;

/// Opens the files that were found.
pub(crate) fn readable(found: &Found) -> Checked {
    let tried = found.files.iter().take(FILES_MAX);
    let mut checked = Checked::tried(format!(
        "{} file{} found and opened",
        tried.len(),
        if tried.len() == 1 { "" } else { "s" }
    ));
    for pattern in &found.without_match {
        let message = format!("`{pattern}` names no file that is there");
        checked = checked.problem(ConfigProblem::new("path", message));
    }
    for file in tried {
        if let Err(error) = File::open(&file.path) {
            let message = format!("`{}` cannot be read: {error}", file.name);
            checked = checked.problem(ConfigProblem::new("path", message));
        }
    }
    checked
}

/// Looks whether a file may be written, or made in its folder. The names in braces of a template end what is looked at.
pub(crate) fn writable(path: impl AsRef<Path>) -> Checked {
    let path = path.as_ref();
    let text = path.to_string_lossy();
    let fixed = text.split(['{', '%']).next().unwrap_or_default();
    let place = if fixed.len() == text.len() {
        path
    } else {
        // What stands before the first brace may end inside of a name.
        Path::new(fixed.rsplit_once('/').map_or(".", |(folder, _)| folder))
    };
    match nearest(place, fixed.len() < text.len()) {
        Ok(there) => Checked::tried(format!("`{}` may be written to", shown(there))),
        Err(message) => Checked::tried("").problem(ConfigProblem::new("path", message)),
    }
}

/// Returns what is there of a path and may be written to.
fn nearest(path: &Path, may_be_folder: bool) -> std::result::Result<&Path, String> {
    let mut at = path;
    loop {
        let found = match std::fs::metadata(at) {
            Ok(found) => found,
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                match at.parent() {
                    Some(parent) if !parent.as_os_str().is_empty() => {
                        at = parent;
                        continue;
                    }
                    Some(_) | None => return Ok(Path::new(".")),
                }
            }
            Err(error) => return Err(format!("`{}`: {error}", shown(at))),
        };
        if found.is_dir() && at == path && !may_be_folder {
            return Err(format!("`{}` is a folder", shown(at)));
        }
        if !found.is_dir() && at != path {
            return Err(format!("`{}` is no folder", shown(at)));
        }
        if found.permissions().readonly() {
            return Err(format!("`{}` is read-only", shown(at)));
        }
        return Ok(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_looked_at_and_left_alone() {
        let folder = std::env::temp_dir().join(format!("linkspan-outside-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let problems = |path: &Path| writable(path).problems.len();
        assert_eq!(problems(&folder.join("deep/er/out.txt")), 0);
        assert!(
            !folder.join("deep").try_exists().unwrap(),
            "nothing is made"
        );
        assert_eq!(problems(&folder.join("{topic}/x")), 0);
        assert_eq!(problems(&folder), 1, "a folder is no file");
        let file = folder.join("file");
        std::fs::write(&file, "x").unwrap();
        assert_eq!(problems(&file), 0);
        assert_eq!(problems(&file.join("x")), 1, "a file is no folder");
        let told = writable(file.join("x")).problems.remove(0).message;
        assert!(told.ends_with("file` is no folder"), "{told}");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
