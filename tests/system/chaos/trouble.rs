//! What goes wrong, when and to whom: drawn from the seed, one trouble after the other, some of them overlapping.
//! What must stay true: every kind comes before any comes again, and each heals by itself, as a restart policy or a
//! mended cable would heal it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand::{Rng as _, SeedableRng as _};
use rustix::process::Signal;

use super::Plan;
use super::cast::{Cast, Role, blocking};
use super::link::Wire;

#[derive(Clone, Copy, Debug)]
enum Trouble {
    Kill(Role),
    Pause(Role),
    /// A redeploy: asked to stop, and started again.
    Stop(Role),
    KillPostgres,
    KillBroker,
    KillS3,
    Cut(usize),
    Stall(usize),
}

const DECK: [Trouble; 16] = [
    Trouble::Kill(Role::Worker),
    Trouble::Kill(Role::Worker),
    Trouble::Kill(Role::Api),
    Trouble::Kill(Role::Dispatcher),
    Trouble::Pause(Role::Worker),
    Trouble::Pause(Role::Api),
    Trouble::Stop(Role::Worker),
    Trouble::KillPostgres,
    Trouble::KillBroker,
    Trouble::KillS3,
    Trouble::Cut(0),
    Trouble::Cut(1),
    Trouble::Cut(2),
    Trouble::Stall(0),
    Trouble::Stall(1),
    Trouble::Stall(2),
];

/// What went wrong.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    /// How often each kind did.
    pub(super) count: BTreeMap<String, usize>,
    /// When a server or a wire was out of order: from, until.
    pub(super) outages: Vec<(DateTime<Utc>, DateTime<Utc>)>,
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
            Trouble::Cut(link) | Trouble::Stall(link) => {
                let what = if matches!(trouble, Trouble::Cut(_)) {
                    "cut"
                } else {
                    "stall"
                };
                format!("{what} the wire to {}", cast.links[link].name)
            }
            other => format!("{other:?}").to_lowercase(),
        };
        *troubles.count.entry(name).or_default() += 1;
        let length = Duration::from_millis(chance.random_range(500..6000));
        let who = chance.random();
        healing.push(tokio::spawn(befall(cast.clone(), trouble, (length, who))));
        let pause = Duration::from_millis(chance.random_range(500..5500));
        tokio::time::sleep(pause).await;
    }
    for healed in healing {
        troubles.outages.extend(healed.await.unwrap());
    }
    troubles
}

/// One trouble from its beginning to its end; answers when a server was away, if one was.
async fn befall(
    cast: Arc<Cast>,
    trouble: Trouble,
    (length, who): (Duration, u64),
) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let begun = Utc::now();
    let player = |role| {
        let mut chance = StdRng::seed_from_u64(who);
        cast.of(role).choose(&mut chance).unwrap().clone()
    };
    match trouble {
        Trouble::Kill(role) => {
            player(role).signal(Signal::KILL);
            return None;
        }
        Trouble::Stop(role) => {
            player(role).signal(Signal::TERM);
            return None;
        }
        Trouble::Pause(role) => {
            let player = player(role);
            player.signal(Signal::STOP);
            tokio::time::sleep(2 * length).await;
            player.signal(Signal::CONT);
            return None;
        }
        Trouble::KillPostgres => {
            cast.kill_postgres();
            tokio::time::sleep(Duration::from_secs(2)).await;
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
        Trouble::Cut(link) => lasting(&cast, (link, Wire::Cut), length).await,
        Trouble::Stall(link) => lasting(&cast, (link, Wire::Stalled), 2 * length).await,
    }
    Some((begun, Utc::now()))
}

async fn lasting(cast: &Cast, (link, wire): (usize, Wire), length: Duration) {
    cast.links[link].set(wire);
    tokio::time::sleep(length).await;
    cast.links[link].set(Wire::Open);
}
