//! The fetching half of a sink task.

use std::sync::Arc;

use linkspan_log::{Consumer, Event, GroupOffset, KvPut, Ticket};
use linkspan_types::{Offset, TopicPartition};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

/// What the task's thread asks of the consumer.
#[derive(Debug)]
pub(crate) enum Command {
    Seek(TopicPartition, Offset),
    Commit(
        Vec<(TopicPartition, GroupOffset)>,
        Vec<KvPut>,
        oneshot::Sender<linkspan_log::Result<Ticket>>,
    ),
}

/// An event and the room it takes in the buffer.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) event: linkspan_log::Result<Event>,
    _room: Option<OwnedSemaphorePermit>,
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
    pub(crate) commands: mpsc::UnboundedSender<Command>,
    pub(crate) wake: Waker,
}

/// Starts fetching; ends when the handle is dropped or the consumer fails.
pub(crate) fn start(
    tokio: &tokio::runtime::Handle,
    consumer: Box<dyn Consumer>,
    buffer_bytes: usize,
) -> Handle {
    let (event_sender, events) = std::sync::mpsc::channel();
    let (commands, command_receiver) = mpsc::unbounded_channel();
    // The channel is bounded by the room its events take, not by their number.
    let room = Arc::new(Semaphore::new(buffer_bytes));
    tokio.spawn(pump(
        consumer,
        command_receiver,
        event_sender.clone(),
        room,
        buffer_bytes,
    ));
    Handle {
        events,
        commands,
        wake: event_sender,
    }
}

async fn pump(
    mut consumer: Box<dyn Consumer>,
    mut commands: mpsc::UnboundedReceiver<Command>,
    events: Waker,
    room: Arc<Semaphore>,
    buffer_bytes: usize,
) {
    loop {
        let event = tokio::select! {
            biased;
            command = commands.recv() => {
                let Some(command) = command else { return };
                if let Err(error) = obey(consumer.as_mut(), command)
                    && events.send(Message::Fetched(Fetched { event: Err(error), _room: None })).is_err()
                {
                    return;
                }
                continue;
            }
            event = consumer.next() => event,
        };
        let failed = event.is_err();
        let wanted = match &event {
            Ok(Event::Batch(batch)) => batch.bytes.len().clamp(1, buffer_bytes),
            _ => 0,
        };
        let Some(permit) = take_room(&room, wanted, consumer.as_mut(), &mut commands).await else {
            return;
        };
        if events
            .send(Message::Fetched(Fetched {
                event,
                _room: permit,
            }))
            .is_err()
            || failed
        {
            return;
        }
    }
}

/// Waits for room in the buffer while still serving commands: the thread that makes room may be waiting for a commit.
async fn take_room(
    room: &Arc<Semaphore>,
    wanted: usize,
    consumer: &mut dyn Consumer,
    commands: &mut mpsc::UnboundedReceiver<Command>,
) -> Option<Option<OwnedSemaphorePermit>> {
    if wanted == 0 {
        return Some(None);
    }
    let permits = u32::try_from(wanted).unwrap_or(u32::MAX);
    let acquire = Arc::clone(room).acquire_many_owned(permits);
    tokio::pin!(acquire);
    loop {
        tokio::select! {
            biased;
            command = commands.recv() => {
                // A failed seek shows again as the failure of the next fetch.
                drop(obey(consumer, command?));
            }
            permit = &mut acquire => return permit.ok().map(Some),
        }
    }
}

fn obey(consumer: &mut dyn Consumer, command: Command) -> linkspan_log::Result<()> {
    match command {
        Command::Seek(partition, offset) => consumer.seek(&partition, offset),
        Command::Commit(offsets, extra, reply) => {
            // The asking thread may have been given up; then nobody needs the ticket.
            drop(reply.send(consumer.commit(&offsets, extra)));
            Ok(())
        }
    }
}
