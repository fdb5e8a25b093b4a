//! What is said to a caller who has handed in as much as his key allows.
//! Submits and batches turn a [`Quota`] into their answer with `?` or `into`. What must stay true: it says when to come back.

use chrono::{Timelike as _, Utc};
use jobs::Quota;

use super::{Error, Kind};
use crate::allowance::Allowance;

/// Stories are told in some seconds each.
const WAITING_RETRY: u64 = 10;
/// Seconds of a day.
const DAY: u64 = 24 * 3600;

impl From<Quota> for Error {
    fn from(quota: Quota) -> Self {
        let (name, most, seconds, message) = match quota {
            Quota::Waiting(most) => (
                "waiting",
                most,
                WAITING_RETRY,
                format!(
                    "as many as {most} stories of this key may wait at once; come back when some are told"
                ),
            ),
            Quota::Day(most) => {
                let seconds = DAY - u64::from(Utc::now().num_seconds_from_midnight()) % DAY;
                let message = format!(
                    "this key may hand in {most} stories a day, and has; the next day begins at midnight UTC, in {seconds} s"
                );
                ("stories", most, seconds, message)
            }
        };
        Error::Limited {
            kind: Kind::QuotaExceeded,
            message,
            allowance: Allowance {
                name,
                most,
                left: 0,
                again: Some(seconds),
            },
        }
    }
}
