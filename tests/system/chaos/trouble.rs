//! What goes wrong, when and to whom: drawn from the seed, one trouble after the other, some of them overlapping.
//! What must stay true: every kind comes before any comes again, and each heals by itself, as a restart policy or a
//! mended cable would heal it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand::{Rng as _, SeedableRng as _};
use rustix::process::Signal;

use super::Plan;
use super::cast::{Cast, Role, blocking, signal_all};
use super::history::Span;
use testkit::link::Wire;

#[derive(Clone, Copy, Debug)]
enum Trouble {
    Kill(Role),
    Pause(Role),
    /// A redeploy: asked to stop, and started again.
    Stop(Role),
    KillPostgres,
    /// All of its processes stand still, as on a machine that swaps.
    PausePostgres,
    KillBroker,
    KillS3,
    Cut(usize),
    Stall(usize),
    Swallow(usize),
}

const DECK: [Trouble; 21] = [
    Trouble::Kill(Role::Worker),
    Trouble::Kill(Role::Worker),
    Trouble::Kill(Role::Api),
    Trouble::Kill(Role::Dispatcher),
    Trouble::Pause(Role::Worker),
    Trouble::Pause(Role::Api),
    Trouble::Stop(Role::Worker),
    Trouble::Stop(Role::Worker),
    Trouble::KillPostgres,
    Trouble::PausePostgres,
    Trouble::KillBroker,
    Trouble::KillS3,
    Trouble::Cut(0),
    Trouble::Cut(1),
    Trouble::Cut(2),
    Trouble::Stall(0),
    Trouble::Stall(1),
    Trouble::Stall(2),
    Trouble::Swallow(0),
    Trouble::Swallow(1),
    Trouble::Swallow(2),
];

/// Connections that went silent are found to be dead so much later: the longest that any statement or answer is waited for.
const FOUND_DEAD: Duration = Duration::from_secs(15);

/// What went wrong.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    /// How often each kind did.
    pub(super) count: BTreeMap<String, usize>,
    /// When a server or a wire was out of order.
    pub(super) outages: Vec<Span>,
    /// When programs stood still, by their names.
    pub(super) pauses: Vec<(String, Span)>,
}

/// What a trouble was to those who were in it.
enum Ill {
    Outage(Span),
    Pause(String, Span),
    Death,
}

/// Makes trouble for as long as the plan says.
pub(super) async fn make(plan: &Plan, cast: &Arc<Cast>) -> Troubles {
    let mut chance = StdRng::seed_from_u64(plan.seed);
    let begun = Instant::now();
    let mut troubles = Troubles::default();
    let mut deck = Vec::new();
    let mut healing = Vec::new();
    while begun.elapsed().as_secs() < plan.seconds {
        if deck.is_empty() {
            deck = DECK.to_vec();
            deck.shuffle(&mut chance);
        }
        let Some(trouble) = deck.pop() else { continue };
        let name = match trouble {
            Trouble::Cut(link) => format!("cut the wire to {}", cast.links[link].name),
            Trouble::Stall(link) => format!("stall the wire to {}", cast.links[link].name),
            Trouble::Swallow(link) => {
                format!("swallow what is said to {}", cast.links[link].name)
            }
            other => format!("{other:?}").to_lowercase(),
        };
        *troubles.count.entry(name).or_default() += 1;
        let length = Duration::from_millis(chance.random_range(500..6000));
        let who = chance.random();
        healing.push(tokio::spawn(befall(cast.clone(), trouble, length, who)));
        let pause = Duration::from_millis(chance.random_range(500..5500));
        tokio::time::sleep(plan.calm * pause).await;
    }
    for healed in healing {
        match healed.await.unwrap() {
            Ill::Outage(span) => troubles.outages.push(span),
            Ill::Pause(player, span) => troubles.pauses.push((player, span)),
            Ill::Death => {}
        }
    }
    troubles
}

/// One trouble from its beginning to its end.
async fn befall(cast: Arc<Cast>, trouble: Trouble, length: Duration, who: u64) -> Ill {
    let begun = Utc::now();
    let player = |role| {
        let mut chance = StdRng::seed_from_u64(who);
        cast.of(role).choose(&mut chance).unwrap().clone()
    };
    match trouble {
        Trouble::Kill(role) => {
            player(role).signal(Signal::KILL);
            Ill::Death
        }
        Trouble::Stop(role) => {
            player(role).signal(Signal::TERM);
            Ill::Death
        }
        Trouble::Pause(role) => {
            let player = player(role);
            player.signal(Signal::STOP);
            tokio::time::sleep(2 * length).await;
            player.signal(Signal::CONT);
            Ill::Pause(player.name.clone(), (begun, Utc::now()))
        }
        Trouble::Swallow(link) => {
            lasting(&cast, link, Wire::Swallowing, 2 * length).await;
            Ill::Outage((begun, Utc::now() + FOUND_DEAD))
        }
        server => {
            outage(&cast, server, length).await;
            Ill::Outage((begun, Utc::now()))
        }
    }
}

/// A server is away, or the way to it.
async fn outage(cast: &Cast, trouble: Trouble, length: Duration) {
    match trouble {
        Trouble::KillPostgres => {
            cast.kill_postgres();
            tokio::time::sleep(Duration::from_secs(2)).await;
            while cast.store.ping().await.is_err() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        Trouble::PausePostgres => {
            let processes = cast.postgres();
            signal_all(&processes, Signal::STOP);
            tokio::time::sleep(2 * length).await;
            signal_all(&processes, Signal::CONT);
        }
        Trouble::KillBroker => {
            let broker = cast.broker.clone();
            blocking(move || {
                let mut broker = broker.lock().unwrap();
                broker.kill();
                std::thread::sleep(length / 2);
                broker.start_again();
            })
            .await;
        }
        Trouble::KillS3 => {
            let weed = cast.weed.clone();
            blocking(move || {
                let mut weed = weed.lock().unwrap();
                weed.kill();
                std::thread::sleep(length / 2);
                weed.start_again();
            })
            .await;
        }
        Trouble::Stall(link) => lasting(cast, link, Wire::Stalled, 2 * length).await,
        Trouble::Cut(link) => lasting(cast, link, Wire::Cut, length).await,
        // they are none
        Trouble::Kill(_) | Trouble::Stop(_) | Trouble::Pause(_) | Trouble::Swallow(_) => {}
    }
}

async fn lasting(cast: &Cast, link: usize, wire: Wire, length: Duration) {
    cast.links[link].set(wire);
    tokio::time::sleep(length).await;
    cast.links[link].set(Wire::Open);
}
