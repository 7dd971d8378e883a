//! A source's task behind the table.

use std::{cell::Cell, future::Future, pin::Pin, rc::Rc, sync::Arc, time::Duration};

use linkspan_abi::{BatchBuf, RVec, batch};

use super::{
    runtime::block_on,
    shell::{Task, not_open},
};
use crate::{
    BatchBuilder, Error, Poll, Result, SourceContext, SourceTask, context::TaskContext,
    export::class::config_error, options::Options as _,
};

type Home<T> = Rc<Cell<Option<Box<Seat<T>>>>>;

/// A source's task. Its poll future is kept across calls, and gives the seat back whenever it ends or is dropped.
pub(crate) struct Source<T: SourceTask> {
    context: TaskContext,
    home: Home<T>,
    polling: Option<Pin<Box<dyn Future<Output = Result<Poll>>>>>,
}

/// The author's task with the batch that it fills.
struct Seat<T> {
    task: T,
    out: BatchBuilder,
}

/// A seat that a poll future holds.
struct Lease<T> {
    seat: Option<Box<Seat<T>>>,
    home: Home<T>,
}

impl<T> Drop for Lease<T> {
    fn drop(&mut self) {
        self.home.set(self.seat.take());
    }
}

impl<T> Lease<T> {
    async fn poll(mut self) -> Result<Poll>
    where
        T: SourceTask,
    {
        match self.seat.as_deref_mut() {
            Some(seat) => seat.task.poll(&mut seat.out).await,
            None => Err(not_open()),
        }
    }
}

/// How a wait for a poll ends.
enum Waited {
    Polled(Result<Poll>),
    Stopped,
    /// Nothing came, or the host wants an answer all the same.
    TimeOut,
}

impl<T: SourceTask> Source<T> {
    pub(crate) fn new(context: TaskContext) -> Self {
        Self {
            context,
            home: Rc::new(Cell::new(None)),
            polling: None,
        }
    }

    fn start_poll(
        &self,
        max_records: u32,
        max_bytes: u64,
    ) -> Result<Pin<Box<dyn Future<Output = Result<Poll>>>>> {
        let mut seat = self.home.take().ok_or_else(not_open)?;
        seat.out.begin(max_records, max_bytes);
        let lease = Lease {
            seat: Some(seat),
            home: Rc::clone(&self.home),
        };
        Ok(Box::pin(lease.poll()))
    }
}

impl<T: SourceTask> Task for Source<T> {
    fn open(&mut self) -> Result<()> {
        let options = T::Options::from_config(self.context.config())
            .map_err(|problems| config_error(&problems))?;
        let context = SourceContext::new(self.context.clone());
        let task = block_on(T::open(options, context))?;
        self.home.set(Some(Box::new(Seat {
            task,
            out: BatchBuilder::new(),
        })));
        Ok(())
    }

    fn poll(&mut self, max_records: u32, max_bytes: u64, wait: Duration) -> Result<BatchBuf> {
        let shared = Arc::clone(self.context.shared());
        if shared.is_stopped() {
            self.polling = None;
            return Err(stopped());
        }
        let mut polling = match self.polling.take() {
            Some(polling) => polling,
            None => self.start_poll(max_records, max_bytes)?,
        };
        let waited = block_on(async {
            Ok(tokio::select! {
                biased;
                polled = polling.as_mut() => Waited::Polled(polled),
                () = shared.cancelled() => Waited::Stopped,
                () = shared.woken() => Waited::TimeOut,
                () = tokio::time::sleep(wait) => Waited::TimeOut,
            })
        });
        match waited? {
            Waited::Polled(polled) => {
                drop(polling);
                let mut seat = self.home.take().ok_or_else(not_open)?;
                let sealed = polled.and_then(|poll| seal(&mut seat.out, poll));
                self.home.set(Some(seat));
                sealed
            }
            Waited::Stopped => Err(stopped()),
            Waited::TimeOut => {
                self.polling = Some(polling);
                idle()
            }
        }
    }

    fn close(&mut self) -> Result<()> {
        self.polling = None;
        match self.home.take() {
            Some(mut seat) => {
                let closed = block_on(seat.task.close());
                // Dropped by its own guard, so that a panic there does not hide the answer.
                self.home.set(Some(seat));
                closed
            }
            None => Ok(()),
        }
    }
}

fn stopped() -> Error {
    Error::stopped("the task was asked to stop")
}

/// Turns what a poll left into a batch. A batch that says nothing has number 0.
fn seal(out: &mut BatchBuilder, poll: Poll) -> Result<BatchBuf> {
    if let Some(error) = out.take_failure() {
        return Err(error);
    }
    let empty = out.writer().is_empty();
    match poll {
        Poll::More => {}
        Poll::Idle(delay) => {
            out.writer().set_flags(batch::IDLE);
            out.writer().poll_after(whole_millis(delay));
        }
        Poll::Exhausted => out.writer().set_flags(batch::END),
    }
    let seq = if empty { 0 } else { out.seq().0 };
    let count = out.len();
    let bytes = out.writer().finish()?;
    if !empty {
        out.next_seq();
    }
    Ok(BatchBuf {
        format: u32::from(batch::FORMAT),
        count,
        seq,
        bytes: RVec::from(bytes),
    })
}

/// Returns whole milliseconds, rounded up: a source that is asked before its time says nothing, again and again, until it has come.
fn whole_millis(delay: Duration) -> u32 {
    u32::try_from(delay.as_nanos().div_ceil(1_000_000)).unwrap_or(u32::MAX)
}

/// What a poll answers that is still waiting.
fn idle() -> Result<BatchBuf> {
    let mut writer = batch::SourceBatchWriter::new();
    writer.set_flags(batch::IDLE);
    Ok(BatchBuf {
        format: u32::from(batch::FORMAT),
        count: 0,
        seq: 0,
        bytes: RVec::from(writer.finish()?),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::whole_millis;

    #[test]
    fn a_pause_is_never_shorter_than_asked_for() {
        let pauses = [0, 1, 999_999, 1_000_000, 1_000_001].map(Duration::from_nanos);
        assert_eq!(pauses.map(whole_millis), [0, 1, 1, 1, 2]);
        assert_eq!(whole_millis(Duration::MAX), u32::MAX);
    }
}
