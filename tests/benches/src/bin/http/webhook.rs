//! `webhook-source` beside bare axum.

use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tokio::runtime::Runtime;

use crate::endpoint::Endpoint;
use crate::host::Host;
use crate::{Measured, Options, callers, median};

/// How long a host may take until it listens.
const START_LIMIT: Duration = Duration::from_secs(60);

pub(crate) fn compare(
    options: &Options,
    connections: usize,
    runtime: &Runtime,
) -> Result<(Measured, Measured)> {
    let time = Duration::from_secs(options.seconds);
    let bare = Endpoint::start()?;
    let listen = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let yaml = format!(
        "connectors:\n  in:\n    connector: webhook-source\n    topic: calls\n    listen: {listen}\n"
    );
    let host = Host::start(&options.binary, "webhook", &yaml)?;
    let begin = Instant::now();
    while TcpStream::connect(listen).is_err() {
        ensure!(
            begin.elapsed() < START_LIMIT,
            "the host does not listen:\n{}",
            host.log()
        );
        thread::sleep(Duration::from_millis(10));
    }
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        let mut measured = runtime.block_on(callers::post(
            &listen.to_string(),
            connections,
            options.size,
            time,
        ))?;
        measured.resident_kib = host.resident_kib()?;
        ours.push(measured);
        theirs.push(runtime.block_on(callers::post(
            &bare.address,
            connections,
            options.size,
            time,
        ))?);
    }
    Ok((median(ours), median(theirs)))
}
