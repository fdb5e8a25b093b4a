//! Any bytes in the headers of a request that the service reads by itself.
//! What must stay true: a range lies in the picture, a wait is a minute at most, a number of an event is what the caller wrote, nobody
//! names himself another's address, no foreign name is taken for this service, and an own version or cursor is known again.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header::{EntityTag, HeaderName, HeaderValue};
use actix_web::test::TestRequest;
use api::Hosts;
use api::reading::{
    Wanted, cursor_of, idempotency_key, known_versions, knows_version, last_event, origin,
    place_of, preferred, session, version_of, wanted,
};
use ipnet::IpNet;

/// What the lines of a case stand for, in this order; a line too many is the first once more.
const NAMES: [&str; 12] = [
    "range",
    "if-range",
    "if-none-match",
    "last-event-id",
    "prefer",
    "x-forwarded-for",
    "idempotency-key",
    "host",
    "cookie",
    "accept-encoding",
    "traceparent",
    "origin",
];
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Each line begins with a letter that says of which header it is.
///
/// # Panics
/// When the promise does not hold.
pub fn holds(bytes: &[u8]) {
    let mut request = TestRequest::default();
    for line in bytes.split(|byte| *byte == b'\n') {
        let Some((kind, value)) = line.split_first() else {
            continue;
        };
        let Ok(value) = HeaderValue::from_bytes(value) else {
            continue;
        };
        let name = NAMES[usize::from(kind.wrapping_sub(b'a')) % NAMES.len()];
        request = request.append_header((HeaderName::from_static(name), value));
    }
    let request = request.to_http_request();
    ranges_lie_in_the_picture(&request);
    versions_are_known_again(&request);
    follows_and_waits(&request);
    only_proxies_name_others(&request);
    is_meant_by_its_own_names_only(&request);
    secrets_and_keys_are_what_was_sent(&request);
    cursors_read_back(bytes);
}

fn text<'a>(request: &'a HttpRequest, name: &str) -> Option<&'a str> {
    request.headers().get(name)?.to_str().ok()
}

fn ranges_lie_in_the_picture(request: &HttpRequest) {
    let tag = EntityTag::new_strong("a".to_owned());
    for bytes in [0, 1, 100, u64::MAX] {
        match wanted(request, bytes, &tag) {
            Wanted::Part(from, to) => {
                assert!(from <= to && to < bytes, "{from} to {to} of {bytes}");
                let asked = text(request, "range").expect("a part is asked for");
                assert!(asked.contains('-'), "{asked}");
                let rest = text(request, "if-range");
                assert!(rest.is_none_or(|rest| rest.contains("\"a\"")), "{rest:?}");
            }
            Wanted::All => {}
            Wanted::Nothing => assert!(text(request, "range").is_some()),
        }
    }
}

fn versions_are_known_again(request: &HttpRequest) {
    let found = known_versions(request);
    let said = request.headers().contains_key("if-none-match");
    assert!(said || found.is_none());
    let tag = version_of(
        text(request, "if-none-match")
            .unwrap_or_default()
            .as_bytes(),
    );
    let knows = knows_version(found.as_ref(), &tag);
    let names = |value: &HeaderValue| {
        let text = value.to_str().unwrap_or_default();
        text.contains(tag.tag()) || text.contains('*')
    };
    let named = request.headers().get_all("if-none-match").any(names);
    assert!(named || !knows, "{found:?} is no {tag}");
    let again = TestRequest::default().insert_header(("if-none-match", format!("\"x\", {tag}")));
    let again = known_versions(&again.to_http_request());
    assert!(knows_version(again.as_ref(), &tag));
}

fn follows_and_waits(request: &HttpRequest) {
    assert!(preferred(request).is_none_or(|wait| wait <= LONGEST_WAIT));
    match (last_event(request), text(request, "last-event-id")) {
        (Ok(number), Some(said)) => {
            let said = said.trim().trim_start_matches('+').trim_start_matches('0');
            let number = number.to_string();
            assert_eq!(said, number.trim_start_matches('0'));
        }
        (Ok(number), None) => assert_eq!(number, 0),
        (Err(_), _) => assert!(request.headers().contains_key("last-event-id")),
    }
}

fn only_proxies_name_others(request: &HttpRequest) {
    let peer: SocketAddr = "10.0.0.2:4000".parse().unwrap();
    let near: [IpNet; 1] = ["10.0.0.0/8".parse().unwrap()];
    let alone = origin(Some(peer), request.headers(), &[]);
    assert_eq!(alone, Some(peer.ip()), "a stranger named another");
    assert_eq!(origin(None, request.headers(), &near), None);
    let found = origin(Some(peer), request.headers(), &near).expect("there is a peer");
    let values = request.headers().get_all("x-forwarded-for");
    let values: Vec<&str> = values.filter_map(|value| value.to_str().ok()).collect();
    let list = values.join(",");
    let mut named = list.rsplit(',').map(str::trim).map_while(|name| {
        let whole = || name.parse::<SocketAddr>().ok().map(|whole| whole.ip());
        let address = name.parse::<IpAddr>().ok().or_else(whole)?;
        Some(address.to_canonical())
    });
    // the first from the end that is not ours, or the furthest of ours
    let mut right = peer.ip();
    while near[0].contains(&right) {
        let Some(before) = named.next() else { break };
        right = before;
    }
    assert_eq!(found, right, "{list}");
}

fn is_meant_by_its_own_names_only(request: &HttpRequest) {
    let hosts = Hosts {
        public_host: vec!["stories.example".to_owned()],
        ..Hosts::default()
    };
    if hosts.check(request).is_err() {
        return;
    }
    for host in request.headers().get_all("host") {
        let host = host
            .to_str()
            .expect("what is known is text")
            .to_ascii_lowercase();
        let name = host.rsplit_once(':').map_or(&*host, |(name, port)| {
            if port.bytes().all(|byte| byte.is_ascii_digit()) {
                name
            } else {
                &host
            }
        });
        let name = name
            .trim_start_matches('[')
            .trim_end_matches(']')
            .trim_end_matches('.');
        let address = name
            .parse::<IpAddr>()
            .ok()
            .map(|address| address.to_canonical());
        let ours = address.map_or(
            !name.contains('.') || name.ends_with(".localhost") || name == "stories.example",
            |address| address.is_loopback(),
        );
        assert!(ours && !name.contains('@'), "{host} is taken for us");
    }
}

fn secrets_and_keys_are_what_was_sent(request: &HttpRequest) {
    if let Some(found) = session(request.headers()) {
        let mut cookies = request
            .headers()
            .get_all("cookie")
            .filter_map(|value| value.to_str().ok());
        assert!(cookies.any(|cookie| cookie.contains(found.reveal())));
    }
    if let Ok(Some(key)) = idempotency_key(request) {
        let sent = text(request, "idempotency-key").expect("it was read");
        assert!(
            sent.contains(&key) && (1..=255).contains(&key.len()),
            "{key}"
        );
    }
}

fn cursors_read_back(bytes: &[u8]) {
    let Ok(cursor) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Some(place) = place_of(cursor.trim()) {
        let again = place_of(&cursor_of(place)).expect("a cursor of ours is read");
        assert_eq!((again.shared_at, again.id), (place.shared_at, place.id));
    }
}
