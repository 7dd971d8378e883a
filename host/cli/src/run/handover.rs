//! `run --once` on a data directory that a host holds: the job is handed to that host, and this process shows its progress
//! and ends with its exit code.

use std::path::Path;
use std::time::{Duration, Instant};

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use linkspan_runtime::RunReport;
use serde::Deserialize;

use super::hosted::Handed;
use super::progress::Progress;
use super::signals::Signals;
use super::{job, summary};
use crate::args::Output;
use crate::client::Host;
use crate::exit::{Exit, Failure};
use crate::terminal;

/// How long a host may take to answer on its socket: it may be starting.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// How often the directory is tried again.
pub(super) const TRY_EVERY: Duration = Duration::from_millis(100);
/// How long it is tried before that is said: a command may hold the directory for a moment.
pub(super) const SAY_AFTER: Duration = Duration::from_millis(500);
/// How often signals are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// The longest line of a host: a summary that names many files.
const LINE_BYTES_MAX: usize = 256 << 20;

/// What became of an offer.
pub(super) enum Offer {
    /// The host ran the job.
    Taken(Exit),
    /// The directory belongs to a run that takes no jobs: its end has to be waited for.
    Busy,
}

/// One line of the host's answer.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Event {
    Started(Started),
    Progress(Counts),
    Done(Box<Ended>),
    Failed(Refused),
}

#[derive(Deserialize)]
struct Started {
    run_id: String,
    host_pid: u32,
}

#[derive(Deserialize)]
struct Counts {
    read: u64,
    written: u64,
}

#[derive(Deserialize)]
struct Ended {
    report: RunReport,
    exit: u8,
    topics: Vec<String>,
}

#[derive(Deserialize)]
struct Refused {
    code: String,
    message: String,
    help: Option<String>,
    exit: u8,
}

/// Offers the job to the host of `data`, and stays with it to its end. `since` is when the first attempt was made.
pub(super) fn offer(
    handed: &Handed,
    data: &Path,
    output: Output,
    signals: &Signals,
    tokio: &tokio::runtime::Runtime,
    since: Instant,
) -> Result<Offer, Failure> {
    let body = serde_json::to_string(handed).unwrap_or_default();
    let answer = tokio.block_on(Host::beside(data).post_stream("/api/v1/jobs", body));
    match answer {
        Ok(events) => {
            let follow = follow(events, data, output, signals);
            tokio.block_on(follow).map(Offer::Taken)
        }
        Err(failure) if failure.code == "LS0616" => Ok(Offer::Busy),
        // It may be starting or stopping, or be a command that works on the directory for a moment.
        Err(failure)
            if matches!(failure.code, "LS0706" | "LS0615") && since.elapsed() < ANSWER_WITHIN =>
        {
            Ok(Offer::Busy)
        }
        Err(failure) => Err(failure),
    }
}

async fn follow(
    mut events: Incoming,
    data: &Path,
    output: Output,
    signals: &Signals,
) -> Result<Exit, Failure> {
    let gone = || {
        Failure::new(
            Exit::Runtime,
            "LS0706",
            "the host ended before the job did; what it acknowledged is safe",
        )
        .help("run the job again: it goes on from there")
    };
    let mut progress = Progress::new();
    let mut buffer = Vec::new();
    let mut run_id = None;
    let mut cancelled = false;
    loop {
        while let Some(line) = take_line(&mut buffer) {
            let event = serde_json::from_slice::<Event>(&line).map_err(|error| {
                let message = format!("the host's answer cannot be read: {error}");
                Failure::new(Exit::Runtime, "LS0601", message)
            })?;
            match event {
                Event::Started(started) => {
                    terminal::note(&format!(
                        "the data directory is held by a host (process {}): the job runs there, run {}",
                        started.host_pid, started.run_id
                    ));
                    run_id = Some(started.run_id);
                }
                Event::Progress(counts) => progress.show_counts(counts.read, counts.written),
                Event::Done(ended) => {
                    progress.finish();
                    job::say_left_over(&ended.report);
                    return Ok(finish(&ended, output, signals));
                }
                Event::Failed(refused) => {
                    progress.finish();
                    return Err(refused.into_failure());
                }
            }
        }
        if buffer.len() > LINE_BYTES_MAX {
            return Err(gone());
        }
        tokio::select! {
            frame = events.frame() => match frame {
                Some(Ok(frame)) => buffer.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data)),
                Some(Err(_)) | None => {
                    progress.finish();
                    return Err(gone());
                }
            },
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        if signals.stopped()
            && !cancelled
            && let Some(id) = &run_id
        {
            cancelled = true;
            let path = format!("/api/v1/jobs/{id}");
            // A job that has just ended cannot be cancelled; its end comes next.
            drop(Host::beside(data).call("DELETE", &path, None).await);
        }
    }
}

fn take_line(buffer: &mut Vec<u8>) -> Option<Vec<u8>> {
    let end = buffer.iter().position(|byte| *byte == b'\n')?;
    let rest = buffer.split_off(end + 1);
    let mut line = std::mem::replace(buffer, rest);
    line.pop();
    Some(line)
}

fn finish(ended: &Ended, output: Output, signals: &Signals) -> Exit {
    let exit = Exit::from_code(ended.exit);
    let exit = if signals.stopped() && exit == Exit::Runtime {
        signals.exit()
    } else {
        exit
    };
    let error = ended
        .report
        .connectors
        .iter()
        .find_map(|connector| connector.error.as_ref());
    if let (Exit::Invalid, Some(error)) = (exit, error) {
        let failure = Failure::new(exit, "LS0210", &error.message);
        return failure.form(output).report();
    }
    summary::print(&ended.report, output, true, &ended.topics);
    exit
}

impl Refused {
    fn into_failure(self) -> Failure {
        let code = linkspan_config::codes::find(&self.code).map_or("LS0601", |code| code.code);
        let failure = Failure::new(Exit::from_code(self.exit), code, self.message);
        match self.help {
            Some(help) => failure.help(help),
            None => failure,
        }
    }
}

/// What waits for the end of another run says once.
pub(super) fn say_waiting(data: &Path) {
    terminal::note(&format!(
        "another run works on `{}` and takes no jobs: this one begins when it has ended (--timeout bounds the wait)",
        data.display()
    ));
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn lines_are_cut_where_they_end() {
        let mut buffer = b"{\"a\":1}\n{\"b\"".to_vec();
        assert_eq!(take_line(&mut buffer).unwrap(), b"{\"a\":1}");
        assert_eq!(take_line(&mut buffer), None);
        buffer.extend_from_slice(b":2}\n");
        assert_eq!(take_line(&mut buffer).unwrap(), b"{\"b\":2}");
        assert!(buffer.is_empty());
    }

    #[test]
    fn every_event_of_a_host_can_be_read() {
        for text in [
            json!({ "started": { "run_id": "1", "host_pid": 7 } }),
            json!({ "progress": { "read": 1, "written": 0 } }),
            json!({ "failed": { "code": "LS0210", "message": "m", "help": Value::Null, "exit": 2 } }),
        ] {
            assert!(serde_json::from_value::<Event>(text).is_ok());
        }
    }
}
