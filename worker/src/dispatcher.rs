//! Sends webhooks: claims what is due, sends it, writes down what became of it; and does the chores of the service.
//! Every worker runs one beside its engine, `worker --dispatch-only` runs one alone. What must stay true: a delivery
//! is sent only while its lease holds, so no two senders send one attempt at once, and a sender that dies leaves
//! nothing behind that another does not take up.

mod chores;
mod orphans;
mod peers;
mod retention;
mod tenancy;
mod verdict;

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use jobs::delivery::{Claim, DeliveryLease, Verdict, body, message_id, schedule};
use jobs::{Store, Written, faults};
use operation::metrics::METRICS;
use operation::{Health, traces};
use outbound::{Client, Secrets};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

pub use chores::{ChoreOptions, Chores};
pub use orphans::{Tidied, Tidying, tidy};
use peers::Peers;
pub use retention::forget;
use verdict::verdict;

/// The entry in the health of the process.
const DISPATCHER: &str = "dispatcher";
/// How long an idle dispatcher trusts the bell. Attempts that become due ring none, so this is also their delay.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Deliveries claimed by one statement; few, because whom else to send to is asked again after each.
const CLAIMED_AT_ONCE: usize = 4;
/// A claim that has waited longer than this for its turn is left to another: together with the 15 s of an attempt
/// and the writing it stays well below the lease.
const LATEST_START: Duration = Duration::from_secs(5);
/// While the database is out of reach.
const PAUSE: Duration = Duration::from_secs(1);

/// How webhooks are sent.
#[derive(Clone, Debug)]
pub struct Sending {
    /// The sender's name in the log of attempts.
    pub name: String,
    /// What is signed with.
    pub secrets: Secrets,
    /// Reaches only what callers may reach.
    pub client: Client,
    /// Deliveries on their way at once: each waits for a receiver and costs next to nothing meanwhile.
    pub at_once: usize,
    /// As many of them to one host that answers quickly: one receiver does not hold up the others.
    pub most_a_host: usize,
    /// As many to one that is not known to.
    pub most_a_stranger: usize,
    /// A receiver that takes longer is slow, and gets only a quarter of the places with all the others that are.
    pub slow_after: Duration,
    /// Where callers reach the API; without it the address of a story has no host.
    pub public_url: Option<String>,
    /// How long a delivery is held: longer than an attempt takes, short enough for a crash to be made up for soon.
    pub lease: Duration,
}

impl Sending {
    /// As usual, under a name from the process id.
    #[must_use]
    pub fn new(secrets: Secrets, client: Client) -> Self {
        Sending {
            name: format!("dispatcher-{}", std::process::id()),
            secrets,
            client,
            at_once: 32,
            most_a_host: 8,
            most_a_stranger: 4,
            slow_after: Duration::from_secs(3),
            public_url: None,
            lease: Duration::from_secs(25),
        }
    }
}

/// A sender of webhooks.
#[derive(Clone)]
pub struct Dispatcher {
    sending: Arc<Sending>,
    peers: Arc<Peers>,
    store: Store,
}

impl Dispatcher {
    /// A sender for the deliveries in this store.
    #[must_use]
    pub fn new(sending: Sending, store: Store) -> Self {
        Dispatcher {
            peers: Arc::new(Peers::new(sending.slow_after)),
            sending: Arc::new(sending),
            store,
        }
    }

    /// Sends everything that is due now and waits until all of it has ended; answers how many attempts that were.
    ///
    /// # Errors
    /// When the database cannot be reached for a claim.
    pub async fn work_once(&self) -> Result<usize, jobs::Error> {
        self.store.take_back_deliveries(schedule::ATTEMPTS).await?;
        let mut sent = 0;
        let mut under_way = JoinSet::new();
        loop {
            match self.claim(&mut under_way).await? {
                0 if under_way.is_empty() => return Ok(sent),
                0 => drop(under_way.join_next().await),
                claimed => sent += claimed,
            }
        }
    }

    /// Takes what is due and begins to send it.
    async fn claim(&self, under_way: &mut JoinSet<()>) -> Result<usize, jobs::Error> {
        while under_way.try_join_next().is_some() {}
        let room = self.sending.at_once.saturating_sub(under_way.len());
        if room == 0 {
            return Ok(0);
        }
        let begun = Instant::now();
        let choice = self.peers.choice(self.sending.at_once);
        let claim = Claim {
            sender: &self.sending.name,
            max: room.min(CLAIMED_AT_ONCE),
            most_a_host: self.sending.most_a_host,
            most_a_stranger: self.sending.most_a_stranger,
            quick: &choice.quick,
            slow: &choice.slow,
            quick_only: choice.quick_only,
            no_slow: choice.no_slow,
            time: self.sending.lease,
        };
        let leases = self.store.claim_deliveries(&claim).await?;
        let count = leases.len();
        if count > 0 {
            faults::point("delivery:claimed");
        }
        for held in leases {
            let dispatcher = self.clone();
            let attempt = self.peers.begun(&held.host);
            under_way.spawn(async move {
                dispatcher.deliver(held, begun).await;
                dispatcher.peers.ended(attempt);
            });
        }
        Ok(count)
    }

    async fn deliver(&self, held: DeliveryLease, claimed: Instant) {
        let (job, number) = (held.job, held.number);
        let signed = match self.signed(&held).await {
            Ok(Some(signed)) => signed,
            // deleted since, and its deliveries with it
            Ok(None) => return,
            Err(error) => {
                return tracing::warn!(%job, number, %error, "a webhook could not be written; it is sent later");
            }
        };
        if claimed.elapsed() > LATEST_START {
            return tracing::warn!(%job, number, "a webhook was held up; another sender takes it");
        }
        let (mut headers, bytes) = signed;
        let span = tracing::info_span!("webhook", %job, number, attempt = held.attempts, host = %held.host);
        traces::follow(&span, headers.traceparent.as_deref());
        headers.traceparent = traces::traceparent(&span, headers.traceparent.as_deref());
        let sending = self.sending.client.send_webhook(&held.url, &headers, bytes);
        let answer = sending.instrument(span).await;
        faults::point("delivery:sent");
        let verdict = verdict(answer, held.attempts);
        note(&held, &verdict);
        self.finish(&held, &verdict, claimed).await;
    }

    async fn signed(
        &self,
        held: &DeliveryLease,
    ) -> Result<Option<(outbound::Headers, Vec<u8>)>, jobs::Error> {
        let Some(job) = self.store.get(held.job).await? else {
            return Ok(None);
        };
        let bytes = body(&job, held, self.sending.public_url.as_deref())?;
        let own = match self.store.webhook_secret(held.job).await? {
            Some(text) => match text.parse::<Secrets>() {
                Ok(own) => Some(own),
                // signed with another secret it would be believed by nobody
                Err(error) => {
                    tracing::error!(job = %held.job, %error, "the key that owns a story has a webhook secret that cannot be read");
                    return Ok(None);
                }
            },
            None => None,
        };
        let secrets = own.as_ref().unwrap_or(&self.sending.secrets);
        let id = message_id(held.job, held.number);
        let headers = outbound::Headers {
            traceparent: job.traceparent,
            ..secrets.sign(&id, Utc::now().timestamp(), &bytes)
        };
        Ok(Some((headers, bytes)))
    }

    /// Tries to write while the lease holds; after that the attempt counts as lost and is made again.
    async fn finish(&self, held: &DeliveryLease, verdict: &Verdict, claimed: Instant) {
        let (job, number) = (held.job, held.number);
        while claimed.elapsed() < self.sending.lease {
            match self.store.finish_delivery(held, verdict).await {
                Ok(Written::Done) => return faults::point("delivery:written"),
                Ok(Written::Stale) => break,
                Err(error) if error.is_unavailable() => tokio::time::sleep(PAUSE).await,
                Err(error) => {
                    tracing::error!(%job, number, %error, "what became of a webhook cannot be written");
                    break;
                }
            }
        }
        tracing::warn!(%job, number, "a webhook's lease ended before its outcome was written: it may be sent twice");
    }
}

/// Sends what is due, where there is something to sign it with, and does the chores until `shutdown`; then waits for what is
/// on its way.
pub async fn run(
    dispatcher: Option<Dispatcher>,
    chores: Chores,
    health: Health,
    shutdown: CancellationToken,
) {
    let sending = async {
        if let Some(dispatcher) = dispatcher {
            send_until(&dispatcher, &health, &shutdown).await;
        }
    };
    tokio::join!(sending, chores.run(&shutdown));
}

async fn send_until(dispatcher: &Dispatcher, health: &Health, shutdown: &CancellationToken) {
    let mut due = dispatcher.store.deliveries_due();
    let mut under_way = JoinSet::new();
    while !shutdown.is_cancelled() {
        due.mark_unchanged();
        match dispatcher.step(&mut under_way).await {
            Ok(0) => health.ready(DISPATCHER),
            Ok(_) => continue,
            Err(error) => {
                health.not_ready(DISPATCHER, error.to_string());
                let _ = timeout(PAUSE, shutdown.cancelled()).await;
                continue;
            }
        }
        let woken = async {
            tokio::select! {
                _ = due.changed() => {}
                // a place is free again, for the host it went to as well
                Some(_) = under_way.join_next() => {}
                () = shutdown.cancelled() => {}
            }
        };
        let _ = timeout(LOOK_EVERY, woken).await;
    }
    while under_way.join_next().await.is_some() {}
}

impl Dispatcher {
    async fn step(&self, under_way: &mut JoinSet<()>) -> Result<usize, jobs::Error> {
        self.store.take_back_deliveries(schedule::ATTEMPTS).await?;
        self.claim(under_way).await
    }
}

fn note(held: &DeliveryLease, verdict: &Verdict) {
    let (job, number, attempt) = (held.job, held.number, held.attempts);
    let name = match verdict {
        Verdict::Delivered { .. } => "delivered",
        Verdict::Again { .. } => "again",
        Verdict::Failed { .. } => "failed",
        Verdict::Gone { .. } => "gone",
    };
    METRICS.webhook_attempts.with_label_values(&[name]).inc();
    match verdict {
        Verdict::Delivered { status } => {
            tracing::info!(%job, number, attempt, status, "webhook delivered");
        }
        Verdict::Again { error, wait, .. } => {
            tracing::info!(%job, number, attempt, error, again_in = ?wait, "webhook not delivered");
        }
        Verdict::Failed { error, .. } => {
            tracing::warn!(%job, number, attempt, error, "webhook given up");
        }
        Verdict::Gone { .. } => {
            tracing::warn!(%job, number, attempt, "webhook address gone: disabled");
        }
    }
}
