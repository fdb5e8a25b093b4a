//! `keys`: the keys of callers made, listed and revoked, their webhook secrets changed, and who did what, by whoever may reach the database.
//! `storyteller` and `api` flatten [`KeysCommand`] into their own. What must stay true: a key is printed once, when it is made,
//! and nothing that is printed later lets anybody in.

use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use clap::{Args, Subcommand};
use jobs::{Actor, AuditEntry, Key, KeyLimits, NewKey, Scope, Store, Void};
use serde::Serialize;

/// What `keys` takes.
#[derive(Args, Clone, Debug)]
pub struct KeysCommand {
    /// What to do.
    #[command(subcommand)]
    action: Action,
    /// Print JSON, one value a line.
    #[arg(long, global = true)]
    json: bool,
}

/// What can be done about keys.
#[derive(Subcommand, Clone, Debug)]
enum Action {
    /// Make a key and print it, once: it cannot be had again. With the first one the service begins to ask for keys.
    Create(Create),
    /// List the keys: what is shown of each, what it may do, when it was used last. Never the keys themselves.
    List,
    /// Revoke a key for good, by what is shown of it (`st_…`). Servers that know it go on for some seconds.
    Revoke {
        /// What is shown of it, or the key itself.
        key: String,
    },
    /// Have webhooks of a key's jobs signed with another secret, read from standard input. The one before signs beside it, so
    /// that receivers may change over, until `--drop-old`.
    Secret {
        /// What is shown of it, or the key itself.
        key: String,
        /// End the change: the latest secret alone signs from now on. Nothing is read.
        #[arg(long)]
        drop_old: bool,
    },
    /// List who did what, the last first: keys, sessions, stories cancelled, deleted, shared, tried again, styles.
    Audit {
        /// How many.
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: u32,
    },
}

/// What a key is to be.
#[derive(Args, Clone, Debug)]
struct Create {
    /// Whose it is, or what it is for.
    #[arg(long, value_name = "NAME")]
    name: String,
    /// What it may do: read, write (and read), admin (and both, with everybody's stories).
    #[arg(long, value_name = "SCOPE", default_value = "write")]
    scope: Scope,
    /// For how long it is good, in h or d, such as 90d [default: until it is revoked].
    #[arg(long, value_name = "TIME", value_parser = time)]
    expires_in: Option<Duration>,
    /// Requests in a minute, at each server [default: no limit].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    requests_a_minute: Option<u32>,
    /// Stories, batches and styles handed in in a minute, at each server [default: no limit].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    submits_a_minute: Option<u32>,
    /// Stories that wait at once [default: no limit].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    waiting: Option<u32>,
    /// Stories of a day (UTC) [default: no limit].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000_000))]
    stories_a_day: Option<u32>,
    /// Sign webhooks of its jobs with a secret of their own, read from standard input (`storyteller webhooks secret` makes
    /// one); not from the command line, which every user of the machine can see.
    #[arg(long)]
    webhook_secret: bool,
}

/// Why it could not be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database does not answer.
    #[error(transparent)]
    Jobs(#[from] jobs::Error),
    /// No key is shown so.
    #[error("there is no key {0}: `keys list` lists those there are")]
    NoKey(String),
    /// What came on standard input is no secret.
    #[error(
        "what came on standard input is no webhook secret: it begins with whsec_, and `storyteller webhooks secret` makes one"
    )]
    NoSecret,
    /// Standard input or output cannot be used.
    #[error("cannot read or write: {0}")]
    Terminal(#[from] std::io::Error),
    /// A value cannot be printed as JSON.
    #[error("cannot print as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// A key that was just made, in full.
#[derive(Serialize)]
struct Made<'a> {
    secret: &'a str,
    #[serde(flatten)]
    key: &'a Key,
}

impl KeysCommand {
    /// Does it on this database and prints what came of it.
    ///
    /// # Errors
    /// When the database does not answer, there is no such key, or nothing can be printed.
    pub async fn run(self, store: &Store) -> Result<(), Error> {
        let store = store.acting_for(Arc::new(Actor::at_the_command_line()));
        match &self.action {
            Action::Create(create) => {
                let (key, secret) = store.create_key(create.key()?).await?;
                let made = Made {
                    secret: secret.reveal(),
                    key: &key,
                };
                self.print(&made, || secret.reveal().to_owned())
            }
            Action::List => {
                for key in store.keys().await? {
                    self.print(&key, || line(&key))?;
                }
                Ok(())
            }
            Action::Revoke { key } => {
                let shown = shown(key);
                let revoked = store.revoke_key(&shown).await?;
                let revoked = revoked.ok_or_else(|| Error::NoKey(shown))?;
                self.print(&revoked, || line(&revoked))
            }
            Action::Secret { key, drop_old } => {
                let shown = shown(key);
                let secret = if *drop_old { None } else { Some(secret()?) };
                let changed = store.change_webhook_secret(&shown, secret.as_deref());
                let changed = changed.await?.ok_or_else(|| Error::NoKey(shown))?;
                self.print(&changed, || line(&changed))
            }
            Action::Audit { limit } => {
                for entry in store.audit(*limit).await? {
                    self.print(&entry, || deed(&entry))?;
                }
                Ok(())
            }
        }
    }

    fn print(&self, value: &impl Serialize, words: impl FnOnce() -> String) -> Result<(), Error> {
        let mut out = std::io::stdout().lock();
        if self.json {
            writeln!(out, "{}", serde_json::to_string(value)?)?;
        } else {
            writeln!(out, "{}", words())?;
        }
        Ok(())
    }
}

impl Create {
    fn key(&self) -> Result<NewKey, Error> {
        let webhook_secret = if self.webhook_secret {
            Some(secret()?)
        } else {
            None
        };
        Ok(NewKey {
            name: self.name.clone(),
            scope: self.scope,
            expires_at: self.expires_in.map(|time| Utc::now() + time),
            limits: KeyLimits {
                requests_a_minute: self.requests_a_minute,
                submits_a_minute: self.submits_a_minute,
                waiting: self.waiting,
                stories_a_day: self.stories_a_day,
            },
            webhook_secret,
        })
    }
}

/// What is shown of a key, from that or from the key itself.
fn shown(key: &str) -> String {
    key.trim()
        .splitn(3, '_')
        .take(2)
        .collect::<Vec<_>>()
        .join("_")
}

/// A webhook secret from standard input.
fn secret() -> Result<String, Error> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let secret = text.trim().to_owned();
    is_secret(&secret).then_some(secret).ok_or(Error::NoSecret)
}

/// Whether a text is what `webhooks secret` prints; what is signed with must be readable when there is something to sign.
fn is_secret(text: &str) -> bool {
    let encoded = text.strip_prefix("whsec_").unwrap_or_default();
    let fits = |c: char| c.is_ascii_alphanumeric() || "+/=".contains(c);
    (32..=88).contains(&encoded.len())
        && encoded.len().is_multiple_of(4)
        && encoded.chars().all(fits)
}

fn time(text: &str) -> Result<Duration, String> {
    let example = "write for example 12h or 90d";
    let (number, seconds) = [("h", 3600), ("d", 24 * 3600)]
        .into_iter()
        .find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)))
        .ok_or(example)?;
    let number: u32 = number.parse().map_err(|_| example)?;
    // a century is longer than any database knows of
    let most = 36_500 * 24 * 3600;
    let seconds = u64::from(number) * seconds;
    if !(1..=most).contains(&seconds) {
        return Err(example.to_owned());
    }
    Ok(Duration::from_secs(seconds))
}

fn line(key: &Key) -> String {
    let state = match key.void(Utc::now()) {
        Some(Void::Revoked) => "revoked",
        Some(Void::Expired) => "expired",
        None => "good",
    };
    let until = key.expires_at.map_or_else(|| "for ever".to_owned(), day);
    let used = key.last_used_at.map_or_else(|| "never".to_owned(), day);
    format!(
        "{}  {:5}  {state:7}  until {until}  used {used}  today {}  {}",
        key.prefix,
        key.scope.name(),
        key.stories_today,
        key.name
    )
}

fn deed(entry: &AuditEntry) -> String {
    let origin = entry.origin.as_deref().unwrap_or("-");
    let AuditEntry {
        at,
        who,
        what,
        object,
        ..
    } = entry;
    format!("{}  {who}  {origin}  {what}  {object}", day(*at))
}

fn day(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_hours_or_days_and_not_for_ever() {
        assert_eq!(time("12h"), Ok(Duration::from_secs(43_200)));
        assert_eq!(time("90d"), Ok(Duration::from_secs(7_776_000)));
        for wrong in ["", "0d", "d", "90", "-1d", "40000d", "1w"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }
}
