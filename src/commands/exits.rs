//! Exit codes: what a script learns from how the program ended.
//! `main` ends with them, `--help` tells of them. What must stay true: a code never changes its meaning.

use jobs::State;
use storyteller::client::Error;
use uuid::Uuid;

/// What `--help` says.
pub(crate) const HELP: &str = "Exit codes: 0 told, or done; 1 failed; 2 the command line was wrong; 3 the story was cancelled; \
                               4 it was not told before its deadline; 5 it had not ended when --timeout was over.";

/// A wait that was over before the story was.
#[derive(Debug, thiserror::Error)]
#[error("the story has not ended in {seconds} s and goes on; see `storyteller wait {id}`")]
pub(crate) struct TooLong {
    /// The story.
    pub(crate) id: Uuid,
    /// For how long it was waited.
    pub(crate) seconds: u64,
}

/// Says why a command failed, as its last word.
#[expect(
    clippy::print_stderr,
    reason = "the last word of a command goes to the person who typed it"
)]
pub(crate) fn complain(error: &anyhow::Error) {
    eprintln!("storyteller: {error:#}");
}

/// The exit code after an error.
pub(crate) fn after(error: &anyhow::Error) -> u8 {
    let too_long = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<TooLong>());
    if too_long.is_some() {
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
        let id = Uuid::nil();
        for (error, code) in [
            (anyhow::Error::from(ended(State::Failed)), 1),
            (ended(State::Cancelled).into(), 3),
            (ended(State::Expired).into(), 4),
            (TooLong { id, seconds: 1 }.into(), 5),
            (anyhow::anyhow!("anything else"), 1),
        ] {
            let told = Err::<(), _>(error).context("on the way");
            assert_eq!(after(&told.expect_err("it is one")), code);
        }
    }
}
