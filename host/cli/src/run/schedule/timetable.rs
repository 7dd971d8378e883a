//! When one scheduled job runs: a state machine over the wall clock, without threads, disks or sleep.
//!
//! ```text
//! done ───────────────► considered ───────► now
//!   up to here all is dealt   │   due times up to here were decided about: run, waiting, or left out
//!   with: stored              └── next due time lies behind
//! ```
//!
//! `done` moves when a run has ended. A run that was cut off by the end of its host leaves it where it was, so that its time
//! counts as missed at the next start. A clock that is set back repeats nothing: what was considered stays so.

use std::collections::VecDeque;

use linkspan_config::{Missed, Overlap, Schedule};

/// The most runs of one job that wait.
const WAITING_MAX: usize = 1000;
/// The most missed times that are counted one by one.
const COUNTED_MAX: u64 = 100_000;

/// Something that has to be done or said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// A run of this time begins now.
    Run { due_ms: i64 },
    /// Times that get no run, and why.
    LeftOut { count: u64, why: &'static str },
    /// One run stands for several times that were missed.
    MadeUp { count: u64, due_ms: i64 },
}

/// One job's times.
#[derive(Debug)]
pub(crate) struct Timetable {
    schedule: Schedule,
    done_ms: i64,
    considered_ms: i64,
    waiting: VecDeque<i64>,
    working: Option<i64>,
}

impl Timetable {
    /// Begins at `now_ms`. `done_ms` is what an earlier host stored; without it nothing was missed.
    pub(crate) fn new(schedule: Schedule, done_ms: Option<i64>, now_ms: i64) -> Self {
        let done_ms = done_ms.unwrap_or(now_ms).min(now_ms);
        Self {
            schedule,
            done_ms,
            considered_ms: done_ms,
            waiting: VecDeque::new(),
            working: None,
        }
    }

    /// Decides about the times up to `now_ms`, and begins the next run if nothing works.
    pub(crate) fn tick(&mut self, now_ms: i64) -> Vec<Event> {
        let mut events = Vec::new();
        let (due, count) = self.due(now_ms);
        match (due.back().copied(), count) {
            (None, _) => {}
            (Some(only), 1) => self.came(only, &mut events),
            (Some(last), _) => self.missed(due, last, count, &mut events),
        }
        self.begin(&mut events);
        events
    }

    /// The times after what was considered, up to `now_ms`: the latest of them, and how many there are.
    fn due(&mut self, now_ms: i64) -> (VecDeque<i64>, u64) {
        let mut due = VecDeque::new();
        let mut count = 0;
        while let Some(next) = self.schedule.next_after(self.considered_ms) {
            if next > now_ms {
                break;
            }
            self.considered_ms = next;
            count += 1;
            due.push_back(next);
            if due.len() > WAITING_MAX {
                due.pop_front();
            }
            if count >= COUNTED_MAX {
                // Years of a pattern that fires each second: the rest is not worth the time.
                self.considered_ms = now_ms;
            }
        }
        (due, count)
    }

    /// A time came while the host watched.
    fn came(&mut self, due_ms: i64, events: &mut Vec<Event>) {
        let busy = self.working.is_some() || !self.waiting.is_empty();
        let catches_up = self.schedule.missed == Missed::RunAll && !self.waiting.is_empty();
        let left_out = |why| Event::LeftOut { count: 1, why };
        if busy && self.schedule.overlap == Overlap::Skip && !catches_up {
            events.push(left_out("the run before it still works (`overlap: skip`)"));
            return self.settle();
        }
        if self.waiting.len() >= WAITING_MAX {
            events.push(left_out("too many runs wait already"));
            return;
        }
        self.waiting.push_back(due_ms);
    }

    /// Several times passed unseen: no host ran, or the machine slept.
    fn missed(&mut self, due: VecDeque<i64>, last: i64, count: u64, events: &mut Vec<Event>) {
        match self.schedule.missed {
            Missed::Skip => {
                let why = "no host ran at that time (`missed: skip`)";
                events.push(Event::LeftOut { count, why });
                self.settle();
            }
            Missed::RunOnce => {
                events.push(Event::MadeUp {
                    count,
                    due_ms: last,
                });
                self.waiting = VecDeque::from([last]);
            }
            Missed::RunAll => {
                let room = WAITING_MAX - self.waiting.len();
                let skipped = due.len().saturating_sub(room);
                self.waiting.extend(due.iter().skip(skipped));
                let left_out = count - (due.len() - skipped) as u64;
                if left_out > 0 {
                    let why = "more runs were missed than are made up for";
                    events.push(Event::LeftOut {
                        count: left_out,
                        why,
                    });
                }
            }
        }
    }

    fn begin(&mut self, events: &mut Vec<Event>) {
        if self.working.is_none()
            && let Some(due_ms) = self.waiting.pop_front()
        {
            self.working = Some(due_ms);
            events.push(Event::Run { due_ms });
        }
    }

    /// The run that works has ended; `by_itself` is false when the host cut it off.
    pub(crate) fn ended(&mut self, by_itself: bool) {
        if let Some(due_ms) = self.working.take()
            && by_itself
        {
            self.done_ms = self.done_ms.max(due_ms);
            self.settle();
        }
    }

    /// When nothing works or waits, all that was considered is dealt with.
    fn settle(&mut self) {
        if self.working.is_none() && self.waiting.is_empty() {
            self.done_ms = self.done_ms.max(self.considered_ms);
        }
    }

    /// Up to which time all is dealt with: what an earlier host hands to a later one.
    pub(crate) fn done_ms(&self) -> i64 {
        self.done_ms
    }

    /// The next time, of a run that waits or of one whose time comes.
    pub(crate) fn next_due(&self) -> Option<i64> {
        let waiting = self.waiting.front().copied();
        waiting.or_else(|| self.schedule.next_after(self.considered_ms))
    }

    /// The time of the run that works.
    pub(crate) fn working(&self) -> Option<i64> {
        self.working
    }

    /// How many runs wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// Goes on with another schedule of the same job; times already considered stay so.
    pub(crate) fn change(&mut self, schedule: Schedule, now_ms: i64) {
        self.schedule = schedule;
        self.considered_ms = self.considered_ms.max(now_ms);
    }
}

#[cfg(test)]
mod tests;
