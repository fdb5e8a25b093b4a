//! What a service allows, what it stands on, and what every handler may need of both.
//! `lib.rs` makes one [`Service`] for a process, handlers take it as actix's data. What must stay true: it knows nothing of
//! the handlers.

use std::sync::Arc;
use std::time::Duration;

use jobs::{Queue, Store};
use operation::Health;
use outbound::Client;
use pictures::{Caps, Images};
use tokio_util::sync::CancellationToken;

use crate::feed::Feed;
use crate::known::{Access, Known};
use crate::limits::{Limits, Turns};
use crate::repeated::Running;
use crate::sites::Hosts;
use crate::waits::Waits;

/// What the service allows.
#[derive(Clone, Debug)]
pub struct Config {
    /// The largest picture.
    pub caps: Caps,
    /// The names under which the service may be asked.
    pub hosts: Hosts,
    /// Whom it asks for a key.
    pub access: Access,
    /// How much is done at once.
    pub limits: Limits,
    /// How long a stop only says that it is not ready, so that whoever sends requests here has heard of it before
    /// connections are refused.
    pub stop_wait: Duration,
    /// How long a connection may be silent between two requests.
    pub keep_alive: Duration,
    /// How long the headers of a request may take to arrive: of a connection's first from its beginning, of a later one
    /// from the end of its silence, which is taken to be as long as it may be.
    pub head_patience: Duration,
    /// How long nobody may take anything of an answer of which there is more.
    pub answer_patience: Duration,
    /// How often a stream of events says that it is still there when there is nothing else to say.
    pub stream_heartbeat: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            caps: Caps::default(),
            hosts: Hosts::default(),
            access: Access::default(),
            limits: Limits::default(),
            stop_wait: Duration::ZERO,
            // a page asks for all that it needs within it
            keep_alive: Duration::from_secs(5),
            // a packet that is lost comes again within some seconds
            head_patience: Duration::from_secs(5),
            // who reads at all takes some of it sooner, over whatever line
            answer_patience: Duration::from_secs(30),
            // proxies cut what is silent for half a minute
            stream_heartbeat: Duration::from_secs(10),
        }
    }
}

/// What the service stands on.
#[derive(Clone)]
pub struct ApiState {
    /// The jobs.
    pub store: Store,
    /// The workers' doorbell.
    pub queue: Arc<dyn Queue>,
    /// The pictures.
    pub images: Arc<dyn Images>,
    /// Fetches what callers name, and knows whom webhooks may reach.
    pub fetch: Client,
    /// What the other parts of this process say about themselves.
    pub health: Health,
}

/// Everything a handler may need.
pub(crate) struct Service {
    pub(crate) config: Config,
    pub(crate) state: ApiState,
    pub(crate) feed: Feed,
    pub(crate) turns: Turns,
    pub(crate) waits: Waits,
    pub(crate) running: Running,
    pub(crate) known: Known,
    /// Not ready any more; requests are answered as ever.
    pub(crate) stopping: CancellationToken,
    /// The end: nobody is kept waiting.
    pub(crate) shutdown: CancellationToken,
}

impl Service {
    /// Deletes a picture that no job has. One that cannot be deleted now is swept up.
    pub(crate) async fn let_go(&self, key: &str) {
        if let Err(error) = self.state.images.delete(key).await {
            tracing::warn!(key, cause = %error, "a picture that no job has could not be deleted");
        }
    }
}
