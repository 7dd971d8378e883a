//! The fetching half of a sink task.
//!
//! It stands still from the moment it hands over `Assigned` or `Revoked` until the task's thread says that it has dealt
//! with them: nothing is fetched before the plugin's seeks are done, and partitions are given back only after what was put
//! of them is committed.

use std::sync::Arc;

use linkspan_log::{Commit, Consumer, Error, Event, GroupOffset, Ticket};
use linkspan_types::{Offset, TopicPartition};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::{JoinHandle, block_in_place};

use crate::budget::{Held, Share};

/// What the task's thread asks of the consumer.
#[derive(Debug)]
pub(crate) enum Command {
    Seek(
        TopicPartition,
        Offset,
        oneshot::Sender<linkspan_log::Result<()>>,
    ),
    /// Positions, and what is to be in the same frame.
    Commit(
        Vec<(TopicPartition, GroupOffset)>,
        Commit,
        oneshot::Sender<linkspan_log::Result<Ticket>>,
    ),
    /// Fetch nothing of these partitions until they are resumed.
    Pause(Vec<TopicPartition>),
    /// Ends [`Command::Pause`].
    Resume(Vec<TopicPartition>),
    /// `Assigned` or `Revoked` has been dealt with.
    GoOn,
}

/// An event and the room it takes in the buffer.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) event: linkspan_log::Result<Event>,
    _room: Option<(OwnedSemaphorePermit, Held)>,
}

/// What the task's thread waits for.
#[derive(Debug)]
pub(crate) enum Message {
    Fetched(Fetched),
    /// Something else changed: look around.
    Wake,
}

/// Wakes the thread of a sink task.
pub(crate) type Waker = std::sync::mpsc::Sender<Message>;

/// The task thread's ends of the channels.
#[derive(Debug)]
pub(crate) struct Handle {
    pub(crate) events: std::sync::mpsc::Receiver<Message>,
    pub(crate) wake: Waker,
    commands: mpsc::UnboundedSender<Command>,
    pump: JoinHandle<()>,
}

impl Handle {
    pub(crate) fn command(&self, command: Command) -> linkspan_log::Result<()> {
        self.commands.send(command).map_err(|_| Error::Closed)
    }

    /// Returns a way to the consumer that does not keep it.
    pub(crate) fn commands(&self) -> mpsc::WeakUnboundedSender<Command> {
        self.commands.downgrade()
    }

    /// Ends the fetching and leaves the group; returns once the consumer is gone.
    pub(crate) fn leave(self, tokio: &tokio::runtime::Handle) {
        let Self {
            commands,
            pump,
            events,
            wake,
        } = self;
        drop((commands, events, wake));
        if let Err(error) = tokio.block_on(pump) {
            tracing::error!(%error, "the fetching half of a sink ended badly");
        }
    }
}

/// Starts fetching; ends with [`Handle::leave`] or when the consumer fails.
pub(crate) fn start(
    tokio: &tokio::runtime::Handle,
    consumer: Box<dyn Consumer>,
    buffer_bytes: usize,
    share: Share,
) -> Handle {
    let (event_sender, events) = std::sync::mpsc::channel();
    let (commands, command_receiver) = mpsc::unbounded_channel();
    let pump = Pump {
        consumer,
        commands: command_receiver,
        events: event_sender.clone(),
        // The channel is bounded by the room its events take, not by their number.
        room: Arc::new(Semaphore::new(buffer_bytes)),
        buffer_bytes,
        share,
    };
    let pump = tokio.spawn(pump.run());
    Handle {
        events,
        wake: event_sender,
        commands,
        pump,
    }
}

struct Pump {
    consumer: Box<dyn Consumer>,
    commands: mpsc::UnboundedReceiver<Command>,
    events: Waker,
    room: Arc<Semaphore>,
    buffer_bytes: usize,
    /// Of what the whole host may hold.
    share: Share,
}

/// However the pump ends, the thread hears of it; it would wait for ever otherwise.
impl Drop for Pump {
    fn drop(&mut self) {
        // A thread that has ended itself needs no word.
        drop(self.events.send(Message::Fetched(Fetched {
            event: Err(Error::Closed),
            _room: None,
        })));
    }
}

impl Pump {
    async fn run(mut self) {
        // `None`: the task's thread has let go.
        while self.turn().await.is_some() {}
    }

    async fn turn(&mut self) -> Option<()> {
        let event = tokio::select! {
            biased;
            command = self.commands.recv() => {
                obey(self.consumer.as_mut(), command?);
                return Some(());
            }
            event = self.consumer.next() => event,
        };
        let failed = event.is_err();
        let waits = matches!(event, Ok(Event::Assigned(_) | Event::Revoked(_)));
        let wanted = match &event {
            Ok(Event::Batch(batch)) => batch.bytes.len().clamp(1, self.buffer_bytes),
            _ => 0,
        };
        let room = self.take_room(wanted).await?;
        self.events
            .send(Message::Fetched(Fetched { event, _room: room }))
            .ok()?;
        if waits {
            loop {
                match self.commands.recv().await? {
                    Command::GoOn => break,
                    command => obey(self.consumer.as_mut(), command),
                }
            }
        }
        (!failed).then_some(())
    }

    /// Waits for room in the buffer while still serving commands: the thread that makes room may be waiting for a commit.
    async fn take_room(&mut self, wanted: usize) -> Option<Option<(OwnedSemaphorePermit, Held)>> {
        if wanted == 0 {
            return Some(None);
        }
        let permits = u32::try_from(wanted).unwrap_or(u32::MAX);
        let (room, share) = (Arc::clone(&self.room), self.share.clone());
        let acquire = async move {
            let permit = room.acquire_many_owned(permits).await.ok()?;
            Some((permit, share.take(wanted).await))
        };
        tokio::pin!(acquire);
        loop {
            tokio::select! {
                biased;
                command = self.commands.recv() => obey(self.consumer.as_mut(), command?),
                room = &mut acquire => return room.map(Some),
            }
        }
    }
}

fn obey(consumer: &mut dyn Consumer, command: Command) {
    match command {
        // A thread that no longer listens needs no answer.
        Command::Seek(partition, offset, reply) => {
            drop(reply.send(consumer.seek(&partition, offset)))
        }
        // The log's queue may be full: that must not hold up the other tasks of this runtime.
        Command::Commit(offsets, with, reply) => {
            drop(reply.send(block_in_place(|| consumer.commit(&offsets, with))));
        }
        Command::Pause(partitions) => consumer.pause(&partitions),
        Command::Resume(partitions) => consumer.resume(&partitions),
        Command::GoOn => {}
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use linkspan_log::FetchedBatch;
    use linkspan_types::{PartitionId, TopicId, TopicName};

    use super::*;

    /// Hands out `Assigned`, then batches without end; counts how often it is asked.
    #[derive(Debug)]
    struct Scripted {
        asked: Arc<AtomicUsize>,
    }

    fn partition() -> TopicPartition {
        TopicPartition::new(TopicName::try_new("t").unwrap(), PartitionId(0))
    }

    impl Consumer for Scripted {
        fn next<'a>(
            &'a mut self,
        ) -> std::pin::Pin<Box<dyn Future<Output = linkspan_log::Result<Event>> + Send + 'a>>
        {
            let turn = self.asked.fetch_add(1, Ordering::SeqCst);
            Box::pin(async move {
                Ok(match turn {
                    0 => Event::Assigned(Vec::new()),
                    2 => Event::Revoked(vec![partition()]),
                    _ => Event::Batch(FetchedBatch {
                        partition: partition(),
                        topic_id: TopicId([0; 16]),
                        bytes: vec![0; 100].into(),
                        from: Offset(0),
                        next: Offset(1),
                        high_watermark: Offset(1),
                    }),
                })
            })
        }

        fn seek(&mut self, partition: &TopicPartition, _to: Offset) -> linkspan_log::Result<()> {
            Err(Error::NotAssigned {
                partition: partition.clone(),
            })
        }

        fn pause(&mut self, _: &[TopicPartition]) {}

        fn resume(&mut self, _: &[TopicPartition]) {}

        fn commit(
            &self,
            _: &[(TopicPartition, GroupOffset)],
            _: Commit,
        ) -> linkspan_log::Result<Ticket> {
            Ok(Ticket::pair().1)
        }

        fn end_offsets(&self) -> linkspan_log::Result<Vec<(TopicPartition, Offset)>> {
            Ok(Vec::new())
        }
    }

    fn started(buffer: usize) -> (tokio::runtime::Runtime, Handle, Arc<AtomicUsize>) {
        let tokio = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let handle = start(
            tokio.handle(),
            Box::new(Scripted {
                asked: Arc::clone(&asked),
            }),
            buffer,
            crate::budget::Budget::new(usize::MAX).share(),
        );
        (tokio, handle, asked)
    }

    fn event(handle: &Handle) -> Event {
        match handle.events.recv_timeout(Duration::from_secs(10)).unwrap() {
            Message::Fetched(fetched) => fetched.event.unwrap(),
            Message::Wake => panic!("nobody woke the thread"),
        }
    }

    #[test]
    fn nothing_is_fetched_before_an_assignment_or_a_revocation_is_dealt_with() {
        let (tokio, handle, asked) = started(1000);
        assert!(matches!(event(&handle), Event::Assigned(_)));
        // A seek is served meanwhile, and its failure comes back to the one who asked.
        let (reply, answer) = oneshot::channel();
        handle
            .command(Command::Seek(partition(), Offset(5), reply))
            .unwrap();
        assert!(answer.blocking_recv().unwrap().is_err());
        assert_eq!(
            asked.load(Ordering::SeqCst),
            1,
            "fetched before the seek was done"
        );
        handle.command(Command::GoOn).unwrap();
        assert!(matches!(event(&handle), Event::Batch(_)));
        assert!(matches!(event(&handle), Event::Revoked(_)));
        let (reply, answer) = oneshot::channel();
        handle
            .command(Command::Commit(Vec::new(), Commit::default(), reply))
            .unwrap();
        assert!(answer.blocking_recv().unwrap().is_ok());
        assert_eq!(
            asked.load(Ordering::SeqCst),
            3,
            "asked on before the partitions were let go"
        );
        handle.command(Command::GoOn).unwrap();
        assert!(matches!(event(&handle), Event::Batch(_)));
        handle.leave(tokio.handle());
    }

    #[test]
    fn the_buffer_is_bounded_and_leaving_does_not_wait_for_room() {
        let (tokio, handle, asked) = started(250);
        assert!(matches!(event(&handle), Event::Assigned(_)));
        handle.command(Command::GoOn).unwrap();
        assert!(matches!(event(&handle), Event::Batch(_)));
        assert!(matches!(event(&handle), Event::Revoked(_)));
        handle.command(Command::GoOn).unwrap();
        // Room for two batches of 100 bytes; the third has been asked for and waits.
        while asked.load(Ordering::SeqCst) < 6 {
            std::thread::yield_now();
        }
        handle.leave(tokio.handle());
        assert_eq!(asked.load(Ordering::SeqCst), 6);
    }
}
