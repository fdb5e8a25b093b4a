//! Any text as a secret, any bytes as a message, any text as its signature.
//! What must stay true: what was signed is accepted, by either secret of a rotation; what was changed, is of another time or was
//! signed by nobody is not; and a secret reads back as it was written.

use outbound::{Headers, Refused, Secret, Secrets};

/// Longer is more of the same.
const PARTS: usize = 4;
/// Within this distance a message is of now, as Standard Webhooks has it.
const TOLERANCE: u64 = 300;

/// Lines: a secret, an id, a signature, the body; and before them eight bytes of time.
///
/// # Panics
/// When the promise does not hold.
pub fn holds(bytes: &[u8]) {
    let Some((time, rest)) = bytes.split_first_chunk::<8>() else {
        return;
    };
    let parts: Vec<&[u8]> = rest.splitn(PARTS, |byte| *byte == b'\n').collect();
    let [secret, id, signature, body] = parts.as_slice() else {
        return;
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let now = i64::from_le_bytes(*time);
    let id = text(id);
    let secrets = text(secret).parse::<Secrets>();
    let secrets = secrets.unwrap_or_else(|_| Secrets::one(known()));
    is_accepted_and_nothing_like_it(&secrets, &id, now, body);
    let found = Headers {
        id: id.clone(),
        timestamp: now,
        signature: text(signature),
        traceparent: None,
    };
    is_of_nobody(&secrets, &found, body);
    if let Ok(secret) = text(secret).parse::<Secret>() {
        reads_back(&secret, &id, now, body);
    }
}

/// The one that the seeds are signed with.
fn known() -> Secret {
    "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
        .parse()
        .unwrap()
}

fn is_accepted_and_nothing_like_it(secrets: &Secrets, id: &str, now: i64, body: &[u8]) {
    let signed = secrets.sign(id, now, body);
    assert_eq!(secrets.verify(&signed, body, now), Ok(()));
    let refused = Err(Refused::Signature);
    let longer = [body, b"x"].concat();
    assert_eq!(secrets.verify(&signed, &longer, now), refused);
    if let Some((_, shorter)) = body.split_last() {
        assert_eq!(
            secrets.verify(&signed, &body[..shorter.len()], now),
            refused
        );
    }
    let other = Headers {
        id: format!("{id}x"),
        ..signed.clone()
    };
    assert_eq!(secrets.verify(&other, body, now), refused);
    for (shift, accepted) in [(TOLERANCE, true), (TOLERANCE + 1, false)] {
        for then in [
            now.checked_add_unsigned(shift),
            now.checked_sub_unsigned(shift),
        ] {
            let Some(then) = then else { continue };
            let outcome = secrets.verify(&signed, body, then);
            let right = if accepted { Ok(()) } else { Err(Refused::Time) };
            assert_eq!(outcome, right, "{shift} s away");
        }
    }
}

/// A signature that is accepted has the one that we would make in it.
fn is_of_nobody(secrets: &Secrets, found: &Headers, body: &[u8]) {
    let (now, signature) = (found.timestamp, &found.signature);
    let ours = secrets.sign(&found.id, now, body).signature;
    let made = |one: &str| ours.split(' ').any(|our| our == one);
    let accepted = secrets.verify(found, body, now).is_ok();
    assert_eq!(accepted, signature.split(' ').any(made), "{signature}");
}

fn reads_back(secret: &Secret, id: &str, now: i64, body: &[u8]) {
    let again: Secret = secret.reveal().parse().expect("a secret reads back");
    assert_eq!(again.reveal(), secret.reveal());
    let (one, other) = (Secrets::one(secret.clone()), Secrets::one(again));
    assert_eq!(one.sign(id, now, body), other.sign(id, now, body));
    assert!(!format!("{secret:?}").contains(&secret.reveal()[6..]));
    let both = format!("{},{}", secret.reveal(), known().reveal());
    let both: Secrets = both.parse().expect("two secrets are a rotation");
    assert_eq!(both.verify(&one.sign(id, now, body), body, now), Ok(()));
}
