//! Events to systemd's journal, by its native protocol over a datagram socket.
//!
//! One datagram is one event: `KEY=value\n`, or for a value with a line break `KEY\n`, its length as u64 little-endian, the
//! value and `\n`. An event that is too large for a datagram travels as a sealed memory file whose descriptor is sent
//! instead (<https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>).

use std::fmt;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::net::{
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, sendmsg_addr,
};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

/// What the journal shows as the program.
const IDENTIFIER: &str = "linkspan";

/// A layer that writes to one socket.
#[derive(Debug)]
pub(crate) struct Journald {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Journald {
    /// Opens a socket and checks that somebody listens at `path`.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn connect(path: &Path) -> io::Result<Self> {
        let probe = UnixDatagram::unbound()?;
        probe.connect(path)?;
        // Unconnected, so that a journald that was restarted is reached again.
        Ok(Self {
            socket: UnixDatagram::unbound()?,
            path: path.to_owned(),
        })
    }

    fn send(&self, event: &[u8]) -> io::Result<()> {
        match self.socket.send_to(event, &self.path) {
            Ok(_) => Ok(()),
            Err(error)
                if error.raw_os_error() == Some(rustix::io::Errno::MSGSIZE.raw_os_error()) =>
            {
                self.send_as_file(event)
            }
            Err(error) => Err(error),
        }
    }

    fn send_as_file(&self, event: &[u8]) -> io::Result<()> {
        let file = memfd_create(
            "linkspan-event",
            MemfdFlags::ALLOW_SEALING | MemfdFlags::CLOEXEC,
        )?;
        let mut file = std::fs::File::from(file);
        io::Write::write_all(&mut file, event)?;
        fcntl_add_seals(
            &file,
            SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::SEAL,
        )?;
        let fds = [file.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        ancillary.push(SendAncillaryMessage::ScmRights(&fds));
        let address = SocketAddrUnix::new(&self.path)?;
        sendmsg_addr(
            &self.socket,
            &address,
            &[],
            &mut ancillary,
            SendFlags::NOSIGNAL,
        )?;
        Ok(())
    }
}

impl<S: Subscriber> Layer<S> for Journald {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        // A journal that is away must not stop the host, and there is nowhere else to say it.
        drop(self.send(&encode(event)));
    }
}

fn encode(event: &Event<'_>) -> Vec<u8> {
    let metadata = event.metadata();
    let mut fields = Fields::default();
    fields.put("PRIORITY", priority(*metadata.level()));
    fields.put("SYSLOG_IDENTIFIER", IDENTIFIER);
    fields.put("TARGET", metadata.target());
    if let (Some(file), Some(line)) = (metadata.file(), metadata.line()) {
        fields.put("CODE_FILE", file);
        fields.put("CODE_LINE", &line.to_string());
    }
    event.record(&mut fields);
    fields.0
}

/// Syslog's numbers.
fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "3",
        Level::WARN => "4",
        Level::INFO => "6",
        Level::DEBUG | Level::TRACE => "7",
    }
}

/// An event as it is sent.
#[derive(Debug, Default)]
struct Fields(Vec<u8>);

impl Fields {
    fn put(&mut self, key: &str, value: &str) {
        self.0.extend_from_slice(key.as_bytes());
        if value.contains('\n') {
            self.0.push(b'\n');
            self.0
                .extend_from_slice(&(value.len() as u64).to_le_bytes());
        } else {
            self.0.push(b'=');
        }
        self.0.extend_from_slice(value.as_bytes());
        self.0.push(b'\n');
    }
}

/// `message` is the journal's MESSAGE; `connector` becomes `LINKSPAN_CONNECTOR`.
fn key(field: &str) -> String {
    if field == "message" {
        return "MESSAGE".to_owned();
    }
    let name = field.chars().map(|c| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_uppercase()
        } else {
            '_'
        }
    });
    "LINKSPAN_".chars().chain(name).collect()
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(&key(field.name()), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(&key(field.name()), &format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Seek as _};

    use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    /// Splits an event into its fields, by the protocol's rule.
    fn parse(mut bytes: &[u8]) -> Vec<(String, String)> {
        let mut fields = Vec::new();
        while !bytes.is_empty() {
            let end = bytes
                .iter()
                .position(|b| matches!(b, b'=' | b'\n'))
                .unwrap();
            let key = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let (from, len) = if bytes[end] == b'=' {
                (
                    end + 1,
                    bytes[end..].iter().position(|b| *b == b'\n').unwrap() - 1,
                )
            } else {
                (
                    end + 9,
                    usize::try_from(u64::from_le_bytes(
                        bytes[end + 1..end + 9].try_into().unwrap(),
                    ))
                    .unwrap(),
                )
            };
            fields.push((
                key,
                String::from_utf8(bytes[from..from + len].to_vec()).unwrap(),
            ));
            assert_eq!(bytes[from + len], b'\n');
            bytes = &bytes[from + len + 1..];
        }
        fields
    }

    fn get<'a>(fields: &'a [(String, String)], key: &str) -> &'a str {
        fields
            .iter()
            .find(|(name, _)| name == key)
            .map_or("(none)", |(_, value)| value)
    }

    #[test]
    fn events_arrive_with_their_fields_and_line_breaks() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let journal = UnixDatagram::bind(&path).unwrap();
        let layer = Journald::connect(&path).unwrap();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            tracing::warn!(connector = "orders-in", attempt = 3, "first\nsecond");
        });
        let mut buffer = [0; 4096];
        let len = journal.recv(&mut buffer).unwrap();
        let fields = parse(&buffer[..len]);
        for (key, value) in [
            ("PRIORITY", "4"),
            ("SYSLOG_IDENTIFIER", "linkspan"),
            ("MESSAGE", "first\nsecond"),
            ("LINKSPAN_CONNECTOR", "orders-in"),
            ("LINKSPAN_ATTEMPT", "3"),
        ] {
            assert_eq!(get(&fields, key), value, "{key}");
        }
    }

    #[test]
    fn an_event_beyond_a_datagram_travels_as_a_sealed_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let journal = UnixDatagram::bind(&path).unwrap();
        let layer = Journald::connect(&path).unwrap();
        let long = "x".repeat(4 << 20);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            tracing::error!("{long}");
        });
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        recvmsg(&journal, &mut [], &mut ancillary, RecvFlags::empty()).unwrap();
        let fd = ancillary
            .drain()
            .find_map(|message| match message {
                RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
                _ => None,
            })
            .unwrap();
        let mut file = std::fs::File::from(fd);
        file.rewind().unwrap();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        assert_eq!(get(&parse(&bytes), "MESSAGE").len(), long.len());
    }

    #[test]
    fn a_journal_that_is_not_there_is_an_error_at_the_start() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Journald::connect(&folder.path().join("none")).is_err());
    }
}
