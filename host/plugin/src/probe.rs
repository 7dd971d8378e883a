//! Loads a plugin in a child process first: what would kill the host kills the child.
//!
//! The child is the host's own program as `linkspan plugin-probe FILE`. It prints one line, `linkspan-probe 1 JSON`, with a manifest or
//! a refusal; other lines are the plugin's own and are passed over.

use std::{
    io::{Read as _, Write as _},
    os::unix::process::ExitStatusExt as _,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use linkspan_abi::{BATCH_FORMAT, manifest::Manifest};
use serde_json::{Value as Json, json};

use crate::{
    finding::{self, CRASHED, MANIFEST, Refusal},
    load::load,
};

/// How long loading a plugin and asking for its manifest may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The most that a child may print.
const OUTPUT_BYTES_MAX: u64 = 16 << 20;
const MARK: &str = "linkspan-probe 1 ";
/// The child's exit code after it printed a refusal.
const REFUSED: i32 = 3;

/// Runs as the child: loads the file, prints what it is, returns the exit code.
#[must_use]
pub fn probe_main(path: &Path) -> i32 {
    let outcome = load(path).and_then(|plugin| {
        let manifest = (plugin.manifest())();
        accept(manifest.as_str())
    });
    let (json, code) = match outcome {
        Ok(manifest) => (json!({ "manifest": manifest.to_json() }), 0),
        Err(refusal) => (
            json!({ "refused": {
                "code": refusal.code,
                "reason": refusal.reason,
                "plugin": refusal.plugin,
                "differs": refusal.differs,
            }}),
            REFUSED,
        ),
    };
    let mut out = std::io::stdout().lock();
    let printed = out
        .write_all(format!("\n{MARK}{json}\n").as_bytes())
        .and_then(|()| out.flush());
    if printed.is_ok() { code } else { 1 }
}

/// Reads a manifest and checks what the host needs of it.
pub(crate) fn accept(text: &str) -> Result<Manifest, Refusal> {
    let manifest = Manifest::from_json(text)
        .map_err(|error| Refusal::new(MANIFEST, format!("its manifest is not valid: {error}")))?;
    let built = || format!("{} (ABI {})", manifest.sdk_version, manifest.abi_version);
    let refuse = |reason: String| Err(Refusal::new(MANIFEST, reason).built_with(built()));
    if manifest.name.is_empty() || manifest.name.contains(char::is_control) {
        return refuse("its manifest has no name".to_owned());
    }
    if manifest.batch_format == 0 {
        return refuse(format!(
            "it reads no batch format, this host writes up to {BATCH_FORMAT}"
        ));
    }
    if manifest.classes.iter().any(|class| class.name.is_empty()) {
        return refuse("a class of it has no name".to_owned());
    }
    Ok(manifest)
}

/// Probes a file in a child process.
pub(crate) fn probe(program: &Path, path: &Path) -> Result<Manifest, Refusal> {
    let child = Command::new(program)
        .arg("plugin-probe")
        .arg(path)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let child = child.map_err(|error| {
        Refusal::new(CRASHED, format!("the probing child did not start: {error}"))
    })?;
    let (output, status) = wait(child)?;
    let line = output
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix(MARK))
        .and_then(|line| serde_json::from_str::<Json>(line).ok());
    match line {
        Some(line) => read_line(&line),
        None => Err(Refusal::new(
            CRASHED,
            format!("loading it {}", died(status)),
        )),
    }
}

fn read_line(line: &Json) -> Result<Manifest, Refusal> {
    if let Some(manifest) = line.get("manifest").and_then(Json::as_str) {
        return accept(manifest);
    }
    let part = |name: &str| {
        let refused = line.get("refused")?;
        refused.get(name)?.as_str().map(str::to_owned)
    };
    let code = finding::code(&part("code").unwrap_or_default());
    let mut refusal = Refusal::new(code, part("reason").unwrap_or_default());
    refusal.plugin = part("plugin");
    refusal.differs = part("differs");
    Err(refusal)
}

fn died(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("kills the process with signal {signal}"),
        (None, Some(code)) => format!("ends the process with exit code {code}"),
        (None, None) => "ends the process".to_owned(),
    }
}

/// Collects what the child prints and how it ends; kills it when its time is over.
fn wait(mut child: Child) -> Result<(String, ExitStatus), Refusal> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let stdout = child.stdout.take();
    let reader = thread::Builder::new()
        .name("plugin-probe".to_owned())
        .spawn(move || {
            let mut output = Vec::new();
            if let Some(stdout) = stdout {
                // A broken pipe ends the output; how the child ended says why.
                let _complete = stdout
                    .take(OUTPUT_BYTES_MAX)
                    .read_to_end(&mut output)
                    .is_ok();
            }
            // Nobody listens any more after a timeout.
            let _sent = sender.send(output).is_ok();
        });
    let output = match &reader {
        Ok(_) => receiver.recv_timeout(TIMEOUT).ok(),
        Err(_) => None,
    };
    if output.is_none() {
        // Fails only if it has ended by itself.
        let _killed = child.kill().is_ok();
    }
    let status = child.wait();
    // The reader of a child that was killed ends with it, unless a grandchild holds the pipe: then it is left alone.
    if let (Ok(reader), true) = (reader, output.is_some()) {
        let _joined = reader.join().is_ok();
    }
    match (output, status) {
        (Some(output), Ok(status)) => Ok((String::from_utf8_lossy(&output).into_owned(), status)),
        (None, _) => Err(Refusal::new(
            CRASHED,
            format!("loading it takes longer than {} s", TIMEOUT.as_secs()),
        )),
        (_, Err(error)) => Err(Refusal::new(
            CRASHED,
            format!("the probing child was lost: {error}"),
        )),
    }
}
