//! Private servers for tests: PostgreSQL and MariaDB on free ports in folders of their own.
//!
//! Used by this crate's tests and, as a module by path, by the black-box tests of the repository.
//! A server ends, and its folder is deleted, when the process that started it ends, however it ends: a shell waits for the
//! other end of a pipe to close. A missing program is a visible, counted skip, and a failure where `CI` is `true`.

use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a server may take to come up on a busy machine.
const START_LIMIT: Duration = Duration::from_secs(90);
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// The first port that is tried for a server, and how many.
const PORTS_FROM: u32 = 20_000;
const PORTS: u32 = 12_000;
/// How far apart two processes with neighbouring ids begin.
const PORTS_APART: u32 = 97;

/// The user with all rights on both; `trust`ed from the loopback.
pub(crate) const USER: &str = "linkspan";

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Postgres,
    MariaDb,
}

/// A running server.
pub(crate) struct Server {
    pub(crate) kind: Kind,
    pub(crate) port: u16,
    folder: TempDir,
    /// Settings on the command line.
    settings: Vec<String>,
    running: Option<Running>,
}

struct Running {
    shell: Child,
    /// Held open: the shell ends the server when it closes.
    _alive: ChildStdin,
}

/// Returns the PostgreSQL that all tests of this process share, each in a database of its own.
pub(crate) fn postgres() -> Option<&'static Server> {
    static SHARED: OnceLock<Option<Server>> = OnceLock::new();
    SHARED
        .get_or_init(|| Server::start(Kind::Postgres, &[]))
        .as_ref()
}

/// Returns the MariaDB that all tests of this process share, each in a database of its own.
pub(crate) fn mariadb() -> Option<&'static Server> {
    static SHARED: OnceLock<Option<Server>> = OnceLock::new();
    SHARED
        .get_or_init(|| Server::start(Kind::MariaDb, &[]))
        .as_ref()
}

impl Server {
    /// Starts a server of the test's own, with settings such as `max_connections=5`.
    pub(crate) fn start(kind: Kind, settings: &[&str]) -> Option<Self> {
        let missing: Vec<&str> = kind
            .programs()
            .iter()
            .filter(|name| program(name).is_none())
            .copied()
            .collect();
        if !missing.is_empty() {
            skip_outside_ci(kind.name(), &format!("{} not found", missing.join(", ")));
            return None;
        }
        let folder = tempfile::Builder::new()
            .prefix("linkspan-db-")
            .tempdir()
            .unwrap();
        let mut server = Self {
            kind,
            port: free_port(),
            folder,
            settings: settings.iter().map(|&text| text.to_owned()).collect(),
            running: None,
        };
        server.make();
        server.run();
        server.set_up();
        Some(server)
    }

    /// Returns an address for a database, user included.
    pub(crate) fn url(&self, database: &str) -> String {
        let scheme = match self.kind {
            Kind::Postgres => "postgres",
            Kind::MariaDb => "mysql",
        };
        format!("{scheme}://{USER}@127.0.0.1:{}/{database}", self.port)
    }

    /// Makes a database that no other test has, and returns its name.
    pub(crate) fn database(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "t{}_{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        match self.kind {
            Kind::Postgres => self.sql(
                "postgres",
                &format!("CREATE DATABASE {name} TEMPLATE template0"),
            ),
            Kind::MariaDb => self.sql("", &format!("CREATE DATABASE {name} CHARACTER SET utf8mb4")),
        };
        name
    }

    /// Runs SQL through the server's own client, a judge that is not ours; returns rows as lines, columns with `|` between.
    #[track_caller]
    pub(crate) fn sql(&self, database: &str, sql: &str) -> String {
        match self.try_sql(database, sql) {
            Ok(text) => text,
            Err(error) => panic!("{sql}: {error}"),
        }
    }

    /// The same, with what the client says when it fails.
    pub(crate) fn try_sql(&self, database: &str, sql: &str) -> Result<String, String> {
        let port = self.port.to_string();
        let mut command = match self.kind {
            Kind::Postgres => {
                let mut command = Command::new(program("psql").unwrap());
                command.args([
                    "-X",
                    "-q",
                    "-A",
                    "-t",
                    "-v",
                    "ON_ERROR_STOP=1",
                    "-h",
                    "127.0.0.1",
                    "-p",
                    &port,
                    "-U",
                    USER,
                    "-d",
                    database,
                ]);
                command.args(["-c", sql]);
                command
            }
            Kind::MariaDb => {
                let mut command = Command::new(program("mariadb").unwrap());
                command.args([
                    "--no-defaults",
                    "-N",
                    "-B",
                    "-h",
                    "127.0.0.1",
                    "-P",
                    &port,
                    "-u",
                    USER,
                    "--default-character-set=utf8mb4",
                    "--skip-ssl",
                ]);
                command.args(["-D", database, "-e", sql]);
                command
            }
        };
        let output = command
            .env("PGOPTIONS", "-c client_min_messages=error")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        if output.status.success() {
            let text = text.trim_end_matches('\n');
            Ok(match self.kind {
                Kind::Postgres => text.to_owned(),
                Kind::MariaDb => text.replace('\t', "|"),
            })
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    /// What the server itself said last, for a test that fails.
    pub(crate) fn last_words(&self) -> String {
        let log = fs::read(self.folder.path().join("server.log")).unwrap_or_default();
        let text = String::from_utf8_lossy(&log).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    /// Returns the process id of the server itself.
    pub(crate) fn pid(&self) -> u32 {
        let file = match self.kind {
            Kind::Postgres => self.data().join("postmaster.pid"),
            Kind::MariaDb => self.folder.path().join("pid"),
        };
        let text = fs::read_to_string(file).unwrap();
        text.lines().next().unwrap().trim().parse().unwrap()
    }

    /// Kills the server with SIGKILL, as a machine that loses power would end it.
    pub(crate) fn kill(&mut self) {
        signal("KILL", self.pid());
        self.gone();
    }

    /// Stops the server as an operator does.
    pub(crate) fn stop(&mut self) {
        signal(
            if self.kind == Kind::Postgres {
                "INT"
            } else {
                "TERM"
            },
            self.pid(),
        );
        self.gone();
    }

    fn gone(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.shell.wait().unwrap();
        }
        if self.kind == Kind::MariaDb {
            // What a killed server leaves behind must not speak for the next one.
            let pid = self.folder.path().join("pid");
            if pid.try_exists().unwrap() {
                fs::remove_file(pid).unwrap();
            }
        }
        assert!(eventually(START_LIMIT, || TcpStream::connect((
            "127.0.0.1",
            self.port
        ))
        .is_err()));
    }

    /// Starts it again on the same port with the same data.
    pub(crate) fn start_again(&mut self) {
        self.run();
    }

    /// Halts (`STOP`) or continues (`CONT`) the server's processes: a server that hangs.
    pub(crate) fn signal_all(&self, name: &str) {
        for pid in children(self.pid()) {
            signal(name, pid);
        }
        signal(name, self.pid());
    }

    /// Lets the server's user read a folder of the test, and have what is in it, as a key must be.
    pub(crate) fn give(kind: Kind, folder: &Path) {
        run(Command::new("chmod").arg("755").arg(folder));
        if let Some(user) = kind.user() {
            run(Command::new("chown").arg("-R").arg(user).arg(folder));
        }
    }

    /// Returns the folder in which a test may leave files that the server's user can read.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Makes the data directory, owned by a user that the server agrees to run as.
    fn make(&self) {
        let data = self.data();
        fs::create_dir(&data).unwrap();
        let mut open = Command::new("chmod");
        run(open.arg("755").arg(self.folder.path()));
        if let Some(user) = self.kind.user() {
            run(Command::new("chown")
                .arg(user)
                .arg(self.folder.path())
                .arg(&data));
        }
        let log = self.folder.path().join("make.log");
        let data = data.display();
        let command = match self.kind {
            Kind::Postgres => format!(
                "{} -D {data} -U {USER} -A trust --no-sync -E UTF8 --locale=C.UTF-8",
                program("initdb").unwrap().display()
            ),
            Kind::MariaDb => format!(
                "{} --no-defaults --datadir={data} --tmpdir={folder} --auth-root-authentication-method=normal --skip-test-db",
                program("mariadb-install-db").unwrap().display(),
                // A server removes temporary files of others from a folder that it shares with them.
                folder = self.folder.path().display()
            ),
        };
        let done = as_user(self.kind, &format!("cd / && {command}"))
            .stdout(File::create(&log).unwrap())
            .stderr(File::options().append(true).open(&log).unwrap())
            .status()
            .unwrap();
        assert!(
            done.success(),
            "{command}: {}",
            fs::read_to_string(&log).unwrap_or_default()
        );
    }

    fn run(&mut self) {
        let (folder, data, port) = (self.folder.path().display(), self.data(), self.port);
        let data = data.display();
        let mut command = match self.kind {
            Kind::Postgres => format!(
                "{} -D {data} -h 127.0.0.1 -p {port} -k {folder} -c max_connections=60 -c log_line_prefix='%m [%p] '",
                program("postgres").unwrap().display()
            ),
            Kind::MariaDb => format!(
                "{} --no-defaults --datadir={data} --bind-address=127.0.0.1 --port={port} --socket={folder}/s --pid-file={folder}/pid \
                 --tmpdir={folder} \
                 --skip-name-resolve --character-set-server=utf8mb4 --innodb-buffer-pool-size=64M --innodb-flush-log-at-trx-commit=2 \
                 --max-connections=60",
                program("mariadbd").unwrap().display()
            ),
        };
        for setting in &self.settings {
            match self.kind {
                Kind::Postgres => command.push_str(&format!(" -c {setting}")),
                Kind::MariaDb => command.push_str(&format!(" --{setting}")),
            }
        }
        // The shell outlives nobody: its standard input closes with this process.
        let log = self.folder.path().join("server.log");
        let script = format!(
            "exec 3<&0; cd /; {command} 3<&- </dev/null >>{} 2>&1 & pid=$!; (read _ <&3; kill -QUIT $pid 2>/dev/null || true; sleep 2; kill -KILL $pid 2>/dev/null) & \
             guard=$!; wait $pid; kill $guard 2>/dev/null; exit 0",
            log.display()
        );
        let mut shell = as_user(self.kind, &script)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let alive = shell.stdin.take().unwrap();
        self.running = Some(Running {
            shell,
            _alive: alive,
        });
        let up = eventually(START_LIMIT, || self.answers());
        assert!(
            up,
            "{:?} did not come up:\n{}",
            self.kind,
            fs::read_to_string(&log).unwrap_or_default()
        );
    }

    fn answers(&self) -> bool {
        let port = self.port.to_string();
        match self.kind {
            Kind::Postgres => Command::new(program("pg_isready").unwrap())
                .args(["-q", "-h", "127.0.0.1", "-p", &port])
                .status()
                .unwrap()
                .success(),
            Kind::MariaDb => {
                TcpStream::connect(("127.0.0.1", self.port)).is_ok()
                    && self.folder.path().join("pid").try_exists().unwrap()
            }
        }
    }

    /// The user on MariaDB; PostgreSQL got it from `initdb`.
    fn set_up(&self) {
        if self.kind == Kind::MariaDb {
            let socket = self.folder.path().join("s");
            let sql = format!(
                "CREATE USER '{USER}'@'127.0.0.1'; GRANT ALL ON *.* TO '{USER}'@'127.0.0.1' WITH GRANT OPTION;"
            );
            run(Command::new(program("mariadb").unwrap())
                .args(["--no-defaults", "-u", "root", "-S"])
                .arg(socket)
                .args(["-e", &sql]));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut running) = self.running.take() {
            signal("QUIT", self.pid());
            if !eventually(Duration::from_secs(5), || {
                running.shell.try_wait().unwrap().is_some()
            }) {
                signal("KILL", self.pid());
            }
            running.shell.wait().unwrap();
        }
    }
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::MariaDb => "MariaDB",
        }
    }

    const fn programs(self) -> &'static [&'static str] {
        match self {
            Self::Postgres => &["initdb", "postgres", "psql", "pg_isready"],
            Self::MariaDb => &["mariadb-install-db", "mariadbd", "mariadb"],
        }
    }

    /// The user to run as: both refuse to run as root.
    fn user(self) -> Option<&'static str> {
        static ROOT: OnceLock<bool> = OnceLock::new();
        let is_root = *ROOT.get_or_init(|| {
            let output = Command::new("id").arg("-u").output().unwrap();
            output.stdout.starts_with(b"0\n")
        });
        is_root.then_some(match self {
            Self::Postgres => "postgres",
            Self::MariaDb => "mysql",
        })
    }
}

fn as_user(kind: Kind, script: &str) -> Command {
    match kind.user() {
        Some(user) => {
            let mut command = Command::new("runuser");
            command.args(["-u", user, "--", "sh", "-c", script]);
            command
        }
        None => {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            command
        }
    }
}

/// Finds a program on the path and where Debian puts those of servers.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let mut folders: Vec<PathBuf> =
        env::split_paths(&env::var_os("PATH").unwrap_or_default()).collect();
    folders.extend(["/usr/sbin", "/usr/bin"].map(PathBuf::from));
    let mut versions: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .map(|entries| {
            entries
                .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
                .collect()
        })
        .unwrap_or_default();
    versions.sort();
    versions.reverse();
    // The client's wrapper on the path chooses a version by rules of its own.
    versions.extend(folders);
    versions
        .into_iter()
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

/// Returns a port on which nobody listens.
///
/// It lies below those that systems give to outgoing connections and to whoever asks for any port: a server that is away for a
/// moment, killed by its test, must find its port free when it comes back. Another test's listener on it would be taken for the server.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Processes that run side by side begin at different places.
    let first = std::process::id().wrapping_mul(PORTS_APART);
    (0..PORTS)
        .map(|_| first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % PORTS)
        .filter_map(|at| u16::try_from(PORTS_FROM + at).ok())
        .find(|&port| TcpListener::bind(("127.0.0.1", port)).is_ok())
        .unwrap()
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn signal(name: &str, pid: u32) {
    // The process may have ended already.
    let _ended = Command::new("kill")
        .args(["-s", name, &pid.to_string()])
        .stderr(Stdio::null())
        .status();
}

fn children(pid: u32) -> Vec<u32> {
    let output = Command::new("ps")
        .args(["-o", "pid=", "--ppid", &pid.to_string()])
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout)
        .split_whitespace()
        .filter_map(|pid| pid.parse().ok())
        .collect()
}

fn eventually(limit: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let begin = Instant::now();
    while !holds() {
        if begin.elapsed() > limit {
            return false;
        }
        thread::sleep(LOOK_AGAIN);
    }
    true
}

/// Notes a test that could not do its work here; where continuous integration runs, it is a failure.
pub(crate) fn skip_outside_ci(what: &str, why: &str) {
    assert!(
        env::var_os("CI").is_none_or(|ci| ci != "true"),
        "{what}: {why}, and CI must not skip it"
    );
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
