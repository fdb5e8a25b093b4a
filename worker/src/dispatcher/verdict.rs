//! What a receiver's answer means: taken, asked again, given up, gone.
//! The dispatcher calls [`verdict`]. What must stay true: only 2xx is success; a redirect is a failure, because a body
//! with a signature is not handed on to an address that nobody named.

use std::time::Duration;

use jobs::delivery::Verdict;
use jobs::delivery::schedule::wait_after;
use outbound::{Answer, FetchError};

/// What follows from an answer, or from none, to the `attempts`th attempt.
#[must_use]
pub(super) fn verdict(answer: Result<Answer, FetchError>, attempts: u32) -> Verdict {
    let answer = match answer {
        Ok(answer) => answer,
        // another attempt would knock at the same closed door
        Err(error @ (FetchError::Address(_) | FetchError::Blocked(_))) => {
            let error = error.to_string();
            return Verdict::Failed {
                status: None,
                error,
            };
        }
        Err(error) => return again(None, error.to_string(), None, attempts),
    };
    let status = answer.status;
    match status {
        200..=299 => Verdict::Delivered { status },
        410 => Verdict::Gone {
            error: "the receiver answered 410: nothing more is sent to this address until a delivery is replayed"
                .to_owned(),
        },
        300..=399 => {
            let error = format!("the receiver answered {status}, a redirect; webhooks follow none: give the final address");
            again(Some(status), error, answer.retry_after, attempts)
        }
        _ => {
            let error = format!("the receiver answered {status}; only 2xx counts as delivered");
            again(Some(status), error, answer.retry_after, attempts)
        }
    }
}

fn again(status: Option<u16>, error: String, asked: Option<Duration>, attempts: u32) -> Verdict {
    match wait_after(attempts, asked, rand::random()) {
        Some(wait) => Verdict::Again {
            status,
            error,
            wait,
        },
        None => Verdict::Failed { status, error },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, attempts: u32) -> Verdict {
        verdict(
            Ok(Answer {
                status,
                retry_after: None,
            }),
            attempts,
        )
    }

    #[test]
    fn only_2xx_is_success_and_410_is_the_end() {
        for status in [200, 204, 299] {
            assert_eq!(of(status, 1), Verdict::Delivered { status });
        }
        assert!(matches!(of(410, 1), Verdict::Gone { .. }));
        for status in [100, 301, 307, 400, 404, 429, 500, 503] {
            assert!(matches!(of(status, 1), Verdict::Again { .. }), "{status}");
            assert!(matches!(of(status, 10), Verdict::Failed { .. }), "{status}");
        }
        let redirect = of(302, 1);
        assert!(
            redirect
                .error()
                .is_some_and(|error| error.contains("redirect")),
            "{redirect:?}"
        );
    }

    #[test]
    fn a_blocked_address_is_given_up_at_once_and_silence_is_not() {
        let blocked = verdict(Err(FetchError::Blocked("it is private".to_owned())), 1);
        assert!(matches!(blocked, Verdict::Failed { status: None, .. }));
        let silent = verdict(Err(FetchError::Failed("no answer".to_owned())), 1);
        assert!(matches!(silent, Verdict::Again { status: None, .. }));
    }
}
