//! A real broker for the tests of one process: started by the first that asks, ended with the process.

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

/// How long a broker may take to answer; JVMs start slowly on busy machines.
const START_LIMIT: Duration = Duration::from_secs(180);
/// User and password of the listener with SASL.
pub(crate) const USER: &str = "app";
pub(crate) const PASSWORD: &str = "correct-horse-battery";

/// A broker that runs.
pub(crate) struct Broker {
    /// `127.0.0.1:port`, no protection.
    pub(crate) plain: String,
    /// `127.0.0.1:port`, SASL/PLAIN.
    pub(crate) sasl: String,
    folder: TempDir,
    asking: OnceLock<BaseConsumer>,
    /// Holds the pipe that the broker's guard waits on: it closes with this process, however that ends.
    _guard: Child,
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
        let [plain, sasl, controller] = [(); 3].map(|()| free_port());
        let properties = folder.path().join("server.properties");
        fs::write(
            &properties,
            server_properties(folder.path(), plain, sasl, controller),
        )
        .unwrap();
        let log = fs::File::create(folder.path().join("server.log")).unwrap();
        // The tool takes an id that begins with `-` for an option.
        let mut ids = std::iter::repeat_with(|| {
            base64::Engine::encode(
                &base64::engine::general_purpose::URL_SAFE_NO_PAD,
                uuid::Uuid::new_v4().as_bytes(),
            )
        });
        let id = ids.find(|id: &String| !id.starts_with('-')).unwrap();
        let formatted = java(&libraries, "-Xmx256m")
            .args([
                "kafka.tools.StorageTool",
                "format",
                "--standalone",
                "-t",
                &id,
                "-c",
            ])
            .arg(&properties)
            .stdout(log.try_clone().unwrap())
            .stderr(log.try_clone().unwrap())
            .status()
            .unwrap();
        assert!(
            formatted.success(),
            "{}",
            fs::read_to_string(folder.path().join("server.log")).unwrap()
        );
        let server = java(&libraries, "-Xmx768m");
        let mut guard = Command::new("sh");
        guard
            .args([
                "-c",
                "\"$@\" & server=$!; cat >/dev/null; kill -9 $server; wait $server",
                "guard",
            ])
            .arg(server.get_program())
            .args(server.get_args())
            .arg("kafka.Kafka")
            .arg(&properties)
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        let broker = Self {
            plain: format!("127.0.0.1:{plain}"),
            sasl: format!("127.0.0.1:{sasl}"),
            _guard: guard.spawn().unwrap(),
            folder,
            asking: OnceLock::new(),
        };
        let asking = broker.asking();
        let answers = eventually(START_LIMIT, || {
            asking
                .fetch_metadata(None, Duration::from_millis(500))
                .is_ok()
        });
        assert!(answers, "the broker does not answer:\n{}", broker.log());
        Ok(broker)
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

    /// What the broker printed.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("server.log")).unwrap()
    }
}

fn server_properties(folder: &Path, plain: u16, sasl: u16, controller: u16) -> String {
    let data = folder.join("data").display().to_string();
    format!(
        "process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:{plain},SASL://127.0.0.1:{sasl},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{plain},SASL://127.0.0.1:{sasl}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
sasl.enabled.mechanisms=PLAIN
listener.name.sasl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}=\"{PASSWORD}\";
log.dirs={data}
auto.create.topics.enable=true
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
num.partitions=4
log.initial.task.delay.ms=1000
"
    )
}
