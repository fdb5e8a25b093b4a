//! The messages that were delivered to this process and whose jobs are not claimed yet.
//! The session fills it, claims empty it; a message whose job is claimed goes along with the claim as its ticket. What
//! must stay true: no lane waits for ever behind a higher one, and messages of a connection that has ended are
//! forgotten, because the broker delivers them again.

use std::collections::VecDeque;
use std::sync::Arc;

use lapin::Acker;
use lapin::options::BasicAckOptions;
use tokio::runtime::Handle;
use uuid::Uuid;

use super::topology::LANES;
use crate::claim::Ticket;

/// One pick of so many begins with the lowest lane: under a constant load of urgent jobs the others still move.
const LOW_FIRST_EVERY: u64 = 4;

/// One connection, for as long as it or any of its messages is held.
pub(super) type Session = Arc<()>;

/// A delivered message.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) job: Uuid,
    pub(super) lane: usize,
    /// Of which connection.
    pub(super) session: Session,
    pub(super) acker: Acker,
}

impl Message {
    /// Tells the broker to forget it. If that fails it comes again, which is harmless.
    pub(super) async fn ack(self) {
        if let Err(error) = self.acker.ack(BasicAckOptions::default()).await {
            tracing::debug!(job = %self.job, %error, "a message will be delivered again");
        }
    }

    /// Is acknowledged when the ticket is dropped, perhaps on a thread that knows no runtime.
    pub(super) fn ticket(self) -> Ticket {
        let runtime = Handle::current();
        Ticket::new(move || drop(runtime.spawn(self.ack())))
    }
}

/// What was delivered and not claimed.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    lanes: [VecDeque<Message>; LANES],
    picks: u64,
    session: Session,
    /// Messages ever delivered.
    pub(super) delivered: u64,
}

impl Inbox {
    /// A new connection has begun: what the one before delivered will come again.
    pub(super) fn begin(&mut self) -> Session {
        self.lanes.iter_mut().for_each(VecDeque::clear);
        self.session = Session::default();
        self.session.clone()
    }

    pub(super) fn push(&mut self, message: Message) {
        self.delivered += 1;
        self.lanes[message.lane].push_back(message);
    }

    /// Up to `max` messages, the highest lane first, and now and then the lowest.
    pub(super) fn pick(&mut self, max: usize) -> Vec<Message> {
        let mut picked = Vec::new();
        while picked.len() < max {
            self.picks += 1;
            let low_first = self.picks.is_multiple_of(LOW_FIRST_EVERY);
            let mut filled = (0..LANES).filter(|lane| !self.lanes[*lane].is_empty());
            let lane = if low_first {
                filled.next_back()
            } else {
                filled.next()
            };
            let Some(message) = lane.and_then(|lane| self.lanes[lane].pop_front()) else {
                break;
            };
            picked.push(message);
        }
        picked
    }

    /// The claim failed; the messages stay first in their lanes.
    pub(super) fn put_back(&mut self, messages: Vec<Message>) {
        for message in messages.into_iter().rev() {
            if Arc::ptr_eq(&message.session, &self.session) {
                self.lanes[message.lane].push_front(message);
            }
        }
    }

    /// Whether no message of this connection is held by anybody here, so that the broker has no reason to hold back.
    /// Besides the messages, the inbox and the session itself hold the connection.
    pub(super) fn is_idle(&self) -> bool {
        Arc::strong_count(&self.session) <= 2
    }
}
