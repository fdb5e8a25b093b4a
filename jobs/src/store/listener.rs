//! Listens to what Postgres says about jobs and passes it on within this process.
//! The queue waits for due jobs here, the API for changes of one job. What must stay true: a notification that was
//! missed delays somebody, never loses anything, so after a lost connection everybody is told to look; and a connection over
//! which nothing comes is asked whether it still lives.

use std::sync::OnceLock;
use std::time::Duration;

use sqlx::Executor as _;
use sqlx::postgres::{PgListener, PgNotification};
use tokio::sync::{broadcast, watch};
use tokio::task::AbortHandle;
use tokio::time::timeout;
use uuid::Uuid;

use super::database::{Database, answered, pool};

/// The channels of the triggers in `migrations/0001_jobs.sql`.
const DUE: &str = "job_due";
const CHANGED: &str = "job_changed";
/// And of the one in `migrations/0005_webhooks.sql`.
const DELIVERIES: &str = "delivery_due";
/// A receiver that is further behind looks for itself.
const REMEMBERED_CHANGES: usize = 1024;
/// After so much silence the connection is asked whether it still lives.
const SILENT_FOR: Duration = Duration::from_secs(5);
/// Between attempts to reach a database that does not answer.
const RECONNECT_EVERY: Duration = Duration::from_millis(500);

/// The listening side of one store. It connects when somebody first asks, and ends with the store.
#[derive(Debug)]
pub(super) struct Listener {
    database: Database,
    changes: broadcast::Sender<Uuid>,
    due: watch::Sender<()>,
    deliveries: watch::Sender<()>,
    task: OnceLock<AbortHandle>,
}

impl Listener {
    pub(super) fn new(database: Database) -> Self {
        Listener {
            database,
            changes: broadcast::Sender::new(REMEMBERED_CHANGES),
            due: watch::Sender::new(()),
            deliveries: watch::Sender::new(()),
            task: OnceLock::new(),
        }
    }

    pub(super) fn changes(&self) -> broadcast::Receiver<Uuid> {
        self.start();
        self.changes.subscribe()
    }

    pub(super) fn due(&self) -> watch::Receiver<()> {
        self.start();
        self.due.subscribe()
    }

    pub(super) fn deliveries(&self) -> watch::Receiver<()> {
        self.start();
        self.deliveries.subscribe()
    }

    fn start(&self) {
        self.task.get_or_init(|| {
            let due = [self.due.clone(), self.deliveries.clone()];
            let task = listen(self.database.clone(), self.changes.clone(), due);
            tokio::spawn(task).abort_handle()
        });
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }
}

/// Listens until the connections of the store are closed, however often its own is lost.
async fn listen(database: Database, changes: broadcast::Sender<Uuid>, due: [watch::Sender<()>; 2]) {
    loop {
        let listened = listen_once(&database, &changes, &due);
        let Ok(listened) = database.until_closed(listened).await else {
            return;
        };
        match listened {
            Err(error) => {
                tracing::warn!(%error, "cannot listen to the database; workers and pages look by themselves");
            }
            Ok(()) => {
                tracing::info!("the database ended the connection that listens; connecting again");
            }
        }
        tokio::time::sleep(RECONNECT_EVERY).await;
    }
}

async fn listen_once(
    database: &Database,
    changes: &broadcast::Sender<Uuid>,
    [due, deliveries]: &[watch::Sender<()>; 2],
) -> Result<(), sqlx::Error> {
    // a pool of its own: one that is dead when it is let go of takes no place from anybody
    let one = pool(1).connect_with(database.options()).await?;
    let mut listener = PgListener::connect_with(&one).await?;
    listener.eager_reconnect(false);
    answered(listener.listen_all([DUE, CHANGED, DELIVERIES])).await?;
    // something may have become due while nobody listened
    due.send_replace(());
    deliveries.send_replace(());
    while let Some(notification) = hear(&mut listener).await? {
        if notification.channel() == DUE {
            due.send_replace(());
        } else if notification.channel() == DELIVERIES {
            deliveries.send_replace(());
        } else if let Ok(id) = notification.payload().parse() {
            // an error only says that nobody waits for a change
            let _ = changes.send(id);
        }
    }
    Ok(())
}

/// The next word; none once the connection has ended.
async fn hear(listener: &mut PgListener) -> Result<Option<PgNotification>, sqlx::Error> {
    loop {
        // a word that comes in between is kept by the listener
        if let Ok(heard) = timeout(SILENT_FOR, listener.try_recv()).await {
            return heard;
        }
        answered(listener.execute("select")).await?;
    }
}
