//! From a name to the addresses that may be dialled. The HTTP client asks once for each connection.
//! What must stay true: the client dials only what this answers with; there is no second look at the name.

use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address::{Allowed, Rule};

/// Filters what the system's resolver answers.
#[derive(Clone, Debug)]
pub(super) struct Resolver {
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
        Box::pin(async move {
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let passes = |found: &SocketAddr| resolver.allowed.passes(found.ip(), resolver.rule);
            let (open, closed): (Vec<_>, Vec<_>) = found.into_iter().partition(passes);
            if open.is_empty() {
                tracing::warn!(
                    name = name.as_str(),
                    ?closed,
                    "an address of a caller's was not dialled"
                );
                return Err(Barred {
                    name: name.as_str().to_owned(),
                }
                .into());
            }
            Ok(Box::new(open.into_iter()) as Addrs)
        })
    }
}
