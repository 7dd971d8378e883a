//! What people see: colours only on a terminal, thousands separated, one place that prints.

use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Whether stderr takes colours: a terminal, and neither `NO_COLOR` nor a dumb one.
pub(crate) fn colours() -> bool {
    takes_colours(io::stderr().is_terminal())
}

fn takes_colours(is_terminal: bool) -> bool {
    is_terminal
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// What a word is painted in.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Colour {
    /// It is well.
    Green,
    /// It is worth a look.
    Yellow,
    /// It is wrong.
    Red,
}

/// Paints a word of a result, where stdout takes colours.
pub(crate) fn painted(colour: Colour, word: &str) -> String {
    if !takes_colours(io::stdout().is_terminal()) {
        return word.to_owned();
    }
    let code = match colour {
        Colour::Green => 32,
        Colour::Yellow => 33,
        Colour::Red => 31,
    };
    format!("\x1b[{code}m{word}\x1b[0m")
}

/// Says on a terminal what takes long, and for how long already, until it is dropped.
pub(crate) struct Busy(Option<ProgressBar>);

impl Busy {
    pub(crate) fn new(what: &str) -> Self {
        if !takes_drawing() {
            return Self(None);
        }
        let bar = ProgressBar::new_spinner().with_message(what.to_owned());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} · {elapsed}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(BUSY_EVERY);
        Self(Some(bar))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

/// Whether stderr is a terminal on which lines can be drawn over.
pub(crate) fn takes_drawing() -> bool {
    io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// How often what takes long is drawn anew.
const BUSY_EVERY: Duration = Duration::from_millis(120);

/// Whether what was shown may be wiped: stdout is a terminal that can.
pub(crate) fn clears() -> bool {
    io::stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Wipes the terminal.
pub(crate) fn clear() {
    let mut out = io::stdout().lock();
    // What cannot be wiped stays.
    drop(out.write_all(b"\x1b[H\x1b[2J"));
}

/// Whether stdout took everything so far.
static STDOUT: Mutex<Option<io::ErrorKind>> = Mutex::new(None);

/// Prints a line of results on stdout. What fails is remembered: see [`stdout_failure`].
pub(crate) fn line(text: &str) {
    let mut out = io::stdout().lock();
    if let Err(error) = out
        .write_all(text.as_bytes())
        .and_then(|()| out.write_all(b"\n"))
        .and_then(|()| out.flush())
    {
        STDOUT
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(error.kind());
    }
}

/// Why stdout stopped taking lines, if it did. A closed pipe is how a reader says that it has enough.
pub(crate) fn stdout_failure() -> Option<io::ErrorKind> {
    *STDOUT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Prints a line for people on stderr.
pub(crate) fn note(text: &str) {
    // There is nowhere left to report a failure of stderr.
    drop(writeln!(io::stderr().lock(), "{text}"));
}

/// Prints an error in the one form of all commands.
pub(crate) fn error(code: &str, message: &str, help: Option<&str>) {
    let (red, bold, plain) = if colours() {
        ("\x1b[31;1m", "\x1b[1m", "\x1b[0m")
    } else {
        ("", "", "")
    };
    note(&format!(
        "{red}error[{code}]{plain}{bold}: {message}{plain}"
    ));
    if let Some(help) = help {
        note(&format!("  = help: {help}"));
    }
}

/// Prints a warning in the one form of all commands.
pub(crate) fn warning(code: &str, message: &str) {
    let (yellow, plain) = if colours() {
        ("\x1b[33;1m", "\x1b[0m")
    } else {
        ("", "")
    };
    note(&format!("{yellow}warning[{code}]{plain}: {message}"));
}

/// Columns of text for people, as wide as their widest cell.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Begins with the names of the columns.
    pub(crate) fn new(columns: &[&str]) -> Self {
        Self {
            rows: vec![columns.iter().map(|name| (*name).to_owned()).collect()],
        }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Whether a row was added.
    pub(crate) fn has_rows(&self) -> bool {
        self.rows.len() > 1
    }

    /// Prints the table, or what to say instead when it has no rows.
    pub(crate) fn print(&self, empty: &str) {
        if self.rows.len() == 1 && !empty.is_empty() {
            return note(empty);
        }
        let columns = self.rows.first().map_or(0, Vec::len);
        let widths: Vec<usize> = (0..columns)
            .map(|at| {
                let cells = self.rows.iter().filter_map(|row| row.get(at));
                cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
            })
            .collect();
        for row in &self.rows {
            let cells = row.iter().zip(&widths);
            let padded: Vec<String> = cells
                .map(|(cell, width)| format!("{cell:<width$}"))
                .collect();
            line(padded.join("  ").trim_end());
        }
    }
}

/// `1458` as `1,458`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A duration as people say it: `0.2 s`, `3 min 12 s`.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 60 {
        format!("{:.1} s", duration.as_secs_f64())
    } else {
        format!("{} min {} s", seconds / 60, seconds % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_separated() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_458, "1,458"),
            (1_000_000, "1,000,000"),
        ] {
            assert_eq!(count(number), text);
        }
    }

    #[test]
    fn durations_read_as_said() {
        assert_eq!(duration(Duration::from_millis(234)), "0.2 s");
        assert_eq!(duration(Duration::from_secs(192)), "3 min 12 s");
    }
}
