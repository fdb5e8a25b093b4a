//! Lists page by page: how many a page, and where the next one is.
//! The lists with a cursor use it. What must stay true: the link in the header leads to the page that `next` in the body names,
//! with everything else that was asked for.

use std::collections::BTreeMap;

use actix_web::HttpResponseBuilder;
use actix_web::http::header::LINK;

use crate::error::{Error, Result};

/// The pages of a list, unless asked otherwise, and at most.
const PAGE: u32 = 20;
const LARGEST_PAGE: u32 = 100;

/// How many a page.
pub(crate) fn limit_of(query: &BTreeMap<String, String>) -> Result<u32> {
    match query.get("limit").map(|text| text.parse::<u32>()) {
        None => Ok(PAGE),
        Some(Ok(limit)) if (1..=LARGEST_PAGE).contains(&limit) => Ok(limit),
        Some(_) => Err(Error::field(
            "limit",
            format!("`limit` is 1 to {LARGEST_PAGE}"),
        )),
    }
}

/// Says where the next page of a list is (RFC 8288). The query has been checked: what is left of it are words, numbers and ids.
pub(crate) fn say_next(
    answer: &mut HttpResponseBuilder,
    path: &str,
    query: &BTreeMap<String, String>,
    next: Option<&str>,
) {
    let Some(next) = next else { return };
    let kept = query.iter().filter(|(name, _)| *name != "cursor");
    let asked: String = kept
        .map(|(name, value)| format!("{name}={value}&"))
        .collect();
    let link = format!("<{path}?{asked}cursor={next}>; rel=\"next\"");
    answer.insert_header((LINK, link));
}
