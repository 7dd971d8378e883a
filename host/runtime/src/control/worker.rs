//! Brings one connector to what is wanted of it. A worker's thread lives only while there is something to do, and calls
//! this connector's plugin only: a plugin that blocks holds up nobody else.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use linkspan_types::OwnerId;

use super::Inner;
use super::decide::{Restart, State, Step, decide};
use super::slot::{Generation, Slot, TaskSlot, Work};
use super::status;
use crate::connector::{Backoff, TaskContext};
use crate::error::TaskError;
use crate::spec::{ConnectorSpec, Mode};
use crate::supervisor::Planned;
use crate::task::{TaskShared, TaskState};
use crate::whole;

/// A class whose tasks are fenced outside: a new instance may start before the first has closed.
const FEATURE_FENCED: &str = "fenced";
/// How late the end of a thread, or of a pause between attempts, is noticed.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// A task that asks again and again does not keep its plugin busy with answering.
const RECONFIGURE_APART: Duration = Duration::from_millis(250);
/// Longest pause between two attempts to split the work anew, as Kafka Connect has it.
const REPLAN_DELAY_MAX: Duration = Duration::from_secs(60);
/// What a worker does that may last.
const STAGE_PLAN: &str = "asking its plugin for its tasks";
const STAGE_CREATED: &str = "telling its plugin that it was made";
const STAGE_STOP: &str = "waiting for its tasks to stop";

/// Sees to it that somebody works on the connector.
pub(crate) fn kick(inner: &Arc<Inner>, slot: &Arc<Slot>) {
    {
        let mut wish = slot.wish();
        if wish.busy {
            return;
        }
        wish.busy = true;
    }
    let (for_thread, its) = (Arc::clone(inner), Arc::clone(slot));
    let spawned = std::thread::Builder::new()
        .name(format!("{}/control", slot.name))
        .spawn(move || work(&for_thread, &its));
    if let Err(error) = spawned {
        slot.wish().busy = false;
        fail(
            inner,
            slot,
            TaskError::internal(format!("no thread could be started: {error}")),
            None,
        );
    }
}

fn work(inner: &Arc<Inner>, slot: &Slot) {
    let mut work = slot
        .work
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    loop {
        let step = {
            let mut wish = slot.wish();
            let (wanted, actual) = slot.view(&wish);
            let step = decide(wanted, actual);
            if !actual.has_tasks || actual.state == State::Failed {
                // A start splits the work anew in any case.
                wish.reconfigure = None;
            }
            let waits = wish.reconfigure.is_some() || slot.shown().retry_at.is_some();
            if step == Step::Nothing && !waits {
                // Under the wish's lock: a command that comes now finds nobody busy and starts a worker.
                wish.busy = false;
                drop(wish);
                inner.pulse.beat();
                return;
            }
            step
        };
        match step {
            // A failed start, or the next split of the work, waits for its time.
            Step::Nothing => {
                inner.pulse.wait(inner.pulse.now(), LOOK_EVERY);
            }
            Step::Stop => {
                halt(inner, slot, &mut work);
                let mut wish = slot.wish();
                wish.restart = None;
                wish.restart_tasks.clear();
                wish.tasks_while_paused = false;
                drop(wish);
                work.backoff = None;
                let mut shown = slot.shown();
                shown.planned.clear();
                shown.revision = None;
                shown.retry_at = None;
                drop(shown);
                show(inner, slot, State::Stopped, None);
            }
            Step::Halt => halt(inner, slot, &mut work),
            Step::Start(held) => start(inner, slot, &mut work, held),
            Step::Pause => {
                hold(slot, &work, true);
                show(inner, slot, State::Paused, None);
            }
            Step::Resume => {
                hold(slot, &work, false);
                show(inner, slot, State::Running, None);
            }
            Step::Restart => restart(inner, slot, &mut work),
            Step::Reconfigure => reconfigure(inner, slot, &mut work),
        }
    }
}

fn show(inner: &Inner, slot: &Slot, state: State, error: Option<TaskError>) {
    let mut shown = slot.shown();
    let news = shown.state != state;
    shown.state = state;
    shown.error = error;
    drop(shown);
    if news {
        tracing::info!(connector = slot.name, "connector {}", state.word());
    }
    inner.pulse.beat();
}

fn hold(slot: &Slot, work: &Work, pause: bool) {
    for task in work
        .generation
        .iter()
        .flat_map(|generation| &generation.tasks)
    {
        task.shared.request_pause(pause);
    }
    slot.shown().held = pause;
}

/// Shows that the connector could not start; a failure that may pass is tried again after a growing pause.
fn fail(inner: &Inner, slot: &Slot, error: TaskError, again: Option<Duration>) {
    tracing::error!(
        connector = slot.name,
        code = error.code,
        "the connector could not start: {error}"
    );
    let revision = slot.wish().revision;
    let mut shown = slot.shown();
    shown.revision = Some(revision);
    shown.retry_at = again.map(|pause| Instant::now() + pause);
    drop(shown);
    show(inner, slot, State::Failed, Some(error));
}

/// Stops all tasks within the deadline; those that do not stop are given up, and counted.
fn halt(inner: &Inner, slot: &Slot, work: &mut Work) {
    if let Some(generation) = work.generation.take() {
        stop_tasks(inner, slot, generation.tasks);
    }
    let mut shown = slot.shown();
    shown.tasks.clear();
    shown.held = false;
}

fn stop_tasks(inner: &Inner, slot: &Slot, tasks: Vec<TaskSlot>) {
    for task in &tasks {
        task.shared.request_stop();
    }
    let deadline = Instant::now() + inner.runtime.shared.settings.stop_deadline;
    slot.shown().stage = Some((STAGE_STOP, Instant::now()));
    for mut task in tasks {
        let over = || {
            task.thread
                .as_ref()
                .is_none_or(std::thread::JoinHandle::is_finished)
                || task.shared.state().is_over()
        };
        while !over() && Instant::now() < deadline {
            inner.pulse.wait(inner.pulse.now(), LOOK_EVERY);
        }
        let ended = over();
        let mut shown = slot.shown();
        let past = &mut shown.past;
        let counters = &task.shared.counters;
        past.records += counters.records.load(Ordering::Relaxed);
        past.bytes += counters.bytes.load(Ordering::Relaxed);
        past.filtered += counters.filtered.load(Ordering::Relaxed);
        past.restarts += counters.restarts.load(Ordering::Relaxed);
        past.lost += counters.lost.load(Ordering::Relaxed);
        past.dead_letters += counters.dead_letters.load(Ordering::Relaxed);
        past.skipped += counters.skipped.load(Ordering::Relaxed);
        if !ended {
            shown.zombies.push(Arc::clone(&task.shared));
        }
        drop(shown);
        if ended {
            // The state is the last thing a task's thread sets: joining does not wait.
            drop(task.thread.take().map(std::thread::JoinHandle::join));
        } else {
            tracing::error!(
                task = task.shared.name(),
                code = "LS0402",
                "the task did not stop in time and was given up; its thread stays until it ends"
            );
        }
    }
    slot.shown().stage = None;
}

/// Whether an earlier instance is still there, and the class has nothing that keeps two apart. Shows it, and waits a little.
fn must_wait_for_zombies(inner: &Inner, slot: &Slot, fenced: bool) -> bool {
    let mut shown = slot.shown();
    shown.zombies.retain(|task| !task.state().is_over());
    let Some(zombie) = shown.zombies.first().filter(|_| !fenced) else {
        return false;
    };
    let message = format!(
        "task {} was told to stop and has not closed yet; no second instance starts before it has",
        zombie.name()
    );
    drop(shown);
    let error = TaskError::permanent("LS0402", "unavailable", message);
    show(inner, slot, State::Unassigned, Some(error));
    inner.pulse.wait(inner.pulse.now(), LOOK_EVERY);
    true
}

fn start(inner: &Arc<Inner>, slot: &Slot, work: &mut Work, held: bool) {
    let (spec, prepared, revision) = {
        let mut wish = slot.wish();
        (wish.spec.clone(), wish.prepared.take(), wish.revision)
    };
    let Some(spec) = spec else {
        return;
    };
    let started = planned(inner, slot, &spec, prepared).and_then(|planned| {
        if must_wait_for_zombies(inner, slot, planned.class.has_feature(FEATURE_FENCED)) {
            return Ok(Err(planned));
        }
        launch(inner, slot, planned, held).map(Ok)
    });
    match started {
        Ok(Ok(generation)) => {
            let mut wish = slot.wish();
            wish.tasks_while_paused = false;
            // The whole connector has just started: what was asked of its parts is done.
            wish.restart = None;
            wish.restart_tasks.clear();
            drop(wish);
            work.backoff = None;
            let mut shown = slot.shown();
            shown.tasks = generation
                .tasks
                .iter()
                .map(|t| Arc::clone(&t.shared))
                .collect();
            shown.planned = shown.tasks.iter().map(|task| task.index).collect();
            shown.revision = Some(revision);
            shown.retry_at = None;
            shown.held = held;
            shown.starts += 1;
            for task in &generation.tasks {
                *shown.task_starts.entry(task.shared.index).or_default() += 1;
            }
            drop(shown);
            work.generation = Some(generation);
            show(
                inner,
                slot,
                if held { State::Paused } else { State::Running },
                None,
            );
        }
        Ok(Err(planned)) => {
            let mut wish = slot.wish();
            if wish.revision == revision {
                wish.prepared = Some(planned);
            }
        }
        Err(error) => {
            let again = (error.restarts() && spec.restarts).then(|| {
                work.backoff
                    .get_or_insert_with(|| Backoff::new(spec.restart_delay_max))
                    .next(error.retry_after)
            });
            fail(inner, slot, error, again);
        }
    }
}

fn planned(
    inner: &Inner,
    slot: &Slot,
    spec: &Arc<ConnectorSpec>,
    prepared: Option<Planned>,
) -> Result<Planned, TaskError> {
    if let Some(prepared) = prepared {
        return Ok(prepared);
    }
    slot.shown().stage = Some((STAGE_PLAN, Instant::now()));
    let planned = inner
        .runtime
        .plan_one(ConnectorSpec::clone(spec), Mode::Continuous);
    slot.shown().stage = None;
    let planned = planned.and_then(|planned| {
        // Nobody looked at it before, if its plugin had not answered when its set was applied.
        let topics = inner
            .runtime
            .ensure_sink_topics(&planned.spec, planned.letters.as_ref());
        topics
            .map(|()| planned)
            .map_err(|error| vec![TaskError::from(error)])
    });
    planned.map_err(|problems| {
        let message: Vec<String> = problems.iter().map(|p| p.message.clone()).collect();
        let first = problems
            .into_iter()
            .next()
            .unwrap_or_else(|| TaskError::internal("the connector could not be planned"));
        TaskError {
            message: message.join("; "),
            ..first
        }
    })
}

/// Fence first, then tasks: commits of an earlier generation are refused from here on.
fn launch(
    inner: &Arc<Inner>,
    slot: &Slot,
    planned: Planned,
    held: bool,
) -> Result<Generation, TaskError> {
    slot.shown().stage = Some((STAGE_CREATED, Instant::now()));
    let log = inner.runtime.shared.log.as_ref();
    let told = whole::created(log, &inner.keeper, &planned.spec, &planned.class);
    slot.shown().stage = None;
    told?;
    let owner = OwnerId::from(slot.name.as_str());
    let fence = inner
        .runtime
        .shared
        .log
        .open_producer(&owner)?
        .fence_epoch();
    let Planned {
        spec,
        class,
        task_configs,
        letters: _,
    } = planned;
    let mut generation = Generation {
        spec,
        class,
        fence,
        tasks: Vec::new(),
    };
    for (index, config) in (0_u32..).zip(task_configs) {
        match spawn(inner, slot, &generation, index, config, held) {
            Ok(task) => generation.tasks.push(task),
            Err(error) => {
                stop_tasks(inner, slot, generation.tasks);
                return Err(error);
            }
        }
    }
    Ok(generation)
}

fn spawn(
    inner: &Arc<Inner>,
    slot: &Slot,
    generation: &Generation,
    index: u32,
    config: std::collections::BTreeMap<String, String>,
    held: bool,
) -> Result<TaskSlot, TaskError> {
    let name = &generation.spec.name;
    let shared = Arc::new(TaskShared::new(name, index, inner.pulse.clone()));
    shared.stop.set_paused(held);
    let (host, known) = (Arc::downgrade(inner), slot.name.clone());
    shared.on_reconfigure(move || {
        if let Some(inner) = host.upgrade()
            && let Ok(slot) = inner.slot(&known)
        {
            slot.wish().reconfigure.get_or_insert_with(Instant::now);
            kick(&inner, &slot);
        }
    });
    let context = TaskContext {
        runtime: Arc::clone(&inner.runtime.shared),
        spec: Arc::clone(&generation.spec),
        task: Arc::clone(&shared),
        class: generation.class.clone(),
        task_config: config.clone(),
        fence: generation.fence,
        bounded: false,
    };
    let thread = context
        .spawn()
        .map_err(|error| TaskError::internal(format!("no thread could be started: {error}")))?;
    Ok(TaskSlot {
        shared,
        thread: Some(thread),
        config,
    })
}

/// Does the restarts that wait: the connector (its plan is made again), its tasks, or those of them that failed.
fn restart(inner: &Arc<Inner>, slot: &Slot, work: &mut Work) {
    let (asked, mut numbers) = {
        let mut wish = slot.wish();
        (wish.restart.take(), std::mem::take(&mut wish.restart_tasks))
    };
    let failed = slot.shown().state == State::Failed;
    if work.generation.is_none() {
        if asked.is_some() && failed {
            // The decision after this one starts it.
            let mut shown = slot.shown();
            shown.revision = None;
            shown.retry_at = None;
            drop(shown);
            show(inner, slot, State::Restarting, None);
        }
        return;
    }
    if let Some(asked) = asked {
        if (failed || !asked.only_failed) && !replan(inner, slot, work) {
            return;
        }
        if asked.include_tasks {
            numbers.extend(picked(work, asked));
        }
    }
    numbers.sort_unstable();
    numbers.dedup();
    restart_tasks(inner, slot, work, &numbers);
}

fn picked(work: &Work, asked: Restart) -> Vec<u32> {
    work.generation
        .iter()
        .flat_map(|generation| &generation.tasks)
        .filter(|task| !asked.only_failed || has_failed(&task.shared))
        .map(|task| task.shared.index)
        .collect()
}

/// Failed in Connect's sense: a restart that is pending is FAILED there.
pub(crate) fn has_failed(task: &TaskShared) -> bool {
    task.state()
        .connect_word(task.restart_pending.load(Ordering::Relaxed))
        == "FAILED"
}

/// Makes the connector's plan again, as a restart asks for; returns whether its tasks are still there.
fn replan(inner: &Arc<Inner>, slot: &Slot, work: &mut Work) -> bool {
    let Some(generation) = &work.generation else {
        return false;
    };
    match planned(inner, slot, &generation.spec, None) {
        Ok(planned) => {
            slot.shown().starts += 1;
            take_over(inner, slot, work, planned)
        }
        // Its tasks run on, as in Connect.
        Err(error) => {
            fail(inner, slot, error, None);
            false
        }
    }
}

/// Splits the work anew because a task asked for it. What fails is tried again, and the tasks run on meanwhile.
fn reconfigure(inner: &Arc<Inner>, slot: &Slot, work: &mut Work) {
    let too_early = work
        .replanned
        .map(|last| last + RECONFIGURE_APART)
        .filter(|next| *next > Instant::now());
    if let Some(next) = too_early {
        slot.wish().reconfigure = Some(next);
        return;
    }
    // What is asked for from here on is another one.
    slot.wish().reconfigure = None;
    work.replanned = Some(Instant::now());
    let Some(generation) = &work.generation else {
        return;
    };
    match planned(inner, slot, &generation.spec, None) {
        Ok(planned) => {
            work.replanning = None;
            take_over(inner, slot, work, planned);
        }
        Err(error) if error.restarts() => {
            let backoff = work
                .replanning
                .get_or_insert_with(|| Backoff::new(REPLAN_DELAY_MAX));
            let pause = backoff.next(error.retry_after);
            tracing::warn!(
                connector = slot.name,
                code = error.code,
                "its work could not be split anew, its tasks go on; next attempt in {} s: {error}",
                pause.as_secs()
            );
            slot.wish()
                .reconfigure
                .get_or_insert(Instant::now() + pause);
            let held = slot.shown().held;
            show(inner, slot, running_or(held), Some(error));
        }
        Err(error) => fail(inner, slot, error, None),
    }
}

fn running_or(held: bool) -> State {
    if held { State::Paused } else { State::Running }
}

/// Goes over to a new split of the work: tasks whose share is the same go on, the others start anew, and what is too many
/// stops. Returns whether there are tasks afterwards.
fn take_over(inner: &Arc<Inner>, slot: &Slot, work: &mut Work, planned: Planned) -> bool {
    let held = slot.shown().held;
    let Some(generation) = &mut work.generation else {
        return false;
    };
    let n_tasks = planned.task_configs.len();
    let (kept, old): (Vec<TaskSlot>, Vec<TaskSlot>) = std::mem::take(&mut generation.tasks)
        .into_iter()
        .partition(|task| {
            let index = task.shared.index as usize;
            planned.task_configs.get(index) == Some(&task.config)
        });
    let stays: Vec<u32> = kept.iter().map(|task| task.shared.index).collect();
    generation.tasks = kept;
    if !old.is_empty() || stays.len() != n_tasks {
        tracing::info!(
            connector = slot.name,
            "its work is split anew: {n_tasks} tasks, {} of them go on",
            stays.len()
        );
    }
    if !closes(inner, slot, work, old) {
        return false;
    }
    let Some(generation) = &mut work.generation else {
        return false;
    };
    let new = (0_u32..)
        .zip(planned.task_configs)
        .filter(|(index, _)| !stays.contains(index));
    begin(inner, slot, generation, new.collect(), held);
    show(inner, slot, running_or(held), None);
    true
}

/// Stops tasks on the way to new ones; returns whether they closed. If one hangs all start anew once it has closed, or at
/// once below a new fence where the class is fenced.
fn closes(inner: &Arc<Inner>, slot: &Slot, work: &mut Work, old: Vec<TaskSlot>) -> bool {
    stop_tasks(inner, slot, old);
    let hangs = {
        let mut shown = slot.shown();
        shown.zombies.retain(|task| !task.state().is_over());
        !shown.zombies.is_empty()
    };
    if hangs {
        halt(inner, slot, work);
        slot.shown().revision = None;
        let message = "it waits for a task that does not stop";
        let error = TaskError::permanent("LS0402", "unavailable", message);
        show(inner, slot, State::Unassigned, Some(error));
    }
    !hangs
}

/// Starts tasks of a generation that runs.
fn begin(
    inner: &Arc<Inner>,
    slot: &Slot,
    generation: &mut Generation,
    new: Vec<(u32, std::collections::BTreeMap<String, String>)>,
    held: bool,
) {
    for (index, config) in new {
        match spawn(inner, slot, generation, index, config, held) {
            Ok(task) => {
                *slot.shown().task_starts.entry(index).or_default() += 1;
                generation.tasks.push(task);
            }
            Err(error) => {
                // The others run on; this one shows why it does not.
                let task = Arc::new(TaskShared::new(&slot.name, index, inner.pulse.clone()));
                tracing::error!(task = task.name(), "{}", status::trace(&error));
                task.set_state(TaskState::Failed, Some(error));
                generation.tasks.push(TaskSlot {
                    shared: task,
                    thread: None,
                    config: std::collections::BTreeMap::new(),
                });
            }
        }
    }
    generation.tasks.sort_by_key(|task| task.shared.index);
    let shared = generation.tasks.iter().map(|t| Arc::clone(&t.shared));
    let mut shown = slot.shown();
    shown.tasks = shared.collect();
    shown.planned = shown.tasks.iter().map(|task| task.index).collect();
    drop(shown);
    inner.pulse.beat();
}

fn restart_tasks(inner: &Arc<Inner>, slot: &Slot, work: &mut Work, numbers: &[u32]) {
    let held = slot.shown().held;
    let Some(generation) = &mut work.generation else {
        return;
    };
    let (old, kept): (Vec<TaskSlot>, Vec<TaskSlot>) = std::mem::take(&mut generation.tasks)
        .into_iter()
        .partition(|task| numbers.contains(&task.shared.index));
    generation.tasks = kept;
    if old.is_empty() {
        return;
    }
    let again: Vec<_> = old
        .iter()
        .map(|task| (task.shared.index, task.config.clone()))
        .collect();
    if closes(inner, slot, work, old)
        && let Some(generation) = &mut work.generation
    {
        begin(inner, slot, generation, again, held);
    }
}
