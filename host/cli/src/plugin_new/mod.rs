//! `linkspan plugin new`: a crate that builds, passes the conformance suite and runs.
//!
//! The files are the templates beside this module with `{{…}}` filled in; [`name`] says what a plugin may be called, [`sdk`] where
//! its crate takes the sdk from. Nothing that exists is ever written over.

mod name;
mod sdk;

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use self::name::Names;
use self::sdk::Sdk;
use crate::args::{PluginKind, PluginNewArgs};
use crate::exit::{Exit, Failure};
use crate::terminal;

macro_rules! template {
    ($name:literal) => {
        include_str!(concat!("templates/", $name, ".txt"))
    };
}

/// Path and template of every file of a source.
const SOURCE: &[(&str, &str)] = &[
    ("Cargo.toml", template!("Cargo.toml")),
    ("README.md", template!("README.md")),
    (".gitignore", template!("gitignore")),
    ("pipeline.yaml", template!("source_pipeline.yaml")),
    ("src/lib.rs", template!("source_lib.rs")),
    ("src/options.rs", template!("source_options.rs")),
    ("src/source.rs", template!("source_source.rs")),
    ("src/tests.rs", template!("source_tests.rs")),
];

/// Path and template of every file of a sink.
const SINK: &[(&str, &str)] = &[
    ("Cargo.toml", template!("Cargo.toml")),
    ("README.md", template!("README.md")),
    (".gitignore", template!("gitignore")),
    ("pipeline.yaml", template!("sink_pipeline.yaml")),
    ("src/lib.rs", template!("sink_lib.rs")),
    ("src/options.rs", template!("sink_options.rs")),
    ("src/sink.rs", template!("sink_sink.rs")),
    ("src/tests.rs", template!("sink_tests.rs")),
];

/// Path and template of every file of a transform.
const TRANSFORM: &[(&str, &str)] = &[
    ("Cargo.toml", template!("Cargo.toml")),
    ("README.md", template!("README.md")),
    (".gitignore", template!("gitignore")),
    ("pipeline.yaml", template!("transform_pipeline.yaml")),
    ("src/lib.rs", template!("transform_lib.rs")),
    ("src/options.rs", template!("transform_options.rs")),
    ("src/transform.rs", template!("transform_transform.rs")),
    ("src/tests.rs", template!("transform_tests.rs")),
];

pub(crate) fn run(args: &PluginNewArgs) -> Result<Exit, Failure> {
    let (kind, contract, files) = match args.kind {
        PluginKind::Source => ("source", "SourceTask", SOURCE),
        PluginKind::Sink => ("sink", "SinkTask", SINK),
        PluginKind::Transform => ("transform", "Transform", TRANSFORM),
    };
    let names = Names::of(&args.name, kind).map_err(|why| {
        Failure::new(
            Exit::Invalid,
            "LS0220",
            format!("`{}` is no name of a plugin: {why}", args.name),
        )
        .help("small letters, digits and single dashes, e.g. `acme-orders`")
    })?;
    let folder = crate::run::plan::absolute(
        args.dir
            .clone()
            .unwrap_or_else(|| PathBuf::from(&args.name)),
    );
    refuse_existing(&folder)?;
    let sdk = Sdk::find(args.sdk.as_deref(), &folder)?;
    let fill = |template: &str| {
        let pairs = [
            ("{{crate}}", names.crate_name.as_str()),
            ("{{lib}}", &names.library),
            ("{{class}}", &names.class),
            ("{{type}}", &names.type_name),
            ("{{kind}}", kind),
            ("{{trait}}", contract),
            ("{{sdk}}", &sdk.sdk),
            ("{{testkit}}", &sdk.testkit),
            ("{{patch}}", &sdk.patch),
        ];
        let filled = pairs
            .iter()
            .fold(template.to_owned(), |text, (mark, value)| {
                text.replace(mark, value)
            });
        format!("{}\n", filled.trim_end())
    };
    for (path, template) in files {
        write_new(&folder.join(path), &fill(template))?;
    }
    if let Some(config) = &sdk.cargo_config {
        write_new(&folder.join(".cargo/config.toml"), config)?;
    }
    terminal::note(&format!(
        "plugin `{}` with the {kind} `{}` is in {}; it takes the sdk {}",
        names.crate_name,
        names.class,
        folder.display(),
        sdk.said
    ));
    terminal::line(&format!("cd {}", shell_word(&folder)));
    terminal::line("cargo test");
    terminal::line("cargo build && linkspan run --once --plugin-path target/debug pipeline.yaml");
    Ok(Exit::Ok)
}

/// A folder that holds anything is somebody's.
fn refuse_existing(folder: &Path) -> Result<(), Failure> {
    let refused = |what: &str| {
        Err(Failure::new(
            Exit::Environment,
            "LS0707",
            format!("`{}` {what}", folder.display()),
        )
        .help("name a folder that does not exist, or an empty one; nothing is ever written over"))
    };
    match fs::read_dir(folder) {
        Ok(mut entries) => {
            if entries.next().is_some() {
                return refused("is not empty");
            }
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotADirectory => refused("is a file"),
        Err(error) => Err(failed(folder, &error)),
    }
}

fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
    }
    let opened = OpenOptions::new().write(true).create_new(true).open(path);
    opened
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| failed(path, &error))
}

fn failed(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(
        Exit::Environment,
        "LS0704",
        format!("could not write `{}`: {error}", path.display()),
    )
}

/// A path as a shell takes it.
fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@%".contains(c);
    if text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}
