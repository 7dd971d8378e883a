//! `linkspan consume --group`: reads as a member of a group and commits what was printed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use linkspan_log::LogBackend;
use linkspan_rest::{Join, Member};
use serde_json::{Value, json};

use super::print;
use crate::args::ConsumeArgs;
use crate::client::Host;
use crate::exit::{Exit, Failure};
use crate::target::{Place, place};
use crate::{client, terminal};

/// How long one poll waits.
const WAIT: Duration = Duration::from_millis(500);
/// With `--exit`: how long to wait for partitions that other members have.
const ASSIGNMENT_WAIT: Duration = Duration::from_secs(3);

/// A member, here or in the host.
enum Reader {
    Here(Box<Member>, Arc<dyn LogBackend>, tokio::runtime::Runtime),
    Host {
        host: Host,
        base: String,
        runtime: tokio::runtime::Runtime,
    },
}

pub(super) fn run(args: &ConsumeArgs, group: &str) -> Result<Exit, Failure> {
    let join = Join {
        topics: vec![args.topic.clone()],
        from: args.from.clone(),
    };
    let mut reader = Reader::join(args, group, &join)?;
    let read = follow(args, &mut reader);
    let left = reader.leave();
    read?;
    left?;
    Ok(Exit::Ok)
}

fn follow(args: &ConsumeArgs, reader: &mut Reader) -> Result<(), Failure> {
    let started = Instant::now();
    let mut assigned = false;
    loop {
        let polled = reader.poll()?;
        let list = |name: &str| {
            polled
                .get(name)
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
        };
        for partition in list("assigned") {
            assigned = true;
            let stored = partition.get("stored") == Some(&Value::Bool(true));
            if stored && args.from.is_some() {
                terminal::note(&format!(
                    "{} partition {}: the group goes on at its position {}, --from counts only without one",
                    crate::shown::text(partition, "topic"),
                    crate::shown::text(partition, "partition"),
                    crate::shown::text(partition, "next")
                ));
            }
        }
        for lost in list("lost") {
            terminal::warning("LS0420", lost.as_str().unwrap_or_default());
        }
        let mut printed = false;
        for record in list("records") {
            print(args.output, record);
            printed = true;
        }
        if terminal::stdout_failure().is_some() {
            // What was not taken is not committed.
            return Ok(());
        }
        if printed {
            reader.commit()?;
            continue;
        }
        let at_end = polled.get("at_end") == Some(&Value::Bool(true));
        let nothing_to_come = !assigned && started.elapsed() > ASSIGNMENT_WAIT;
        if args.exit && (at_end && assigned || nothing_to_come) {
            if nothing_to_come {
                terminal::note("other members of the group have all partitions");
            }
            return Ok(());
        }
    }
}

impl Reader {
    fn join(args: &ConsumeArgs, group: &str, join: &Join) -> Result<Self, Failure> {
        match place(&args.at, true)? {
            Place::Here(log) => {
                let runtime = client::runtime()?;
                let name = format!("consume-{}", std::process::id());
                let member = Member::join(Arc::clone(&log), group, &name, join)?;
                Ok(Self::Here(Box::new(member), log, runtime))
            }
            Place::Host(host, runtime) => {
                let group = linkspan_rest::path_segment(group);
                let path = format!("/api/v1/groups/{group}/members");
                let body = Some(json!(join).to_string());
                let joined = runtime.block_on(host.call("POST", &path, body))?;
                let member = joined
                    .get("member")
                    .and_then(Value::as_str)
                    .unwrap_or_default();
                let base = format!("{path}/{member}");
                Ok(Self::Host {
                    host,
                    base,
                    runtime,
                })
            }
        }
    }

    fn poll(&mut self) -> Result<Value, Failure> {
        match self {
            Self::Here(member, _, runtime) => Ok(json!(runtime.block_on(member.poll(WAIT))?)),
            Self::Host {
                host,
                base,
                runtime,
            } => {
                let path = format!("{base}/poll?wait_ms={}", WAIT.as_millis());
                runtime.block_on(host.call("POST", &path, None))
            }
        }
    }

    fn commit(&self) -> Result<(), Failure> {
        match self {
            Self::Here(member, ..) => Ok(member.commit()?),
            Self::Host {
                host,
                base,
                runtime,
            } => {
                let path = format!("{base}/commit");
                runtime.block_on(host.call("POST", &path, None)).map(drop)
            }
        }
    }

    fn leave(self) -> Result<(), Failure> {
        match self {
            Self::Here(member, log, _) => {
                drop(member);
                Ok(log.close()?)
            }
            Self::Host {
                host,
                base,
                runtime,
            } => runtime.block_on(host.call("DELETE", &base, None)).map(drop),
        }
    }
}
