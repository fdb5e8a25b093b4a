//! The messages this process holds: delivered and not claimed yet, or belonging to a job that it works on.
//! The session fills it, claims empty it. What must stay true: no lane waits for ever behind a higher one, and
//! messages of a connection that has ended are forgotten, because the broker delivers them again.

use std::collections::{HashMap, VecDeque};

use lapin::Acker;
use lapin::options::BasicAckOptions;
use uuid::Uuid;

use super::topology::LANES;
use crate::store::Lease;

/// One pick of so many begins with the lowest lane: under a constant load of urgent jobs the others still move.
const LOW_FIRST_EVERY: u64 = 4;

/// A delivered message.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) job: Uuid,
    pub(super) lane: usize,
    /// Of which connection, counted.
    pub(super) session: u64,
    pub(super) acker: Acker,
}

impl Message {
    /// Tells the broker to forget it. If that fails it comes again, which is harmless.
    pub(super) async fn ack(self) {
        if let Err(error) = self.acker.ack(BasicAckOptions::default()).await {
            tracing::debug!(job = %self.job, %error, "a message will be delivered again");
        }
    }
}

/// What is held now.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    lanes: [VecDeque<Message>; LANES],
    held: HashMap<Lease, Message>,
    picks: u64,
    session: u64,
    /// Messages ever delivered.
    pub(super) delivered: u64,
}

impl Inbox {
    /// A new connection has begun: what the one before delivered will come again.
    pub(super) fn begin(&mut self) -> u64 {
        self.lanes.iter_mut().for_each(VecDeque::clear);
        self.held.clear();
        self.session += 1;
        self.session
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
            if message.session == self.session {
                self.lanes[message.lane].push_front(message);
            }
        }
    }

    /// Keeps the messages of claimed jobs until they are settled; answers with those that mean nothing any more.
    pub(super) fn hold(&mut self, messages: Vec<Message>, leases: Vec<Lease>) -> Vec<Message> {
        let mut leases: HashMap<Uuid, Lease> =
            leases.into_iter().map(|lease| (lease.job, lease)).collect();
        let mut idle = Vec::new();
        for message in messages {
            match leases.remove(&message.job) {
                Some(lease) if message.session == self.session => {
                    self.held.insert(lease, message);
                }
                Some(_) => {}
                None => idle.push(message),
            }
        }
        idle
    }

    pub(super) fn release(&mut self, lease: Lease) -> Option<Message> {
        self.held.remove(&lease)
    }

    /// Whether nothing is held, so that the broker has no reason to hold anything back.
    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty() && self.lanes.iter().all(VecDeque::is_empty)
    }
}
