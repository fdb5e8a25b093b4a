//! Who asks, and whether he may: the one door through which every request comes.
//! `lib.rs` wraps the application in [`around`]; handlers ask for a [`Caller`]. What must stay true: what an address takes is
//! decided here, before any handler, and an address that nobody has thought of takes a key; what belongs to another key is
//! answered as if it were not there; and nothing about a key is believed for longer than some seconds.

use std::future::{Ready, ready};
use std::net::IpAddr;
use std::sync::Arc;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, ORIGIN};
use actix_web::middleware::Next;
use actix_web::web::{self, Data};
use actix_web::{FromRequest, HttpMessage as _, HttpRequest, ResponseError as _};
use chrono::Utc;
use jobs::{Actor, Credential, Key, Scope, Store, Void};
use operation::traces;
use tracing::Span;
use uuid::Uuid;

use crate::access::{self, Access, Belongs};
use crate::allowance;
use crate::cookies::session;
use crate::error::{Error, Kind, Result};
use crate::form::{FileField, FormBody};
use crate::origin::origin;
use crate::requests::given_trace;
use crate::service::Service;
use crate::waits::{Place, Waits};

/// The field of a request's span that names the key: its beginning, never its secret.
pub(crate) const KEY_OF_REQUEST: &str = "key";
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Who asks: a store that acts for him.
#[derive(Clone)]
pub(crate) struct Caller {
    /// What is handed in through it is his, and it lists what is his.
    pub(crate) store: Store,
    /// His key; none where nobody is asked for one.
    pub(crate) key: Option<Arc<Key>>,
    /// From where, as far as that can be known.
    pub(crate) from: Option<IpAddr>,
    /// What he showed.
    credential: Option<Credential>,
}

impl FromRequest for Caller {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let known = request.extensions().get::<Caller>().cloned();
        ready(known.ok_or_else(|| {
            let path = request.path();
            Error::Internal(format!(
                "{path} takes no caller and its handler asks for one"
            ))
        }))
    }
}

impl Caller {
    /// Somebody, where nobody is asked who he is.
    fn nobody(store: &Store, from: Option<IpAddr>) -> Self {
        Caller {
            store: store.clone(),
            key: None,
            from,
            credential: None,
        }
    }

    /// His place to wait in.
    ///
    /// # Errors
    /// `too_many_waits`.
    pub(crate) fn waits(&self, waits: &Waits) -> Result<Option<Place>> {
        waits.enter(self.key_id(), self.from)
    }

    /// By whom what he hands in is owned.
    pub(crate) fn key_id(&self) -> Option<Uuid> {
        self.key.as_ref().map(|key| key.id)
    }

    /// Whether he would be let in now: for whoever is still listening long after he was. A database that is away revokes
    /// nothing.
    pub(crate) async fn is_still_known(&self, service: &Service) -> bool {
        let Some(credential) = &self.credential else {
            return true;
        };
        match service.known.key(&service.state.store, credential).await {
            Ok(key) => key.is_some_and(|key| key.void(Utc::now()).is_none()),
            Err(_) => true,
        }
    }
}

/// How a request says who it is.
enum Shown {
    /// A program sends its key with each request.
    Header(Credential),
    /// A browser sends its cookie by itself, whoever's page makes it ask.
    Cookie(Credential),
    /// Something that cannot be a key.
    Nonsense,
}

/// Lets through who may ask what he asks.
///
/// # Errors
/// Whatever the handlers answer that is not a response yet.
pub(crate) async fn around(
    service: Data<Service>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> std::result::Result<ServiceResponse<BoxBody>, actix_web::Error> {
    // the very path by which the handler is found, so that no spelling of an address is one to us and another to it
    let access = Access::of(request.method(), request.match_info().as_str());
    let mut allowance = None;
    match admit(&service, &request, &access).await {
        Ok(Some(mut caller)) => {
            let given = given_trace(request.headers());
            let trace = traces::traceparent(&Span::current(), given);
            caller.store = caller.store.traced(trace.as_deref());
            allowance = caller
                .key
                .as_ref()
                .and_then(|key| service.known.allowance(key));
            if let Some(key) = &caller.key {
                Span::current().record(KEY_OF_REQUEST, key.prefix.as_str());
            }
            request.extensions_mut().insert(caller);
        }
        Ok(None) => {}
        Err(refusal) => return Ok(refuse(&service, request, &refusal).await),
    }
    let mut answer = next.call(request).await?.map_into_boxed_body();
    if let Some(allowance) = allowance {
        for (name, value) in allowance::headers_of(&allowance) {
            if let Ok(value) = HeaderValue::from_str(&value) {
                answer.headers_mut().append(name, value);
            }
        }
    }
    Ok(answer)
}

/// The answer to who may not. What he sends is read to its end nevertheless, or he would see a broken connection.
async fn refuse(
    service: &Service,
    request: ServiceRequest,
    refusal: &Error,
) -> ServiceResponse<BoxBody> {
    let (request, mut payload) = request.into_parts();
    if !matches!(*request.method(), Method::GET | Method::HEAD)
        && let Ok(body) = web::Payload::from_request(&request, &mut payload).await
    {
        FormBody::refuse(body, FileField::picture(service)).await;
    }
    ServiceResponse::new(request, refusal.error_response())
}

/// Who asks, if that matters for what he asks.
async fn admit(
    service: &Service,
    request: &ServiceRequest,
    access: &Access,
) -> Result<Option<Caller>> {
    let Some(least) = access.least else {
        return Ok(None);
    };
    let store = &service.state.store;
    let proxies = &service.config.access.trusted_proxies;
    let from = origin(request.peer_addr(), request.headers(), proxies);
    if !service.known.asks_for_keys(store).await? {
        return Ok(Some(Caller::nobody(store, from)));
    }
    if let Some(Belongs::Picture(story)) = access.belongs
        && store.is_on_show(story).await?
    {
        return Ok(Some(Caller::nobody(store, from)));
    }
    let (key, credential) = good_key(service, request.headers(), from, least).await?;
    service.known.count(&key, access.submits)?;
    if let Some(thing) = access.belongs
        && key.scope < Scope::Admin
        && !service.known.owns(store, &key, thing).await?
    {
        return Err(thing.missing());
    }
    if access.nothing {
        return Err(Error::Refused(
            Kind::NotFound,
            access::NO_SUCH_ID.to_owned(),
        ));
    }
    let actor = Actor {
        owner: Some(key.id),
        sees_all: key.scope == Scope::Admin,
        name: key.prefix.clone(),
        origin: from.map(|address| address.to_string()),
        limits: key.limits,
    };
    Ok(Some(Caller {
        store: store.acting_for(Arc::new(actor)),
        key: Some(key),
        from,
        credential: Some(credential),
    }))
}

/// The key that a request shows, if it is good for this.
async fn good_key(
    service: &Service,
    headers: &HeaderMap,
    from: Option<IpAddr>,
    least: Scope,
) -> Result<(Arc<Key>, Credential)> {
    let (credential, by_cookie) = match shown(headers) {
        None => {
            let message = "say who you are: send your key as `Authorization: Bearer KEY`, or log in on the page";
            return Err(no_key(message));
        }
        Some(Shown::Nonsense) => {
            service.known.shown_nonsense(from)?;
            let message = "what was sent as a key is none: a key begins with `st_`";
            return Err(no_key(message));
        }
        Some(Shown::Header(credential)) => (credential, false),
        Some(Shown::Cookie(credential)) => (credential, true),
    };
    let store = &service.state.store;
    let key = service.known.shown(store, &credential, from).await?;
    let key =
        key.ok_or_else(|| no_key("there is no such key, or the session has ended: log in again"))?;
    check(&key, least)?;
    if by_cookie && least > Scope::Read && !names_its_page(headers) {
        let message =
            "a browser that is logged in says whose page asks (`Origin`); this request does not";
        return Err(Error::Refused(Kind::CrossSite, message.to_owned()));
    }
    Ok((key, credential))
}

/// Whether a key is good, and for this.
fn check(key: &Key, least: Scope) -> Result<()> {
    match key.void(Utc::now()) {
        Some(Void::Revoked) => return Err(no_key("this key was revoked: ask for another one")),
        Some(Void::Expired) => {
            return Err(no_key("the time of this key is over: ask for another one"));
        }
        None => {}
    }
    if key.scope < least {
        let message = format!(
            "this takes a key that may `{}`, and {} may only `{}`",
            least.name(),
            key.prefix,
            key.scope.name()
        );
        return Err(Error::Refused(Kind::ScopeMissing, message));
    }
    Ok(())
}

/// The first of the ways to say who one is: a program's headers count before a browser's cookie.
fn shown(headers: &HeaderMap) -> Option<Shown> {
    let read = |text: &str| Credential::key(text.trim()).map_or(Shown::Nonsense, Shown::Header);
    let bearer = headers.get_all(AUTHORIZATION).find_map(|value| {
        let (scheme, key) = value.to_str().ok()?.trim().split_once(' ')?;
        // a proxy in front may have a password of its own, which is none of ours
        scheme.eq_ignore_ascii_case("bearer").then(|| read(key))
    });
    let plain = || {
        let value = headers.get(API_KEY)?;
        Some(value.to_str().map_or(Shown::Nonsense, read))
    };
    bearer
        .or_else(plain)
        .or_else(|| session(headers).map(Shown::Cookie))
}

/// Every browser that keeps a cookie from other sites (`SameSite`) names the page with what it changes; that the page is ours
/// `sites::OwnSite` sees to. Together they need no token in each form: no other page can make a browser send this cookie,
/// nor name our page as its own.
fn names_its_page(headers: &HeaderMap) -> bool {
    let own = headers
        .get("sec-fetch-site")
        .is_some_and(|site| site.as_bytes() == b"same-origin");
    own || headers.contains_key(ORIGIN)
}

pub(crate) fn no_key(message: &str) -> Error {
    Error::Refused(Kind::Unauthorized, message.to_owned())
}

/// The least scope that an operation of the document takes; none takes no key.
pub(crate) fn takes(method: &Method, path: &str) -> Option<Scope> {
    Access::of(method, path).least
}
