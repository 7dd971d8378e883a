//! What the loading process says over its pipe, one line each; a line without its end was never said.
//!
//! ```text
//! O unclean|clean|new <replayed> <microseconds>      the log is open
//! A <thread> <seq> <partition>:<base offset> …       this commit was acknowledged
//! T <topic>                                          this topic's creation was acknowledged
//! H ok|full|waits|poisoned                                  the log's health changed
//! R <records>                                        so many records were read back so far
//! E <text>                                           a thread gave up
//! D                                                  closed in order
//! ```

/// An acknowledged commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ack {
    /// Who wrote it.
    pub thread: u32,
    /// Its number.
    pub seq: u64,
    /// Where it went, in the order of the plan. Empty in the negative control, which says it too early to know.
    pub places: Vec<(i32, i64)>,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// The log is open.
    Opened {
        /// `new`, `clean` or `unclean`.
        how: String,
        /// Commits replayed from the journal.
        replayed: u64,
        /// How long opening took.
        micros: u64,
    },
    /// A commit.
    Ack(Ack),
    /// A topic.
    Topic(String),
    /// A change of health.
    Health(String),
    /// Progress of the reader.
    Read(u64),
    /// A thread gave up.
    Failed(String),
    /// The end.
    Done,
}

impl Line {
    /// Writes the line, with its end.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Opened {
                how,
                replayed,
                micros,
            } => format!("O {how} {replayed} {micros}\n"),
            Self::Ack(ack) => {
                let places: String = ack
                    .places
                    .iter()
                    .map(|(partition, base)| format!(" {partition}:{base}"))
                    .collect();
                format!("A {} {}{places}\n", ack.thread, ack.seq)
            }
            Self::Topic(name) => format!("T {name}\n"),
            Self::Health(state) => format!("H {state}\n"),
            Self::Read(records) => format!("R {records}\n"),
            Self::Failed(why) => format!("E {}\n", why.replace('\n', " ")),
            Self::Done => "D\n".to_owned(),
        }
    }

    /// Reads a line that ends; `None` if it is none of ours.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let line = line.strip_suffix('\n')?;
        let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
        let mut words = rest.split(' ');
        Some(match kind {
            "O" => Self::Opened {
                how: words.next()?.to_owned(),
                replayed: words.next()?.parse().ok()?,
                micros: words.next()?.parse().ok()?,
            },
            "A" => Self::Ack(Ack {
                thread: words.next()?.parse().ok()?,
                seq: words.next()?.parse().ok()?,
                places: words
                    .map(|place| {
                        let (partition, base) = place.split_once(':')?;
                        Some((partition.parse().ok()?, base.parse().ok()?))
                    })
                    .collect::<Option<_>>()?,
            }),
            "T" => Self::Topic(rest.to_owned()),
            "H" => Self::Health(rest.to_owned()),
            "R" => Self::Read(rest.parse().ok()?),
            "E" => Self::Failed(rest.to_owned()),
            "D" => Self::Done,
            _ => return None,
        })
    }
}
