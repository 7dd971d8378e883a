//! The dashboard in a headless Chromium: a newcomer's first pipeline, an operator's day, the live stream and its loss, roles, and every
//! screen with 0, 1 and 1,000 connectors.
//!
//! The steps are in `*.mjs` beside this file, run by Node.js with nothing but its own library; hosts are real but for `screens`. Pictures of
//! what was seen stay under `target/tmp/ui-shots`. Needed: Chromium and Node.js 18 (`tests/run --install`); without them a counted skip, in
//! CI a failure. With `LINKSPAN_TEST_AXE` naming an `axe.min.js` (axe-core) each screen is also judged by its accessibility rules.

#[cfg(test)]
#[path = "../support/mod.rs"]
#[expect(
    clippy::allow_attributes,
    reason = "each target uses its part of the shared module, one uses all of it"
)]
#[allow(dead_code, reason = "as above")]
mod support;

#[cfg(test)]
mod sections {
    use std::env;
    use std::path::{Path, PathBuf};
    use std::process::Command;
    use std::time::Duration;

    use crate::support::{Scratch, program, repository, skip_outside_ci, start, wait};

    /// How long one section may take; generous, because machines are shared.
    const SECTION_LIMIT: Duration = Duration::from_secs(300);

    /// What `tests/run --install` fetches.
    const AXE: &str = "linkspan-tests/axe-core/package/axe.min.js";

    /// Whether a program is there and answers to `--version`.
    fn there(name: &str) -> bool {
        let asked = Command::new(name).arg("--version").output();
        asked.is_ok_and(|answer| answer.status.success())
    }

    /// The copy of axe-core: as it is named, or where it is installed.
    fn axe() -> Option<PathBuf> {
        let named = env::var_os("LINKSPAN_TEST_AXE").map(PathBuf::from);
        let cache = env::var_os("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".cache")));
        named
            .or_else(|| cache.map(|cache| cache.join(AXE)))
            .filter(|path| path.is_file())
    }

    #[track_caller]
    fn section(name: &str) {
        let chromium = env::var("LINKSPAN_TEST_CHROMIUM").unwrap_or_else(|_| "chromium".to_owned());
        for tool in ["node", &chromium] {
            if !there(tool) {
                skip_outside_ci(
                    &format!("dashboard, {name}"),
                    &format!("`{tool}` is not installed"),
                );
                return;
            }
        }
        let scratch = Scratch::new();
        let shots = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("ui-shots")
            .join(name);
        let mut command = Command::new("node");
        command
            .arg(repository().join("tests/ui/run.mjs"))
            .arg(name)
            .arg("--program")
            .arg(program())
            .arg("--scratch")
            .arg(scratch.path("work"))
            .arg("--shots")
            .arg(&shots);
        if let Some(axe) = axe() {
            command.env("LINKSPAN_TEST_AXE", axe);
        } else {
            skip_outside_ci(
                &format!("accessibility rules, {name}"),
                "no axe-core (`tests/run --install`)",
            );
        }
        let (out, err) = (scratch.path("stdout"), scratch.path("stderr"));
        let status = wait(&mut start(&mut command, &out, &err), SECTION_LIMIT);
        let (out, err) = (scratch.read("stdout"), scratch.read("stderr"));
        println!("{out}");
        let ended = status.and_then(|status| status.code());
        assert_eq!(ended, Some(0), "{out}\n{err}");
        assert!(out.contains(&format!("ok 1 {name}: ")), "{out}");
    }

    #[test]
    fn a_newcomer_makes_a_healthy_pipeline_by_clicking() {
        section("newcomer");
    }

    #[test]
    fn an_operator_sees_what_is_wrong_and_mends_it() {
        section("operator");
    }

    #[test]
    fn a_page_lives_by_one_stream_and_stands_still_without_it() {
        section("live");
    }

    #[test]
    fn everybody_sees_and_does_what_their_role_allows() {
        section("roles");
    }

    #[test]
    fn every_screen_stands_with_none_one_and_a_thousand_connectors() {
        section("screens");
    }
}
