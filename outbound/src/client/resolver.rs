//! From a name to the addresses that may be dialled. The HTTP client asks once for each connection.
//! What must stay true: the client dials only what this answers with; there is no second look at the name.

use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address::{Allowed, Rule};

/// What this machine says of names.
pub(super) struct System;

impl Resolve for System {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let found: Vec<SocketAddr> = found.collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Filters what is said of names.
#[derive(Clone)]
pub(super) struct Resolver {
    /// Asked once for each connection.
    pub(super) names: Arc<dyn Resolve>,
    pub(super) allowed: Arc<Allowed>,
    pub(super) rule: Rule,
}

/// A name led to no address that may be dialled.
#[derive(Debug, thiserror::Error)]
#[error("{name} leads to no address that may be reached")]
pub(super) struct Barred {
    pub(super) name: String,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = self.clone();
        let asked_for = name.as_str().to_owned();
        let found = self.names.resolve(name);
        Box::pin(async move {
            let found = found.await?;
            let passes = |found: &SocketAddr| resolver.allowed.passes(found.ip(), resolver.rule);
            let (open, closed): (Vec<_>, Vec<_>) = found.partition(passes);
            if open.is_empty() {
                tracing::warn!(
                    name = asked_for,
                    ?closed,
                    "an address of a caller's was not dialled"
                );
                return Err(Barred { name: asked_for }.into());
            }
            Ok(Box::new(open.into_iter()) as Addrs)
        })
    }
}
