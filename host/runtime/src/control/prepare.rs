//! Plans many connectors: asks each one's plugin what is wrong with its options and how its work is split.
//!
//! A plugin may take its time, or never answer. Others do not wait for it: after [`OVERTAKE`] another thread goes on with the
//! rest, and after [`ANSWER_MAX`] the connector is left to its own worker, which waits as long as the plugin does.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::error::TaskError;
use crate::spec::{ConnectorSpec, Mode};
use crate::supervisor::{Planned, Runtime};

/// A connector that takes longer is overtaken by the others.
const OVERTAKE: Duration = Duration::from_millis(500);
/// How long a start, or a reload, waits for one plugin's answer.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// Threads that ask at a time.
const ASKING_MAX: usize = 64;
/// How late it is noticed that one takes long.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A connector on its way to a wish.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) spec: Arc<ConnectorSpec>,
    /// `None`: its plugin has not answered yet, or it is not right and its worker will say why.
    pub(super) planned: Option<Planned>,
}

type Answer = (usize, Result<Planned, Vec<TaskError>>);
type Queue = Arc<Mutex<VecDeque<(usize, ConnectorSpec)>>>;

/// Who is being asked, since when.
#[derive(Debug, Default)]
struct Asked(Arc<Mutex<BTreeMap<usize, Instant>>>);

impl Asked {
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<usize, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Plans all of `specs`, in their order. Those named in `lenient` may have problems; their workers say them.
///
/// # Errors
/// Every problem of every other connector that was found in time.
pub(super) fn plan(
    runtime: &Runtime,
    specs: Vec<ConnectorSpec>,
    lenient: &BTreeSet<String>,
) -> Result<Vec<Prepared>, Vec<TaskError>> {
    let all: Vec<Arc<ConnectorSpec>> = specs.iter().cloned().map(Arc::new).collect();
    let mut answers: Vec<Option<Planned>> = all.iter().map(|_| None).collect();
    let mut problems = Vec::new();
    let mut known_bad = BTreeSet::new();
    let mut take = |at: usize, answer: Result<Planned, Vec<TaskError>>| match answer {
        Ok(planned) => {
            if let Some(place) = answers.get_mut(at) {
                *place = Some(planned);
            }
        }
        Err(_) if all.get(at).is_some_and(|spec| lenient.contains(&spec.name)) => {
            known_bad.insert(at);
        }
        Err(errors) => problems.extend(errors),
    };
    let queue: Queue = Arc::new(Mutex::new(specs.into_iter().enumerate().collect()));
    let asked = Asked::default();
    let (sender, receiver) = mpsc::channel();
    let (mut threads, mut answered) = (0, 0);
    let mut last_start = Instant::now();
    while answered < all.len() {
        let waiting = !lock(&queue).is_empty();
        let (busy, patient) = {
            let asked = asked.lock();
            let young = |limit| asked.values().any(|since| since.elapsed() < limit);
            (young(OVERTAKE), young(ANSWER_MAX))
        };
        // A thread that has just been started has not asked anybody yet.
        let overtakes = !busy && last_start.elapsed() >= OVERTAKE && threads < ASKING_MAX;
        if waiting && (threads == 0 || overtakes) {
            threads += usize::from(ask(runtime, &queue, &asked, &sender));
            last_start = Instant::now();
            if threads == 0 {
                return Err(vec![TaskError::internal("no thread could be started")]);
            }
        } else if !waiting && !patient {
            break;
        }
        if let Ok((at, answer)) = receiver.recv_timeout(LOOK_EVERY) {
            answered += 1;
            take(at, answer);
        }
    }
    while let Ok((at, answer)) = receiver.try_recv() {
        take(at, answer);
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let prepared = all.into_iter().zip(answers).enumerate();
    Ok(prepared
        .map(|(at, (spec, planned))| match planned {
            Some(planned) => Prepared {
                spec: Arc::clone(&planned.spec),
                planned: Some(planned),
            },
            None if known_bad.contains(&at) => Prepared {
                spec,
                planned: None,
            },
            None => {
                tracing::warn!(
                    connector = spec.name,
                    code = "LS0427",
                    "its plugin has not answered for {} s what its tasks are; it starts when it does, the others go on",
                    ANSWER_MAX.as_secs()
                );
                Prepared { spec, planned: None }
            }
        })
        .collect())
}

fn lock(queue: &Queue) -> std::sync::MutexGuard<'_, VecDeque<(usize, ConnectorSpec)>> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts a thread that asks one after the other; returns whether it could be started.
fn ask(runtime: &Runtime, queue: &Queue, asked: &Asked, sender: &Sender<Answer>) -> bool {
    let (runtime, queue, sender) = (runtime.clone(), Arc::clone(queue), sender.clone());
    let asked = Asked(Arc::clone(&asked.0));
    std::thread::Builder::new()
        .name("control/plan".to_owned())
        .spawn(move || {
            loop {
                let next = {
                    let mut queue = lock(&queue);
                    let next = queue.pop_front();
                    if let Some((at, _)) = &next {
                        // Under the queue's lock: who finds the queue empty also finds who is being asked.
                        asked.lock().insert(*at, Instant::now());
                    }
                    next
                };
                let Some((at, spec)) = next else {
                    return;
                };
                let answer = runtime.plan_one(spec, Mode::Continuous);
                // Nobody listens any more once the set has been applied without it.
                let heard = sender.send((at, answer)).is_ok();
                asked.lock().remove(&at);
                if !heard {
                    return;
                }
            }
        })
        .is_ok()
}
