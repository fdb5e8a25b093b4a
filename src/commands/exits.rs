//! Exit codes: what a script learns from how the program ended.
//! `main` ends with them, `--help` tells of them. What must stay true: a code never changes its meaning.

use std::error::Error as StdError;

use api::view::BatchItemState;
use jobs::State;
use storyteller::client::Error;

/// What `--help` says.
pub(crate) const HELP: &str = "Exit codes: 0 told, or done; 1 failed; 2 the command line was wrong; 3 the story was cancelled; \
                               4 it was not told before its deadline; 5 it had not ended when --timeout was over.";

/// An option with a value that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{option} {why}")]
pub(crate) struct WrongUse {
    /// As it was typed.
    pub(crate) option: String,
    /// What is wrong with its value, and what would be right.
    pub(crate) why: String,
}

/// A wait that was over before the story was, or the last one of a batch.
#[derive(Debug, thiserror::Error)]
#[error("it has not ended in {seconds} s and goes on; see `{again}`")]
pub(crate) struct TooLong {
    /// What to type to wait on.
    pub(crate) again: String,
    /// For how long it was waited.
    pub(crate) seconds: u64,
}

/// Says why a command failed, as its last word.
#[expect(
    clippy::print_stderr,
    reason = "the last word of a command goes to the person who typed it"
)]
pub(crate) fn complain(error: &anyhow::Error) {
    eprintln!("storyteller: {}", said(error));
}

/// An error and what caused it, in one line. Many an error ends with its cause already: that one is not said twice.
pub(crate) fn said(error: &anyhow::Error) -> String {
    let mut line = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !line.ends_with(&cause) {
            line = format!("{line}: {cause}");
        }
    }
    line
}

/// The exit code after an error.
pub(crate) fn after(error: &anyhow::Error) -> u8 {
    if error.chain().any(<dyn StdError>::is::<WrongUse>) {
        return 2;
    }
    if error.chain().any(<dyn StdError>::is::<TooLong>) {
        return 5;
    }
    let asked = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<Error>());
    match asked {
        Some(Error::NoStory {
            state: State::Cancelled,
            ..
        }) => 3,
        Some(Error::NoStory {
            state: State::Expired,
            ..
        }) => 4,
        _ => 1,
    }
}

/// The exit code after several stories: 0 if all were told, else the lowest other one.
pub(crate) fn after_all(ends: impl IntoIterator<Item = BatchItemState>) -> u8 {
    let codes = ends.into_iter().map(|end| match end {
        BatchItemState::Succeeded => 0,
        BatchItemState::Cancelled => 3,
        BatchItemState::Expired => 4,
        _ => 1,
    });
    codes.filter(|code| *code != 0).min().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[test]
    fn each_way_of_ending_without_a_story_has_its_code() {
        let ended = |state| Error::NoStory {
            state,
            reason: String::new(),
        };
        let again = String::new();
        let wrong = WrongUse {
            option: "--beam".to_owned(),
            why: "is 0".to_owned(),
        };
        for (error, code) in [
            (anyhow::Error::from(ended(State::Failed)), 1),
            (ended(State::Cancelled).into(), 3),
            (ended(State::Expired).into(), 4),
            (TooLong { again, seconds: 1 }.into(), 5),
            (wrong.into(), 2),
            (anyhow::anyhow!("anything else"), 1),
        ] {
            let told = Err::<(), _>(error).context("on the way");
            assert_eq!(after(&told.expect_err("it is one")), code);
        }
    }

    #[test]
    fn every_cause_is_said_once() {
        let gone = || std::io::Error::other("no such file");
        let file = models::Error::file("read", "novel.txt".as_ref(), gone());
        let told = Err::<(), _>(file)
            .context("no style")
            .expect_err("it is one");
        assert_eq!(said(&told), "no style: cannot read novel.txt: no such file");
        let told = Err::<(), _>(gone())
            .context("no style")
            .expect_err("it is one");
        assert_eq!(said(&told), "no style: no such file");
    }

    #[test]
    fn of_several_the_lowest_code_but_nought_counts() {
        use BatchItemState::{Cancelled, Expired, Failed, Forgotten, Refused, Succeeded};
        for (ends, code) in [
            (vec![Succeeded, Succeeded], 0),
            (vec![Succeeded, Expired], 4),
            (vec![Expired, Cancelled, Succeeded], 3),
            (vec![Cancelled, Failed], 1),
            (vec![Refused, Cancelled], 1),
            (vec![Forgotten], 1),
        ] {
            assert_eq!(after_all(ends.clone()), code, "{ends:?}");
        }
    }
}
