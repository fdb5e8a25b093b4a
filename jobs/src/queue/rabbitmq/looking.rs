//! What a broker says of itself to whoever wonders why jobs do not arrive: `storyteller doctor`.
//! What must stay true: nothing is made or taken, it ends within its time, and no password is answered with.

use std::str::FromStr as _;
use std::time::Duration;

use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use lapin::uri::AMQPUri;
use lapin::{Connection, ConnectionProperties};
use tokio::time::timeout;

use super::topology::{LANES, dead_queue, lane_queue};
use super::{NAME, QueueOptions, SessionResult as Said};
use crate::error::{Error, Result};

/// A broker that answers at all does so in milliseconds.
const PATIENCE: Duration = Duration::from_secs(8);

/// What was seen of one node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BrokerLook {
    /// How many messages wait in the lanes.
    pub waiting: u32,
    /// How many workers listen to the lane of ordinary jobs.
    pub listening: u32,
    /// How many messages lie among the dead letters.
    pub dead: u32,
    /// The queues that are not there: the first program that connects makes them.
    pub missing: Vec<String>,
}

impl QueueOptions {
    /// Each node by name, without a password, and what was seen of it. None without a broker.
    pub async fn look(&self) -> Vec<(String, Result<BrokerLook>)> {
        let mut nodes = Vec::new();
        for url in &self.amqp_url {
            let looked = match timeout(PATIENCE, look_at(url)).await {
                Ok(looked) => looked,
                Err(_) => Err("it does not answer".into()),
            };
            let looked = looked.map_err(|cause| Error::Unavailable {
                place: "the message broker",
                doing: "look at it",
                cause,
            });
            nodes.push((place(url), looked));
        }
        nodes
    }
}

async fn look_at(url: &str) -> Said<BrokerLook> {
    let properties = ConnectionProperties::default().with_connection_name("doctor".into());
    let connection = Connection::connect(url, properties).await?;
    let mut look = BrokerLook::default();
    for lane in 0..LANES {
        let queue = lane_queue(NAME, lane);
        match counts(&connection, &queue).await? {
            None => look.missing.push(queue),
            Some((waiting, listening)) => {
                look.waiting += waiting;
                look.listening = look.listening.max(listening);
            }
        }
    }
    let dead = dead_queue(NAME);
    match counts(&connection, &dead).await? {
        None => look.missing.push(dead),
        Some((waiting, _)) => look.dead = waiting,
    }
    // channels are still on their way out, and what the broker says about that is of no interest
    let _ = connection.close(200, "seen".into()).await;
    Ok(look)
}

/// Messages and consumers of a queue; none if there is no such queue, which ends the channel it was asked on.
async fn counts(connection: &Connection, queue: &str) -> Said<Option<(u32, u32)>> {
    let channel = connection.create_channel().await?;
    let options = QueueDeclareOptions {
        passive: true,
        ..QueueDeclareOptions::durable()
    };
    let declared = channel
        .queue_declare(queue.into(), options, FieldTable::default())
        .await;
    match declared {
        Ok(queue) => Ok(Some((queue.message_count(), queue.consumer_count()))),
        Err(error) if error.to_string().contains("NOT_FOUND") => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn place(url: &str) -> String {
    match AMQPUri::from_str(url) {
        Ok(uri) => {
            let at = uri.authority;
            format!("{}:{}", at.host, at.port)
        }
        Err(_) => "the broker".to_owned(),
    }
}
