//! A worker from its start to its end: load, register, work, drain.
//! `storyteller serve`, the `worker` program and tests call [`run`]. What must stay true: dropping the future stops
//! everything at once, as a crash would; cancelling `shutdown` ends it in order and charges nobody.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use jobs::{Queue, Store, StyleEntry};
use operation::Health;
use pictures::Images;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::engine::EngineFactory;
use crate::engine::thread::{self, Activity, EngineThread, Event};
use crate::error::Error;
use crate::held::Held;
use crate::line::Line;
use crate::shared::{Pauses, Shared, WORKER};
use crate::{intake, pulse};

/// Where a worker's jobs and pictures are, and whom it tells about trouble.
#[derive(Clone)]
pub struct Places {
    /// The truth about jobs, already migrated.
    pub store: Store,
    /// Where jobs come from.
    pub queue: Arc<dyn Queue>,
    /// Where their pictures are.
    pub images: Arc<dyn Images>,
    /// Shown in `/readyz`.
    pub health: Health,
}

/// Works until `shutdown`: then claims no more, finishes the running batch, gives the rest back and ends. If that
/// takes longer than the configured drain, it leaves its jobs to whoever comes next.
///
/// # Errors
/// When the engine cannot be loaded or its thread is gone, or when the database refuses the styles.
pub async fn run(
    config: Config,
    places: Places,
    factory: EngineFactory,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    let health = places.health.clone();
    health.not_ready(WORKER, "the networks are being loaded");
    let activity = Arc::new(Activity::default());
    let mut engine = thread::start(factory, activity.clone())?;
    let (bundle, styles) = tokio::select! {
        () = shutdown.cancelled() => return Ok(()),
        styles = open(&config, &places, &mut engine) => {
            styles.inspect_err(|error| health.not_ready(WORKER, error.to_string()))?
        }
    };
    health.ready(WORKER);
    let shared = Arc::new(Shared {
        config,
        places,
        held: Held::default(),
        activity,
        bundle,
        styles,
        coming: watch::Sender::new(0),
        images_doubted: AtomicBool::new(false),
        hung: watch::Sender::new(false),
    });
    let worked = tokio::select! {
        worked = work(&shared, engine, &shutdown) => worked,
        () = late(&shared, &shutdown) => {
            tracing::warn!("the running batch took too long for this stop; its jobs are told again later");
            Ok(())
        }
    };
    health.not_ready(WORKER, "the worker has stopped");
    worked
}

/// Waits for the engine and makes its styles known; answers with the name of their bundle and theirs.
async fn open(
    config: &Config,
    places: &Places,
    engine: &mut EngineThread,
) -> Result<(String, BTreeSet<String>), Error> {
    let (bundle, styles) = match engine.events.recv().await {
        Some(Event::Loaded { bundle, styles }) => (bundle, styles),
        Some(Event::Broken(reason)) => return Err(Error::Engine(reason)),
        Some(Event::Told { .. } | Event::Free) | None => return Err(Error::EngineGone),
    };
    tracing::info!(bundle, styles = styles.len(), "the networks are loaded");
    register(config, places, (&bundle, &styles)).await?;
    let names = styles.into_iter().map(|style| style.name).collect();
    Ok((bundle, names))
}

async fn register(
    config: &Config,
    places: &Places,
    (bundle, styles): (&str, &[StyleEntry]),
) -> Result<(), Error> {
    let mut pauses = Pauses::of(config);
    loop {
        match places.store.register_styles(bundle, styles).await {
            Ok(()) => return Ok(()),
            Err(error) if error.is_unavailable() => {
                places.health.not_ready(WORKER, error.to_string());
                pauses.wait().await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Intake, line and pulse side by side; the pulse ends last, because jobs are held until then.
async fn work(
    shared: &Arc<Shared>,
    engine: EngineThread,
    shutdown: &CancellationToken,
) -> Result<(), Error> {
    // bounded: what does not fit waits in intake, whose room for jobs is bounded as well
    let (sender, receiver) = mpsc::channel(shared.config.batch.items);
    let done = CancellationToken::new();
    let intake = intake::run(shared.clone(), sender, shutdown.clone());
    let line = Line::new(shared.clone(), engine).run(receiver, shutdown.clone());
    let busy = async {
        // an engine that is gone ends the line, and then there is nothing to take in for
        let worked = tokio::try_join!(
            async {
                intake.await;
                Ok(())
            },
            line
        )
        .map(|_| ());
        done.cancel();
        worked
    };
    let (worked, ()) = tokio::join!(busy, pulse::run(shared.clone(), done.clone()));
    worked
}

async fn late(shared: &Shared, shutdown: &CancellationToken) {
    shutdown.cancelled().await;
    tokio::time::sleep(shared.config.drain).await;
}
