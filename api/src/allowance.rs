//! What is left of a limit, and how it is said in headers.
//! The door, the submits and the errors say it. What must stay true: the headers are those of draft-ietf-httpapi-ratelimit-headers, beside
//! the one that says how many stories may wait in all.

use actix_web::HttpResponseBuilder;
use actix_web::http::header::HeaderName;
use jobs::QueueLimit;

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// A limit of one caller, and what is left of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Of what: `requests`, `submits` and `wrong_keys` are those of a minute, `stories` those of a day, `waiting` and `uploads` those at once.
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

/// Says how many stories may wait and how many more would be taken (draft-ietf-httpapi-ratelimit-headers), and in how many
/// seconds there is room again if that is known.
pub(crate) fn say(answer: &mut HttpResponseBuilder, most: u32, left: u32, again: Option<u64>) {
    let again = again.map_or_else(String::new, |seconds| format!(";t={seconds}"));
    answer.insert_header((POLICY, format!("\"queue\";q={most}")));
    answer.insert_header((LIMIT, format!("\"queue\";r={left}{again}")));
}

/// Says which limit of the queue is reached, and in how many seconds there may be room again.
pub(crate) fn say_full(answer: &mut HttpResponseBuilder, limit: QueueLimit, again: u64) {
    match limit {
        QueueLimit::Stories { queued } => say(answer, queued, 0, Some(again)),
        QueueLimit::Pictures { most, left } => {
            answer.insert_header((
                POLICY,
                format!("\"pictures\";q={most};qu=\"content-bytes\""),
            ));
            answer.insert_header((LIMIT, format!("\"pictures\";r={left};t={again}")));
        }
    }
}
