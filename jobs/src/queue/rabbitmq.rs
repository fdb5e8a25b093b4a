//! RabbitMQ as the queue: messages name jobs, the claims themselves stay in Postgres.
//! API and workers open it where `--amqp-url` is given. What must stay true: a message is acknowledged when the claim of
//! its job has ended or when it means nothing any more, and any message may be lost or come twice without harm.

mod inbox;
mod looking;
mod publisher;
mod session;
mod topology;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use clap::Args;
use futures_util::future::{BoxFuture, FutureExt as _};
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use uuid::Uuid;

use self::inbox::{Inbox, Message};
pub use self::looking::BrokerLook;
use super::{PostgresQueue, Queue};
use crate::claim::Claimed;
use crate::error::{Error, Result};
use crate::store::Store;

/// How the names of the service's queues begin.
const NAME: &str = "storyteller";

/// What a part of a session ends with: any failure has the same reaction.
type SessionResult<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Where workers hear of jobs.
#[derive(Args, Clone, Debug, Default)]
pub struct QueueOptions {
    /// A RabbitMQ (3.10 or newer) through which workers hear of jobs [default: Postgres]. Of a cluster, name the nodes one after
    /// the other, separated by commas: when one is lost, the next is tried.
    #[arg(
        long,
        env = "AMQP_URL",
        value_name = "URL",
        value_delimiter = ',',
        hide_env_values = true
    )]
    pub amqp_url: Vec<String>,
}

impl QueueOptions {
    /// The queue that is asked for. `prefetch` is how many jobs a worker holds at most; 0 for those who only publish.
    pub fn open(&self, store: Store, prefetch: u16) -> Arc<dyn Queue> {
        if self.amqp_url.is_empty() {
            return Arc::new(PostgresQueue::new(store));
        }
        let settings = RabbitSettings {
            urls: self.amqp_url.clone(),
            name: NAME.to_owned(),
            prefetch,
        };
        Arc::new(RabbitQueue::open(store, settings))
    }
}

/// Where the broker is and how much is taken from it.
#[derive(Clone)]
pub struct RabbitSettings {
    /// `amqp://user:password@host:port/vhost` of each node of one broker; at least one.
    pub urls: Vec<String>,
    /// How the names of all its queues begin.
    pub name: String,
    /// How many messages are held at once from each lane; 0 consumes nothing.
    pub prefetch: u16,
}

/// The queue whose messages a broker keeps. It connects by itself, again and again, until it is dropped.
pub struct RabbitQueue {
    shared: Arc<Shared>,
    supervisor: AbortHandle,
}

/// What the supervisor and the claims have in common.
struct Shared {
    store: Store,
    settings: RabbitSettings,
    inbox: Mutex<Inbox>,
    arrived: Notify,
    to_publish: Notify,
    /// Why it does not work now, in words for an operator.
    trouble: Mutex<Option<String>>,
}

impl Shared {
    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        // no call leaves it half changed
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_trouble(&self, trouble: Option<String>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    fn check(&self) -> Result<()> {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        trouble.clone().map_or(Ok(()), |trouble| {
            Err(Error::Unavailable {
                place: "the message broker",
                doing: "take jobs",
                cause: trouble.into(),
            })
        })
    }
}

impl RabbitQueue {
    /// A queue that begins to connect. Until it has, claims fail as they do while the broker is down.
    pub fn open(store: Store, settings: RabbitSettings) -> Self {
        let shared = Arc::new(Shared {
            store,
            settings,
            inbox: Mutex::default(),
            arrived: Notify::new(),
            to_publish: Notify::new(),
            trouble: Mutex::new(Some("it is not connected yet".to_owned())),
        });
        let supervisor = tokio::spawn(session::supervise(shared.clone())).abort_handle();
        RabbitQueue { shared, supervisor }
    }

    async fn claim_within(
        &self,
        worker: &str,
        max: usize,
        patience: Duration,
    ) -> Result<Vec<Claimed>> {
        let end = Instant::now() + patience;
        loop {
            // subscribed before the look: a message that comes in between is not slept over
            let mut arrived = std::pin::pin!(self.shared.arrived.notified());
            arrived.as_mut().enable();
            let messages = self.shared.inbox().pick(max);
            if !messages.is_empty() {
                let claimed = self.claim_for(worker, messages).await?;
                if !claimed.is_empty() {
                    return Ok(claimed);
                }
            } else if Instant::now() >= end {
                return self.shared.check().map(|()| Vec::new());
            } else {
                // whether a message came or the time is over: look again
                let _ = tokio::time::timeout_at(end, arrived).await;
            }
        }
    }

    async fn claim_for(&self, worker: &str, messages: Vec<Message>) -> Result<Vec<Claimed>> {
        let jobs: Vec<Uuid> = messages.iter().map(|message| message.job).collect();
        let claimed = match self.shared.store.claim_these(worker, &jobs).await {
            Ok(claimed) => claimed,
            Err(error) => {
                self.shared.inbox().put_back(messages);
                return Err(error);
            }
        };
        let (claimed, idle) = with_tickets(claimed, messages);
        for message in idle {
            message.ack().await;
        }
        Ok(claimed)
    }
}

/// Ties each message to the claim of its job; answers with those that mean nothing any more as well.
fn with_tickets(claimed: Vec<Claimed>, messages: Vec<Message>) -> (Vec<Claimed>, Vec<Message>) {
    let mut idle = Vec::new();
    let mut by_job = HashMap::new();
    for message in messages {
        // a message may have come twice: one of the two is enough
        idle.extend(by_job.insert(message.job, message));
    }
    let tied = claimed.into_iter().map(|claimed| {
        let message = by_job.remove(&claimed.job.id);
        let ticket = message.map(Message::ticket).unwrap_or_default();
        Claimed { ticket, ..claimed }
    });
    let tied = tied.collect();
    idle.extend(by_job.into_values());
    (tied, idle)
}

impl Queue for RabbitQueue {
    /// The transaction has written that a message is due; this only spares the publisher its next look.
    fn publish<'a>(&'a self, _jobs: &'a [Uuid]) -> BoxFuture<'a, Result<()>> {
        self.shared.to_publish.notify_one();
        async { Ok(()) }.boxed()
    }

    fn claim<'a>(
        &'a self,
        worker: &'a str,
        max: usize,
        patience: Duration,
    ) -> BoxFuture<'a, Result<Vec<Claimed>>> {
        self.claim_within(worker, max, patience).boxed()
    }
}

impl Drop for RabbitQueue {
    fn drop(&mut self) {
        self.supervisor.abort();
    }
}
