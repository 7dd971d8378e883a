//! Reviewed texts: what a test makes must be what stands in `src/snapshots`.
//!
//! `LINKSPAN_SNAPSHOTS=write cargo test -p linkspan NAME` writes them anew; the difference is read like code.

use std::fs;
use std::path::Path;

/// Compares with a reviewed text, or writes it where that was asked for.
#[track_caller]
pub(crate) fn check(name: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src/snapshots")
        .join(name);
    if std::env::var_os("LINKSPAN_SNAPSHOTS").is_some_and(|word| word == "write") {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
        return;
    }
    let known = fs::read_to_string(&file).unwrap_or_default();
    let differs = known
        .lines()
        .zip(text.lines())
        .position(|(old, new)| old != new);
    let at = differs.unwrap_or_else(|| known.lines().count().min(text.lines().count()));
    let line = |of: &str| of.lines().nth(at).unwrap_or("(the end)").to_owned();
    assert!(
        known == text,
        "{name} differs in line {}:\n- {}\n+ {}\nif that is meant: LINKSPAN_SNAPSHOTS=write, and look at the difference",
        at + 1,
        line(&known),
        line(text)
    );
}
