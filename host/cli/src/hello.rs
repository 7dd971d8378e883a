//! Bare `linkspan`: what to type next.

use crate::exit::{Exit, Failure};
use crate::terminal;

#[expect(clippy::unnecessary_wraps, reason = "every command has the same shape")]
pub(crate) fn run() -> Result<Exit, Failure> {
    terminal::line(&format!(
        "linkspan {} moves records between external systems through a durable log.\n\n\
         Try next:\n  \
         linkspan run --once configs/quickstart.yaml   run a pipeline to its end\n  \
         linkspan validate PIPELINE.yaml               check a pipeline without running it\n  \
         linkspan plugin list                          see which connectors there are\n  \
         linkspan --help                               all commands",
        env!("CARGO_PKG_VERSION")
    ));
    Ok(Exit::Ok)
}
