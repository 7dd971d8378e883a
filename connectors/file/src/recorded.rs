//! Where a sink continues a file: its recorded length against what lies on the disk.
//!
//! The length is stored with the group's offsets, the same for every partition, in the commit that moves them. So the
//! greatest length is the newest, and whatever lies behind it belongs to records that will come again.

use linkspan_sdk::OptionEnum;
use serde_json::{Value, json};

/// What is stored as metadata beside each offset: `{"path", "length", "inode"}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recorded {
    pub(crate) path: String,
    pub(crate) length: u64,
    pub(crate) inode: u64,
}

/// What to do with a file that is not as it was left: `on.existing`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum OnExisting {
    Fail,
    Append,
    Truncate,
}

/// Why a file is not continued.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unexpected {
    #[error(
        "it holds {found} bytes, but no position is recorded for it: the data directory is new or was deleted, or the offsets were reset"
    )]
    NoPosition { found: u64 },
    #[error(
        "{recorded} bytes were written to it and recorded, but it holds {found}: it was cut, deleted or replaced"
    )]
    Shorter { recorded: u64, found: u64 },
    #[error(
        "it is not the file that {recorded} bytes were written to (another inode): it was replaced"
    )]
    OtherFile { recorded: u64 },
}

/// Where to continue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Start {
    /// The file is cut to this length.
    pub(crate) length: u64,
    /// Something that was overruled by `on.existing`.
    pub(crate) overruled: Option<Unexpected>,
}

impl Recorded {
    /// Reads metadata; `None` when it is empty or was written by something else.
    pub(crate) fn parse(metadata: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(metadata).ok()?;
        Some(Self {
            path: value.get("path")?.as_str()?.to_owned(),
            length: value.get("length")?.as_u64()?,
            inode: value.get("inode")?.as_u64()?,
        })
    }

    pub(crate) fn to_metadata(&self) -> String {
        json!({ "path": self.path, "length": self.length, "inode": self.inode }).to_string()
    }
}

/// Decides where to continue a file of `found` bytes.
pub(crate) fn start(
    recorded: Option<&Recorded>,
    found: u64,
    inode: u64,
    on_existing: OnExisting,
) -> Result<Start, Unexpected> {
    let unexpected = match recorded {
        Some(recorded) if found < recorded.length => Unexpected::Shorter {
            recorded: recorded.length,
            found,
        },
        Some(recorded) if recorded.inode != inode && found > 0 => Unexpected::OtherFile {
            recorded: recorded.length,
        },
        Some(recorded) => {
            return Ok(Start {
                length: recorded.length,
                overruled: None,
            });
        }
        None if found > 0 => Unexpected::NoPosition { found },
        None => {
            return Ok(Start {
                length: 0,
                overruled: None,
            });
        }
    };
    match on_existing {
        OnExisting::Fail => Err(unexpected),
        OnExisting::Append => Ok(Start {
            length: found,
            overruled: Some(unexpected),
        }),
        OnExisting::Truncate => Ok(Start {
            length: 0,
            overruled: Some(unexpected),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::{OnExisting, Recorded, Unexpected, start};

    fn check(
        recorded: Option<(u64, u64)>,
        found: u64,
        fail: Result<u64, Unexpected>,
        append: u64,
        truncate: u64,
    ) {
        let recorded = recorded.map(|(length, inode)| Recorded {
            path: "o".into(),
            length,
            inode,
        });
        let run =
            |on_existing| start(recorded.as_ref(), found, 7, on_existing).map(|start| start.length);
        assert_eq!(run(OnExisting::Fail), fail);
        assert_eq!(run(OnExisting::Append), Ok(append));
        assert_eq!(run(OnExisting::Truncate), Ok(truncate));
    }

    #[test]
    fn a_file_is_cut_to_its_recorded_length() {
        check(Some((4, 7)), 4, Ok(4), 4, 4);
        check(Some((4, 7)), 9, Ok(4), 4, 4);
        check(Some((0, 7)), 9, Ok(0), 0, 0);
        check(None, 0, Ok(0), 0, 0);
    }

    #[test]
    fn a_file_that_is_not_as_it_was_left_is_refused_unless_overruled() {
        check(None, 5, Err(Unexpected::NoPosition { found: 5 }), 5, 0);
        check(
            Some((4, 7)),
            3,
            Err(Unexpected::Shorter {
                recorded: 4,
                found: 3,
            }),
            3,
            0,
        );
        check(
            Some((4, 8)),
            0,
            Err(Unexpected::Shorter {
                recorded: 4,
                found: 0,
            }),
            0,
            0,
        );
        check(
            Some((4, 8)),
            9,
            Err(Unexpected::OtherFile { recorded: 4 }),
            9,
            0,
        );
    }

    #[test]
    fn metadata_comes_back() {
        let recorded = Recorded {
            path: "/out/길.txt".into(),
            length: 12,
            inode: 3,
        };
        assert_eq!(
            recorded.to_metadata(),
            r#"{"path":"/out/길.txt","length":12,"inode":3}"#
        );
        assert_eq!(Recorded::parse(&recorded.to_metadata()), Some(recorded));
        assert_eq!(Recorded::parse(""), None);
        assert_eq!(Recorded::parse("{\"path\":1}"), None);
    }
}
