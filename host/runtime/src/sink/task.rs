//! The thread of one sink task.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Instant;

use linkspan_log::{
    Assignment, Assignor, Commit, ConsumerOptions, Event, FetchedBatch, GroupOffset, KvPut,
    LogBackend, Start, Ticket,
};
use linkspan_plugin::Task;
use linkspan_types::{FenceEpoch, GroupId, LeaderEpoch, Offset, OwnerId, TopicPartition};
use linkspan_wire::Batches;
use serde::Deserialize;
use tokio::sync::oneshot;

use super::aim::Aim;
use super::aside::DeadLetters;
use super::batch::PutBuilder;
use super::fetch::{self, Command, Fetched, Handle, Message};
use super::midway::Midway;
use super::positions::Positions;
use super::reply::Progress;
use super::uncounted::{Tally, Uncounted};
use crate::connector::TaskContext;
use crate::convert::SinkConverter;
use crate::error::TaskError;
use crate::errors::Retrier;
use crate::task::TaskState;

/// Bytes of one fetch from one partition.
const FETCH_BYTES_MAX: usize = 1 << 20;

/// The consumer group of a sink, named as Kafka Connect names it.
pub(crate) fn group_of(connector: &str) -> GroupId {
    GroupId::from(format!("connect-{connector}").as_str())
}

/// Runs one life of a sink task, from `open` to `close`.
pub(crate) fn run(ctx: &TaskContext, fence: FenceEpoch) -> Result<(), TaskError> {
    let instance = ctx.runtime.services.enter(&ctx.task);
    let outcome = live(ctx, fence, instance);
    ctx.task.set_waker(None);
    ctx.task.set_control(None);
    ctx.task.set_midway(None);
    ctx.runtime.services.leave(instance);
    outcome
}

fn live(ctx: &TaskContext, fence: FenceEpoch, instance: u64) -> Result<(), TaskError> {
    let task = ctx.create_task(instance)?;
    ctx.task.set_control(Some(task.control()));
    let mut fetching = None;
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        deliver(ctx, fence, &task, &mut fetching)
    }))
    .unwrap_or_else(|_| Err(TaskError::host_panic()));
    // The plugin is closed before its partitions are free for another task.
    let closed = task.close().map_err(TaskError::from);
    if let Some(handle) = fetching {
        ctx.task.set_waker(None);
        handle.leave(&ctx.runtime.tokio);
    }
    outcome.and(closed)
}

fn deliver(
    ctx: &TaskContext,
    fence: FenceEpoch,
    task: &Task,
    fetching: &mut Option<Handle>,
) -> Result<(), TaskError> {
    task.open()?;
    let settings = &ctx.runtime.settings;
    let consumer = ctx.runtime.log.open_consumer(ConsumerOptions {
        group: group_of(&ctx.spec.name),
        member: ctx.task.name(),
        topics: ctx.spec.topics.clone(),
        pattern: ctx.spec.topics_regex.clone(),
        assignor: Assignor::default(),
        start: Start::Earliest,
        max_bytes: FETCH_BYTES_MAX,
        fence: Some((OwnerId::from(ctx.spec.name.as_str()), fence)),
    })?;
    let handle = fetching.insert(fetch::start(
        &ctx.runtime.tokio,
        consumer,
        settings.fetch_buffer_bytes_max,
        ctx.share(),
    ));
    ctx.task.set_waker(Some(handle.wake.clone()));
    ctx.running();
    let converter = SinkConverter::new(
        Arc::clone(ctx.runtime.services.schemas()),
        Arc::clone(&ctx.runtime.log),
        ctx.converters()?,
    );
    let policy = ctx.error_policy()?;
    let owner = OwnerId::from(ctx.spec.name.as_str());
    let letters = DeadLetters::open(ctx, &policy, || ctx.runtime.log.producer_at(&owner, fence))?;
    let retrier = Retrier {
        task: Arc::clone(&ctx.task),
        policy: Arc::clone(&policy),
    };
    let midway = Arc::new(Midway::new(ctx, handle.commands()));
    ctx.task.set_midway(Some(Arc::clone(&midway)));
    let aim = Aim::new(settings.put_bytes, ctx.runtime.budget.share());
    let mut delivery = Delivery {
        ctx,
        task,
        handle,
        builder: PutBuilder::new(converter, ctx.chain()?, aim.bytes(), retrier.clone()),
        aim,
        retrier,
        letters,
        positions: Positions::default(),
        pending: Vec::new(),
        next_tick: Instant::now() + ctx.spec.flush_interval,
        uncounted: Uncounted::default(),
        held: None,
        midway,
        midway_committed: false,
        covered: Vec::new(),
    };
    delivery.work()?;
    delivery.finish()
}

pub(super) struct Delivery<'a> {
    pub(super) ctx: &'a TaskContext,
    pub(super) task: &'a Task,
    handle: &'a Handle,
    pub(super) builder: PutBuilder,
    pub(super) aim: Aim,
    pub(super) retrier: Retrier,
    pub(super) letters: DeadLetters,
    pub(super) positions: Positions,
    /// Where each partition stands once the batch in the builder has been put.
    pub(super) pending: Vec<(TopicPartition, Offset)>,
    pub(super) next_tick: Instant,
    pub(super) uncounted: Uncounted,
    /// While the task is paused: what had been fetched already.
    held: Option<VecDeque<Fetched>>,
    /// What the plugin commits while its `put` still runs.
    pub(super) midway: Arc<Midway>,
    /// It did so in the batch at hand.
    pub(super) midway_committed: bool,
    /// Coordinates of dead letters that those commits covered, to be taken out by the next commit.
    pub(super) covered: Vec<KvPut>,
}

#[derive(Deserialize)]
struct Seek {
    topic: String,
    partition: i32,
    offset: i64,
    /// A position to make durable before the first `put`: a sink that writes before it reports needs one to come back to.
    metadata: Option<String>,
    /// That of the last record before a position which was kept outside; such a position must be in this log.
    leader_epoch: Option<i32>,
}

impl Delivery<'_> {
    fn work(&mut self) -> Result<(), TaskError> {
        while !self.ctx.task.stop.is_set() {
            self.ctx.task.touch();
            self.follow_pause()?;
            let wait = self.next_tick.saturating_duration_since(Instant::now());
            match self.handle.events.recv_timeout(wait) {
                Ok(Message::Wake) => {}
                Ok(Message::Fetched(fetched)) if self.held.is_some() => self.hold(fetched)?,
                Ok(Message::Fetched(fetched)) => {
                    self.handle_event(fetched.event?)?;
                    self.take_more()?;
                    self.put()?;
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.put_bytes()?;
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(TaskError::internal("the fetching half has ended"));
                }
            }
            self.finish_job_part()?;
        }
        Ok(())
    }

    /// Begins and ends a pause: what was put is committed, then nothing more is fetched or put; the partitions stay assigned.
    fn follow_pause(&mut self) -> Result<(), TaskError> {
        match (self.ctx.task.stop.is_paused(), self.held.is_some()) {
            (true, false) => {
                self.put()?;
                self.flush()?;
                self.command(Command::Pause(self.positions.all()))?;
                self.held = Some(VecDeque::new());
                self.ctx.task.set_state(TaskState::Paused, None);
            }
            (false, true) => {
                let held = self.held.take().unwrap_or_default();
                self.command(Command::Resume(self.positions.all()))?;
                self.ctx.running();
                for fetched in held {
                    self.handle_event(fetched.event?)?;
                }
                self.put()?;
            }
            _ => {}
        }
        Ok(())
    }

    /// An event that comes while the task is paused: batches wait, assignments do not.
    fn hold(&mut self, fetched: Fetched) -> Result<(), TaskError> {
        match &fetched.event {
            Ok(Event::Batch(_)) => {
                if let Some(held) = &mut self.held {
                    held.push_back(fetched);
                }
                return Ok(());
            }
            Ok(Event::Assigned(assigned)) => {
                let partitions = assigned.iter().map(|a| a.partition.clone()).collect();
                self.command(Command::Pause(partitions))?;
            }
            Ok(Event::Revoked(partitions)) => {
                if let Some(held) = &mut self.held {
                    held.retain(|fetched| match &fetched.event {
                        Ok(Event::Batch(batch)) => !partitions.contains(&batch.partition),
                        _ => true,
                    });
                }
            }
            _ => {}
        }
        self.handle_event(fetched.event?)
    }

    /// Takes what has been fetched meanwhile, up to the size of one `put`.
    fn take_more(&mut self) -> Result<(), TaskError> {
        while !self.builder.is_full() {
            match self.handle.events.try_recv() {
                Ok(Message::Fetched(fetched)) => self.handle_event(fetched.event?)?,
                Ok(Message::Wake) => {}
                Err(_) => break,
            }
        }
        Ok(())
    }

    fn handle_event(&mut self, event: Event) -> Result<(), TaskError> {
        match event {
            Event::Batch(batch) => self.add(&batch),
            Event::Assigned(assigned) => self.assigned(&assigned),
            Event::Revoked(partitions) => self.revoked(&partitions),
            Event::Lost(partitions) => Err(TaskError::permanent(
                "LS0510",
                "conflict",
                format!(
                    "connector `{}` lost {} partitions to a newer owner of its name",
                    self.ctx.spec.name,
                    partitions.len()
                ),
            )),
            Event::OffsetLost {
                partition,
                wanted,
                log_start,
            } => Err(self.position_lost(&partition, wanted, log_start)),
        }
    }

    /// Retention or a person deleted what this sink had not read: it says and counts it, and does not go on by itself.
    fn position_lost(
        &self,
        partition: &TopicPartition,
        wanted: Offset,
        log_start: Offset,
    ) -> TaskError {
        let records = log_start.0.saturating_sub(wanted.0);
        self.ctx.task.counters.lost.fetch_add(
            u64::try_from(records).unwrap_or(0),
            std::sync::atomic::Ordering::Relaxed,
        );
        let message = format!(
            "connector `{}`: `{}` partition {}: the committed position {wanted} is no longer in the log, which begins at \
             {log_start}; {records} records are lost to this sink. Reset its offsets to go on from there",
            self.ctx.spec.name, partition.topic, partition.partition,
        );
        TaskError::permanent("LS0420", "data_invalid", message)
    }

    fn add(&mut self, batch: &FetchedBatch) -> Result<(), TaskError> {
        let partition = &batch.partition;
        let put = self
            .pending
            .iter()
            .rev()
            .find(|(pending, _)| pending == partition)
            .map(|(_, next)| *next);
        let Some(mut at) = put.or_else(|| self.positions.fetched(partition)) else {
            // Fetched before the partition was taken away; its new owner reads it again.
            return Ok(());
        };
        if batch.from > at {
            return Err(TaskError::internal(format!(
                "{partition}: the log went on at {}, records from {at} on were expected",
                batch.from
            )));
        }
        while at < batch.next {
            let positions = &mut self.positions;
            let rest = self.builder.add(batch, at, |base, epoch| {
                positions.note_epoch(partition, base, epoch)
            })?;
            at = rest.unwrap_or(batch.next);
            self.pending.push((partition.clone(), at));
            if rest.is_some() && !self.put()? {
                break;
            }
        }
        Ok(())
    }

    fn assigned(&mut self, assigned: &[Assignment]) -> Result<(), TaskError> {
        self.put()?;
        if self.ctx.spec.topics_regex.is_some() {
            // A topic that was made since the start: retention waits for this sink there, too.
            let log = self.ctx.runtime.log.as_ref();
            log.declare_reader(
                &group_of(&self.ctx.spec.name),
                &self.ctx.spec.topics_now(log)?,
            )?;
        }
        self.positions.assign(assigned);
        self.letters
            .assigned(self.ctx, assigned, &mut self.builder.aside)?;
        let seeks = self
            .task
            .open_partitions(&Positions::assigned_json(assigned))?;
        let seeks: Vec<Seek> = if seeks.is_empty() {
            Vec::new()
        } else {
            serde_json::from_str(&seeks).map_err(|error| {
                TaskError::internal(format!("the sink's seeks are not valid: {error}"))
            })?
        };
        let mut known = Vec::new();
        for seek in seeks {
            known.extend(self.seek(seek, assigned)?);
        }
        self.commit(&known, true)?;
        self.command(Command::GoOn)?;
        self.ctx.task.beat();
        Ok(())
    }

    /// Moves a partition to where the plugin says; returns the position that has to be made durable for it.
    fn seek(&mut self, seek: Seek, assigned: &[Assignment]) -> Result<Option<Progress>, TaskError> {
        let found = assigned.iter().find(|a| {
            a.partition.partition.0 == seek.partition && a.partition.topic.as_str() == seek.topic
        });
        let Some(assignment) = found else {
            return Err(TaskError::internal(format!(
                "the sink seeks in `{}`-{}, which it was not assigned",
                seek.topic, seek.partition
            )));
        };
        let to = Offset(seek.offset);
        let moved = to != assignment.next;
        if let Some(epoch) = seek.leader_epoch {
            let (topic, partition) = (&assignment.topic_id, assignment.partition.partition);
            self.ctx
                .runtime
                .log
                .check_position(topic, partition, LeaderEpoch(epoch), to)?;
        }
        if moved {
            let (reply, answer) = oneshot::channel();
            self.command(Command::Seek(assignment.partition.clone(), to, reply))?;
            answer
                .blocking_recv()
                .map_err(|_| TaskError::internal("the fetching half has ended"))??;
            let epoch = epoch_before(self.ctx.runtime.log.as_ref(), assignment, to)?;
            self.positions.seek(&assignment.partition, to, epoch);
        }
        let metadata = match seek.metadata {
            Some(metadata) => metadata,
            // The plugin knows better than the group: from here on the group knows it too.
            None if moved => assignment.metadata.clone(),
            None => return Ok(None),
        };
        Ok(Some(Progress {
            topic: seek.topic,
            partition: seek.partition,
            offset: seek.offset,
            metadata,
        }))
    }

    fn revoked(&mut self, partitions: &[TopicPartition]) -> Result<(), TaskError> {
        self.put()?;
        self.flush()?;
        self.task
            .close_partitions(&Positions::partitions_json(partitions))?;
        self.positions.remove(partitions);
        DeadLetters::revoked(partitions, &mut self.builder.aside);
        self.command(Command::GoOn)
    }

    pub(super) fn commit(&mut self, progress: &[Progress], wait: bool) -> Result<(), TaskError> {
        self.ctx.task.keep_files(self.ctx.task.take_reported());
        if skip_positions() {
            return Ok(());
        }
        let news = self.positions.news(
            progress,
            &self.builder.aside,
            self.ctx.runtime.clock.now_ms(),
        )?;
        if news.is_empty() {
            if std::mem::take(&mut self.midway_committed) {
                // All of it was committed while the plugin worked.
                self.count();
                self.ctx.task.beat();
            }
            return Ok(());
        }
        self.midway_committed = false;
        let (reply_sender, reply_receiver) = oneshot::channel();
        let offsets: Vec<(TopicPartition, GroupOffset)> = news;
        let mut covered = std::mem::take(&mut self.covered);
        covered.extend(self.builder.aside.cover(&self.ctx.spec.name, &offsets));
        let mut with = Commit::default();
        if self.letters.writes() {
            with.puts = covered;
        }
        self.command(Command::Commit(offsets.clone(), with, reply_sender))?;
        let ticket = reply_receiver
            .blocking_recv()
            .map_err(|_| TaskError::internal("the fetching half ended before it committed"))??;
        let since = Instant::now();
        if wait || self.ctx.task.ends.is_set() {
            ticket.wait()?;
            self.ctx.task.measures.commit.observe(since.elapsed());
            self.ctx.task.measures.last_commit.now();
            self.positions.committed(&offsets);
            self.count();
            self.ctx.task.beat();
        } else {
            // Tickets answer in order: a failed one shows as the failure of the next commit or fetch.
            self.positions.committed(&offsets);
            self.count();
            let (promise, durable) = Ticket::pair();
            self.midway.follow(durable);
            let task = Arc::clone(&self.ctx.task);
            self.ctx.runtime.tokio.spawn(async move {
                let answer = ticket.await;
                if answer.is_ok() {
                    task.measures.commit.observe(since.elapsed());
                    task.measures.last_commit.now();
                }
                promise.complete(answer);
            });
        }
        Ok(())
    }

    /// Counts the puts that are committed.
    fn count(&mut self) {
        if self.positions.all_committed() {
            return self.count_all();
        }
        let positions = &self.positions;
        let tally = self
            .uncounted
            .take_covered(|marks| positions.are_committed(marks));
        self.add_counted(tally);
    }

    fn count_all(&mut self) {
        let tally = self.uncounted.take_all();
        self.add_counted(tally);
    }

    fn add_counted(&self, tally: Tally) {
        let counters = &self.ctx.task.counters;
        counters.add(tally.records, tally.bytes);
        counters.set_aside(self.letters.writes(), tally.aside);
    }

    fn command(&self, command: Command) -> Result<(), TaskError> {
        Ok(self.handle.command(command)?)
    }

    /// In a bounded job: once all up to the ends has been put, flush so that the ends are passed for good.
    fn finish_job_part(&mut self) -> Result<(), TaskError> {
        let Some(ends) = self.ctx.task.ends.get() else {
            return Ok(());
        };
        if self.positions.fetched_all(&ends) && !self.positions.passed(&ends) {
            self.flush()?;
        }
        Ok(())
    }

    /// A clean stop: what was put is flushed and its progress committed before the partitions are given back.
    fn finish(&mut self) -> Result<(), TaskError> {
        self.put()?;
        self.flush()?;
        // All that was put is flushed: it counts, whatever the plugin reports of its last offsets.
        self.count_all();
        let all = self.positions.all();
        if !all.is_empty() {
            self.task
                .close_partitions(&Positions::partitions_json(&all))?;
        }
        Ok(())
    }
}

/// The leader epoch of the record before `offset`: a position belongs to that one.
fn epoch_before(
    log: &dyn LogBackend,
    assignment: &Assignment,
    offset: Offset,
) -> Result<LeaderEpoch, TaskError> {
    let (topic, partition) = (&assignment.topic_id, assignment.partition.partition);
    let marks = log.offsets(topic, partition)?;
    if offset <= marks.log_start {
        return Ok(marks.leader_epoch);
    }
    let fetched = log.fetch(topic, partition, Offset(offset.0 - 1), 1)?;
    let batch = Batches::new(&fetched.bytes).next().and_then(Result::ok);
    Ok(batch.map_or(marks.leader_epoch, |batch| {
        LeaderEpoch(batch.header().leader_epoch)
    }))
}

/// The negative control of the kill tests: with it set a restart must double or lose records. Debug builds only.
pub(super) fn skip_positions() -> bool {
    cfg!(debug_assertions) && std::env::var_os("LINKSPAN_TEST_SKIP_POSITION").is_some()
}
