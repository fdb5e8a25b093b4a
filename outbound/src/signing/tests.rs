//! Signing and verifying, against the specification's own example and against every kind of forgery.
#![allow(clippy::unwrap_used)]

use super::*;

/// The example of the specification, which every implementation tests itself with.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const MESSAGE: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const TIME: i64 = 1_614_265_330;
const BODY: &[u8] = br#"{"test": 2432232314}"#;
const SIGNED: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

fn example() -> (Secrets, Headers) {
    let secrets: Secrets = SECRET.parse().unwrap();
    let headers = secrets.sign(MESSAGE, TIME, BODY);
    (secrets, headers)
}

#[test]
fn the_example_of_the_specification_is_signed_as_it_says() {
    let (secrets, headers) = example();
    assert_eq!(headers.signature, SIGNED);
    secrets.verify(&headers, BODY, TIME).unwrap();
}

#[test]
fn whatever_is_changed_the_signature_no_longer_fits() {
    let (secrets, headers) = example();
    let changed = [
        Headers {
            id: format!("{MESSAGE}x"),
            ..headers.clone()
        },
        Headers {
            timestamp: TIME + 1,
            ..headers.clone()
        },
        Headers {
            signature: SIGNED.replace('g', "h"),
            ..headers.clone()
        },
        Headers {
            signature: SIGNED.replace("v1,", "v2,"),
            ..headers.clone()
        },
        Headers {
            signature: SIGNED.replace("v1,", ""),
            ..headers.clone()
        },
        Headers {
            signature: "v1,".to_owned(),
            ..headers.clone()
        },
        Headers {
            signature: "v1,?".to_owned(),
            ..headers.clone()
        },
        Headers {
            signature: String::new(),
            ..headers.clone()
        },
    ];
    for headers in changed {
        let refused = secrets.verify(&headers, BODY, TIME).unwrap_err();
        assert_eq!(refused, Refused::Signature, "{headers:?}");
    }
    assert!(secrets.verify(&headers, b"{}", TIME).is_err());
    let other = Secrets::one(Secret::new());
    assert_eq!(other.verify(&headers, BODY, TIME), Err(Refused::Signature));
}

#[test]
fn a_message_of_another_time_is_refused() {
    let (secrets, headers) = example();
    for now in [TIME - 300, TIME + 300] {
        secrets.verify(&headers, BODY, now).unwrap();
    }
    for now in [TIME - 301, TIME + 301, 0, i64::MIN, i64::MAX] {
        assert_eq!(secrets.verify(&headers, BODY, now), Err(Refused::Time));
    }
}

#[test]
fn during_a_rotation_receivers_of_both_secrets_accept() {
    let (old, new) = (Secret::new(), Secret::new());
    let both: Secrets = format!("{}, {}", new.reveal(), old.reveal())
        .parse()
        .unwrap();
    let headers = both.sign(MESSAGE, TIME, BODY);
    assert_eq!(headers.signature.split(' ').count(), 2);
    for receiver in [old, new].map(Secrets::one) {
        receiver.verify(&headers, BODY, TIME).unwrap();
    }
}

#[test]
fn secrets_that_cannot_be_used_are_explained_and_none_is_ever_shown() {
    let short = format!("whsec_{}", BASE64_STANDARD.encode([7; 23]));
    for (text, expected) in [
        ("", "0 were given"),
        ("secret", "does not begin with whsec_"),
        ("whsec_???", "no base64"),
        (short.as_str(), "has 23 bytes"),
    ] {
        let error = text.parse::<Secrets>().unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
    let three = [SECRET, SECRET, SECRET].join(" ");
    assert!(three.parse::<Secrets>().is_err());
    assert!(!format!("{:?}", example().0).contains("MfKQ"));
}
