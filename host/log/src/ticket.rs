//! The receipt of a submitted commit: wait for it on a thread, poll it, or await it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::Thread;

use crate::backend::Committed;
use crate::error::{Error, Result};

/// The receipt of one submitted commit.
///
/// Dropping it loses the answer, not the commit.
///
/// # Cancel safety
/// As a future it may be dropped and, while it exists, polled again at will; the answer is delivered once.
#[must_use = "a commit is durable only when its ticket says so"]
pub struct Ticket(Arc<Slot>);

/// The other end of a [`Ticket`], held by the backend. Dropping it unanswered fails the ticket with [`Error::Closed`].
pub struct Promise(Option<Arc<Slot>>);

#[derive(Default)]
struct Slot(Mutex<State>);

#[derive(Default)]
struct State {
    answer: Option<Result<Committed>>,
    waiter: Waiter,
}

#[derive(Default)]
enum Waiter {
    #[default]
    Nobody,
    Thread(Thread),
    Task(Waker),
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    /// Makes a connected pair.
    pub fn pair() -> (Promise, Self) {
        let slot = Arc::new(Slot::default());
        (Promise(Some(Arc::clone(&slot))), Self(slot))
    }

    /// Blocks the thread until the commit is durable or has failed.
    ///
    /// # Errors
    /// What made the commit fail; nothing of it is or will become visible.
    pub fn wait(self) -> Result<Committed> {
        loop {
            let mut state = self.0.lock();
            if let Some(answer) = state.answer.take() {
                return answer;
            }
            state.waiter = Waiter::Thread(std::thread::current());
            drop(state);
            std::thread::park();
        }
    }

    /// Returns the answer if it is there; later calls return `None` again.
    pub fn try_get(&mut self) -> Option<Result<Committed>> {
        self.0.lock().answer.take()
    }
}

impl Future for Ticket {
    type Output = Result<Committed>;

    fn poll(self: Pin<&mut Self>, ctx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.0.lock();
        if let Some(answer) = state.answer.take() {
            return Poll::Ready(answer);
        }
        state.waiter = Waiter::Task(ctx.waker().clone());
        Poll::Pending
    }
}

impl Promise {
    /// Answers the ticket.
    pub fn complete(mut self, answer: Result<Committed>) {
        if let Some(slot) = self.0.take() {
            deliver(&slot, answer);
        }
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        if let Some(slot) = self.0.take() {
            deliver(&slot, Err(Error::Closed));
        }
    }
}

fn deliver(slot: &Slot, answer: Result<Committed>) {
    let mut state = slot.lock();
    state.answer = Some(answer);
    let waiter = std::mem::take(&mut state.waiter);
    drop(state);
    match waiter {
        Waiter::Nobody => {}
        Waiter::Thread(thread) => thread.unpark(),
        Waiter::Task(waker) => waker.wake(),
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").finish_non_exhaustive()
    }
}

impl fmt::Debug for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Promise").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::conformance::block_on;

    #[test]
    fn an_answer_reaches_a_waiting_thread_a_task_and_a_poll() {
        let (promise, ticket) = Ticket::pair();
        let waiting = std::thread::spawn(move || ticket.wait());
        promise.complete(Ok(Committed::default()));
        assert!(waiting.join().unwrap().is_ok());

        let (promise, ticket) = Ticket::pair();
        let answering = std::thread::spawn(move || promise.complete(Err(Error::Aborted)));
        let answer = block_on(ticket, Duration::from_secs(10)).unwrap();
        assert!(matches!(answer, Err(Error::Aborted)), "{answer:?}");
        answering.join().unwrap();

        let (promise, mut ticket) = Ticket::pair();
        assert!(ticket.try_get().is_none());
        promise.complete(Ok(Committed::default()));
        assert!(ticket.try_get().is_some_and(|answer| answer.is_ok()));
        assert!(ticket.try_get().is_none());
    }

    #[test]
    fn a_promise_that_is_dropped_fails_its_ticket() {
        let (promise, ticket) = Ticket::pair();
        drop(promise);
        assert!(matches!(ticket.wait(), Err(Error::Closed)));
    }
}
