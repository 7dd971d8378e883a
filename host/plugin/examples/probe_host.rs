//! The smallest host: `probe_host plugin-probe FILE` is the child that discovery starts, for the tests.

use std::{path::Path, process::ExitCode};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    match (arguments.next(), arguments.next()) {
        (Some(word), Some(file)) if word == "plugin-probe" => {
            let code = linkspan_plugin::probe_main(Path::new(&file));
            ExitCode::from(u8::try_from(code).unwrap_or(1))
        }
        _ => ExitCode::from(2),
    }
}
