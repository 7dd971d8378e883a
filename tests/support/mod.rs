//! Running the real program: a scratch folder, a command with a deadline, skips that are seen and counted.
//!
//! Not here: any check of one feature (see the test targets beside this folder).

use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long one command of a test may take before the test fails; generous, because machines are shared.
const COMMAND_LIMIT: Duration = Duration::from_secs(120);
/// How often a condition is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// A folder of one test, deleted at its end.
pub(crate) struct Scratch {
    folder: TempDir,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::Builder::new()
                .prefix("linkspan-test-")
                .tempdir()
                .unwrap(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, with the folders it needs, and returns its path.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("read {name}: {error}"))
    }
}

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// Fails the test unless the command ended with this exit code.
    #[track_caller]
    pub(crate) fn expect_code(self, code: i32) -> Self {
        assert_eq!(
            self.status.code(),
            Some(code),
            "exit code\n--- stdout\n{}\n--- stderr\n{}",
            shortened(&self.stdout),
            shortened(&self.stderr)
        );
        self
    }

    /// Fails the test unless what was printed holds every one of these texts; with `-o json` errors of tasks are on stdout.
    #[track_caller]
    pub(crate) fn says(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(
                self.stderr.contains(text) || self.stdout.contains(text),
                "`{text}` is not said:\n{}\n{}",
                shortened(&self.stdout),
                shortened(&self.stderr)
            );
        }
        self
    }
}

/// The program under test with the plugins of this build beside it, as an installation would have them.
///
/// `cargo test` builds plugins into `deps` only; an earlier `cargo run` may have left older ones beside the program.
pub(crate) fn program() -> &'static Path {
    static INSTALLED: OnceLock<PathBuf> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let built = Path::new(env!("CARGO_BIN_EXE_linkspan"));
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(concat!("installed-", env!("CARGO_CRATE_NAME")));
        if folder.is_dir() {
            fs::remove_dir_all(&folder).unwrap();
        }
        fs::create_dir_all(folder.join("plugins")).unwrap();
        let program = folder.join("linkspan");
        fs::copy(built, &program).unwrap();
        for (name, path) in plugins() {
            fs::copy(path, folder.join("plugins").join(name)).unwrap();
        }
        program
    })
}

/// File name and path of every plugin that this build made.
pub(crate) fn plugins() -> Vec<(String, PathBuf)> {
    let folder = Path::new(env!("CARGO_BIN_EXE_linkspan"))
        .parent()
        .unwrap()
        .join("deps");
    let names = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let named = names.map(|path| {
        (
            path.file_name().unwrap().to_string_lossy().into_owned(),
            path,
        )
    });
    named
        .filter(|(name, _)| name.starts_with("liblinkspan_connector_") && name.ends_with(".so"))
        .collect()
}

/// Returns a command of the program under test, without settings of whoever runs the tests.
pub(crate) fn linkspan<S: AsRef<std::ffi::OsStr>>(arguments: &[S]) -> Command {
    let mut command = Command::new(program());
    command.args(arguments);
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("LINKSPAN_") || name == "RUST_LOG" {
            command.env_remove(name);
        }
    }
    command
}

/// Runs `linkspan run --once -o json` on one file.
pub(crate) fn run_once(yaml: &Path, more: &[&str]) -> Ran {
    let mut command = linkspan(&["run", "--once", "-o", "json"]);
    command.args(more).arg(yaml);
    run(&mut command)
}

/// Runs a command to its end; a hang fails the test instead of the machine.
pub(crate) fn run(command: &mut Command) -> Ran {
    let output = Scratch::new();
    let (out, err) = (output.path("stdout"), output.path("stderr"));
    let mut child = start(command, &out, &err);
    let status = wait(&mut child, COMMAND_LIMIT);
    let text = |path: &Path| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
    let (stdout, stderr) = (text(&out), text(&err));
    let status = status.unwrap_or_else(|| {
        panic!("{command:?} did not end in {COMMAND_LIMIT:?}\n{stdout}\n{stderr}")
    });
    Ran {
        status,
        stdout,
        stderr,
    }
}

/// Starts a command with its output in two files, so that no pipe can fill up.
pub(crate) fn start(command: &mut Command, stdout: &Path, stderr: &Path) -> Child {
    command
        .stdin(Stdio::null())
        .stdout(File::create(stdout).unwrap())
        .stderr(File::create(stderr).unwrap())
        .spawn()
        .unwrap_or_else(|error| panic!("start {command:?}: {error}"))
}

/// Waits for the end of a process and kills it when the limit has passed (then the answer is `None`).
pub(crate) fn wait(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let mut status = None;
    if !eventually(limit, || {
        status = child.try_wait().unwrap();
        status.is_some()
    }) {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    status
}

/// Looks until the condition holds (true) or the limit has passed (false).
pub(crate) fn eventually(limit: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let begin = Instant::now();
    loop {
        if holds() {
            return true;
        }
        if begin.elapsed() > limit {
            return false;
        }
        thread::sleep(LOOK_AGAIN);
    }
}

/// Notes that a test could not do its work here: seen in the output and counted by `tests/run`.
pub(crate) fn skip(what: &str, why: &str) {
    println!("SKIPPED {what}: {why}");
    if let Some(path) = env::var_os("LINKSPAN_TEST_SKIPS") {
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(path)
            .unwrap();
        file.write_all(format!("{what}: {why}\n").as_bytes())
            .unwrap();
    }
}

/// As [`skip`], for what continuous integration must have: there it is a failure.
pub(crate) fn skip_outside_ci(what: &str, why: &str) {
    assert!(
        env::var_os("CI").is_none_or(|ci| ci != "true"),
        "{what}: {why}, and CI must not skip it"
    );
    skip(what, why);
}

/// A small generator of random numbers (SplitMix64), so that a seed repeats the moments.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// The root of the repository.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

fn shortened(text: &str) -> String {
    const SHOWN: usize = 6000;
    if text.chars().count() <= SHOWN {
        text.to_owned()
    } else {
        text.chars().take(SHOWN).chain("…".chars()).collect()
    }
}
