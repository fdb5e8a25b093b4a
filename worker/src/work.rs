//! A worker from its start to its end: load, register, work, drain.
//! `storyteller serve`, the `worker` program and tests call [`run`]. What must stay true: dropping the future stops
//! everything at once, as a crash would; cancelling `shutdown` ends it in order and charges nobody.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use futures_util::future::join_all;
use jobs::{Outcome, StyleEntry, Written};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::batching::Batching;
use crate::config::Config;
use crate::engine::EngineFactory;
use crate::engine::activity::Activity;
use crate::engine::thread::{self, EngineThread, Event};
use crate::error::Error;
use crate::leases::Leases;
use crate::shared::{Backends, Pauses, Shared, WORKER};
use crate::{heartbeat, intake, sweeper};

/// A database that answers releases a batch in milliseconds; supervisors lose their patience after some seconds.
const RELEASED_WITHIN: Duration = Duration::from_secs(3);
/// Loading gives no signs of life. The largest models on the slowest disks take some minutes.
const LOADED_WITHIN: Duration = Duration::from_secs(15 * 60);

/// Works until `shutdown`: then claims no more, finishes the running batch, releases the rest and ends. If that takes
/// longer than the configured drain, it releases the running batch as well; nobody is charged for a stop.
///
/// # Errors
/// When the engine cannot be loaded, hangs for good or is gone, or when the database refuses the styles.
pub async fn run(
    config: Config,
    backends: Backends,
    factory: EngineFactory,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    let health = backends.health.clone();
    health.not_ready(WORKER, "the networks are being loaded");
    let activity = Arc::new(Activity::default());
    let mut engine = thread::start(factory, activity.clone())?;
    let opened = tokio::select! {
        () = shutdown.cancelled() => None,
        opened = open(&config, &backends, &mut engine) => Some(opened),
    };
    let Some(opened) = opened else {
        engine.end(config.stop_within).await;
        return Ok(());
    };
    let opened = opened.inspect_err(|error| health.not_ready(WORKER, error.to_string()))?;
    health.ready(WORKER);
    let memory = Arc::new(Semaphore::new(config.picture_memory.max(1) as usize));
    let shared = Arc::new(Shared {
        config,
        backends,
        leases: Leases::default(),
        activity,
        bundle: opened.bundle,
        styles: opened.styles,
        coming: watch::Sender::new(0),
        images_doubted: AtomicBool::new(false),
        memory,
        hung: watch::Sender::new(false),
    });
    let worked = tokio::select! {
        worked = work(&shared, Batching::new(shared.clone(), engine, opened.lanes), &shutdown) => worked,
        () = late(&shared, &shutdown) => Ok(()),
    };
    health.not_ready(WORKER, "the worker has stopped");
    worked
}

/// An engine that is ready.
struct Opened {
    bundle: String,
    styles: BTreeSet<String>,
    lanes: usize,
}

/// Waits for the engine and makes its styles known.
async fn open(
    config: &Config,
    backends: &Backends,
    engine: &mut EngineThread,
) -> Result<Opened, Error> {
    let loaded = timeout(LOADED_WITHIN, engine.events.recv());
    let loaded = loaded.await.map_err(|_| {
        let minutes = LOADED_WITHIN.as_secs() / 60;
        Error::Engine(format!(
            "the networks have not been loaded within {minutes} minutes: the disk or the device hangs"
        ))
    })?;
    let (bundle, styles, lanes) = match loaded {
        Some(Event::Loaded {
            bundle,
            styles,
            lanes,
        }) => (bundle, styles, lanes),
        Some(Event::Broken(reason)) => return Err(Error::Engine(reason)),
        // nothing was asked of it yet
        Some(Event::Finished { .. } | Event::Measured { .. } | Event::TooMuch { .. }) | None => {
            return Err(Error::EngineGone);
        }
    };
    tracing::info!(bundle, styles = styles.len(), "the networks are loaded");
    if lanes > config.batch.items {
        let allowed = config.batch.items;
        tracing::info!(
            "the device writes {lanes} stories side by side, and --max-batch allows {allowed}"
        );
    }
    register(config, backends, &bundle, &styles).await?;
    Ok(Opened {
        bundle,
        styles: styles.into_iter().map(|style| style.name).collect(),
        lanes,
    })
}

async fn register(
    config: &Config,
    backends: &Backends,
    bundle: &str,
    styles: &[StyleEntry],
) -> Result<(), Error> {
    let mut pauses = Pauses::of(config);
    loop {
        match backends.store.register_styles(bundle, styles).await {
            Ok(()) => return Ok(()),
            Err(error) if error.is_unavailable() => {
                backends.health.not_ready(WORKER, error.to_string());
                pauses.wait().await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Intake, batching, heartbeat and sweeper side by side; the heartbeat ends last, because jobs are held until then.
async fn work(
    shared: &Arc<Shared>,
    batching: Batching,
    shutdown: &CancellationToken,
) -> Result<(), Error> {
    // bounded: what does not fit waits in intake, whose room for jobs is bounded as well
    let (sender, receiver) = mpsc::channel(shared.config.batch.items);
    let done = CancellationToken::new();
    let intake = intake::run(shared.clone(), sender, shutdown.clone());
    let batching = batching.run(receiver, shutdown.clone());
    let busy = async {
        // an engine that is gone ends batching, and then there is nothing to take in for
        let worked = tokio::try_join!(infallible(intake), batching).map(|_| ());
        done.cancel();
        worked
    };
    let beating = heartbeat::run(shared, done.clone());
    let sweeping = infallible(sweeper::run(shared, done.clone()));
    // a heart that gives up on a hung engine ends everything at once
    tokio::try_join!(busy, beating, sweeping).map(|_| ())
}

async fn infallible(work: impl Future<Output = ()>) -> Result<(), Error> {
    work.await;
    Ok(())
}

/// The end of a stop that takes too long.
async fn late(shared: &Shared, shutdown: &CancellationToken) {
    shutdown.cancelled().await;
    // a claim that is still under way would only take again what is released
    let patience = shared.config.drain.max(shared.config.claim_patience);
    tokio::time::sleep(patience).await;
    tracing::warn!("the running batch takes too long for this stop; its jobs are released");
    let released = timeout(RELEASED_WITHIN, release(shared)).await;
    if released.is_err() {
        tracing::warn!("not all jobs could be released; they are taken back when their leases end");
    }
    // the engine learns of it between two steps, and then everything ends by itself
    tokio::time::sleep(shared.config.stop_within).await;
}

/// Puts everything that is held back where it stood.
async fn release(shared: &Shared) {
    let releases = shared
        .leases
        .standing()
        .into_iter()
        .map(|leased| async move {
            let (job, lease) = (leased.lease.job, leased.lease.number);
            match shared
                .backends
                .store
                .finish(leased.lease, Outcome::Released)
                .await
            {
                Ok(Written::Done) => tracing::info!(%job, lease, "released"),
                // it has just been finished, or is somebody else's
                Ok(Written::Stale) => {}
                Err(error) => tracing::warn!(%job, lease, %error, "a job could not be released"),
            }
            leased.lose();
        });
    join_all(releases).await;
}
