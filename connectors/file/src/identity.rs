//! Is this still the file whose first bytes were read before?
//!
//! A file that only grew keeps its head: the checksum of its first KiB, or of all of it while it is shorter. A file
//! that shrank below the position, or whose head changed, was replaced; so was one whose bytes just before the position are
//! others, which tells two files that begin alike (a licence text, a long header). The inode is kept to tell a rename while
//! the file is followed; across runs a copy with the same bytes is the same file.

use std::io;

use serde_json::{Map, Value};

use crate::content::Content;
use crate::storage::Handle;

/// How many bytes from the start of a file make up its head.
const HEAD_BYTES: u64 = 1024;
const HEAD_LEN: usize = 1024;

/// Position after the last record that was handed out, and what the file looked like then.
///
/// As a source offset: `{"position": 57, "inode": 1234, "head": "16 hex digits", "size": 99, "tail": "16 hex digits"}`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) position: u64,
    /// What the file looked like; `None` for an offset that has only a position, as Kafka's connector stores.
    pub(crate) identity: Option<Identity>,
    /// Positions are those of unpacked bytes, which say nothing about the size of the file.
    pub(crate) packed: bool,
    /// What the decoder needs to go on from here, such as the types it inferred.
    pub(crate) state: Option<Value>,
    /// SHA-256 of the whole file, in hex: known of a spooled file.
    pub(crate) sha256: Option<String>,
    /// Set once a spooled file was read to its end.
    pub(crate) done: Option<Done>,
}

/// A spooled file that was read to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Done {
    /// Its modification time then, in nanoseconds since 1970: an untouched file is not read again to be compared.
    pub(crate) modified_ns: i64,
    /// When, in milliseconds since 1970.
    pub(crate) at_ms: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) inode: u64,
    pub(crate) size: u64,
    /// FNV-1a (64 bit) of the first `min(size, 1024)` bytes.
    pub(crate) head: u64,
    /// FNV-1a (64 bit) of the last `min(position, 1024)` bytes before the position; `None` at the start of the file.
    pub(crate) tail: Option<u64>,
}

/// What became of a file since its position was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// Untouched, or longer with the same head.
    None,
    /// Now shorter than what was read of it.
    Shrunk { size: u64 },
    /// As long or longer, but it begins with other bytes.
    OtherHead,
    /// It begins as it did, but what lies before the position are other bytes.
    OtherTail,
    /// As long and alike at both ends, but another SHA-256.
    OtherBytes,
}

impl Identity {
    /// Looks at an open file.
    pub(crate) fn of(file: &dyn Handle) -> io::Result<Self> {
        let meta = file.meta()?;
        Ok(Self {
            inode: meta.inode,
            size: meta.size,
            head: head(file, meta.size)?,
            tail: None,
        })
    }

    /// Says whether other content begins with the same bytes, and has the same before `position`.
    pub(crate) fn is_of(&self, content: &dyn Content, position: u64) -> io::Result<bool> {
        let known = self.size.min(HEAD_BYTES);
        if known == 0 {
            return Ok(false);
        }
        let mut read = |buf: &mut [u8], at| content.read_at(buf, at);
        let (head, found) = checksum(&mut read, 0, known)?;
        if found < known || head != self.head {
            return Ok(false);
        }
        let length = position.min(HEAD_BYTES);
        let (tail, found) = checksum(&mut read, position - length, length)?;
        Ok(found == length && self.tail.is_none_or(|known| known == tail))
    }

    /// Takes note of the bytes before `position`.
    pub(crate) fn mark(&mut self, file: &dyn Handle, position: u64) -> io::Result<()> {
        self.tail = Some(tail(file, position)?);
        Ok(())
    }

    /// Takes note that the file is now `size` bytes long; a head shorter than a KiB is taken again.
    pub(crate) fn grow(&mut self, file: &dyn Handle, size: u64) -> io::Result<()> {
        if size > self.size {
            if self.size < HEAD_BYTES {
                self.head = head(file, size)?;
            }
            self.size = size;
        }
        Ok(())
    }
}

impl Position {
    /// Compares the stored position with the file as it is now.
    pub(crate) fn change(&self, file: &dyn Handle) -> io::Result<Change> {
        let size = file.meta()?.size;
        let least = match &self.identity {
            Some(known) if self.packed => known.size,
            Some(_) | None => self.position,
        };
        if size < least {
            return Ok(Change::Shrunk { size });
        }
        match &self.identity {
            Some(known)
                if size < known.size.min(HEAD_BYTES) || head(file, known.size)? != known.head =>
            {
                Ok(Change::OtherHead)
            }
            Some(Identity {
                tail: Some(known), ..
            }) if !self.packed && tail(file, self.position)? != *known => Ok(Change::OtherTail),
            Some(_) | None => Ok(Change::None),
        }
    }

    /// Returns the source offset that is stored.
    pub(crate) fn to_offset(&self) -> Vec<(&'static str, Value)> {
        let mut fields = vec![("position", self.position.into())];
        if let Some(identity) = &self.identity {
            fields.push(("inode", identity.inode.into()));
            fields.push(("head", format!("{:016x}", identity.head).into()));
            fields.push(("size", identity.size.into()));
            if let Some(tail) = identity.tail {
                fields.push(("tail", format!("{tail:016x}").into()));
            }
        }
        if self.packed {
            fields.push(("packed", true.into()));
        }
        if let Some(state) = &self.state {
            fields.push(("state", state.clone()));
        }
        if let Some(sha256) = &self.sha256 {
            fields.push(("sha256", sha256.as_str().into()));
        }
        if let Some(done) = &self.done {
            fields.push(("done", true.into()));
            fields.push(("modified", done.modified_ns.into()));
            fields.push(("at", done.at_ms.into()));
        }
        fields
    }

    /// Reads a stored offset; `None` when it is not one of ours or Kafka's.
    pub(crate) fn from_offset(value: &Map<String, Value>) -> Option<Self> {
        let position = value.get("position")?.as_u64()?;
        let number = |key: &str| value.get(key).and_then(Value::as_u64);
        let checksum = |key: &str| {
            let text = value.get(key).and_then(Value::as_str)?;
            u64::from_str_radix(text, 16).ok()
        };
        let (head, tail) = (checksum("head"), checksum("tail"));
        let identity = match (number("inode"), number("size"), head) {
            (Some(inode), Some(size), Some(head)) => Some(Identity {
                inode,
                size,
                head,
                tail,
            }),
            _ => None,
        };
        let is_set = |key: &str| value.get(key).and_then(Value::as_bool).unwrap_or(false);
        let signed = |key: &str| value.get(key).and_then(Value::as_i64).unwrap_or(0);
        Some(Self {
            position,
            identity,
            packed: is_set("packed"),
            state: value.get("state").cloned(),
            sha256: value
                .get("sha256")
                .and_then(Value::as_str)
                .map(str::to_owned),
            done: is_set("done").then(|| Done {
                modified_ns: signed("modified"),
                at_ms: signed("at"),
            }),
        })
    }
}

fn head(file: &dyn Handle, size: u64) -> io::Result<u64> {
    let mut read = |buf: &mut [u8], at| file.read_at(buf, at);
    Ok(checksum(&mut read, 0, size.min(HEAD_BYTES))?.0)
}

fn tail(file: &dyn Handle, position: u64) -> io::Result<u64> {
    let length = position.min(HEAD_BYTES);
    let mut read = |buf: &mut [u8], at| file.read_at(buf, at);
    Ok(checksum(&mut read, position - length, length)?.0)
}

/// Checksum of `length` bytes, at most [`HEAD_BYTES`], from `start`, and of how many it is: fewer where the file ends before.
fn checksum(
    read_at: &mut dyn FnMut(&mut [u8], u64) -> io::Result<usize>,
    start: u64,
    length: u64,
) -> io::Result<(u64, u64)> {
    let mut buf = [0; HEAD_LEN];
    let wanted = usize::try_from(length).unwrap_or(buf.len());
    let mut filled = 0;
    while filled < wanted {
        let Some(room) = buf.get_mut(filled..wanted) else {
            break;
        };
        match read_at(room, start + filled as u64) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok((fnv1a(buf.get(..filled).unwrap_or_default()), filled as u64))
}

/// FNV-1a, 64 bit: stored in offsets, so it never changes.
pub(crate) fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::{Change, Identity, Map, Position, Value, fnv1a};

    fn position(before: &[u8], read: u64) -> (tempfile::NamedTempFile, Position) {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), before).unwrap();
        let identity = Identity::of(&File::open(file.path()).unwrap()).unwrap();
        (
            file,
            Position {
                position: read,
                identity: Some(identity),
                ..Position::default()
            },
        )
    }

    fn json(position: &Position) -> Map<String, Value> {
        position
            .to_offset()
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect()
    }

    fn check(before: &[u8], read: u64, after: &[u8], expected: Change) {
        let (file, position) = position(before, read);
        fs::write(file.path(), after).unwrap();
        let stored = Position::from_offset(&json(&position)).unwrap();
        assert_eq!(stored, position);
        assert_eq!(
            stored.change(&File::open(file.path()).unwrap()).unwrap(),
            expected,
            "{before:?} -> {after:?}"
        );
    }

    #[test]
    fn a_file_that_grew_is_the_same_file() {
        check(b"a\nb\n", 4, b"a\nb\n", Change::None);
        check(b"a\nb\n", 4, b"a\nb\nc\n", Change::None);
        check(b"", 0, b"new\n", Change::None);
        check(&[b'x'; 5000], 3000, &[b'x'; 9000], Change::None);
    }

    #[test]
    fn a_shrunk_or_rewritten_file_is_another() {
        check(b"a\nb\n", 4, b"a\n", Change::Shrunk { size: 2 });
        check(b"a\nb\n", 4, b"", Change::Shrunk { size: 0 });
        check(b"a\nb\n", 4, b"A\nb\nc\n", Change::OtherHead);
        check(b"a\nbbb", 2, b"a\n", Change::OtherHead);
        let mut other = vec![b'x'; 5000];
        other[1023] = b'y';
        check(&[b'x'; 5000], 3000, &other, Change::OtherHead);
    }

    #[test]
    fn a_short_head_is_taken_again_when_the_file_grows() {
        let (file, mut position) = position(b"a\n", 2);
        fs::write(file.path(), b"a\nb\n").unwrap();
        let open = File::open(file.path()).unwrap();
        position.identity.as_mut().unwrap().grow(&open, 4).unwrap();
        assert_eq!(position.identity, Some(Identity::of(&open).unwrap()));
    }

    #[test]
    fn kafkas_offset_has_only_a_position() {
        let offset = |value: Value| Map::from_iter([("position".to_owned(), value)]);
        let stored = Position::from_offset(&offset(28.into())).unwrap();
        assert_eq!(
            stored,
            Position {
                position: 28,
                ..Position::default()
            }
        );
        assert_eq!(json(&stored), offset(28.into()));
        assert_eq!(Position::from_offset(&offset("28".into())), None);
    }

    #[test]
    fn checksum_is_the_published_fnv1a() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn a_file_that_begins_alike_is_told_by_the_bytes_before_the_position() {
        let preamble = [b'#'; 3000];
        let before = [&preamble[..], b"monday\n"].concat();
        let after = [&preamble[..], b"tuesday\nand more\n"].concat();
        let (file, mut stored) = position(&before, before.len() as u64);
        let handle = File::open(file.path()).unwrap();
        let at = stored.position;
        stored.identity.as_mut().unwrap().mark(&handle, at).unwrap();
        let offset: Map<String, Value> = stored
            .to_offset()
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect();
        let stored = Position::from_offset(&offset).unwrap();
        assert_eq!(stored.change(&handle).unwrap(), Change::None);
        fs::write(file.path(), [&before[..], b"grown\n"].concat()).unwrap();
        assert_eq!(
            stored.change(&File::open(file.path()).unwrap()).unwrap(),
            Change::None
        );
        fs::write(file.path(), after).unwrap();
        assert_eq!(
            stored.change(&File::open(file.path()).unwrap()).unwrap(),
            Change::OtherTail
        );
    }
}
