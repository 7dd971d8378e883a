//! A private broker, and Kafka's own programs that measure.

use std::fs;
use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// How long the broker may take to answer.
const START_LIMIT: Duration = Duration::from_secs(120);

/// A broker that runs until it is dropped.
pub(crate) struct Broker {
    pub(crate) address: String,
    libraries: PathBuf,
    server: Child,
}

impl Broker {
    pub(crate) fn start(libraries: &Path, folder: &Path) -> Result<Self> {
        let (port, controller) = (free_port()?, free_port()?);
        let properties = folder.join("server.properties");
        fs::write(&properties, properties_of(folder, port, controller))?;
        let log = fs::File::create(folder.join("server.log"))?;
        let formatted = java(libraries, "-Xmx256m")
            .args(["kafka.tools.StorageTool", "format", "--standalone"])
            .args(["-t", "bGlua3NwYW4tYmVuY2gtMQ", "-c"])
            .arg(&properties)
            .stdout(log.try_clone()?)
            .stderr(log.try_clone()?)
            .status()
            .context("java")?;
        if !formatted.success() {
            bail!("{}", fs::read_to_string(folder.join("server.log"))?);
        }
        let server = java(libraries, "-Xmx1g")
            .arg("kafka.Kafka")
            .arg(&properties)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let broker = Self {
            address: format!("127.0.0.1:{port}"),
            libraries: libraries.to_owned(),
            server,
        };
        let begin = Instant::now();
        while TcpStream::connect(&broker.address).is_err() {
            if begin.elapsed() > START_LIMIT {
                bail!("{}", fs::read_to_string(folder.join("server.log"))?);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(broker)
    }

    /// ProducerPerformance into a new topic; its records for each second.
    pub(crate) fn produce(&self, topic: &str, records: u64, size: u64) -> Result<f64> {
        let text = self.tool(
            "org.apache.kafka.tools.ProducerPerformance",
            &[
                "--topic",
                topic,
                "--num-records",
                &records.to_string(),
                "--record-size",
                &size.to_string(),
                "--throughput",
                "-1",
                "--bootstrap-server",
                &self.address,
                "--command-property",
                "acks=all",
            ],
        )?;
        // The last line sums up: `N records sent, R records/sec (…`.
        let line = text.lines().rev().find(|line| line.contains("records/sec"));
        let words: Vec<&str> = line.unwrap_or_default().split_whitespace().collect();
        let at = words
            .iter()
            .position(|word| word.starts_with("records/sec"));
        let rate = at.and_then(|at| words.get(at.checked_sub(1)?)?.parse().ok());
        rate.with_context(|| format!("no rate in\n{text}"))
    }

    /// ConsumerPerformance; its records for each second of reading, without its wait for the group.
    pub(crate) fn consume(&self, topic: &str, records: u64) -> Result<f64> {
        let text = self.tool(
            "org.apache.kafka.tools.ConsumerPerformance",
            &[
                "--topic",
                topic,
                "--num-records",
                &records.to_string(),
                "--bootstrap-server",
                &self.address,
            ],
        )?;
        let mut lines = text.lines().filter(|line| line.matches(',').count() > 5);
        let names: Vec<&str> = lines
            .next()
            .unwrap_or_default()
            .split(',')
            .map(str::trim)
            .collect();
        let values: Vec<&str> = lines
            .next()
            .unwrap_or_default()
            .split(',')
            .map(str::trim)
            .collect();
        let at = names.iter().position(|name| name.starts_with("fetch.nMsg"));
        let rate = at.and_then(|at| values.get(at)?.parse().ok());
        rate.with_context(|| format!("no rate in\n{text}"))
    }

    /// `kcat -C`, timed as a whole; nothing where it is not installed.
    pub(crate) fn kcat(&self, topic: &str, records: u64) -> Result<Option<f64>> {
        let begin = Instant::now();
        let count = records.to_string();
        let ran = Command::new("kcat")
            .args([
                "-b",
                &self.address,
                "-C",
                "-t",
                topic,
                "-o",
                "beginning",
                "-e",
                "-q",
            ])
            .args(["-c", &count])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        match ran {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
            Ok(status) if !status.success() => bail!("kcat: {status}"),
            Ok(_) => {
                let records = f64::from(u32::try_from(records)?);
                Ok(Some(records / begin.elapsed().as_secs_f64()))
            }
        }
    }

    fn tool(&self, class: &str, arguments: &[&str]) -> Result<String> {
        let ran = java(&self.libraries, "-Xmx512m")
            .arg(class)
            .args(arguments)
            .output()?;
        let text = String::from_utf8_lossy(&ran.stdout).into_owned();
        if !ran.status.success() {
            bail!("{class}: {text}\n{}", String::from_utf8_lossy(&ran.stderr));
        }
        Ok(text)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // Whether it could be ended or had ended before: nothing can be done about it here.
        let _ended = self.server.kill().and_then(|()| self.server.wait());
    }
}

fn java(libraries: &Path, heap: &str) -> Command {
    let mut command = Command::new("java");
    command.args([heap, "-cp"]).arg(libraries.join("*"));
    command
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn properties_of(folder: &Path, port: u16, controller: u16) -> String {
    format!(
        "process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
log.dirs={}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
group.initial.rebalance.delay.ms=0
num.partitions=4
",
        folder.join("kafka").display()
    )
}
