//! What the document says about keys: how they are sent, and what is answered to who has none.
//! `openapi.rs` has it put into every operation. What must stay true: it says of each what the door does (`callers.rs`), because
//! it asks the same table.

use actix_web::http::Method;
use utoipa::Modify;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{Content, OpenApi, Ref, RefOr, Response, ResponseBuilder};

use crate::callers::takes;
use crate::error::PROBLEM_JSON;

/// Puts it in.
pub(super) struct Keys;

const SCHEMES: [&str; 3] = ["key", "key_header", "session"];

impl Modify for Keys {
    fn modify(&self, document: &mut OpenApi) {
        let parts = document.components.get_or_insert_default();
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("A key, as `storyteller keys create` prints it. A service that has none yet asks nobody"));
        let header = ApiKey::Header(ApiKeyValue::with_description("X-Api-Key", "The same"));
        let cookie = ApiKey::Cookie(ApiKeyValue::with_description(
            "storyteller",
            "A browser that was let in by `POST /v1/session`; on https its name is `__Host-storyteller`",
        ));
        let schemes = [
            SecurityScheme::Http(bearer.build()),
            SecurityScheme::ApiKey(header),
            SecurityScheme::ApiKey(cookie),
        ];
        for (name, scheme) in SCHEMES.into_iter().zip(schemes) {
            parts.add_security_scheme(name, scheme);
        }
        for (path, item) in &mut document.paths.paths {
            for (method, operation) in operations(item) {
                if takes(&method, path).is_some() {
                    guard(&method, operation);
                }
            }
        }
    }
}

pub(super) fn operations(item: &mut PathItem) -> impl Iterator<Item = (Method, &mut Operation)> {
    let all = [
        (Method::GET, item.get.as_mut()),
        (Method::POST, item.post.as_mut()),
        (Method::PUT, item.put.as_mut()),
        (Method::DELETE, item.delete.as_mut()),
    ];
    all.into_iter()
        .filter_map(|(method, operation)| Some((method, operation?)))
}

/// Any of the ways, or none where nobody is asked; and what is said to who may not.
fn guard(method: &Method, operation: &mut Operation) {
    let ways = SCHEMES.map(|name| SecurityRequirement::new(name, Vec::<String>::new()));
    let mut all = vec![SecurityRequirement::default()];
    all.extend(ways);
    operation.security = Some(all);
    say(operation, "401", "`unauthorized`");
    if *method != Method::GET {
        say(operation, "403", "`scope_missing`");
    }
    say(operation, "429", "`rate_limited`");
}

/// Adds to what an operation says of a status.
pub(super) fn say(operation: &mut Operation, status: &str, kind: &str) {
    let responses = &mut operation.responses.responses;
    if let Some(RefOr::T(Response { description, .. })) = responses.get_mut(status) {
        description.push_str(", or ");
        description.push_str(kind);
        return;
    }
    let problem = Content::new(Some(Ref::from_schema_name("Problem")));
    let response = ResponseBuilder::new()
        .description(kind)
        .content(PROBLEM_JSON, problem);
    responses.insert(status.to_owned(), response.build().into());
}
