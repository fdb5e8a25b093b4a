//! The option by which an operator opens parts of the own network to what callers name.
//! `api`, `worker` and `storyteller serve` flatten it into their own. What must stay true: without it nothing inside
//! is ever reached.

use super::{Allowed, Client};
use crate::error::Result;

/// What may be reached for callers.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Reaching out")]
pub struct FetchOptions {
    /// Addresses and networks of your own that webhooks and `image_url` may reach, such as 10.1.0.0/16,192.168.1.7;
    /// webhooks to them need no https.
    #[arg(long, env = "STORYTELLER_ALLOW_ADDRESSES", value_name = "NETWORKS")]
    pub allow_addresses: Option<Allowed>,
}

impl FetchOptions {
    /// The client for it.
    ///
    /// # Errors
    /// `Unexpected`, if the certificates of this machine cannot be read.
    pub fn client(&self) -> Result<Client> {
        Client::new(self.allow_addresses.clone().unwrap_or_default())
    }
}
