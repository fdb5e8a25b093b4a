//! The words about callers: keys, what they may do, whose doing something is, and what is remembered of it.
//! The store keeps them, the API asks for them, the command line makes them. What must stay true: a key in full is
//! seen once, by whoever has it made, and is kept nowhere.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use rand::Rng as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;
use uuid::Uuid;

/// What every key begins with, so that people and scanners for secrets recognise one.
const PREFIX: &str = "st_";
/// Digits by which people tell keys apart.
const SHOWN: usize = 8;
/// Digits that make it a secret: 256 bits.
const SECRET: usize = 64;
/// What the secret of a browser's session begins with: it is of no use as a key, nor the other way round.
const SESSION: &str = "ses_";

/// What a key may do; each may do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ScopeName)]
pub enum Scope {
    /// Look at what is its own.
    Read,
    /// Hand in, cancel, take back.
    Write,
    /// See and do all this with everybody's.
    Admin,
}

impl Scope {
    /// Every scope, the least first.
    pub const ALL: [Scope; 3] = [Scope::Read, Scope::Write, Scope::Admin];

    /// The name in the database and in the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Scope::Read => "read",
            Scope::Write => "write",
            Scope::Admin => "admin",
        }
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let named = Scope::ALL.into_iter().find(|scope| scope.name() == name);
        named.ok_or_else(|| format!("`{name}` is no scope; the scopes are read, write, admin"))
    }
}

/// A secret in full: a key, or a browser's session.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential(String);

impl Credential {
    /// A new key, by chance.
    #[must_use]
    pub fn new_key() -> Self {
        let (shown, secret) = (digits(SHOWN), digits(SECRET));
        Credential(format!("{PREFIX}{shown}_{secret}"))
    }

    /// A new session's secret, by chance.
    #[must_use]
    pub fn new_session() -> Self {
        Credential(format!("{SESSION}{}", digits(SECRET)))
    }

    /// A text that looks like a key. Whether it is one, the store knows.
    #[must_use]
    pub fn key(text: &str) -> Option<Self> {
        let (shown, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let fits = are_digits(shown, SHOWN) && are_digits(secret, SECRET);
        fits.then(|| Credential(text.to_owned()))
    }

    /// A text that looks like a session's secret.
    #[must_use]
    pub fn session(text: &str) -> Option<Self> {
        let fits = are_digits(text.strip_prefix(SESSION)?, SECRET);
        fits.then(|| Credential(text.to_owned()))
    }

    /// It in full, for the one who may know it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is shown of a key.
    #[must_use]
    pub fn shown(&self) -> &str {
        &self.0[..PREFIX.len() + SHOWN]
    }

    /// What is kept of it. One round without salt is right here, unlike for a password: 256 bits by chance cannot be
    /// guessed, however fast a guess is, and every request is looked up by it. A look-up by the hash takes no longer for a
    /// guess that begins rightly, because its hash does not.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(&self.0).into()
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Credential(…)")
    }
}

fn digits(count: usize) -> String {
    // the generator of the thread is one for secrets, seeded by the system
    let mut bytes = vec![0; count / 2];
    rand::rng().fill(&mut bytes[..]);
    hex::encode(bytes)
}

fn are_digits(text: &str, count: usize) -> bool {
    text.len() == count && text.bytes().all(|byte| b"0123456789abcdef".contains(&byte))
}

/// How much a key may ask for; none is as much as the service does for anybody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = KeyLimits, example = json!({"requests_a_minute": 600, "submits_a_minute": null, "waiting": 20, "stories_a_day": 500}))]
pub struct KeyLimits {
    /// Requests of any kind in a minute.
    pub requests_a_minute: Option<u32>,
    /// Stories, batches and styles handed in in a minute.
    pub submits_a_minute: Option<u32>,
    /// Stories that wait at once.
    pub waiting: Option<u32>,
    /// Stories of a day, which begins at midnight UTC.
    pub stories_a_day: Option<u32>,
}

/// A key to be made.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// Whose it is or what it is for, in words for people.
    pub name: String,
    /// What it may do.
    pub scope: Scope,
    /// Until when it can be used; none is for ever.
    pub expires_at: Option<DateTime<Utc>>,
    /// How much it may ask for.
    pub limits: KeyLimits,
    /// What webhooks of its jobs are signed with, if not with the service's own.
    pub webhook_secret: Option<String>,
}

/// A key as it is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Key {
    /// The owner of its jobs.
    #[serde(skip)]
    pub id: Uuid,
    /// What is shown of it.
    pub prefix: String,
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub scope: Scope,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Until when it can be used.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
    /// When it was used last, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// How much it may ask for.
    #[serde(flatten)]
    pub limits: KeyLimits,
    /// Stories handed in since midnight UTC.
    pub stories_today: u32,
    /// Whether webhooks of its jobs have a secret of their own.
    pub own_webhook_secret: bool,
}

/// Why a key is not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Void {
    /// Somebody has revoked it.
    Revoked,
    /// Its time is over.
    Expired,
}

impl Key {
    /// Why it is not good now, if it is not.
    #[must_use]
    pub fn void(&self, now: DateTime<Utc>) -> Option<Void> {
        if self.revoked_at.is_some() {
            return Some(Void::Revoked);
        }
        let over = self.expires_at.is_some_and(|until| until <= now);
        over.then_some(Void::Expired)
    }
}

/// Whose doing it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// Whose the things are that he hands in.
    pub owner: Option<Uuid>,
    /// Whether he sees everybody's.
    pub sees_all: bool,
    /// As the audit names him: the prefix of a key.
    pub name: String,
    /// From where.
    pub origin: Option<String>,
    /// How much he may hand in.
    pub limits: KeyLimits,
}

impl Actor {
    /// Somebody at a command line on the database itself.
    #[must_use]
    pub fn at_the_command_line() -> Self {
        Actor {
            owner: None,
            sees_all: true,
            name: "command line".to_owned(),
            origin: None,
            limits: KeyLimits::default(),
        }
    }
}

/// Whose something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owned {
    /// It is not there.
    Missing,
    /// It was handed in when nobody was asked who he is.
    ByNobody,
    /// This key's.
    By(Uuid),
}

/// What was done by whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuditEntry {
    /// When.
    pub at: DateTime<Utc>,
    /// The prefix of a key, or who acted at the command line.
    pub who: String,
    /// `story.deleted` and the like.
    pub what: String,
    /// What it was done to.
    pub object: String,
    /// From where.
    pub origin: Option<String>,
}

/// What a caller may not have more of for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quota {
    /// So many of his stories may wait at once.
    Waiting(u32),
    /// So many stories of a day.
    Day(u32),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_by_its_form_and_kept_as_a_hash() {
        let key = Credential::new_key();
        assert_eq!(Credential::key(key.reveal()), Some(key.clone()));
        assert_eq!(key.shown().len(), 11);
        assert!(key.reveal().starts_with(key.shown()));
        assert_ne!(key.hash(), Credential::new_key().hash());
        assert!(!format!("{key:?}").contains(key.shown()));
        let session = Credential::new_session();
        assert!(Credential::key(session.reveal()).is_none());
        assert!(Credential::session(key.reveal()).is_none());
        assert_eq!(Credential::session(session.reveal()), Some(session));
        for wrong in ["", "st_", "st_1234abcd_", "st_1234ABCD_00", "bearer"] {
            assert!(Credential::key(wrong).is_none(), "{wrong}");
        }
        let long = format!("{}0", key.reveal());
        assert!(Credential::key(&long).is_none());
    }

    #[test]
    fn each_scope_may_do_what_those_before_it_may() {
        assert!(Scope::Admin > Scope::Write && Scope::Write > Scope::Read);
        for scope in Scope::ALL {
            assert_eq!(scope.name().parse(), Ok(scope));
        }
        assert!("root".parse::<Scope>().is_err());
    }
}
