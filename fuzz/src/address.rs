//! Any text as the address of a webhook, any address of IP, any list of what an operator allows.
//! What must stay true: without a word from the operator no address of a network that is not public passes, in no
//! spelling; with it, exactly his networks more.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use ipnet::IpNet;
use outbound::{Allowed, Client, host_of};
use url::{Host, Url};

/// Setting one up reads the certificates of the machine.
static STRICT: LazyLock<Client> = LazyLock::new(|| Client::new(Allowed::default()).unwrap());
static OPENED: LazyLock<Vec<(&str, Client)>> = LazyLock::new(|| {
    let lists = [
        "127.0.0.1",
        "10.1.0.0/16,fd00::/8",
        "::1, 192.168.0.0/24",
        "0.0.0.0/0",
        "::/0",
    ];
    let client = |list: &'static str| (list, Client::new(list.parse().unwrap()).unwrap());
    lists.map(client).into()
});

/// The first byte says what the others are: an address in writing, its bits, or the networks that are allowed.
///
/// # Panics
/// When the promise does not hold.
pub fn holds(bytes: &[u8]) {
    let Some((kind, rest)) = bytes.split_first() else {
        return;
    };
    match kind % 4 {
        0 => written(&String::from_utf8_lossy(rest)),
        1 => written(&format!("https://{}/", String::from_utf8_lossy(rest))),
        2 => numbered(rest),
        _ => allowed(&String::from_utf8_lossy(rest)),
    }
}

fn written(text: &str) {
    if STRICT.check_webhook(text).is_err() {
        return;
    }
    let url = Url::parse(text).expect("what passes is an address");
    assert_eq!(url.scheme(), "https");
    assert!(url.username().is_empty() && url.password().is_none());
    match url.host().expect("what passes has a host") {
        Host::Ipv4(address) => assert!(!is_inside_v4(address), "{text} leads to {address}"),
        Host::Ipv6(address) => assert!(!is_inside_v6(address), "{text} leads to {address}"),
        // systems read more spellings of addresses than browsers, and all of them end in a number
        Host::Domain(name) => {
            let whole = name.strip_suffix('.').unwrap_or(name);
            let last = whole.rsplit('.').next().unwrap();
            let number = match last.strip_prefix("0x") {
                Some(digits) => digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
                None => last.bytes().all(|byte| byte.is_ascii_digit()),
            };
            assert!(!number || last.is_empty(), "{name} may be an address");
            assert!(name.parse::<IpAddr>().is_err(), "{name} is an address");
        }
    }
    let host = host_of(text).expect("what passes has a host");
    assert_eq!(host, host.to_lowercase());
}

fn numbered(bits: &[u8]) {
    let host = if let Some(bits) = bits.first_chunk::<16>() {
        let address = Ipv6Addr::from(*bits);
        if is_inside_v6(address) {
            refuses(&format!("[{address}]"));
        }
        format!("[{address}]")
    } else if let Some(bits) = bits.first_chunk::<4>() {
        let address = Ipv4Addr::from(*bits);
        let number = u32::from(address);
        if is_inside_v4(address) {
            for spelling in [
                format!("{address}."),
                format!("{number}"),
                format!("0x{number:x}"),
                format!("0{number:o}"),
                format!("[::ffff:{address}]"),
                format!("[::{address}]"),
                format!("[64:ff9b::{address}]"),
            ] {
                refuses(&spelling);
            }
        }
        address.to_string()
    } else {
        return;
    };
    written(&format!("https://{host}/"));
}

fn refuses(host: &str) {
    let url = format!("https://{host}/hook");
    assert!(STRICT.check_webhook(&url).is_err(), "{url} passes");
}

/// Any list is read or refused as a whole; any address is asked about under lists that operators write.
fn allowed(text: &str) {
    let (list, address) = text.rsplit_once(' ').unwrap_or((text, ""));
    if let Ok(allowed) = list.parse::<Allowed>() {
        assert_eq!(nets(list).count() == 0, allowed.is_empty(), "{list}");
    }
    let Ok(address) = address.parse::<IpAddr>() else {
        return;
    };
    let host = match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    };
    let public = STRICT.check_webhook(&format!("https://{host}/")).is_ok();
    for (list, client) in OPENED.iter() {
        let inside = nets(list).any(|net| net.contains(&address.to_canonical()));
        let passes = |scheme| client.check_webhook(&format!("{scheme}://{host}/")).is_ok();
        assert_eq!(passes("http"), inside, "{host} under {list}");
        assert_eq!(passes("https"), inside || public, "{host} under {list}");
    }
}

/// The networks of a list that was read.
fn nets(list: &str) -> impl Iterator<Item = IpNet> {
    let parts = list
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty());
    parts.map(|part| {
        let alone = || part.parse::<IpAddr>().map(IpNet::from);
        part.parse().or_else(|_| alone()).expect("it was read")
    })
}

/// By the words of the standard library and by ranges written down here anew.
fn is_inside_v4(address: Ipv4Addr) -> bool {
    let [a, b, ..] = address.octets();
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_documentation()
        || address.is_unspecified()
        || address.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && b & 0xc0 == 64)
        || (a == 198 && b & 0xfe == 18)
}

fn is_inside_v6(address: Ipv6Addr) -> bool {
    let [first, second, third, ..] = address.segments();
    let under = match address.to_ipv4_mapped() {
        Some(mapped) => return is_inside_v4(mapped),
        None if first == 0x2002 => {
            let [a, b] = second.to_be_bytes();
            let [c, d] = third.to_be_bytes();
            is_inside_v4(Ipv4Addr::new(a, b, c, d))
        }
        None => false,
    };
    under
        || address.is_loopback()
        || address.is_unspecified()
        || address.is_multicast()
        || address.is_unique_local()
        || address.is_unicast_link_local()
        || (first == 0x2001 && second == 0x0db8)
        || !(0x2000..0x4000).contains(&first)
}
