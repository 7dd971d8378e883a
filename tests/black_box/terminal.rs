//! The command line in a terminal: progress that is drawn and gone, colours, none with `NO_COLOR`, in a pipe or on a dumb
//! terminal, 40 columns, and a terminal that is closed. tmux is the terminal.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::support::{Scratch, eventually, linkspan, program, run, skip_outside_ci};

const SOON: Duration = Duration::from_secs(60);
/// What begins to paint a text.
const PAINT: &str = "\u{1b}[";

/// A tmux server of its own, which is ended when this is dropped.
struct Terminal {
    server: String,
    scratch: Scratch,
}

impl Terminal {
    /// A shell in a terminal of so many columns; `None`: there is no tmux here.
    fn open(columns: u16) -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        if Command::new("tmux").arg("-V").output().is_err() {
            skip_outside_ci("the command line in a terminal", "tmux is not there");
            return None;
        }
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let terminal = Self {
            server: format!("linkspan-test-{}-{number}", std::process::id()),
            scratch: Scratch::new(),
        };
        let mut command = terminal.tmux(&["new-session", "-d", "-x", &columns.to_string()]);
        command
            .args(["-y", "60", "-c"])
            .arg(terminal.scratch.path(""))
            .args(["env", "-u", "NO_COLOR", "PS1=$ ", "TERM=screen", "sh"]);
        let begun = command.output().unwrap();
        assert!(begun.status.success(), "{begun:?}");
        Some(terminal)
    }

    fn tmux(&self, words: &[&str]) -> Command {
        let mut command = Command::new("tmux");
        command
            .args(["-f", "/dev/null", "-L", &self.server])
            .args(words)
            .env_remove("TMUX");
        command
    }

    /// Types a line. `linkspan` is the program under test.
    fn types(&self, line: &str) {
        let line = line.replace("linkspan ", &format!("{} ", program().display()));
        let mut keys = self.tmux(&["send-keys", "-l"]);
        assert!(keys.arg(&line).status().unwrap().success());
        let mut enter = self.tmux(&["send-keys", "Enter"]);
        assert!(enter.status().unwrap().success());
    }

    /// What is on it, without what was typed; `more`: options of `capture-pane`.
    fn shows(&self, more: &[&str]) -> String {
        let mut words = vec!["capture-pane", "-p", "-S", "-200"];
        words.extend(more);
        let shown = self.tmux(&words).output().unwrap();
        let text = String::from_utf8_lossy(&shown.stdout).into_owned();
        let typed = |line: &&str| !line.contains("$ ") && line.trim_end() != "$";
        text.lines().filter(typed).collect::<Vec<_>>().join("\n")
    }

    /// Waits until it shows a text.
    #[track_caller]
    fn comes_to(&self, text: &str) {
        let shows = eventually(SOON, || self.shows(&["-J"]).contains(text));
        assert!(shows, "`{text}` does not come:\n{}", self.shows(&[]));
    }

    /// Types a line and waits for its end; returns what is shown with its colours.
    fn does(&self, line: &str) -> String {
        self.types("clear");
        let bare = || self.shows(&[]).trim().is_empty();
        // What scrolled off is taken away, too.
        let empty = || self.tmux(&["clear-history"]).output().is_ok() && bare();
        assert!(eventually(SOON, empty), "{}", self.shows(&[]));
        self.types(&format!("{line}; echo exit=$?."));
        // The command itself ends in `$?.`.
        let ended = || {
            let shown = self.shows(&["-J"]);
            shown
                .lines()
                .any(|line| line.starts_with("exit=") && line.ends_with('.'))
        };
        assert!(eventually(SOON, ended), "{line}:\n{}", self.shows(&[]));
        self.shows(&["-e"])
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.tmux(&["kill-server"]).output());
    }
}

/// A job that takes about two seconds.
const JOB: &str = "connectors:\n  in: { connector: generator-source, topic: t, rate: 500, count: 1000 }\n  out: { connector: blackhole-sink, topics: [t] }\n";

#[test]
fn progress_is_drawn_while_a_job_works_and_gone_when_it_ends() {
    for columns in [100, 40] {
        let Some(terminal) = Terminal::open(columns) else {
            return;
        };
        terminal.scratch.write("job.yaml", JOB);
        terminal.types("linkspan run --once job.yaml");
        terminal.comes_to(" read ·");
        let drawn = terminal.shows(&[]);
        // One line, cut where the terminal ends: two would be drawn over only by half.
        let lines: Vec<&str> = drawn
            .lines()
            .filter(|line| line.contains(" read ·"))
            .collect();
        assert_eq!(lines.len(), 1, "{columns}: {drawn}");
        let whole = lines[0].trim_end().ends_with(" s");
        assert_eq!(whole, columns == 100, "{drawn}");
        terminal.comes_to("ok: 1,000 read = 1,000 written");
        let left = terminal.shows(&[]);
        assert!(!left.contains(" read ·"), "{columns}: {left}");
        // The counts stand where a script would look for them.
        assert!(left.contains("1,000 read"), "{left}");
    }
}

#[test]
fn nothing_is_drawn_or_painted_where_nobody_looks() {
    let Some(terminal) = Terminal::open(100) else {
        return;
    };
    terminal.scratch.write("job.yaml", JOB);
    terminal
        .scratch
        .write("bad.yaml", "connectors:\n  in: { conector: x }\n");
    let painted = terminal.does("linkspan validate bad.yaml");
    assert!(
        painted.contains(PAINT) && painted.contains("exit=2."),
        "{painted}"
    );
    for plain in [
        "NO_COLOR=1 linkspan validate bad.yaml",
        "TERM=dumb linkspan validate bad.yaml",
        "linkspan validate bad.yaml 2>&1 | cat",
        "linkspan run --once job.yaml 2>&1 | cat",
        "TERM=dumb linkspan run --once job.yaml --data dumb",
        "NO_COLOR=1 linkspan doctor",
    ] {
        let shown = terminal.does(plain);
        assert!(!shown.contains(PAINT), "{plain}: {shown:?}");
    }
    // In a file there is nothing that draws, and every line is there.
    terminal.does("linkspan run --once job.yaml --data file > out.txt 2> err.txt");
    for file in ["out.txt", "err.txt"] {
        let text = terminal.scratch.read(file);
        assert!(
            !text.contains('\u{1b}') && !text.contains('\r'),
            "{file}: {text:?}"
        );
    }
    assert!(terminal.scratch.read("out.txt").contains("ok: 1,000 read"));
}

#[test]
fn a_narrow_terminal_shows_everything() {
    let Some(terminal) = Terminal::open(40) else {
        return;
    };
    terminal.scratch.write("job.yaml", JOB);
    // Words of help are not cut in two.
    let help = terminal.does("linkspan topic create --help");
    for word in ["partitions", "retention.ms", "Examples:"] {
        assert!(help.contains(word), "{word}: {help}");
    }
    terminal.does("linkspan run --once job.yaml");
    let topics = terminal.does("linkspan get topics");
    assert!(topics.contains("exit=0."), "{topics}");
    let found = terminal.does("linkspan validate nothing.yaml");
    assert!(
        found.contains("exit=2.") && found.contains("nothing.yaml"),
        "{found}"
    );
}

/// Whether a process is at work. What has ended and was not asked after is still there, as `Z`.
fn works(pid: &str) -> bool {
    let stat = fs::read_to_string(Path::new("/proc").join(pid).join("stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

/// Starts a program in the foreground of a terminal, and closes the terminal once it is `ready`. Returns the program's id.
fn left_behind(terminal: &Terminal, program: &str, ready: &str) -> String {
    terminal.types(&format!("sh -c 'echo $$ > pid; exec {program}'"));
    let file = terminal.scratch.path("pid");
    let text = || fs::read_to_string(&file).unwrap_or_default();
    let begun = eventually(SOON, || text().ends_with('\n'));
    assert!(begun, "{}", terminal.shows(&[]));
    if !ready.is_empty() {
        terminal.comes_to(ready);
    }
    let pid = text().trim().to_owned();
    assert!(works(&pid), "{}", terminal.shows(&[]));
    let closed = terminal.tmux(&["kill-server"]).output().unwrap();
    assert!(closed.status.success(), "{closed:?}");
    pid
}

/// A closed terminal sends SIGHUP and takes stderr away: the host goes on, and what it says then goes nowhere.
#[test]
fn a_host_goes_on_when_its_terminal_is_closed() {
    let (Some(control), Some(terminal)) = (Terminal::open(100), Terminal::open(100)) else {
        return;
    };
    // One that does nothing about the signal shows that it is sent.
    let sleeper = left_behind(&control, "sleep 600", "");
    assert!(eventually(SOON, || !works(&sleeper)), "no signal came");
    terminal.scratch.write(
        "hub.yaml",
        "connectors:\n  in: { connector: generator-source, topic: t, rate: 20 }\n",
    );
    let program = "env LINKSPAN_LOG=trace linkspan run --listen none hub.yaml";
    let host = left_behind(&terminal, program, "Ctrl-C or SIGTERM");
    let data = terminal.scratch.path("linkspan-data");
    let records = || {
        let ran = run(linkspan(&["get", "in", "-o", "json", "--data"]).arg(&data));
        let row = serde_json::from_str::<serde_json::Value>(&ran.stdout).unwrap_or_default();
        let running = row["state"] == "RUNNING" && row["starts"] == 1;
        running.then(|| row["records"].as_u64().unwrap_or(0))
    };
    let before = records();
    let goes_on = before.is_some() && eventually(SOON, || records() > before);
    let asked = Command::new("kill").arg(&host).status().unwrap().success();
    assert!(goes_on && asked, "{before:?}");
    assert!(eventually(SOON, || !works(&host)));
}
