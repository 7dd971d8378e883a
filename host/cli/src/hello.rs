//! Bare `linkspan`: what to type next, as it stands here.

use std::path::Path;

use crate::args::{At, DATA_DEFAULT};
use crate::context;
use crate::exit::{Exit, Failure};
use crate::terminal;

pub(crate) fn run() -> Result<Exit, Failure> {
    terminal::line(&format!(
        "linkspan {} moves records between external systems through a durable log.\n\nTry next:",
        env!("CARGO_PKG_VERSION")
    ));
    let next = |command: &str, what: &str| terminal::line(&format!("  {command:<46}{what}"));
    let elsewhere = context::elsewhere(&At::default())?.is_some();
    if elsewhere || there(DATA_DEFAULT) {
        next("linkspan get connectors", "see how the connectors are");
        next("linkspan get topics", "see what was stored");
    }
    if there("configs/quickstart.yaml") {
        next(
            "linkspan run --once configs/quickstart.yaml",
            "run a pipeline to its end",
        );
    } else {
        next(
            "linkspan run --once PIPELINE.yaml",
            "run a pipeline to its end",
        );
    }
    next(
        "linkspan validate PIPELINE.yaml",
        "check a pipeline without running it",
    );
    next("linkspan infer FILE", "propose a pipeline for a file");
    next("linkspan plugin list", "see which connectors there are");
    next("linkspan doctor", "see whether this machine is fit for it");
    next(
        "linkspan --help",
        "all commands; each has examples in its --help",
    );
    Ok(Exit::Ok)
}

fn there(path: &str) -> bool {
    Path::new(path).try_exists().unwrap_or(false)
}
