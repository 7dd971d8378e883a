//! Rotated logs: which files belong together, and which one goes on where another stopped.
//!
//! ```text
//! app.log  ─rename─►  app.log.1  ─gzip─►  app.log.2.gz        names of one family, read by one task
//! ```
//! A file that was never read under its name goes on at the position of another one of its family, when it is that file (the same
//! inode) or a copy of it (the same first KiB and the same KiB before the position), and the other name holds something else by now.

use crate::content::Content;
use crate::identity::Position;
use crate::storage::Meta;

/// Endings of packed files.
const PACKED: [&str; 4] = [".gz", ".zst", ".bz2", ".zip"];

/// Returns the name that a rotated file had first: without `.gz`, and without numbers and dates at its end.
pub(crate) fn family(name: &str) -> &str {
    let mut family = name;
    for ending in PACKED {
        family = family.strip_suffix(ending).unwrap_or(family);
    }
    loop {
        let shorter = family.trim_end_matches(|c: char| c.is_ascii_digit());
        let cut = shorter.strip_suffix(['.', '-', '_']);
        match cut {
            Some(cut) if shorter.len() < family.len() && !cut.is_empty() && !cut.ends_with('/') => {
                family = cut;
            }
            _ => return family,
        }
    }
}

/// Says whether a file goes on where another stopped; `content` is unpacked.
pub(crate) fn continues(
    known: &Position,
    meta: &Meta,
    content: &dyn Content,
) -> std::io::Result<bool> {
    let Some(identity) = &known.identity else {
        return Ok(false);
    };
    // The inode alone may have been given to a new file.
    let same_inode = identity.inode == meta.inode && !content.is_sequential();
    if known.position == 0 && !same_inode {
        return Ok(false);
    }
    identity.is_of(content, known.position)
}

#[cfg(test)]
mod tests {
    use super::family;

    #[test]
    fn rotated_names_are_one_family() {
        let check = |name: &str, expected: &str| assert_eq!(family(name), expected, "{name}");
        check("/v/app.log", "/v/app.log");
        check("/v/app.log.1", "/v/app.log");
        check("/v/app.log.12.gz", "/v/app.log");
        check("/v/app.log-20240131", "/v/app.log");
        check("/v/app.log.2024-01-31.1.zst", "/v/app.log");
        check("/v/data-2024-01-31.csv", "/v/data-2024-01-31.csv");
        check("/v/2024", "/v/2024");
        check("/v/1.1", "/v/1");
    }
}
