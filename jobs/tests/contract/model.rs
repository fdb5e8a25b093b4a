//! The life of a job as a model that is checked in every order of events: two workers, a crash, a stale finish,
//! duplicate and lost messages, a cancel, another try by hand. It mirrors `store` and the broker's queue; whoever changes those changes this.
//! What must stay true: with the lease guard every property holds, and without it the checker finds a counterexample.

use stateright::{Checker, Model, Property};

const WORKERS: usize = 2;
const MAX_ATTEMPTS: u8 = 2;
/// Another try by hand shows all it can show once.
const MOST_LIVES: u8 = 2;
/// More copies of one message show nothing new.
const MOST_MESSAGES: u8 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Row {
    Queued,
    Running,
    Succeeded,
    Failed,
    Cancelled,
}

/// One job and everything that happens around it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    row: Option<Row>,
    lease: u8,
    attempts: u8,
    /// Whether the engine has got the job under this lease.
    begun: bool,
    /// How often it was set going from the start.
    lives: u8,
    /// Whether the holder has been heard of since the last look.
    fresh: bool,
    /// Whether the row asks for a ring.
    outbox: bool,
    messages: u8,
    /// Which lease each worker believes to hold.
    workers: [Option<u8>; WORKERS],
    /// How often a last state was written in this life.
    ends: u8,
    /// A last state was overwritten.
    rewritten: bool,
    /// A commit was made by somebody who did not hold the job.
    stolen: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Event {
    Submit,
    Publish,
    Duplicate,
    LoseMessage,
    Reconcile,
    Claim(usize),
    Begin(usize),
    Heartbeat(usize),
    Silence,
    Crash(usize),
    Sweep,
    Finish(usize),
    Retry(usize),
    Return(usize),
    Cancel,
    TryAgain,
}

/// The system, with its guard or without.
struct System {
    lease_guard: bool,
}

impl System {
    /// Whether the database accepts a write under this lease.
    fn holds(&self, world: &World, lease: u8) -> bool {
        !self.lease_guard || (world.row == Some(Row::Running) && world.lease == lease)
    }
}

impl World {
    fn end(&mut self, row: Row) {
        let over = matches!(
            self.row,
            Some(Row::Succeeded | Row::Failed | Row::Cancelled)
        );
        self.rewritten |= over;
        self.ends += 1;
        self.row = Some(row);
        self.outbox = false;
    }

    fn wait(&mut self) {
        self.rewritten |= self.is_over();
        self.row = Some(Row::Queued);
        self.outbox = true;
    }

    /// Its holder has died: a job that was merely held is not charged.
    fn take_back(&mut self) {
        self.attempts = self.attempts.saturating_sub(u8::from(!self.begun));
        if self.attempts < MAX_ATTEMPTS {
            self.wait();
        } else {
            self.end(Row::Failed);
        }
    }

    fn is_over(&self) -> bool {
        matches!(
            self.row,
            Some(Row::Succeeded | Row::Failed | Row::Cancelled)
        )
    }

    /// What a worker says who believes to hold the job.
    fn say(&mut self, event: Event, lease: u8) {
        self.stolen |= self.row != Some(Row::Running) || self.lease != lease;
        match event {
            Event::Finish(_) => self.end(Row::Succeeded),
            Event::Retry(_) if self.attempts >= MAX_ATTEMPTS => self.end(Row::Failed),
            Event::Return(_) => {
                self.attempts = self.attempts.saturating_sub(1);
                self.wait();
            }
            _ => self.wait(),
        }
    }
}

impl Model for System {
    type State = World;
    type Action = Event;

    fn init_states(&self) -> Vec<World> {
        vec![World {
            row: None,
            lease: 0,
            attempts: 0,
            begun: false,
            lives: 1,
            fresh: false,
            outbox: false,
            messages: 0,
            workers: [None; WORKERS],
            ends: 0,
            rewritten: false,
            stolen: false,
        }]
    }

    fn actions(&self, world: &World, events: &mut Vec<Event>) {
        let queued = world.row == Some(Row::Queued);
        let running = world.row == Some(Row::Running);
        let mut offer = |possible: bool, event| events.extend(possible.then_some(event));
        offer(world.row.is_none(), Event::Submit);
        offer(queued && world.outbox, Event::Publish);
        let some = world.messages > 0;
        offer(some && world.messages < MOST_MESSAGES, Event::Duplicate);
        offer(some, Event::LoseMessage);
        offer(queued && !world.outbox && !some, Event::Reconcile);
        offer(running && world.fresh, Event::Silence);
        offer(running && !world.fresh, Event::Sweep);
        offer(queued || running, Event::Cancel);
        let in_vain = matches!(world.row, Some(Row::Failed | Row::Cancelled));
        offer(in_vain && world.lives < MOST_LIVES, Event::TryAgain);
        for (worker, lease) in world.workers.iter().enumerate() {
            offer(some && lease.is_none(), Event::Claim(worker));
            for event in [
                Event::Begin(worker),
                Event::Heartbeat(worker),
                Event::Crash(worker),
                Event::Finish(worker),
                Event::Retry(worker),
                Event::Return(worker),
            ] {
                offer(lease.is_some(), event);
            }
        }
    }

    fn next_state(&self, before: &World, event: Event) -> Option<World> {
        let mut world = before.clone();
        match event {
            Event::Submit => world.wait(),
            Event::Publish => {
                world.outbox = false;
                world.messages = (world.messages + 1).min(MOST_MESSAGES);
            }
            Event::Duplicate => world.messages += 1,
            Event::LoseMessage => world.messages -= 1,
            Event::Reconcile => world.outbox = true,
            Event::Claim(worker) => {
                world.messages -= 1;
                if world.row == Some(Row::Queued) {
                    world.row = Some(Row::Running);
                    world.lease += 1;
                    world.attempts += 1;
                    world.begun = false;
                    world.fresh = true;
                    world.workers[worker] = Some(world.lease);
                }
            }
            Event::Heartbeat(worker) => {
                let lease = world.workers[worker]?;
                if self.holds(&world, lease) {
                    world.fresh = true;
                } else {
                    world.workers[worker] = None;
                }
            }
            Event::Begin(worker) => {
                let lease = world.workers[worker]?;
                world.begun |= self.holds(&world, lease);
            }
            Event::Silence => world.fresh = false,
            Event::Crash(worker) => world.workers[worker] = None,
            Event::Sweep => world.take_back(),
            Event::TryAgain => {
                world.row = Some(Row::Queued);
                world.outbox = true;
                world.attempts = 0;
                world.ends = 0;
                world.lives += 1;
            }
            Event::Cancel => world.end(Row::Cancelled),
            Event::Finish(worker) | Event::Retry(worker) | Event::Return(worker) => {
                let lease = world.workers[worker].take()?;
                if self.holds(&world, lease) {
                    world.say(event, lease);
                }
            }
        }
        (world != *before).then_some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("at most one visible result", |_, world: &World| {
                world.ends <= 1
            }),
            Property::always("last states are last", |_, world: &World| !world.rewritten),
            Property::always("only the holder writes", |_, world: &World| !world.stolen),
            Property::always("nothing is lost", nothing_is_lost),
            Property::sometimes("a job that was lost once is told", |_, world: &World| {
                world.row == Some(Row::Succeeded) && world.attempts == MAX_ATTEMPTS
            }),
            Property::sometimes("a job that failed is told after all", |_, world: &World| {
                world.row == Some(Row::Succeeded) && world.lives == MOST_LIVES
            }),
        ]
    }

    /// Returns and early deaths cost no attempt, so leases could count for ever.
    fn within_boundary(&self, world: &World) -> bool {
        world.lease <= 4 && world.ends <= 2
    }
}

/// An accepted job has ended, or something will happen to it without anybody's help.
fn nothing_is_lost(system: &System, world: &World) -> bool {
    let mut events = Vec::new();
    system.actions(world, &mut events);
    match world.row {
        None => true,
        Some(Row::Queued) => {
            world.outbox || world.messages > 0 || events.contains(&Event::Reconcile)
        }
        Some(Row::Running) => {
            let held = world.workers.contains(&Some(world.lease));
            held || events.contains(&Event::Silence) || events.contains(&Event::Sweep)
        }
        Some(_) => world.is_over(),
    }
}

#[test]
fn no_order_of_events_loses_a_job_or_ends_it_twice() {
    let checker = System { lease_guard: true }.checker().spawn_bfs().join();
    checker.assert_properties();
    assert!(
        checker.unique_state_count() > 500,
        "{}",
        checker.unique_state_count()
    );
}

#[test]
fn without_the_lease_guard_a_stale_worker_ends_a_job_twice() {
    let checker = System { lease_guard: false }.checker().spawn_bfs().join();
    for property in [
        "at most one visible result",
        "last states are last",
        "only the holder writes",
    ] {
        assert!(
            checker.discovery(property).is_some(),
            "{property} holds without the guard"
        );
    }
}
