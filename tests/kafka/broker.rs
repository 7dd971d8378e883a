//! A real broker for the tests of one process: started by the first that asks, ended with the process; and a cluster of three.

use std::env;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use tempfile::TempDir;

use crate::support::{eventually, skip_outside_ci};
use crate::tls;

/// How long a broker may take to answer; JVMs start slowly on busy machines.
const START_LIMIT: Duration = Duration::from_secs(180);
/// User and password of the listener with SASL.
pub(crate) const USER: &str = "app";
pub(crate) const PASSWORD: &str = "correct-horse-battery";

/// Brokers that run: one for all tests, or three of a cluster of a test's own.
pub(crate) struct Broker {
    /// `127.0.0.1:port`, no protection; of a cluster all, with commas.
    pub(crate) plain: String,
    /// `127.0.0.1:port`, SASL/PLAIN.
    pub(crate) sasl: String,
    /// Port of the listener with TLS, whose certificate names `localhost` and nothing else.
    pub(crate) tls: u16,
    /// The same with SASL: PLAIN and SCRAM.
    pub(crate) sasl_tls: u16,
    /// Replicas of the topics that tests create.
    pub(crate) replicas: i32,
    folder: TempDir,
    asking: OnceLock<BaseConsumer>,
    nodes: Vec<Node>,
}

/// One broker's process. It ends with this process, however that ends: its guard waits for a pipe to close.
struct Node {
    pid: PathBuf,
    _guard: Child,
}

/// Ports of a node.
struct Ports {
    plain: u16,
    sasl: u16,
    tls: u16,
    sasl_tls: u16,
    controller: u16,
}

impl Ports {
    fn free() -> Self {
        let [plain, sasl, tls, sasl_tls, controller] = [(); 5].map(|()| free_port());
        Self {
            plain,
            sasl,
            tls,
            sasl_tls,
            controller,
        }
    }
}

/// Returns the broker of this process, or notes that `what` was skipped.
pub(crate) fn broker(what: &str) -> Option<&'static Broker> {
    static BROKER: OnceLock<Result<Broker, String>> = OnceLock::new();
    match BROKER.get_or_init(Broker::start) {
        Ok(broker) => Some(broker),
        Err(why) => {
            skip_outside_ci(what, why);
            None
        }
    }
}

/// The folder of Kafka's jars.
pub(crate) fn libraries() -> Result<PathBuf, String> {
    let named = env::var_os("KAFKA_LIBS").map(PathBuf::from);
    let folder =
        named.ok_or("KAFKA_LIBS names no folder of Kafka's jars, see tests/run --install")?;
    let found = fs::read_dir(&folder)
        .map_err(|error| format!("KAFKA_LIBS, {}: {error}", folder.display()))?;
    let has_server = found
        .filter_map(Result::ok)
        .any(|entry| entry.file_name().to_string_lossy().starts_with("kafka_2."));
    if has_server {
        Ok(folder)
    } else {
        Err(format!("{} has no jar of Kafka's server", folder.display()))
    }
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// A command of a small JVM.
pub(crate) fn java(libraries: &Path, heap: &str) -> Command {
    let mut command = Command::new("java");
    command
        .args([heap, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp"])
        .arg(libraries.join("*"));
    command
}

impl Broker {
    fn start() -> Result<Self, String> {
        Self::of(1)
    }

    /// Starts a broker that is one test's alone, to be stopped and killed.
    pub(crate) fn alone() -> Result<Self, String> {
        Self::of(1)
    }

    /// Starts a cluster of three, with every record on at least two of them.
    pub(crate) fn cluster() -> Result<Self, String> {
        Self::of(3)
    }

    fn of(count: usize) -> Result<Self, String> {
        let libraries = libraries()?;
        Command::new("java")
            .arg("-version")
            .stderr(Stdio::null())
            .status()
            .map_err(|error| format!("java: {error}"))?;
        let folder = tempfile::Builder::new()
            .prefix("linkspan-kafka-")
            .tempdir()
            .unwrap();
        tls::write_certificates(folder.path());
        let ports: Vec<Ports> = (0..count).map(|_| Ports::free()).collect();
        for id in 1..=count {
            let text = server_properties(folder.path(), id, &ports);
            fs::write(folder.path().join(format!("node-{id}.properties")), text).unwrap();
        }
        format_storage(&libraries, folder.path(), count);
        let nodes = (1..=count)
            .map(|id| Node::start(&libraries, folder.path(), id, count))
            .collect();
        let plain: Vec<String> = ports
            .iter()
            .map(|ports| format!("127.0.0.1:{}", ports.plain))
            .collect();
        let broker = Self {
            plain: plain.join(","),
            sasl: format!("127.0.0.1:{}", ports[0].sasl),
            tls: ports[0].tls,
            sasl_tls: ports[0].sasl_tls,
            replicas: i32::try_from(count).unwrap(),
            nodes,
            folder,
            asking: OnceLock::new(),
        };
        let asking = broker.asking();
        let answers = eventually(START_LIMIT, || {
            asking
                .fetch_metadata(None, Duration::from_millis(500))
                .is_ok_and(|seen| seen.brokers().len() == count)
        });
        assert!(answers, "the brokers do not answer:\n{}", broker.log());
        Ok(broker)
    }

    /// Ends a broker of a cluster with SIGKILL, by the id that its clients know it by.
    pub(crate) fn kill(&self, id: i32) {
        self.signal(id, "-KILL");
    }

    /// Sends a signal to a broker.
    pub(crate) fn signal(&self, id: i32, signal: &str) {
        let node = &self.nodes[usize::try_from(id).unwrap() - 1];
        let pid = fs::read_to_string(&node.pid).unwrap();
        let sent = Command::new("kill").args([signal, pid.trim()]).status();
        assert!(sent.unwrap().success(), "kill {signal} {pid}");
    }

    /// Starts a broker that was killed again, on the same ports and data.
    pub(crate) fn start_again(&mut self, id: i32) {
        let at = usize::try_from(id).unwrap();
        let libraries = libraries().unwrap();
        self.nodes[at - 1] = Node::start(&libraries, self.folder.path(), at, self.nodes.len());
    }

    /// Waits until a topic's partitions have leaders that answer.
    pub(crate) fn answers(&self, topic: &str) -> bool {
        eventually(START_LIMIT, || {
            let seen = self
                .asking()
                .fetch_metadata(Some(topic), Duration::from_millis(500));
            seen.is_ok_and(|seen| {
                let mut topics = seen.topics().iter();
                topics.all(|topic| {
                    let mut all = topic.partitions().iter();
                    all.len() > 0 && all.all(|one| one.leader() >= 0 && one.error().is_none())
                })
            })
        })
    }

    /// The authority that vouches for the listeners with TLS, a PEM file.
    pub(crate) fn authority(&self) -> PathBuf {
        self.folder.path().join(tls::AUTHORITY)
    }

    /// A client that asks about topics, as reader of everything.
    pub(crate) fn asking(&self) -> &BaseConsumer {
        self.asking.get_or_init(|| {
            let mut config = ClientConfig::new();
            config
                .set("bootstrap.servers", &self.plain)
                .set("isolation.level", "read_uncommitted");
            config.create().unwrap()
        })
    }

    /// What the brokers printed.
    pub(crate) fn log(&self) -> String {
        let logs = (1..=self.nodes.len()).map(|id| self.folder.path().join(log_of(id)));
        logs.map(|path| fs::read_to_string(path).unwrap()).collect()
    }
}

impl Node {
    fn start(libraries: &Path, folder: &Path, id: usize, count: usize) -> Self {
        let server = java(libraries, if count == 1 { "-Xmx768m" } else { "-Xmx256m" });
        let log = fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(folder.join(log_of(id)))
            .unwrap();
        let pid = folder.join(format!("node-{id}.pid"));
        let mut guard = Command::new("sh");
        guard
            .args([
                "-c",
                "pid=$1; shift; \"$@\" & server=$!; echo $server >$pid; cat >/dev/null; kill -9 $server; wait $server",
                "guard",
            ])
            .arg(&pid)
            .arg(server.get_program())
            .args(server.get_args())
            .arg("kafka.Kafka")
            .arg(folder.join(format!("node-{id}.properties")))
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        Self {
            pid,
            _guard: guard.spawn().unwrap(),
        }
    }
}

fn log_of(id: usize) -> String {
    format!("node-{id}.log")
}

/// Formats the folder of the first node with Kafka's tool; the others' are copies with numbers of their own, which saves
/// two starts of a JVM.
fn format_storage(libraries: &Path, folder: &Path, count: usize) {
    let log = fs::File::create(folder.join(log_of(1))).unwrap();
    // The tool takes an id that begins with `-` for an option.
    let id = std::iter::repeat_with(kafka_uuid)
        .find(|id| !id.starts_with('-'))
        .unwrap();
    let mut tool = java(libraries, "-Xmx256m");
    tool.args(["kafka.tools.StorageTool", "format", "-t", &id, "-c"])
        .arg(folder.join("node-1.properties"));
    if count == 1 {
        tool.arg("--standalone");
    }
    for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
        tool.args([
            "--add-scram",
            &format!("{mechanism}=[name={USER},password={PASSWORD}]"),
        ]);
    }
    let formatted = tool
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .status()
        .unwrap();
    assert!(
        formatted.success(),
        "{}",
        fs::read_to_string(folder.join(log_of(1))).unwrap()
    );
    for id in 2..=count {
        let (from, to) = (folder.join("data-1"), folder.join(format!("data-{id}")));
        fs::create_dir(&to).unwrap();
        for entry in fs::read_dir(&from).unwrap() {
            let entry = entry.unwrap();
            let text = fs::read(entry.path()).unwrap();
            let name = entry.file_name();
            if name == "meta.properties" {
                let text: String = String::from_utf8(text)
                    .unwrap()
                    .lines()
                    .map(|line| match line.split_once('=') {
                        Some(("node.id", _)) => format!("node.id={id}\n"),
                        Some(("directory.id", _)) => format!("directory.id={}\n", kafka_uuid()),
                        _ => format!("{line}\n"),
                    })
                    .collect();
                fs::write(to.join(name), text).unwrap();
            } else {
                fs::write(to.join(name), text).unwrap();
            }
        }
    }
}

/// An id as Kafka writes them.
fn kafka_uuid() -> String {
    base64::Engine::encode(
        &base64::engine::general_purpose::URL_SAFE_NO_PAD,
        uuid::Uuid::new_v4().as_bytes(),
    )
}

fn server_properties(folder: &Path, id: usize, all: &[Ports]) -> String {
    let Ports {
        plain,
        sasl,
        tls,
        sasl_tls,
        controller,
    } = all[id - 1];
    let data = folder.join(format!("data-{id}")).display().to_string();
    let keys = folder.join(tls::SERVER).display().to_string();
    let (count, least) = (all.len(), if all.len() > 1 { 2 } else { 1 });
    let quorum = if count == 1 {
        format!("controller.quorum.bootstrap.servers=127.0.0.1:{controller}")
    } else {
        let voters: Vec<String> = (1..)
            .zip(all)
            .map(|(id, ports): (usize, _)| format!("{id}@127.0.0.1:{}", ports.controller))
            .collect();
        // A broker that died is noticed soon, and three of them fit into small heaps.
        format!(
            "controller.quorum.voters={}\nbroker.session.timeout.ms=4000\nbroker.heartbeat.interval.ms=500\nlog.cleaner.dedupe.buffer.size=8000000\nnum.network.threads=1\nnum.io.threads=2\nnum.replica.fetchers=1",
            voters.join(",")
        )
    };
    format!(
        "process.roles=broker,controller
node.id={id}
listeners=PLAINTEXT://127.0.0.1:{plain},SASL://127.0.0.1:{sasl},TLS://127.0.0.1:{tls},STLS://127.0.0.1:{sasl_tls},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{plain},SASL://127.0.0.1:{sasl},TLS://localhost:{tls},STLS://localhost:{sasl_tls}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL:SASL_PLAINTEXT,TLS:SSL,STLS:SASL_SSL,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
{quorum}
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.sasl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}=\"{PASSWORD}\";
listener.name.stls.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}=\"{PASSWORD}\";
listener.name.sasl.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.stls.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.stls.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
ssl.keystore.type=PEM
ssl.keystore.location={keys}
log.dirs={data}
auto.create.topics.enable=true
default.replication.factor={count}
min.insync.replicas={least}
offsets.topic.replication.factor={count}
offsets.topic.num.partitions=1
transaction.state.log.replication.factor={count}
transaction.state.log.min.isr={least}
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor={count}
share.coordinator.state.topic.min.isr={least}
group.initial.rebalance.delay.ms=0
num.partitions=4
log.initial.task.delay.ms=1000
"
    )
}
