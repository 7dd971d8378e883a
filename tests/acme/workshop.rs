//! Package, unpack, build.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::support::{Scratch, repository, start, wait};

const PACKAGES: &[&str] = &["linkspan-abi", "linkspan-derive", "linkspan-sdk"];
/// A clean build of the sdk and what it needs, on a busy machine.
const BUILD_LIMIT: Duration = Duration::from_secs(900);

/// Builds share target folders: the library must be copied before the next build replaces it.
static BUILDING: Mutex<()> = Mutex::new(());

/// A scratch folder with the unpacked packages in `packages/`.
pub(crate) struct Workshop {
    pub(crate) scratch: Scratch,
}

impl Workshop {
    pub(crate) fn new() -> Self {
        let scratch = Scratch::new();
        let mut package = Command::new(current_cargo());
        package
            .current_dir(repository())
            .args(["package", "--no-verify", "--allow-dirty", "--target-dir"])
            .arg(scratch.path("packaged"));
        for name in PACKAGES {
            package.args(["-p", name]);
        }
        let workshop = Self { scratch };
        workshop.finish(&mut package);
        fs::create_dir(workshop.scratch.path("packages")).unwrap();
        for entry in fs::read_dir(workshop.scratch.path("packaged/package")).unwrap() {
            let path = entry.unwrap().path();
            if path
                .extension()
                .is_some_and(|extension| extension == "crate")
            {
                let mut unpack = Command::new("tar");
                unpack.arg("xzf").arg(&path).arg("-C");
                workshop.finish(unpack.arg(workshop.scratch.path("packages")));
            }
        }
        workshop
    }

    /// Copies a plugin of `tests/plugins` out of the repository.
    pub(crate) fn copy_plugin(&self, plugin: &str) {
        for file in ["Cargo.toml", "Cargo.lock", "src/lib.rs"] {
            let source = repository().join("tests/plugins").join(plugin).join(file);
            self.scratch
                .write(&format!("{plugin}/{file}"), fs::read(source).unwrap());
        }
    }

    /// Changes a text in every `Cargo.toml` of the packages, to stand for another release of them.
    pub(crate) fn rewrite_packages(&self, from: &str, to: &str) {
        let mut changed = 0;
        for package in fs::read_dir(self.scratch.path("packages")).unwrap() {
            let manifest = package.unwrap().path().join("Cargo.toml");
            let text = fs::read_to_string(&manifest).unwrap();
            changed += text.matches(from).count();
            fs::write(manifest, text.replace(from, to)).unwrap();
        }
        assert!(changed > 0, "no `{from}` in the packages");
    }

    /// Builds a plugin with its locked versions; returns the folder that holds its `.so` and nothing else.
    ///
    /// Builds with one compiler share a target folder, so that what the sdk needs is compiled once.
    pub(crate) fn build(&self, plugin: &str, compiler: &Compiler) -> PathBuf {
        let target =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("plugins-{}", compiler.name));
        let (program, arguments) = compiler.cargo.split_first().unwrap();
        let mut command = Command::new(program);
        command
            .args(arguments)
            .args(["build", "--target-dir"])
            .arg(&target)
            .current_dir(self.scratch.path(plugin));
        unsteered(&mut command);
        for package in fs::read_dir(self.scratch.path("packages")).unwrap() {
            let path = package.unwrap().path();
            let folder = path.file_name().unwrap().to_string_lossy().into_owned();
            let named = |name: &&&str| folder.starts_with(&format!("{name}-"));
            let name = PACKAGES.iter().find(named).unwrap();
            let patch = format!(
                "patch.crates-io.{name}.path={:?}",
                path.display().to_string()
            );
            command.args(["--config", &patch]);
        }
        let _one_at_a_time = BUILDING.lock().unwrap_or_else(PoisonError::into_inner);
        self.finish(&mut command);

        let folder = self.scratch.path("plugins").join(&compiler.name);
        fs::create_dir_all(&folder).unwrap();
        let library = format!("lib{plugin}.so");
        fs::copy(target.join("debug").join(&library), folder.join(library)).unwrap();
        folder
    }

    /// Runs a command to its end and fails the test with its output when it fails.
    fn finish(&self, command: &mut Command) {
        let (stdout, stderr) = (self.scratch.path("stdout"), self.scratch.path("stderr"));
        let mut child = start(command, &stdout, &stderr);
        let status = wait(&mut child, BUILD_LIMIT);
        let succeeded = status.is_some_and(|status| status.success());
        assert!(
            succeeded,
            "{command:?}: {status:?}\n{}",
            self.scratch.read("stderr")
        );
    }
}

/// A cargo with its rustc.
pub(crate) struct Compiler {
    pub(crate) name: String,
    cargo: Vec<OsString>,
}

impl Compiler {
    /// The one that built the host.
    pub(crate) fn current() -> Self {
        Self {
            name: "current".to_owned(),
            cargo: vec![current_cargo()],
        }
    }

    /// Another toolchain, if rustup has it.
    pub(crate) fn toolchain(name: &str) -> Option<Self> {
        let asked = Command::new("rustup")
            .args(["run", name, "rustc", "--version"])
            .output();
        let cargo = ["rustup", "run", name, "cargo"]
            .map(OsString::from)
            .to_vec();
        asked
            .is_ok_and(|output| output.status.success())
            .then(|| Self {
                name: name.to_owned(),
                cargo,
            })
    }
}

/// What cargo tells the tests that it runs must not steer the cargo of a third party.
pub(crate) fn unsteered(command: &mut Command) {
    for (variable, _) in env::vars_os() {
        let text = variable.to_string_lossy();
        let steers = text.starts_with("CARGO_") && text != "CARGO_HOME";
        if steers || ["CARGO", "RUSTC", "RUSTFLAGS", "RUSTUP_TOOLCHAIN"].contains(&&*text) {
            command.env_remove(&variable);
        }
    }
}

/// The cargo that built the host, as a third party starts it.
pub(crate) fn plain_cargo() -> Command {
    let mut command = Command::new(current_cargo());
    unsteered(&mut command);
    command
}

pub(crate) fn current_cargo() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}
