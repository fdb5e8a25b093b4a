//! The list against itself and against the errors of jobs.

use super::{ENTRIES, Kind};
use jobs::ErrorKind;

#[test]
fn the_errors_of_jobs_are_in_the_list_and_say_the_same_about_retrying() {
    for kind in ErrorKind::ALL {
        assert_eq!(Kind::of_job(kind).name(), kind.name());
        assert_eq!(
            Kind::of_job(kind).retryable(),
            kind.is_retryable(),
            "{kind}"
        );
    }
}

#[test]
fn every_kind_has_a_name_of_its_own_and_is_found_by_it() {
    for (at, entry) in ENTRIES.iter().enumerate() {
        assert_eq!(entry.kind as usize, at, "{} is out of order", entry.name);
    }
    assert_eq!(
        Kind::Other as usize + 1,
        ENTRIES.len(),
        "the last kind has an entry"
    );
    for kind in Kind::all() {
        assert_eq!(Kind::named(kind.name()), Some(kind), "{}", kind.name());
        assert!(
            kind.meaning().ends_with('.') && !kind.title().ends_with('.'),
            "{}",
            kind.name()
        );
    }
}
