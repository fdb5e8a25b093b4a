//! Where a request comes from: the other end of its connection, or whom a proxy in front names, if that is ours.
//! The door and the login ask, for the log, the audit and the limits on wrong keys and waits. What must stay true: nobody else is
//! believed, because whoever asks can write such a header himself.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use actix_web::http::header::{HeaderMap, HeaderName};
use ipnet::IpNet;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address that asks, as far as that can be known; `trusted` are the proxies in front.
pub fn origin(peer: Option<SocketAddr>, headers: &HeaderMap, trusted: &[IpNet]) -> Option<IpAddr> {
    let mut at = peer?.ip().to_canonical();
    let ours = |address: &IpAddr| trusted.iter().any(|net| net.contains(address));
    let named: Vec<&str> = headers
        .get_all(FORWARDED_FOR)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    // each proxy adds at the end whom it was asked by: what stands before the first that is not ours may be invented
    for name in named.iter().rev() {
        if !ours(&at) {
            break;
        }
        match address(name.trim()) {
            Some(before) => at = before,
            None => break,
        }
    }
    Some(at)
}

/// Whoever has one address of the new kind has the 2⁶⁴ beside it.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let network = u128::from(address) >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from(network))
        }
    }
}

/// Some proxies write the port as well.
fn address(text: &str) -> Option<IpAddr> {
    let plain = text.parse::<IpAddr>().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|whole| whole.ip());
    plain
        .or_else(with_port)
        .map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use actix_web::http::header::HeaderValue;

    use super::*;

    fn seen(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED_FOR, HeaderValue::from_str(value).unwrap());
        }
        let trusted: Vec<IpNet> = trusted.iter().map(|net| net.parse().unwrap()).collect();
        let peer = Some(peer.parse().unwrap());
        origin(peer, &headers, &trusted).unwrap().to_string()
    }

    #[test]
    fn a_proxy_that_is_ours_is_believed_and_nobody_else() {
        let (proxy, local) = ("10.0.0.2:4000", &["10.0.0.0/8"][..]);
        assert_eq!(seen("1.2.3.4:9", &["5.6.7.8"], local), "1.2.3.4");
        assert_eq!(seen(proxy, &["5.6.7.8"], &[]), "10.0.0.2");
        assert_eq!(seen(proxy, &["5.6.7.8"], local), "5.6.7.8");
        assert_eq!(seen(proxy, &["[2001:db8::1]:443"], local), "2001:db8::1");
        assert_eq!(seen(proxy, &[], local), "10.0.0.2");
    }

    #[test]
    fn what_the_caller_wrote_before_the_proxies_is_not_believed() {
        let local = &["10.0.0.0/8"][..];
        let chain = ["9.9.9.9, 5.6.7.8, 10.0.0.7"];
        assert_eq!(seen("10.0.0.2:1", &chain, local), "5.6.7.8");
        let lines = ["9.9.9.9", "5.6.7.8"];
        assert_eq!(seen("10.0.0.2:1", &lines, local), "5.6.7.8");
        assert_eq!(
            seen("10.0.0.2:1", &["5.6.7.8, nonsense"], local),
            "10.0.0.2"
        );
    }

    #[test]
    fn an_address_in_the_new_form_of_the_old_is_the_old_one() {
        let local = &["10.0.0.0/8"][..];
        assert_eq!(seen("[::ffff:10.0.0.2]:1", &["5.6.7.8"], local), "5.6.7.8");
    }
}
