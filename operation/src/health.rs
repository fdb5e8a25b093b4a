//! Whether this process can do its work, and if not, why: one entry for each part that cannot.
//! The worker and the API write into it, `/readyz` shows it. What must stay true: a part that recovers takes
//! its own entry back, and nobody takes back another's.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// Shorter than container health checks wait, longer than `/readyz` does.
const PATIENCE: Duration = Duration::from_secs(4);

/// Nobody answers where a process is said to listen.
#[derive(Debug, thiserror::Error)]
#[error("the service cannot be reached while trying to ask whether it is ready: {0}")]
pub struct Silent(#[source] reqwest::Error);

/// The parts that are not ready, shared by everybody in the process. Empty means ready.
#[derive(Clone, Debug, Default)]
pub struct Health {
    reasons: Arc<Mutex<BTreeMap<String, String>>>,
    /// The part that will not recover, if there is one.
    doomed: Arc<OnceLock<String>>,
}

impl Health {
    /// A process of which nobody has complained yet.
    pub fn new() -> Self {
        Health::default()
    }

    /// Says that `part` cannot do its work, and why, in words for an operator.
    pub fn not_ready(&self, part: &str, reason: impl Into<String>) {
        let reason = reason.into();
        let before = self.entries().insert(part.to_owned(), reason.clone());
        if before.as_ref() != Some(&reason) {
            tracing::info!(part, reason, "not ready");
        }
    }

    /// Says that `part` can do its work.
    pub fn ready(&self, part: &str) {
        if self.entries().remove(part).is_some() {
            tracing::info!(part, "ready");
        }
    }

    /// Says that `part` will never do its work again in this process, which therefore has to be started anew.
    pub fn not_alive(&self, part: &str, reason: impl Into<String>) {
        let reason = reason.into();
        tracing::error!(part, reason, "not alive");
        // the first one to say so is as good as any other
        let _ = self.doomed.set(format!("{part}: {reason}"));
        self.not_ready(part, reason);
    }

    /// Why this process has to be started anew, if it has to.
    pub fn doomed(&self) -> Option<&str> {
        self.doomed.get().map(String::as_str)
    }

    /// Whether every part can do its work.
    pub fn is_ready(&self) -> bool {
        self.entries().is_empty()
    }

    /// The parts that cannot do their work, with their reasons.
    pub fn reasons(&self) -> BTreeMap<String, String> {
        self.entries().clone()
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        // a map is whole between any two of its calls, whoever panicked
        self.reasons.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks the process of this machine that listens on `listen` whether it is ready; answers with its own words as well.
///
/// # Errors
/// When nobody answers there.
pub async fn ask(listen: SocketAddr) -> Result<(bool, String), Silent> {
    let mut address = listen;
    if address.ip().is_unspecified() {
        address.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(PATIENCE)
        .build()
        .map_err(Silent)?;
    let answer = client
        .get(format!("http://{address}/readyz"))
        .send()
        .await
        .map_err(Silent)?;
    let ready = answer.status().is_success();
    Ok((ready, answer.text().await.map_err(Silent)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_ready_again_once_every_part_is() {
        let health = Health::new();
        let other = health.clone();
        health.not_ready("worker", "loads its bundle");
        health.not_ready("database", "does not answer");
        other.ready("worker");
        assert_eq!(
            other.reasons().into_iter().collect::<Vec<_>>(),
            [("database".into(), "does not answer".into())]
        );
        other.ready("database");
        assert!(health.is_ready());
    }
}
