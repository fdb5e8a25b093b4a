//! Courses that go well, and courses that diverge.

use super::*;
use tch::{Device, Kind};

/// Measures what it is told to, and keeps nothing.
struct Quiet(f64);

impl Observer for Quiet {
    fn report(&mut self, _: &Progress, _: Option<&Measured>) {}

    fn measure(&mut self, _: &Parameters) -> Option<Measured> {
        self.0 -= 1.0;
        let value = if self.0 > 7.5 { f64::NAN } else { self.0 };
        let numbers = serde_json::Value::Null;
        Some(Measured { value, numbers })
    }
}

fn course() -> Course {
    Course {
        updates: 9,
        rate: 0.1,
        schedule: Schedule::Constant,
        adam: AdamKind::Textbook,
        clip: 0.0,
        report_every: 2,
        measure_every: 2,
        patience: None,
        seed: 1,
    }
}

fn parameters() -> Parameters {
    let mut parameters = Parameters::new();
    parameters.add("w", Tensor::ones([2], (Kind::Float, Device::Cpu)));
    parameters
}

/// Follows a course of these costs; returns what is in the checkpoint afterwards.
fn left_behind(
    course: &Course,
    cost: &dyn Fn(&Tensor, usize) -> Tensor,
) -> (Result<Parameters>, Standing) {
    let folder = tempfile::tempdir().unwrap();
    let keeper = Keeper {
        path: folder.path().join("w.checkpoint"),
        every: 1,
        recipe: serde_json::Value::Null,
    };
    let mut quiet = Quiet(9.0);
    let overseen = Overseen {
        keeper: Some(keeper.clone()),
        observer: &mut quiet,
    };
    let ended = follow(course, parameters(), overseen, &mut |parameters, update| {
        Ok(Step {
            cost: cost(parameters.get("w"), update).sum(Kind::Float),
            times: 1.0,
            told: 1,
        })
    });
    let checkpoint = keeper.load().unwrap().unwrap();
    let mut kept = parameters();
    let mut adam = Adam::new(&kept, AdamKind::Textbook, 0.0);
    checkpoint.put_back(&mut kept, &mut adam).unwrap();
    assert!(
        kept.are_finite(),
        "a bad checkpoint took the place of a good one"
    );
    (ended, checkpoint.standing)
}

#[test]
fn a_cost_or_gradient_that_is_no_number_ends_the_course_and_the_checkpoint_before_it_stays() {
    for bad in [f64::NAN, f64::INFINITY, 1e30] {
        let (ended, kept) = left_behind(&course(), &|w, update| {
            w.square() * if update < 5 { 1.0 } else { bad }
        });
        let error = ended.unwrap_err();
        assert!(
            matches!(error, Error::Diverged { update: 5, .. }),
            "{bad}: {error}"
        );
        assert_eq!(kept.update, 5, "{bad}");
    }
}

#[test]
fn parameters_that_overflow_are_never_kept() {
    let mut course = course();
    // costs and gradients stay small numbers while the steps add up to more than 32 bits hold
    course.rate = 6e38;
    let (ended, kept) = left_behind(&course, &|w, _| w * 3e-8);
    assert!(matches!(ended, Err(Error::Diverged { .. })), "{ended:?}");
    assert!((1..9).contains(&kept.update), "{kept:?}");
}

#[test]
fn a_measurement_that_is_no_number_is_not_the_best_for_ever() {
    let mut course = course();
    course.patience = Some(9);
    let (ended, kept) = left_behind(&course, &|w, _| w.square());
    assert!(ended.is_ok());
    assert_eq!(kept.best, Some(4.0));
}
