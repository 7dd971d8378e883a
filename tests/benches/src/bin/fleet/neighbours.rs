//! What a neighbour keeps of its rate while connectors of a plugin misbehave.
//!
//! ```text
//! rogues stopped │ at work │ stopped │ at work │ …      median of (at work / stopped before it)
//! ```
//! The neighbour moves 20,000 records a second, which one that is held up does not reach, and, as a second figure, as many
//! as it can, where it also shares the processors with what misbehaves.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::host::{Folder, Host};
use crate::{Options, median};

/// Records a second of the neighbour; none is as fast as it can.
const PACES: [u64; 2] = [20_000, 0];
/// What is printed, and the plugin's word for it; `hang` is deaf to every stop until a file appears.
const MOODS: [(&str, &str); 4] = [
    ("blocked", "hang"),
    ("panicking", "panic"),
    ("slow", "slow"),
    ("spinning", "spin"),
];
/// What a neighbour keeps at least.
const KEPT: f64 = 0.9;
/// Where the sources of the plugin are, seen from this crate.
const ROGUE: &str = "../plugins/rogue";
const SDK: [(&str, &str); 3] = [
    ("linkspan-sdk", "../../sdk/sdk"),
    ("linkspan-abi", "../../sdk/abi"),
    ("linkspan-derive", "../../sdk/derive"),
];

/// Prints a ratio for each mood, number of rogues and pace.
pub(crate) fn measure(options: &Options) -> Result<()> {
    let built = Folder::new()?;
    let plugins = build(&built.0)?;
    for rogues in &options.rogues {
        for pace in PACES {
            for (name, mood) in MOODS {
                let mut ratios = ratios(options, &plugins, *rogues, mood, pace)?;
                let kept = median(&mut ratios);
                println!(
                    "neighbour of {rogues} {name}, {}: keeps {kept:.3} of its rate{} ({ratios:.2?})",
                    if pace == 0 {
                        "unpaced".to_owned()
                    } else {
                        format!("{pace} records/s")
                    },
                    if kept < KEPT { " BELOW 0.9" } else { "" }
                );
            }
        }
    }
    Ok(())
}

fn ratios(
    options: &Options,
    plugins: &Path,
    rogues: usize,
    mood: &str,
    pace: u64,
) -> Result<Vec<f64>> {
    let folder = Folder::new()?;
    let free = folder.0.join("free");
    let mut yaml = format!(
        "connectors:\n  neighbour-in: {{ connector: generator-source, topic: pace, rate: {pace} }}\n  \
         neighbour-out: {{ connector: blackhole-sink, topics: [pace], offset.flush.interval.ms: 50 }}\n\
         topics: {{ pace: {{ retention.bytes: 64MiB }} }}\n"
    );
    let names: Vec<String> = (0..rogues).map(|n| format!("rogue-{n}")).collect();
    let mut rows = String::new();
    for name in &names {
        // Writing to a text cannot fail.
        let _written = writeln!(
            rows,
            "  {name}: {{ connector: rogue-source, topic: rogue, at: poll, mood: {mood}, until: {}, every: 1ms, initial.state: STOPPED }}",
            free.display()
        );
    }
    let at = yaml.find("topics: { pace").unwrap_or(yaml.len());
    yaml.insert_str(at, &rows);
    let mut host = Host::start(&options.binary, folder, &yaml, Some(plugins))?;
    host.until("moving records", |host| Ok(records(host)? > 0.0))?;
    let mut ratios = Vec::new();
    for _ in 0..options.rounds {
        let alone = rate(&host, options.seconds)?;
        match fs::remove_file(&free) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        all(&mut host, &names, "resume", |row| is(row, "RUNNING"))?;
        ratios.push(rate(&host, options.seconds)? / alone);
        fs::write(&free, "")?;
        all(&mut host, &names, "stop", |row| {
            is(row, "STOPPED") && row.get("zombies").and_then(Value::as_u64) == Some(0)
        })?;
    }
    Ok(ratios)
}

fn is(row: &Value, state: &str) -> bool {
    row.get("state").is_some_and(|is| is == state)
}

/// Gives a command to all rogues and waits until each has followed it.
fn all(
    host: &mut Host,
    names: &[String],
    command: &str,
    reached: impl Fn(&Value) -> bool,
) -> Result<()> {
    for name in names {
        host.command(name, command)?;
    }
    for name in names {
        host.until(&format!("{command} of {name}"), |host| {
            Ok(reached(&host.json(&format!("/api/v1/connectors/{name}"))?))
        })?;
    }
    Ok(())
}

fn records(host: &Host) -> Result<f64> {
    let row = host.json("/api/v1/connectors/neighbour-out")?;
    row.get("records")
        .and_then(Value::as_f64)
        .with_context(|| format!("no records in {row}"))
}

/// Records a second of the neighbour.
fn rate(host: &Host, seconds: u64) -> Result<f64> {
    let (before, begun) = (records(host)?, Instant::now());
    std::thread::sleep(Duration::from_secs(seconds));
    Ok((records(host)? - before) / begun.elapsed().as_secs_f64())
}

/// Builds the plugin that misbehaves, outside the repository; returns the folder of its library.
fn build(folder: &Path) -> Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::create_dir_all(folder.join("rogue/src"))?;
    for file in ["Cargo.toml", "Cargo.lock", "src/lib.rs"] {
        fs::copy(here.join(ROGUE).join(file), folder.join("rogue").join(file))?;
    }
    let mut command = Command::new("cargo");
    command
        .args(["build", "--quiet", "--target-dir"])
        .arg(folder.join("target"))
        .current_dir(folder.join("rogue"))
        .stdin(Stdio::null());
    for (name, path) in SDK {
        let path = fs::canonicalize(here.join(path))?;
        command.args([
            "--config",
            &format!(
                "patch.crates-io.{name}.path={:?}",
                path.display().to_string()
            ),
        ]);
    }
    ensure!(
        command.status()?.success(),
        "the plugin of tests/plugins/rogue does not build"
    );
    let plugins = folder.join("plugins");
    fs::create_dir_all(&plugins)?;
    fs::copy(
        folder.join("target/debug/librogue.so"),
        plugins.join("librogue.so"),
    )?;
    Ok(plugins)
}
