//! `webhook-source`: the task that turns waiting requests into batches.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use linkspan_sdk::prelude::*;
use linkspan_sdk::tracing::{Instrument as _, info, warn};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::acker::{self, Outcome, Waiting};
use super::listener::{self, Server};
use super::options::WebhookOptions;
use super::repeats::Repeats;
use super::service::{Gate, Job, router};
use crate::own;

/// Most requests of one batch: each may change an offset, of which a batch has 10,000 at most.
const REQUESTS_MAX: usize = 4_000;
/// The most bytes that a batch takes together; a single request may have more, and then goes alone.
const BATCH_BYTES_MAX: usize = 4 << 20;
/// How long closing waits for callers to be answered, and then for connections to end.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);

/// The task of a webhook.
pub(crate) struct Webhook {
    options: WebhookOptions,
    queue: mpsc::Receiver<Job>,
    /// The request that did not fit into the last batch.
    held: Option<Job>,
    repeats: Repeats,
    gate: Arc<Gate>,
    closing: watch::Sender<bool>,
    /// Unbounded, because every caller in it holds one of `max.in.flight`.
    waiting: Option<mpsc::UnboundedSender<Waiting>>,
    acker: Option<JoinHandle<()>>,
    server: Option<JoinHandle<()>>,
    _open: own::Announced,
}

impl SourceTask for Webhook {
    type Options = WebhookOptions;

    async fn open(options: WebhookOptions, ctx: SourceContext) -> Result<Self> {
        let address = options
            .address()
            .ok_or_else(|| Error::config_invalid("`listen` is no address"))?;
        let tls = listener::acceptor(&options)?;
        let idempotency = &options.idempotency;
        let repeats = Repeats::load(&ctx, &options.path, idempotency.window, idempotency.max)?;
        let listener = TcpListener::bind(address).await.map_err(|error| {
            let taken = error.kind() == std::io::ErrorKind::AddrInUse;
            let error = Error::from(error).context(format!("listen on {address}"));
            if taken {
                error.with_kind(ErrorKind::Conflict).temporary()
            } else {
                error
            }
        })?;
        let bound = listener.local_addr()?;
        let open = own::Announced::new(bound);
        info!(address = %bound, path = %options.path, tls = tls.is_some(), "webhook is listening");
        if !bound.ip().is_loopback() && options.insecure_listen {
            warn!(address = %bound, "others can reach this webhook, and `insecure.listen` is set");
        }
        let depth = usize::try_from(options.max_in_flight).unwrap_or(usize::MAX >> 4);
        let (jobs, queue) = mpsc::channel(depth);
        let gate = Arc::new(Gate::new(&options, jobs));
        let (closing, closed) = watch::channel(false);
        let server = Server {
            listener,
            router: router(Arc::clone(&gate)),
            tls,
            connections_max: usize::try_from(options.max_connections).unwrap_or(usize::MAX >> 4),
            read_timeout: options.read_timeout,
        };
        let (waiting, batches) = mpsc::unbounded_channel();
        let span = ctx.span();
        // Both outlive the request to stop, since callers are still to be answered; `close` and `Drop` end them.
        let acker = tokio::spawn(acker::run(batches, ctx.durable()).instrument(span.clone()));
        let stop = (closing.clone(), Arc::clone(&gate));
        let serving = async move {
            let (closing, gate) = stop;
            let stopping = async move {
                ctx.cancelled().await;
                gate.close();
                closing.send_replace(true);
            };
            tokio::join!(stopping, server.run(closed));
        };
        let server = tokio::spawn(serving.instrument(span));
        Ok(Self {
            options,
            queue,
            held: None,
            repeats,
            gate,
            closing,
            waiting: Some(waiting),
            acker: Some(acker),
            server: Some(server),
            _open: open,
        })
    }

    async fn poll(&mut self, out: &mut BatchBuilder) -> Result<Poll> {
        let first = match self.held.take() {
            Some(job) => job,
            None => self
                .queue
                .recv()
                .await
                .ok_or_else(|| Error::stopped("the webhook is closed"))?,
        };
        let now_ms = unix_ms();
        let mut callers = Vec::new();
        let mut next = Some(first);
        let mut count = 0;
        while let Some(job) = next.take() {
            if count > 0 && out.bytes_len() + job.weight > BATCH_BYTES_MAX {
                self.held = Some(job);
                break;
            }
            self.take(job, now_ms, &mut callers, out)?;
            count += 1;
            if count >= REQUESTS_MAX || out.is_full() {
                break;
            }
            next = self.queue.try_recv().ok();
        }
        self.repeats.forget(now_ms, out);
        self.wait(Waiting {
            seq: out.seq(),
            callers,
        });
        Ok(Poll::More)
    }

    async fn close(&mut self) -> Result<()> {
        self.gate.close();
        self.closing.send_replace(true);
        // Requests that no batch took hear 503 as soon as their senders are dropped.
        self.queue.close();
        while self.queue.try_recv().is_ok() {}
        self.held = None;
        self.waiting = None;
        for handle in [self.acker.take(), self.server.take()]
            .into_iter()
            .flatten()
        {
            let abort = handle.abort_handle();
            if timeout(CLOSE_LIMIT, handle).await.is_err() {
                warn!("callers were still waiting when the webhook closed");
                abort.abort();
            }
        }
        Ok(())
    }
}

impl Webhook {
    /// Puts the records of one request into the batch, unless its name was seen.
    fn take(
        &mut self,
        job: Job,
        now_ms: u64,
        callers: &mut Vec<(oneshot::Sender<Outcome>, Outcome)>,
        out: &mut BatchBuilder,
    ) -> Result<()> {
        if let Some(seq) = job.name.and_then(|name| self.repeats.batch_of(&name)) {
            // The first one may not be durable yet: the repeat hears no more than that.
            if let Some(caller) = job.caller {
                self.wait(Waiting {
                    seq,
                    callers: vec![(caller, Outcome::Repeated)],
                });
            }
            return Ok(());
        }
        for piece in &job.pieces {
            let mut record = out.to(&self.options.topic);
            if let Some(key) = &piece.key {
                record = record.key_bytes(key);
            }
            for (name, value) in job.headers.iter().chain(&piece.headers) {
                record = match std::str::from_utf8(value) {
                    Ok(text) => record.header(name, Data::Utf8(text)),
                    Err(_) => record.header(name, Data::Bytes(value)),
                };
            }
            record.bytes(&piece.value)?;
        }
        if let Some(name) = job.name.filter(|_| self.repeats.is_on()) {
            self.repeats.remember(name, now_ms, out);
        }
        callers.extend(job.caller.map(|caller| (caller, Outcome::Durable)));
        Ok(())
    }

    fn wait(&self, waiting: Waiting) {
        if let Some(sender) = self
            .waiting
            .as_ref()
            .filter(|_| !waiting.callers.is_empty())
        {
            // The acker ends before its sender only when the task is closed; then callers hear 503.
            let _closed = sender.send(waiting).is_err();
        }
    }
}

impl Drop for Webhook {
    fn drop(&mut self) {
        self.gate.close();
        self.closing.send_replace(true);
        for handle in [&self.acker, &self.server].into_iter().flatten() {
            handle.abort();
        }
    }
}

fn unix_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
