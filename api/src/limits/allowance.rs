//! What one caller is allowed, how it is said in headers, and what is said to one who has had it.
//! The door and the submits say it. What must stay true: the headers are those of draft-ietf-httpapi-ratelimit-headers, beside
//! the one that says how many stories may wait in all.

use actix_web::HttpResponseBuilder;
use actix_web::http::header::HeaderName;
use chrono::{Timelike as _, Utc};
use jobs::Quota;

use super::{LIMIT, POLICY};
use crate::error::{Error, Kind};

/// Stories are told in some seconds each.
const WAITING_RETRY: u64 = 10;
/// Seconds of a day.
const DAY: u64 = 24 * 3600;

/// A limit of one caller, and what is left of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Of what: `requests`, `submits` and `wrong_keys` are those of a minute, `stories` those of a day, `waiting` those at once.
    pub name: &'static str,
    /// How many.
    pub most: u32,
    /// How many are left.
    pub left: u32,
    /// In how many seconds there is one again.
    pub again: Option<u64>,
}

/// Says the same of a limit of the caller's own, beside that of the service.
pub(crate) fn append(answer: &mut HttpResponseBuilder, allowance: &Allowance) {
    for header in headers_of(allowance) {
        answer.append_header(header);
    }
}

/// The headers of a limit: how many in how many seconds, and how many are left.
pub(crate) fn headers_of(allowance: &Allowance) -> [(HeaderName, String); 2] {
    let Allowance {
        name,
        most,
        left,
        again,
    } = allowance;
    let window = match *name {
        "requests" | "submits" | "wrong_keys" => ";w=60",
        "stories" => ";w=86400",
        _ => "",
    };
    let again = again.map_or_else(String::new, |seconds| format!(";t={seconds}"));
    [
        (POLICY, format!("\"{name}\";q={most}{window}")),
        (LIMIT, format!("\"{name}\";r={left}{again}")),
    ]
}

/// What is said to a caller who has handed in as much as he may.
pub(crate) fn over_quota(quota: Quota) -> Error {
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
