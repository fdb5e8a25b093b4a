//! Who may ask: the names under which this service is known, and the pages that may ask in somebody's name.
//! [`Hosts`] are asked around every request, [`OwnSite`] by every handler that changes something. What must stay true:
//! a name that somebody else owns never leads a browser into this service, however it resolves (DNS rebinding), and
//! no page of another site changes anything here.

use std::future::{Ready, ready};
use std::net::IpAddr;
use std::str::FromStr;

use actix_web::dev::{Extensions, Payload};
use actix_web::http::header::{HOST, HeaderValue, ORIGIN};
use actix_web::http::uri::Authority;
use actix_web::http::{Uri, Version};
use actix_web::rt::net::TcpStream;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};

use crate::cookies::session;
use crate::cors;
use crate::error::{Error, Kind, Result};

/// The names of this service beside those of the machine it runs on, and the sites whose pages may ask it.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Who may ask")]
pub struct Hosts {
    /// A name or address under which this service may be asked, as callers' `Host` has it, without port; several with
    /// commas. Always allowed: localhost, loopback addresses, the address that a connection came to, and names without a
    /// dot, as machines of one network have. Let a proxy in front of it pass `Host` on.
    #[arg(long, env = "STORYTELLER_PUBLIC_HOSTS", value_name = "NAME", value_delimiter = ',', value_parser = name)]
    pub public_host: Vec<String>,
    /// A site whose pages may ask this service from browsers, such as `https://app.example`; several with commas. They send no
    /// cookies: where keys are asked for, such a page needs one of its own [default: none].
    #[arg(long, env = "STORYTELLER_CORS_ORIGINS", value_name = "ORIGIN", value_delimiter = ',', value_parser = cors::origin)]
    pub cors_origin: Vec<String>,
}

/// The address of this machine to which a connection came.
#[derive(Clone, Copy)]
struct CameTo(IpAddr);

/// Notes for every request of a connection to which address it came.
pub(crate) fn note_address(stream: &TcpStream, notes: &mut Extensions) {
    if let Ok(address) = stream.local_addr() {
        notes.insert(CameTo(address.ip()));
    }
}

impl Hosts {
    /// Whether this service is meant by what the request says about whom it asks: `Host`, the address in the request
    /// line or both.
    ///
    /// # Errors
    /// `unknown_host`.
    pub fn check(&self, request: &HttpRequest) -> Result<()> {
        let came_to = request.conn_data::<CameTo>().map(|came| came.0);
        let mut named = asked(request).peekable();
        let known = |host: Option<Authority>| host.is_some_and(|host| self.know(&host, came_to));
        // programs of the time before `Host` (RFC 9112 §3.2); every browser names whom it asks
        let old = request.version() < Version::HTTP_11;
        if (old || named.peek().is_some()) && named.all(known) {
            return Ok(());
        }
        Err(Error::Refused(
            Kind::UnknownHost,
            "this service is not known by the name in `Host`; if it should be, start it with --public-host NAME"
                .to_owned(),
        ))
    }

    fn know(&self, host: &Authority, came_to: Option<IpAddr>) -> bool {
        let name = bare(host.host());
        let loopback = name.ends_with(".localhost");
        let address = name.parse::<IpAddr>();
        // no page is of an address that its owner does not serve: only names can be made to lead elsewhere
        let is_address = address.is_ok();
        let own = address.is_ok_and(|ip| ip.to_canonical().is_loopback() || Some(ip) == came_to);
        // nobody can have a name without a dot in the public tree of names (ICANN forbids it)
        let near = !is_address && !name.is_empty() && !name.contains('.');
        loopback || own || near || self.public_host.contains(&name)
    }
}

/// Asked for by every handler that changes something: nobody's browser does it for a page of another site that is not named
/// by `--cors-origin`. Browsers say whose page it is in `Sec-Fetch-Site` and `Origin`, which no page can forge; programs send
/// neither.
pub(crate) struct OwnSite;

impl FromRequest for OwnSite {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        if is_let_in(request) {
            return ready(Ok(OwnSite));
        }
        let site = request.headers().get("sec-fetch-site");
        let other = matches!(
            site.map(HeaderValue::as_bytes),
            Some(b"cross-site" | b"same-site")
        );
        let mut origins = request.headers().get_all(ORIGIN);
        ready(if other || !origins.all(|origin| is_of(origin, request)) {
            Err(Error::Refused(
                Kind::CrossSite,
                "a page of another site asked for this in your name; use the page of this service. \
                 If this is its page, the proxy in front of it has to pass `Host` on"
                    .to_owned(),
            ))
        } else {
            Ok(OwnSite)
        })
    }
}

/// Whether a page of a site that is named asks, and not with the cookie of somebody who is logged in here.
fn is_let_in(request: &HttpRequest) -> bool {
    let Some(hosts) = request.app_data::<Data<Hosts>>() else {
        return false;
    };
    let named = |origin: &HeaderValue| {
        let origins = &hosts.cors_origin;
        origins.iter().any(|named| origin == named.as_str())
    };
    let mut origins = request.headers().get_all(ORIGIN).peekable();
    origins.peek().is_some() && origins.all(named) && session(request.headers()).is_none()
}

/// Whether a page of this origin has come from where the request goes.
fn is_of(origin: &HeaderValue, request: &HttpRequest) -> bool {
    let Some(origin) = origin
        .to_str()
        .ok()
        .and_then(|text| Uri::from_str(text).ok())
    else {
        return false;
    };
    let usual = match origin.scheme_str() {
        Some("http") => 80,
        Some("https") => 443,
        _ => return false,
    };
    let Some(page) = origin.authority() else {
        return false;
    };
    asked(request).all(|host| {
        host.is_some_and(|host| {
            bare(host.host()) == bare(page.host())
                && host.port_u16().unwrap_or(usual) == page.port_u16().unwrap_or(usual)
        })
    })
}

/// Everything by which the request says whom it asks; nothing in the place of what cannot be read.
fn asked(request: &HttpRequest) -> impl Iterator<Item = Option<Authority>> {
    let read = |host: &HeaderValue| Authority::from_str(host.to_str().ok()?).ok();
    let headers = request.headers().get_all(HOST).map(read);
    let line = request.uri().authority().cloned().map(Some);
    // with a user's name before it, or something after it that is no port, the host is not what it seems to be
    let plain = |host: &Authority| {
        // `http` takes a sign before a port's digits, and a name after an address in brackets (RFC 3986 §3.2: there is neither)
        let rest = host.as_str().strip_prefix(host.host());
        let is_port = |rest: &str| rest.bytes().all(|digit| digit.is_ascii_digit());
        rest.is_some_and(|rest| rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port))
    };
    headers.chain(line).map(move |host| host.filter(plain))
}

/// A host's name as it is compared.
fn bare(host: &str) -> String {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.trim_end_matches('.').to_ascii_lowercase()
}

fn name(text: &str) -> std::result::Result<String, String> {
    let name = bare(text.trim());
    let readable = Authority::from_str(text.trim())
        .is_ok_and(|host| host.port().is_none() && !host.as_str().contains('@'));
    if (readable || name.parse::<IpAddr>().is_ok()) && !name.is_empty() {
        Ok(name)
    } else {
        Err(
            "give a name or an address alone, such as stories.example, without scheme and port"
                .to_owned(),
        )
    }
}
