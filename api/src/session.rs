//! `/v1/session`: a browser is let in with a key and gets a cookie for it; who that is; and out again.
//! The page's login speaks to it. What must stay true: the key itself is kept nowhere by the browser, no script can read the
//! cookie and no other site can have it sent; and whoever loses the key loses his sessions.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{CACHE_CONTROL, ORIGIN, SET_COOKIE};
use actix_web::web::{Data, Json};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use jobs::{Actor, Credential, Key, KeyLimits, Scope};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::callers::{Caller, KEY_OF_REQUEST, no_key};
use crate::cookies::{COOKIES, session};
use crate::error::{Problem, Result};
use crate::origin::origin;
use crate::service::Service;
use crate::sites::OwnSite;

/// A week: long enough not to be asked each morning, short enough for a browser that somebody has forgotten.
const TIME: Duration = Duration::from_secs(7 * 24 * 3600);

/// The key to log in with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"key": "st_1a2b3c4d_…"}))]
pub(crate) struct Login {
    /// The key in full.
    key: String,
}

/// Who asks.
#[derive(Serialize, ToSchema)]
#[schema(as = Session, example = json!({"key": "st_1a2b3c4d", "name": "Ada", "scope": "write",
    "expires_at": "2027-01-01T00:00:00Z", "limits": {"requests_a_minute": 600}, "stories_today": 3}))]
pub(crate) struct SessionView {
    /// What is shown of the key; `null` where nobody is asked for one.
    key: Option<String>,
    /// What the key is for.
    name: Option<String>,
    /// What it may do.
    scope: Option<Scope>,
    /// Until when the session, or the key, is good.
    expires_at: Option<DateTime<Utc>>,
    /// How much it may ask for.
    limits: KeyLimits,
    /// Stories handed in since midnight UTC.
    stories_today: u32,
}

impl SessionView {
    fn of(key: Option<&Key>, until: Option<DateTime<Utc>>) -> Self {
        SessionView {
            key: key.map(|key| key.prefix.clone()),
            name: key.map(|key| key.name.clone()),
            scope: key.map(|key| key.scope),
            expires_at: until.or(key.and_then(|key| key.expires_at)),
            limits: key.map_or_else(KeyLimits::default, |key| key.limits),
            stories_today: key.map_or(0, |key| key.stories_today),
        }
    }
}

/// Whose key it is that asks, and how much it may.
#[utoipa::path(get, path = "/v1/session", tag = "accounts",
    responses(
        (status = 200, description = "Who asks; no key where nobody is asked for one", body = SessionView),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn see(caller: Caller) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(SessionView::of(caller.key.as_deref(), None))
}

/// Lets a browser in with a key, for a week: its cookie is sent by the browser itself from then on. Programs send their key
/// with each request and need none.
#[utoipa::path(post, path = "/v1/session", tag = "accounts", request_body = Login,
    responses(
        (status = 201, description = "You are in", body = SessionView, headers(("Set-Cookie" = String, description = "`HttpOnly`, `SameSite=Strict`, on https `Secure`"))),
        (status = 400, description = "`malformed_request`", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "`unauthorized`: there is no such key, or it is good no longer", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "`cross_site`", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "`body_too_large`", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "`unsupported_media_type`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`invalid_parameter`", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`rate_limited`: from this address came too many keys that are none", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn open(
    _site: OwnSite,
    request: HttpRequest,
    login: Json<Login>,
    service: Data<Service>,
) -> Result<HttpResponse> {
    let store = &service.state.store;
    let refused = || no_key("there is no such key, or it is good no longer");
    let from = from(&service, &request);
    let Some(credential) = Credential::key(login.key.trim()) else {
        service.known.shown_nonsense(from)?;
        return Err(refused());
    };
    let known = &service.known;
    let key = known.shown_at_login(store, &credential, from).await?;
    let key = key.filter(|key| key.void(Utc::now()).is_none());
    let key = key.ok_or_else(refused)?;
    tracing::Span::current().record(KEY_OF_REQUEST, key.prefix.as_str());
    let actor = Arc::new(doer(&key, from));
    let (secret, until) = store.acting_for(actor).open_session(&key, TIME).await?;
    let seconds = (until - Utc::now()).num_seconds().max(0);
    Ok(HttpResponse::Created()
        .insert_header((CACHE_CONTROL, "no-store"))
        .append_header((SET_COOKIE, cookie(&request, secret.reveal(), seconds)))
        .json(SessionView::of(Some(&key), Some(until))))
}

/// Ends the session of this browser. Doing it again changes nothing.
#[utoipa::path(delete, path = "/v1/session", tag = "accounts",
    responses(
        (status = 204, description = "You are out"),
        (status = 403, description = "`cross_site`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn close(
    _site: OwnSite,
    request: HttpRequest,
    service: Data<Service>,
) -> Result<HttpResponse> {
    if let Some(secret) = session(request.headers()) {
        let store = &service.state.store;
        if let Some(key) = store.key_of(&secret).await? {
            let doer = doer(&key, from(&service, &request));
            let store = store.acting_for(Arc::new(doer));
            store.close_session(&secret).await?;
        }
        service.known.forget(&secret);
    }
    let mut answer = HttpResponse::NoContent();
    for name in COOKIES {
        let secure = if name.starts_with("__") {
            "; Secure"
        } else {
            ""
        };
        let gone = format!("{name}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict{secure}");
        answer.append_header((SET_COOKIE, gone));
    }
    Ok(answer.finish())
}

fn from(service: &Service, request: &HttpRequest) -> Option<IpAddr> {
    let proxies = &service.config.access.trusted_proxies;
    origin(request.peer_addr(), request.headers(), proxies)
}

fn doer(key: &Key, from: Option<IpAddr>) -> Actor {
    Actor {
        owner: Some(key.id),
        sees_all: key.scope == Scope::Admin,
        name: key.prefix.clone(),
        origin: from.map(|address| address.to_string()),
        limits: key.limits,
    }
}

/// Whether the page came by https only the browser knows, behind whatever proxies: it says so in `Origin`, which it sends
/// with every login.
fn cookie(request: &HttpRequest, secret: &str, seconds: i64) -> String {
    let origin = request.headers().get(ORIGIN);
    let https = origin.is_some_and(|origin| origin.as_bytes().starts_with(b"https://"));
    let (name, secure) = if https {
        (COOKIES[0], "; Secure")
    } else {
        (COOKIES[1], "")
    };
    format!("{name}={secret}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}")
}
