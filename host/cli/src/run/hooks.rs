//! `on.failure` and `on.success`: what is done after a job, with its summary.
//!
//! A command gets the summary on its standard input, an address by `POST`. Neither changes what the job came to: what goes
//! wrong here is a warning of the summary. `on.success` is for status `ok`, `on.failure` for `failed` and for `partial`.

use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use linkspan_config::{Action, Hook, JobPlan};
use linkspan_runtime::WarningReport;
use serde_json::Value;
use tokio_rustls::rustls::RootCertStore;

use crate::net::{self, Stream, system_roots};
use crate::terminal;

/// How often the end of a command is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// What a hook is told beside the summary.
pub(crate) struct Told<'a> {
    pub(crate) job: &'a str,
    pub(crate) run_id: &'a str,
    pub(crate) status: &'a str,
}

/// Does what `jobs` say for a run of this status; returns what did not work.
pub(crate) fn run(
    jobs: &[&JobPlan],
    told: &Told<'_>,
    summary: &Value,
    tokio: &tokio::runtime::Handle,
) -> Vec<WarningReport> {
    let mut warnings = Vec::new();
    for job in jobs {
        let (name, hooks) = if told.status == "ok" {
            ("on.success", &job.on_success)
        } else {
            ("on.failure", &job.on_failure)
        };
        for hook in hooks {
            let done = match &hook.action {
                Action::Command(words) => command(hook, words, told, summary),
                Action::Call { url, headers } => {
                    let call = call(url, headers, summary.to_string(), system_roots);
                    let within = async { tokio::time::timeout(hook.timeout, call).await };
                    tokio.block_on(within).unwrap_or_else(|_| {
                        Err(format!(
                            "no answer within {}",
                            terminal::duration(hook.timeout)
                        ))
                    })
                }
            };
            if let Err(why) = done {
                let message = format!("`{name}` ({}): {why}", hook.source);
                terminal::warning("LS0430", &message);
                warnings.push(WarningReport {
                    code: "LS0430".to_owned(),
                    message,
                });
            }
        }
    }
    warnings
}

/// Runs a program in the folder of the file that names it. Its output goes to stderr: stdout belongs to the summary.
fn command(hook: &Hook, words: &[String], told: &Told<'_>, summary: &Value) -> Result<(), String> {
    let Some((program, arguments)) = words.split_first() else {
        return Err("it names no program".to_owned());
    };
    let path = if program.contains('/') {
        hook.base.join(program)
    } else {
        PathBuf::from(program)
    };
    let output = std::io::stderr()
        .as_fd()
        .try_clone_to_owned()
        .map_err(|error| format!("stderr cannot be shared: {error}"))?;
    let mut child = Command::new(path)
        .args(arguments)
        .current_dir(&hook.base)
        .env("LINKSPAN_JOB", told.job)
        .env("LINKSPAN_RUN_ID", told.run_id)
        .env("LINKSPAN_STATUS", told.status)
        .stdin(Stdio::piped())
        .stdout(Stdio::from(output))
        // A signal from the keyboard is for the host, and what the program starts ends with it.
        .process_group(0)
        .spawn()
        .map_err(|error| format!("`{program}` could not be started: {error}"))?;
    let text = summary.to_string();
    let stdin = child.stdin.take();
    let writer = std::thread::spawn(move || {
        if let Some(mut stdin) = stdin {
            // A program that does not want to know closes it.
            drop(stdin.write_all(text.as_bytes()));
        }
    });
    let deadline = Instant::now() + hook.timeout;
    let ended = loop {
        match child.try_wait() {
            Ok(Some(status)) => break verdict(program, status),
            Ok(None) if Instant::now() >= deadline => {
                kill(&child);
                drop(child.wait());
                let limit = terminal::duration(hook.timeout);
                break Err(format!(
                    "`{program}` took longer than {limit} and was ended"
                ));
            }
            Ok(None) => std::thread::sleep(LOOK_EVERY),
            Err(error) => break Err(format!("`{program}` cannot be waited for: {error}")),
        }
    };
    // What the program started may still hold its standard input open; it is not waited for.
    if writer.is_finished() {
        drop(writer.join());
    }
    ended
}

fn verdict(program: &str, status: ExitStatus) -> Result<(), String> {
    if status.success() {
        Ok(())
    } else {
        Err(format!("`{program}` ended with {status}"))
    }
}

fn kill(child: &std::process::Child) {
    let group = i32::try_from(child.id())
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    if let Some(group) = group {
        // It may have ended this moment, which is what is wanted.
        rustix::process::kill_process_group(group, rustix::process::Signal::KILL).ok();
    }
}

/// Posts the summary; anything but 2xx is a failure. Redirects are not followed.
async fn call(
    url: &str,
    headers: &std::collections::BTreeMap<String, String>,
    body: String,
    roots: fn() -> RootCertStore,
) -> Result<(), String> {
    let uri: Uri = url
        .parse()
        .map_err(|_| "its url is no address".to_owned())?;
    let host = uri.host().ok_or("its url names no host")?;
    let secure = uri.scheme_str() == Some("https");
    let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
    let place = uri.path_and_query().map_or("/", |rest| rest.as_str());
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(place)
        .header(
            HOST,
            uri.authority().map_or(host, |authority| authority.as_str()),
        )
        .header(CONTENT_TYPE, "application/json")
        .header(USER_AGENT, concat!("linkspan/", env!("CARGO_PKG_VERSION")));
    for (name, value) in headers {
        let bad = || format!("its header `{}` is none", name.escape_debug());
        let name = HeaderName::try_from(name.as_str()).map_err(|_| bad())?;
        let value = HeaderValue::try_from(value.as_str()).map_err(|_| bad())?;
        request = request.header(name, value);
    }
    let request = request
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| error.to_string())?;
    let stream = net::connect(&uri, || Ok(roots())).await?;
    let status = send(stream, request).await?;
    if status.is_success() {
        Ok(())
    } else {
        Err(format!("`{host}:{port}` answered {status}"))
    }
}

async fn send(
    stream: Box<dyn Stream>,
    request: Request<Full<Bytes>>,
) -> Result<StatusCode, String> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| error.to_string())?;
    let driven = tokio::spawn(connection);
    let answer = sender
        .send_request(request)
        .await
        .map_err(|error| format!("the connection broke: {error}"))?;
    let status = answer.status();
    // The answer's body says nothing that is needed; a closed connection lets the other side know that it was heard.
    drop(answer.into_body().boxed());
    driven.abort();
    Ok(status)
}

#[cfg(test)]
mod tests;
