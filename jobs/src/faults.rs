//! Named points at which a process dies when its environment says so: `STORYTELLER_DIE_AT=submit:image_kept=0.02`.
//! What writes something durable calls [`point`] before and after it, an engine calls [`step`] between two steps, where it
//! hangs for ever if `STORYTELLER_HANG_AT_STEP=0.001` will have it, and `make chaos` sets the variables. What must stay
//! true: without them nothing ever happens here, at the price of one look at memory.

use std::process;
use std::sync::OnceLock;
use std::thread;

const VARIABLE: &str = "STORYTELLER_DIE_AT";
const HANG: &str = "STORYTELLER_HANG_AT_STEP";

/// Every point there is, in the order in which a job passes them.
pub const POINTS: [&str; 12] = [
    "submit:received",
    "submit:image_kept",
    "submit:committed",
    "publish:taken",
    "publish:confirmed",
    "claim:committed",
    "finish:ready",
    "finish:committed",
    "ack:done",
    "delivery:claimed",
    "delivery:sent",
    "delivery:written",
];

/// Where to die, and with which probability.
struct Fault {
    point: String,
    chance: f64,
}

/// Dies here, as by signal 9, if the environment names this point and chance will have it.
pub fn point(name: &'static str) {
    static FAULT: OnceLock<Option<Fault>> = OnceLock::new();
    debug_assert!(
        POINTS.contains(&name),
        "{name} is not in the list of points"
    );
    let fault = FAULT.get_or_init(|| parse(&std::env::var(VARIABLE).ok()?));
    if let Some(fault) = fault
        && fault.point == name
        && rand::random_bool(fault.chance)
    {
        tracing::warn!(point = name, "dying here, as {VARIABLE} says");
        process::abort();
    }
}

/// Stands still here for ever, as a device that hangs, if the environment and chance will have it.
pub fn step() {
    static CHANCE: OnceLock<Option<f64>> = OnceLock::new();
    let chance = CHANCE.get_or_init(|| probability(&std::env::var(HANG).ok()?));
    if let Some(chance) = chance
        && rand::random_bool(*chance)
    {
        tracing::warn!("hanging here, as {HANG} says");
        loop {
            thread::park();
        }
    }
}

/// Reads `point=chance`; anything else names no point.
fn parse(text: &str) -> Option<Fault> {
    let (point, chance) = text.split_once('=')?;
    let chance = probability(chance)?;
    POINTS.contains(&point).then(|| Fault {
        point: point.to_owned(),
        chance,
    })
}

fn probability(text: &str) -> Option<f64> {
    let chance = text.parse().ok();
    chance.filter(|chance| (0.0..=1.0).contains(chance))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_point_that_exists_with_a_chance_between_0_and_1_is_taken() {
        let fault = parse("publish:taken=0.25").map(|fault| (fault.point, fault.chance));
        assert_eq!(fault, Some(("publish:taken".to_owned(), 0.25)));
        for wrong in [
            "",
            "publish:taken",
            "publish:taken=2",
            "publish:taken=x",
            "nowhere=0.5",
        ] {
            assert!(parse(wrong).is_none(), "{wrong}");
        }
    }
}
