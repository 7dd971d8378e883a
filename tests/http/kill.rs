//! `kill -9` again and again: what each class of the HTTP connectors promises, and a control that shows the check can fail.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Child;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::server::{Memory, Received, serve};
use crate::support::{Random, Scratch, eventually, linkspan, run, start};

/// Pages of the API, and records of each.
const PAGES: u64 = 200;
const PAGE_SIZE: u64 = 5;
/// Records into the sink.
const LINES: u64 = 2_000;
/// How long a round may take to reach its moment.
const ROUND_LIMIT: Duration = Duration::from_secs(100);

fn rounds() -> u64 {
    env::var("KILL_ROUNDS").map_or(4, |text| text.parse().unwrap())
}

fn random() -> Random {
    let seed = env::var("KILL_SEED").map_or_else(
        |_| u64::from(std::process::id()),
        |text| text.parse().unwrap(),
    );
    println!("KILL_SEED={seed}");
    Random(seed)
}

/// Starts a job and kills it when `progress` has grown by a random share of what is left; returns whether it was still at work.
fn kill_one(
    scratch: &Scratch,
    yaml: &Path,
    random: &mut Random,
    left: u64,
    progress: impl Fn() -> u64,
) -> bool {
    let before = progress();
    let wanted = before + 1 + random.below(left.max(1));
    let mut job = start(
        linkspan(&["run", "--once"]).arg(yaml),
        &scratch.path("stdout"),
        &scratch.path("stderr"),
    );
    let reached = eventually(ROUND_LIMIT, || {
        progress() >= wanted || job.try_wait().unwrap().is_some()
    });
    assert!(
        reached,
        "no progress in {ROUND_LIMIT:?}:\n{}",
        scratch.read("stderr")
    );
    kill(&mut job)
}

/// Kills a process; returns whether it had not ended by itself.
fn kill(job: &mut Child) -> bool {
    let alive = job.try_wait().unwrap().is_none();
    job.kill().unwrap();
    job.wait().unwrap();
    alive
}

/// The values of a topic in the order of its one partition.
fn consumed(scratch: &Scratch, topic: &str) -> Vec<String> {
    let data = scratch.path("linkspan-data");
    let ran = run(linkspan(&[
        "consume", topic, "--from", "earliest", "--exit", "-o", "json", "--data",
    ])
    .arg(data))
    .expect_code(0);
    ran.stdout
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["value"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect()
}

fn source_yaml(at: SocketAddr, stream: &str) -> String {
    format!(
        "connectors:\n  in:\n    connector: http-source\n    topic: events\n    stream.name: {stream}\n    url: http://{at}/events\n    \
         params: {{ since: \"{{{{ cursor.start }}}}\", size: \"{PAGE_SIZE}\" }}\n    pagination: {{ type: page, page.size: {PAGE_SIZE} }}\n    \
         cursor: {{ field: /id, type: integer, start: \"0\" }}\n"
    )
}

/// Every event once, in order.
fn exact(values: &[String]) -> Result<(), String> {
    for (at, text) in values.iter().enumerate() {
        let event: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if event["id"].as_u64() != u64::try_from(at).ok() {
            return Err(format!("event {} stands in place {at}", event["id"]));
        }
    }
    let wanted = usize::try_from(PAGES * PAGE_SIZE).unwrap();
    if values.len() == wanted {
        Ok(())
    } else {
        Err(format!("{} of {wanted} events", values.len()))
    }
}

#[test]
fn kill_http_source_over_200_pages_is_exact() {
    let (at, memory) = serve("127.0.0.1:0", PAGES * PAGE_SIZE).unwrap();
    let scratch = Scratch::new();
    let yaml = scratch.write("pipeline.yaml", source_yaml(at, "events"));
    let mut random = random();
    let mut landed = 0;
    for round in 0..rounds() {
        let left = PAGES * (round + 1) / (rounds() + 1);
        let left = left.saturating_sub(memory.pages().min(left)).max(2);
        landed += u64::from(kill_one(&scratch, &yaml, &mut random, left, || {
            memory.pages()
        }));
    }
    run(linkspan(&["run", "--once"]).arg(&yaml)).expect_code(0);
    // A round more finds nothing new.
    run(linkspan(&["run", "--once"]).arg(&yaml)).expect_code(0);
    let outcome = exact(&consumed(&scratch, "events"));
    println!(
        "http-source: {landed} of {} kills landed within {PAGES} pages, {} pages were asked for: {outcome:?}",
        rounds(),
        memory.pages()
    );
    assert_eq!(outcome, Ok(()));
    assert!(landed > 0, "no kill landed");
}

#[test]
fn kill_http_source_without_its_position_the_same_check_fails() {
    let (at, memory) = serve("127.0.0.1:0", PAGES * PAGE_SIZE).unwrap();
    let scratch = Scratch::new();
    let mut random = random();
    for stream in ["a", "b"] {
        // Under another name the position is not found.
        let yaml = scratch.write("pipeline.yaml", source_yaml(at, stream));
        if stream == "a" {
            kill_one(&scratch, &yaml, &mut random, PAGES / 2, || {
                memory.pages().saturating_sub(5)
            });
        } else {
            run(linkspan(&["run", "--once"]).arg(&yaml)).expect_code(0);
        }
    }
    let outcome = exact(&consumed(&scratch, "events"));
    println!("negative control: {outcome:?}");
    assert!(
        outcome.is_err(),
        "the check would not notice a lost position"
    );
}

/// Callers that post numbered bodies and remember which were answered with 2xx.
struct Callers {
    acknowledged: Arc<Mutex<BTreeSet<String>>>,
    posted: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Callers {
    fn start(at: SocketAddr, count: u64) -> Self {
        let (acknowledged, posted, stop) = (
            Arc::<Mutex<BTreeSet<String>>>::default(),
            Arc::new(AtomicU64::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let threads = (0..count).map(|_| {
            let (acknowledged, posted, stop) = (
                Arc::clone(&acknowledged),
                Arc::clone(&posted),
                Arc::clone(&stop),
            );
            thread::spawn(move || {
                while !stop.load(Ordering::Acquire) {
                    let body = format!("call {}", posted.fetch_add(1, Ordering::AcqRel));
                    if post(at, &body) {
                        acknowledged.lock().unwrap().insert(body);
                    } else {
                        thread::sleep(Duration::from_millis(5)); // The host is down: do not spin.
                    }
                }
            })
        });
        Self {
            threads: threads.collect(),
            acknowledged,
            posted,
            stop,
        }
    }

    fn count(&self) -> u64 {
        u64::try_from(self.acknowledged.lock().unwrap().len()).unwrap()
    }

    fn stop(self) -> BTreeSet<String> {
        self.stop.store(true, Ordering::Release);
        for thread in self.threads {
            thread.join().unwrap();
        }
        println!("{} calls", self.posted.load(Ordering::Acquire));
        Arc::try_unwrap(self.acknowledged)
            .unwrap()
            .into_inner()
            .unwrap()
    }
}

/// Returns whether the answer is 2xx.
fn post(at: SocketAddr, body: &str) -> bool {
    let send = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(at)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        stream.write_all(format!("POST /post HTTP/1.1\r\nhost: h\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len()).as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer.starts_with("HTTP/1.1 2"))
    };
    send().unwrap_or(false)
}

/// Kills a host with a webhook under load, and returns what was acknowledged and is not in the log.
fn lost_by_webhook(ack: &str, rounds: u64, until_lost: bool) -> (usize, usize) {
    let scratch = Scratch::new();
    let at = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let yaml = scratch.write("pipeline.yaml", format!("connectors:\n  in:\n    connector: webhook-source\n    topic: calls\n    listen: {at}\n    ack: {ack}\n"));
    let mut random = random();
    let callers = Callers::start(at, 16);
    for round in 0..rounds {
        let mut host = start(
            linkspan(&["run"]).arg(&yaml),
            &scratch.path("stdout"),
            &scratch.path("stderr"),
        );
        let wanted = callers.count() + 50 + random.below(200);
        let reached = eventually(ROUND_LIMIT, || {
            callers.count() >= wanted || host.try_wait().unwrap().is_some()
        });
        assert!(
            reached && kill(&mut host),
            "the host ended or nothing was acknowledged:\n{}",
            scratch.read("stderr")
        );
        if until_lost
            && round % 3 == 2
            && !missing(&scratch, &callers.acknowledged.lock().unwrap()).is_empty()
        {
            break;
        }
    }
    let acknowledged = callers.stop();
    (missing(&scratch, &acknowledged).len(), acknowledged.len())
}

fn missing(scratch: &Scratch, acknowledged: &BTreeSet<String>) -> Vec<String> {
    let written: BTreeSet<String> = consumed(scratch, "calls").into_iter().collect();
    acknowledged.difference(&written).cloned().collect()
}

#[test]
fn kill_webhook_every_2xx_is_in_the_log() {
    let (lost, acknowledged) = lost_by_webhook("durable", rounds(), false);
    println!(
        "webhook: {acknowledged} calls were acknowledged over {} kills, {lost} of them are not in the log",
        rounds()
    );
    assert_eq!(lost, 0);
    assert!(acknowledged > 0);
}

#[test]
fn kill_webhook_that_answers_before_the_log_the_same_check_finds_lost_records() {
    let (lost, acknowledged) = lost_by_webhook("enqueued", 60, true);
    println!(
        "negative control: {acknowledged} calls were acknowledged, {lost} of them are not in the log"
    );
    assert!(lost > 0, "the check would not notice a lost record");
}

fn sink_yaml(at: SocketAddr) -> String {
    format!(
        "topics:\n  lines: {{ partitions: 3 }}\nconnectors:\n  in:\n    connector: file-source\n    path: in.txt\n    topic: lines\n    batch.records: 50\n  \
         out:\n    connector: http-sink\n    topics: [lines]\n    url: http://{at}/in/lines\n"
    )
}

/// Every line arrived, and a line that arrived more than once did so under one key; a key names one line.
fn delivered(received: &[Received]) -> Result<u64, String> {
    let mut keys: BTreeMap<&str, &str> = BTreeMap::new();
    let mut bodies: BTreeMap<&str, &str> = BTreeMap::new();
    let mut repeats = 0;
    for one in received {
        if let Some(body) = keys.insert(&one.key, &one.body) {
            if body != one.body {
                return Err(format!("key {} came with two bodies", one.key));
            }
            repeats += 1;
        }
        if bodies
            .insert(&one.body, &one.key)
            .is_some_and(|key| key != one.key)
        {
            return Err(format!("`{}` came under two keys", one.body));
        }
    }
    let found = u64::try_from(bodies.len()).unwrap();
    if found == LINES {
        Ok(repeats)
    } else {
        Err(format!("{found} of {LINES} lines arrived"))
    }
}

/// Delivers all lines through kills; `between` is called after each.
fn deliver(random: &mut Random, between: impl Fn(&Scratch)) -> (u64, Memory) {
    let (at, memory) = serve("127.0.0.1:0", 0).unwrap();
    let scratch = Scratch::new();
    let mut lines = String::new();
    for number in 0..LINES {
        writeln!(lines, "line {number}").unwrap();
    }
    scratch.write("in.txt", lines);
    let yaml = scratch.write("pipeline.yaml", sink_yaml(at));
    let mut landed = 0;
    for _ in 0..rounds() {
        let left = (LINES.saturating_sub(memory.count())) / 2;
        landed += u64::from(kill_one(&scratch, &yaml, random, left.max(2), || {
            memory.count()
        }));
        between(&scratch);
    }
    run(linkspan(&["run", "--once"]).arg(&yaml)).expect_code(0);
    (landed, memory)
}

#[test]
fn kill_http_sink_loses_no_key_and_repeats_only_under_the_same_one() {
    let (landed, memory) = deliver(&mut random(), |_| {});
    let outcome = delivered(&memory.received());
    println!(
        "http-sink: {landed} of {} kills landed, {} requests for {LINES} lines, repeats: {outcome:?}",
        rounds(),
        memory.count()
    );
    assert!(outcome.is_ok(), "{outcome:?}");
    assert!(landed > 0, "no kill landed");
}

#[test]
fn kill_http_sink_with_another_log_the_same_check_finds_other_keys() {
    // Another log is another topic id, so that what was sent before comes under another key.
    let (_, memory) = deliver(&mut random(), |scratch| {
        std::fs::remove_dir_all(scratch.path("linkspan-data")).unwrap()
    });
    let outcome = delivered(&memory.received());
    println!("negative control: {outcome:?}");
    assert!(outcome.is_err(), "the check would not notice other keys");
    let some = memory
        .received()
        .into_iter()
        .skip(1)
        .filter(|one| one.body != "line 7")
        .collect::<Vec<_>>();
    assert!(
        delivered(&some).is_err(),
        "the check would not notice a line that is not there"
    );
}
