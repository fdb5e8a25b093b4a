//! Signs of life, outages and prefetch as models that are checked in every order of events; `model.rs` has the life of one
//! job. They mirror `store/sweeping.rs` and the queue's tickets; whoever changes those changes this.
//! What must stay true: with its guard every property holds, and without it the checker finds a counterexample.

use stateright::{Checker, Model, Property};

const WORKERS: usize = 3;
/// In ticks, each a heartbeat long.
const LEASE: u8 = 3;
/// The longest time that a sweeper may have been away without everybody's lease beginning anew.
const LONGEST_SILENCE: u8 = 1;
/// Ages beyond show nothing new.
const OLDEST: u8 = 5;

/// A worker with a job under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Worker {
    lives: bool,
    /// Ticks since the database heard it.
    age: u8,
    /// Whether it was heard in this tick.
    heard: bool,
    /// Whether its job has been taken away.
    taken: bool,
}

/// Several busy workers, a database that comes and goes, and sweepers, which may be any of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Beats {
    up: bool,
    workers: [Worker; WORKERS],
    /// Ticks since a sweeper was last there.
    silence: u8,
    /// Ticks since late heartbeats began to count.
    trusted: u8,
    /// A job was taken from somebody who lives.
    innocent: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Event {
    Tick,
    Beat(usize),
    Crash(usize),
    Sweep,
    Down,
    Up,
}

struct Sweeping {
    /// Leases count only time in which the database could hear a heartbeat.
    grace: bool,
}

impl Beats {
    /// Whether everybody who lives has been heard in this tick: the database is never up for less than that takes.
    fn all_heard(&self) -> bool {
        self.workers
            .iter()
            .all(|worker| worker.heard || !worker.lives)
    }

    fn sweep(&mut self, grace: bool) {
        if grace && self.silence > LONGEST_SILENCE {
            self.trusted = 0;
        }
        self.silence = 0;
        let trusted = if grace { self.trusted } else { OLDEST };
        for worker in &mut self.workers {
            if worker.age.min(trusted) > LEASE && !worker.taken {
                worker.taken = true;
                self.innocent |= worker.lives;
            }
        }
    }
}

impl Model for Sweeping {
    type State = Beats;
    type Action = Event;

    fn init_states(&self) -> Vec<Beats> {
        let worker = Worker {
            lives: true,
            age: 0,
            heard: true,
            taken: false,
        };
        vec![Beats {
            up: true,
            workers: [worker; WORKERS],
            silence: 0,
            trusted: OLDEST,
            innocent: false,
        }]
    }

    fn actions(&self, beats: &Beats, events: &mut Vec<Event>) {
        if !beats.up || beats.all_heard() {
            events.push(Event::Tick);
        }
        if beats.up {
            events.push(Event::Sweep);
            if beats.all_heard() {
                events.push(Event::Down);
            }
        } else {
            events.push(Event::Up);
        }
        for (number, worker) in beats.workers.iter().enumerate() {
            if worker.lives {
                events.push(Event::Crash(number));
                if beats.up && !worker.heard {
                    events.push(Event::Beat(number));
                }
            }
        }
    }

    fn next_state(&self, before: &Beats, event: Event) -> Option<Beats> {
        let mut beats = before.clone();
        match event {
            Event::Tick => {
                beats.silence = (beats.silence + 1).min(OLDEST);
                beats.trusted = (beats.trusted + 1).min(OLDEST);
                for worker in &mut beats.workers {
                    worker.age = (worker.age + 1).min(OLDEST);
                    worker.heard = false;
                }
            }
            Event::Beat(number) => {
                beats.workers[number].age = 0;
                beats.workers[number].heard = true;
            }
            Event::Crash(number) => beats.workers[number].lives = false,
            Event::Sweep => beats.sweep(self.grace),
            Event::Down => beats.up = false,
            Event::Up => beats.up = true,
        }
        (beats != *before).then_some(beats)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("an outage charges nobody", |_, beats: &Beats| {
                !beats.innocent
            }),
            Property::sometimes("a dead worker's job is taken back", |_, beats: &Beats| {
                let taken = beats.workers.iter().filter(|worker| worker.taken);
                taken.filter(|worker| !worker.lives).count() == 1
            }),
            Property::sometimes("and while others live", |_, beats: &Beats| {
                beats.workers.iter().any(|worker| worker.taken)
                    && beats.workers.iter().any(|worker| worker.lives)
            }),
        ]
    }
}

#[test]
fn no_outage_takes_a_job_from_a_worker_that_lives() {
    let checker = Sweeping { grace: true }.checker().spawn_bfs().join();
    checker.assert_properties();
    assert!(
        checker.unique_state_count() > 1000,
        "{}",
        checker.unique_state_count()
    );
}

#[test]
fn without_the_grace_the_first_to_come_back_takes_the_others_jobs() {
    let checker = Sweeping { grace: false }.checker().spawn_bfs().join();
    assert!(checker.discovery("an outage charges nobody").is_some());
}

const PREFETCH: u8 = 2;
const MESSAGES: u8 = 4;

/// One worker at a broker that delivers no more than so many messages that are not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Inbox {
    waiting: u8,
    unacknowledged: u8,
    /// Jobs that the worker holds.
    held: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Delivery {
    Deliver,
    Finish,
    /// Cancelled, or given to another, while it was held.
    Lose,
}

struct Prefetch {
    /// A claim acknowledges its message when it ends, however it ends.
    ticket: bool,
}

impl Model for Prefetch {
    type State = Inbox;
    type Action = Delivery;

    fn init_states(&self) -> Vec<Inbox> {
        vec![Inbox {
            waiting: MESSAGES,
            unacknowledged: 0,
            held: 0,
        }]
    }

    fn actions(&self, inbox: &Inbox, deliveries: &mut Vec<Delivery>) {
        if inbox.waiting > 0 && inbox.unacknowledged < PREFETCH {
            deliveries.push(Delivery::Deliver);
        }
        if inbox.held > 0 {
            deliveries.extend([Delivery::Finish, Delivery::Lose]);
        }
    }

    fn next_state(&self, before: &Inbox, delivery: Delivery) -> Option<Inbox> {
        let mut inbox = before.clone();
        match delivery {
            Delivery::Deliver => {
                inbox.waiting -= 1;
                inbox.unacknowledged += 1;
                inbox.held += 1;
            }
            Delivery::Finish => {
                inbox.held -= 1;
                inbox.unacknowledged -= 1;
            }
            Delivery::Lose => {
                inbox.held -= 1;
                inbox.unacknowledged -= u8::from(self.ticket);
            }
        }
        Some(inbox)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(
                "who holds nothing is delivered something",
                |_, inbox: &Inbox| {
                    inbox.held > 0 || inbox.waiting == 0 || inbox.unacknowledged < PREFETCH
                },
            ),
            Property::sometimes("everything is done", |_, inbox: &Inbox| {
                inbox.waiting == 0 && inbox.held == 0
            }),
        ]
    }
}

#[test]
fn no_claim_that_has_ended_keeps_a_place_at_the_broker() {
    Prefetch { ticket: true }
        .checker()
        .spawn_bfs()
        .join()
        .assert_properties();
}

#[test]
fn without_the_ticket_two_cancels_stop_a_worker_for_ever() {
    let checker = Prefetch { ticket: false }.checker().spawn_bfs().join();
    let stopped = checker.discovery("who holds nothing is delivered something");
    assert!(stopped.is_some_and(|path| path.into_actions().contains(&Delivery::Lose)));
}
