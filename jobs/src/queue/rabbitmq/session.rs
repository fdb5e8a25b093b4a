//! One connection after the other: each builds channels, queues and consumers anew and lasts until anything fails.
//! [`super::RabbitQueue::open`] spawns it. What must stay true: whatever ends, also a channel alone or a consumer
//! alone, ends the session, so that there is one way to recover and it is taken every time.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::try_join_all;
use lapin::message::Delivery;
use lapin::options::{
    BasicConsumeOptions, BasicQosOptions, BasicRejectOptions, ConfirmSelectOptions,
};
use lapin::types::FieldTable;
use lapin::uri::AMQPUri;
use lapin::{Channel, Connection, ConnectionProperties, Event};
use tokio::time::timeout;

use super::inbox::{Message, Session};
use super::topology::{LANES, lane_queue, waiting};
use super::{SessionResult, Shared, publisher, topology};

const CONNECTED_WITHIN: Duration = Duration::from_secs(15);
/// Both sides say in so many seconds that they live, unless the address asks for another pace, and whoever has heard
/// nothing for twice as long gives the connection up. The broker's own pace would take two minutes.
const HEARTBEAT_SECONDS: u16 = 5;
/// Between connections; a broker restarts in seconds.
const RECONNECT_EVERY: Duration = Duration::from_millis(500);
/// Two looks in a row that find messages and none delivered mean that the consumers are dead.
const WATCH_EVERY: Duration = Duration::from_secs(5);

/// Connects for ever, to one node after the other.
pub(super) async fn supervise(shared: Arc<Shared>) {
    // a node that is lost is not asked again before the others
    for url in shared.settings.urls.iter().cycle() {
        let Err(error) = session(&shared, url).await;
        tracing::warn!(%error, "the message broker is lost; connecting again");
        shared.set_trouble(Some(error.to_string()));
        tokio::time::sleep(RECONNECT_EVERY).await;
    }
}

async fn session(shared: &Shared, url: &str) -> SessionResult<Infallible> {
    let properties =
        ConnectionProperties::default().with_connection_name(shared.settings.name.clone().into());
    let mut uri: AMQPUri = url.parse()?;
    uri.query.heartbeat.get_or_insert(HEARTBEAT_SECONDS);
    let connecting = Connection::connect_uri(uri, properties);
    let connection = timeout(CONNECTED_WITHIN, connecting)
        .await
        .map_err(|_| "the broker does not answer")??;
    let events = connection.events_listener();
    let publishing = connection.create_channel().await?;
    publishing
        .confirm_select(ConfirmSelectOptions::default())
        .await?;
    topology::declare(&publishing, &shared.settings.name).await?;
    let current = shared.inbox().begin();
    let looking = connection.create_channel().await?;
    let ended = async {
        tokio::try_join!(
            consume(shared, &connection, &current),
            publisher::run(shared, &publishing),
            watch_events(shared, events),
            watch_consumers(shared, &looking),
        )
    };
    ended.await?;
    Err("the connection has ended".into())
}

/// Takes messages of all lanes; a process that only publishes waits for ever.
async fn consume(shared: &Shared, connection: &Connection, session: &Session) -> SessionResult<()> {
    if shared.settings.prefetch == 0 {
        shared.set_trouble(None);
        return std::future::pending().await;
    }
    let channel = connection.create_channel().await?;
    channel
        .basic_qos(shared.settings.prefetch, BasicQosOptions::default())
        .await?;
    let lanes = (0..LANES).map(|lane| consume_lane(shared, &channel, session, lane));
    shared.set_trouble(None);
    try_join_all(lanes).await?;
    Ok(())
}

async fn consume_lane(
    shared: &Shared,
    channel: &Channel,
    session: &Session,
    lane: usize,
) -> SessionResult<()> {
    let mut consumer = channel
        .basic_consume(
            lane_queue(&shared.settings.name, lane).into(),
            "".into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        )
        .await?;
    while let Some(delivery) = consumer.next().await {
        take_in(shared, delivery?, session, lane).await?;
    }
    Err("the broker has ended a consumer".into())
}

/// A message that nobody can read goes to the dead letters; it would come again for ever.
async fn take_in(
    shared: &Shared,
    delivery: Delivery,
    session: &Session,
    lane: usize,
) -> SessionResult<()> {
    let job = std::str::from_utf8(&delivery.data)
        .ok()
        .and_then(|text| text.parse().ok());
    let Some(job) = job else {
        tracing::error!(
            bytes = delivery.data.len(),
            "a message names no job: it goes to the dead letters"
        );
        delivery
            .acker
            .reject(BasicRejectOptions { requeue: false })
            .await?;
        return Ok(());
    };
    shared.inbox().push(Message {
        job,
        lane,
        session: session.clone(),
        acker: delivery.acker,
    });
    shared.arrived.notify_waiters();
    Ok(())
}

/// A broker with an alarm takes no messages; jobs wait in the outbox until it does.
async fn watch_events(
    shared: &Shared,
    mut events: impl futures_util::Stream<Item = Event> + Unpin,
) -> SessionResult<()> {
    while let Some(event) = events.next().await {
        match event {
            Event::ConnectionBlocked(reason) => {
                shared.set_trouble(Some(format!("it takes no messages: {reason}")));
            }
            Event::ConnectionUnblocked => shared.set_trouble(None),
            Event::Error(error) => return Err(error.into()),
            _ => {}
        }
    }
    Err("the connection has ended".into())
}

/// Notices consumers that the broker has forgotten: messages wait, nothing is held, and nothing comes.
async fn watch_consumers(shared: &Shared, channel: &Channel) -> SessionResult<()> {
    let mut silent = false;
    loop {
        let before = shared.inbox().delivered;
        tokio::time::sleep(WATCH_EVERY).await;
        let idle = shared.settings.prefetch > 0 && {
            let inbox = shared.inbox();
            inbox.is_idle() && inbox.delivered == before
        };
        let now_silent = idle && waiting(channel, &shared.settings.name).await? > 0;
        if silent && now_silent {
            return Err("messages wait, and the broker delivers none".into());
        }
        silent = now_silent;
    }
}
