//! `/api/v1` as far as the command line needs it: topics, records, the log's figures, connectors.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json, Router};
use linkspan_log::LogBackend;
use linkspan_types::error_chain;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;

use crate::dead_letters::Letters;
use crate::fleet::Fleet;
use crate::members::{Join, Member, Members};
use crate::operation::Operation;
use crate::produce::NewRecord;
use crate::records::{ReadError, RecordReader};
use crate::refusal::Refusal;
use crate::role::{Caller, Role};
use crate::start::From;
use crate::view::HostView;

/// Chunks of records on their way to one slow reader.
const RECORD_CHUNKS_MAX: usize = 4;
/// The largest body: a record of the greatest size as JSON.
const BODY_BYTES_MAX: usize = 48 << 20;
/// The longest wait of one poll.
const POLL_WAIT_MAX: Duration = Duration::from_secs(5);
/// How often a following reader looks for new records.
const FOLLOW_EVERY: Duration = Duration::from_millis(100);

#[derive(Debug, Clone)]
pub(crate) struct Host {
    pub(crate) log: Arc<dyn LogBackend>,
    pub(crate) view: Arc<dyn HostView>,
    members: Arc<Members>,
    pub(crate) fleet: Arc<Fleet>,
}

/// Numbers members, so that two commands never share a name.
static NEXT_MEMBER: AtomicU64 = AtomicU64::new(1);

impl Host {
    pub(crate) fn new(
        log: Arc<dyn LogBackend>,
        view: Arc<dyn HostView>,
        fleet: Arc<Fleet>,
    ) -> Self {
        Self {
            log,
            view,
            members: Arc::default(),
            fleet,
        }
    }
}

/// Returns the router over a log, a view of the host and the fleet over both.
pub fn router(log: Arc<dyn LogBackend>, view: Arc<dyn HostView>, fleet: Arc<Fleet>) -> Router {
    crate::routes::router()
        .fallback(|| async { Refusal::new(404, "LS0601", "there is nothing at this path") })
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(axum::middleware::from_fn(crate::routes::dispatch))
        .with_state(Host::new(log, view, fleet))
}

/// Performs an operation on a thread that may block.
async fn perform(host: Host, operation: Operation) -> Response {
    let done = tokio::task::spawn_blocking(move || operation.perform(&*host.log)).await;
    match done {
        Ok(Ok(value)) => Json(value).into_response(),
        Ok(Err(refusal)) => refusal.into_response(),
        Err(_) => Refusal::new(500, "LS0499", "the operation panicked").into_response(),
    }
}

/// Performs an operation whose body must be JSON of its own shape.
async fn perform_with<T: DeserializeOwned>(
    host: Host,
    body: &Bytes,
    operation: impl FnOnce(T) -> Operation,
) -> Response {
    match parse(body) {
        Ok(body) => perform(host, operation(body)).await,
        Err(refusal) => refusal.into_response(),
    }
}

pub(crate) fn parse<T: DeserializeOwned>(body: &Bytes) -> Result<T, Refusal> {
    let bytes: &[u8] = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(bytes)
        .map_err(|error| Refusal::argument(format!("the body does not fit: {error}")))
}

pub(crate) async fn topics(State(host): State<Host>) -> Response {
    perform(host, Operation::ListTopics).await
}

pub(crate) async fn create_topic(State(host): State<Host>, body: Bytes) -> Response {
    perform_with(host, &body, Operation::CreateTopic).await
}

pub(crate) async fn describe_topic(
    State(host): State<Host>,
    Path(topic): Path<String>,
) -> Response {
    perform(host, Operation::DescribeTopic(topic)).await
}

pub(crate) async fn alter_topic(
    State(host): State<Host>,
    Path(topic): Path<String>,
    body: Bytes,
) -> Response {
    perform_with(host, &body, |change| Operation::AlterTopic(topic, change)).await
}

pub(crate) async fn delete_topic(State(host): State<Host>, Path(topic): Path<String>) -> Response {
    perform(host, Operation::DeleteTopic(topic)).await
}

pub(crate) async fn delete_records(
    State(host): State<Host>,
    Path(topic): Path<String>,
    body: Bytes,
) -> Response {
    perform_with(host, &body, |which| Operation::DeleteRecords(topic, which)).await
}

#[derive(Debug, Deserialize)]
pub(crate) struct ProduceQuery {
    /// The number of the first line, for messages.
    #[serde(default = "first_line")]
    line: u64,
}

fn first_line() -> u64 {
    1
}

pub(crate) async fn produce(
    State(host): State<Host>,
    Path(topic): Path<String>,
    Query(query): Query<ProduceQuery>,
    body: Bytes,
) -> Response {
    let records: Result<Vec<NewRecord>, Refusal> = String::from_utf8_lossy(&body)
        .lines()
        .zip(query.line..)
        .filter(|(line, _)| !line.trim().is_empty())
        .map(|(line, number)| NewRecord::from_json(number, line))
        .collect();
    match records {
        Ok(records) => perform(host, Operation::Produce(topic, records)).await,
        Err(refusal) => refusal.into_response(),
    }
}

pub(crate) async fn dead_letters(State(host): State<Host>) -> Response {
    perform(host, Operation::ListDeadLetters).await
}

pub(crate) async fn show_dead_letters(
    State(host): State<Host>,
    Path(topic): Path<String>,
    caller: Option<Extension<Caller>>,
    body: Bytes,
) -> Response {
    let hidden = is_viewer(caller);
    perform_with(host, &body, |which: Letters| {
        Operation::ShowDeadLetters(topic, Letters { hidden, ..which })
    })
    .await
}

/// Whether keys and values are not for the caller.
pub(crate) fn is_viewer(caller: Option<Extension<Caller>>) -> bool {
    caller.is_some_and(|Extension(caller)| caller.role < Role::Operator)
}

pub(crate) async fn replay_dead_letters(
    State(host): State<Host>,
    Path(topic): Path<String>,
    body: Bytes,
) -> Response {
    let which: Letters = match parse(&body) {
        Ok(which) => which,
        Err(refusal) => return refusal.into_response(),
    };
    if which.transforms.is_empty() {
        return perform(host, Operation::ReplayDeadLetters(topic, which)).await;
    }
    let mended = move || {
        let mut steps = host.view.steps(&which.transforms)?;
        crate::dead_letters::replay(&*host.log, &topic, &which, Some(&mut *steps))
    };
    match tokio::task::spawn_blocking(mended).await {
        Ok(Ok(value)) => Json(value).into_response(),
        Ok(Err(refusal)) => refusal.into_response(),
        Err(_) => Refusal::new(500, "LS0499", "the operation panicked").into_response(),
    }
}

pub(crate) async fn groups(State(host): State<Host>) -> Response {
    perform(host, Operation::ListGroups).await
}

pub(crate) async fn describe_group(
    State(host): State<Host>,
    Path(group): Path<String>,
) -> Response {
    perform(host, Operation::DescribeGroup(group)).await
}

pub(crate) async fn reset_group(
    State(host): State<Host>,
    Path(group): Path<String>,
    body: Bytes,
) -> Response {
    perform_with(host, &body, |reset| Operation::ResetGroup(group, reset)).await
}

pub(crate) async fn delete_group(State(host): State<Host>, Path(group): Path<String>) -> Response {
    perform(host, Operation::DeleteGroup(group)).await
}

pub(crate) async fn join(
    State(host): State<Host>,
    Path(group): Path<String>,
    body: Bytes,
) -> Response {
    let join: Join = match parse(&body) {
        Ok(join) => join,
        Err(refusal) => return refusal.into_response(),
    };
    let id = format!(
        "consume-{:016x}",
        NEXT_MEMBER.fetch_add(1, Ordering::Relaxed)
    );
    let (log, name, of) = (Arc::clone(&host.log), id.clone(), group.clone());
    let joined = tokio::task::spawn_blocking(move || Member::join(log, &of, &name, &join)).await;
    let added = match joined {
        Ok(joined) => joined.and_then(|member| host.members.add(&group, id.clone(), member)),
        Err(_) => Err(Refusal::new(500, "LS0499", "joining panicked")),
    };
    match added {
        Ok(()) => {
            host.members.watch();
            Json(json!({ "member": id })).into_response()
        }
        Err(refusal) => refusal.into_response(),
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct PollQuery {
    #[serde(default)]
    wait_ms: u64,
}

pub(crate) async fn poll(
    State(host): State<Host>,
    Path((group, id)): Path<(String, String)>,
    Query(query): Query<PollQuery>,
) -> Response {
    let mut member = match host.members.take(&group, &id) {
        Ok(member) => member,
        Err(refusal) => return refusal.into_response(),
    };
    let wait = Duration::from_millis(query.wait_ms).min(POLL_WAIT_MAX);
    let polled = member.poll(wait).await;
    host.members.give_back(&id, member);
    match polled {
        Ok(polled) => Json(polled).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

pub(crate) async fn commit(
    State(host): State<Host>,
    Path((group, id)): Path<(String, String)>,
) -> Response {
    let member = match host.members.take(&group, &id) {
        Ok(member) => member,
        Err(refusal) => return refusal.into_response(),
    };
    let done = tokio::task::spawn_blocking(move || (member.commit(), member)).await;
    let Ok((done, member)) = done else {
        return Refusal::new(500, "LS0499", "the commit panicked").into_response();
    };
    host.members.give_back(&id, member);
    match done {
        Ok(()) => Json(json!({})).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

pub(crate) async fn leave(
    State(host): State<Host>,
    Path((_, id)): Path<(String, String)>,
) -> Response {
    let left = tokio::task::spawn_blocking(move || host.members.remove(&id)).await;
    Json(json!({ "left": left.unwrap_or(false) })).into_response()
}

#[derive(Debug, Deserialize)]
struct BackupBody {
    dir: String,
}

pub(crate) async fn backup(State(host): State<Host>, body: Bytes) -> Response {
    perform_with(host, &body, |body: BackupBody| Operation::Backup(body.dir)).await
}

pub(crate) async fn log_stat(State(host): State<Host>) -> Response {
    perform(host, Operation::Stat).await
}

#[derive(Debug, Deserialize)]
pub(crate) struct RecordQuery {
    from: Option<String>,
    /// Ends at the end of the topic instead of waiting for more.
    #[serde(default)]
    exit: bool,
}

/// Streams records as JSON lines until their end, or until the reader goes away.
pub(crate) async fn records(
    State(host): State<Host>,
    Path(topic): Path<String>,
    Query(query): Query<RecordQuery>,
) -> Response {
    let from = query.from.as_deref().unwrap_or("earliest").parse::<From>();
    let from = match from {
        Ok(from) => from,
        Err(error) => return Refusal::argument(error.to_string()).into_response(),
    };
    let opened = crate::topics::name(&topic).and_then(|name| {
        RecordReader::open(Arc::clone(&host.log), &name, from).map_err(|e| refuse(&*host.log, &e))
    });
    let reader = match opened {
        Ok(reader) => reader,
        Err(refusal) => return refusal.into_response(),
    };
    let (sender, receiver) = mpsc::channel(RECORD_CHUNKS_MAX);
    tokio::task::spawn_blocking(move || send_records(reader, query.exit, &sender));
    let body = Body::from_stream(ReceiverStream::new(receiver).map(Ok::<Bytes, std::io::Error>));
    ([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response()
}

fn send_records(mut reader: RecordReader, exit: bool, sender: &mpsc::Sender<Bytes>) {
    let notes: String = reader
        .notes()
        .iter()
        .map(|note| json!({ "note": note }).to_string() + "\n")
        .collect();
    if !notes.is_empty() && sender.blocking_send(notes.into()).is_err() {
        return;
    }
    loop {
        let chunk = match reader.read() {
            Ok(chunk) => chunk,
            Err(error) => {
                let line = json!({ "error": error_chain(&error) }).to_string() + "\n";
                // A reader that went away needs no error.
                drop(sender.blocking_send(line.into()));
                return;
            }
        };
        if chunk.is_empty() {
            if exit || sender.is_closed() {
                return;
            }
            std::thread::sleep(FOLLOW_EVERY);
            continue;
        }
        let mut lines = Vec::new();
        for record in &chunk {
            if serde_json::to_writer(&mut lines, record).is_err() {
                return;
            }
            lines.push(b'\n');
        }
        if sender.blocking_send(lines.into()).is_err() {
            return;
        }
    }
}

/// Says why records cannot be read.
pub fn refuse(log: &dyn LogBackend, error: &ReadError) -> Refusal {
    match error {
        ReadError::UnknownTopic(name) => Refusal::unknown_topic(log, name.as_str()),
        _ => Refusal::new(500, "LS0513", error_chain(error))
            .help("see `linkspan log verify`, with the host stopped"),
    }
}
