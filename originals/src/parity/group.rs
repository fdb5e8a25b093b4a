//! One kind of number, compared: how many, the largest error, and what went wrong.
//!
//! Every comparison of `parity` ends here. A group without a single comparison fails: a check that looked at nothing
//! must not pass.

use std::fmt::Debug;

use tch::{Device, Kind, Tensor};

/// So many problems are told; more are counted.
const TOLD: usize = 5;
/// Arrays of tiny numbers are measured against this instead of their largest.
const LEAST_SCALE: f64 = 1e-3;

/// What became of one kind of number in one set.
#[derive(Clone, Debug)]
pub struct Group {
    /// Set and kind, such as `tiny/s0 encoders`.
    pub name: String,
    /// How many arrays, texts or values were compared.
    pub compared: usize,
    /// The largest error of an array or value.
    pub largest: f64,
    /// What an error may be at most.
    pub tolerance: f64,
    /// What differs, each in one sentence; at most five.
    pub problems: Vec<String>,
    /// How many problems there are in all.
    pub failures: usize,
    /// What a reader should know, such as what is missing and was passed over.
    pub notes: Vec<String>,
}

impl Group {
    pub(super) fn new(name: String, tolerance: f64) -> Self {
        Self {
            name,
            compared: 0,
            largest: 0.0,
            tolerance,
            problems: Vec::new(),
            failures: 0,
            notes: Vec::new(),
        }
    }

    /// Whether something was compared and all of it agrees.
    pub fn passed(&self) -> bool {
        self.failures == 0 && self.compared > 0
    }

    /// Counts a problem.
    pub(super) fn fail(&mut self, problem: String) {
        self.failures += 1;
        if self.problems.len() < TOLD {
            self.problems.push(problem);
        }
    }

    /// Says something that is no problem, once.
    pub(super) fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Compares arrays of equal shape, as a share of the largest number wanted.
    pub(super) fn close(&mut self, what: &str, found: &Tensor, wanted: &Tensor) {
        self.close_to(what, (found, wanted), LEAST_SCALE);
    }

    /// The same, with another least scale.
    pub(super) fn close_to(&mut self, what: &str, pair: (&Tensor, &Tensor), least_scale: f64) {
        let (found, wanted) = pair;
        if found.size() != wanted.size() {
            let sizes = format!("{:?} instead of {:?}", found.size(), wanted.size());
            self.compared += 1;
            self.fail(format!("{what}: the shape is {sizes}"));
            return;
        }
        let here = |t: &Tensor| t.to_device(Device::Cpu).to_kind(Kind::Double);
        let (found, wanted) = (here(found), here(wanted));
        let largest = |t: &Tensor| match t.numel() {
            0 => 0.0,
            _ => t.abs().max().double_value(&[]),
        };
        let scale = largest(&wanted).max(least_scale);
        self.within(what, largest(&(&found - &wanted)) / scale);
    }

    /// Compares single numbers, as a share of the one wanted (at least of 1).
    pub(super) fn near(&mut self, what: &str, found: f64, wanted: f64) {
        self.within(what, (found - wanted).abs() / wanted.abs().max(1.0));
    }

    /// Takes an error that was measured elsewhere.
    pub(super) fn within(&mut self, what: &str, error: f64) {
        let tolerance = self.tolerance;
        self.within_of(what, error, tolerance);
    }

    /// The same where another tolerance holds; counted in units of the group's own.
    pub(super) fn within_of(&mut self, what: &str, error: f64, tolerance: f64) {
        self.compared += 1;
        // not a number is never within anything
        if error.is_nan() {
            self.largest = f64::NAN;
        } else {
            self.largest = self.largest.max(error * self.tolerance / tolerance);
        }
        if error.is_nan() || error > tolerance {
            self.fail(format!(
                "{what}: off by {error:.2e}, {tolerance:.0e} is allowed"
            ));
        }
    }

    /// Compares what must be equal.
    pub(super) fn same<T: PartialEq + Debug>(&mut self, what: &str, found: T, wanted: T) {
        self.compared += 1;
        if found != wanted {
            self.fail(format!(
                "{what}: {} instead of {}",
                cut(&found),
                cut(&wanted)
            ));
        }
    }

    /// Demands that something holds.
    pub(super) fn holds(&mut self, what: &str, holds: bool) {
        self.compared += 1;
        if !holds {
            self.fail(what.to_owned());
        }
    }
}

/// A value as text, no longer than a line or two.
fn cut(value: &impl Debug) -> String {
    let text = format!("{value:?}");
    match text.char_indices().nth(120) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group() -> Group {
        Group::new("g".to_owned(), 1e-5)
    }

    #[test]
    fn nothing_compared_is_no_pass_and_not_a_number_is_a_problem() {
        assert!(!group().passed());
        let mut nan = group();
        nan.within("x", f64::NAN);
        assert!(!nan.passed());
        let mut fine = group();
        fine.near("x", 1000.0, 1000.001);
        assert!(fine.passed() && fine.largest > 0.0);
    }

    #[test]
    fn arrays_are_held_against_their_largest_number_and_shapes_count() {
        let wanted = Tensor::from_slice(&[100.0f32, 0.0]);
        let mut group = group();
        group.close("a", &(&wanted + 5e-4), &wanted);
        assert!(group.passed(), "{group:?}");
        group.close("b", &(&wanted + 5e-3), &wanted);
        group.close("c", &wanted.view([2, 1]), &wanted);
        assert_eq!(group.failures, 2);
        assert!(group.problems[1].contains("[2, 1] instead of [2]"));
    }
}
