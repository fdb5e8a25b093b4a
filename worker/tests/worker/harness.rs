//! One service without its HTTP side: a Postgres, a folder of pictures, and as many workers as a test starts.
//! One verb for each thing that an API, an operator or an accident does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use embedded::EmbeddedPostgres;
use futures_util::future::{BoxFuture, FutureExt as _};
use jobs::retry::Backoff;
use jobs::{
    Job, NewJob, PostgresQueue, Queue, RabbitQueue, RabbitSettings, Rules, Store, StoredImage,
    StoryRequest, Submitted,
};
use operation::Health;
use pictures::images::{Deployment, Kept, Reading};
use pictures::{Directory, Images};
use scripted::{SCRIPT, ScriptedEngine, Tells};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use testkit::postgres::{open_folder, settings};
use testkit::{PATIENCE, eventually};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use worker::{Backends, Config, EngineFactory, Error};

/// Quick beats and no waits between attempts.
pub(crate) fn rules() -> Rules {
    Rules {
        heartbeat: Duration::from_millis(100),
        lease_timeout: Duration::from_secs(3),
        sweep_every: Duration::from_millis(100),
        backoff: Backoff::NONE,
        ..Rules::default()
    }
}

/// Nobody counts as lost, however long he is silent, and no pause of the machine is long enough to be a silence.
pub(crate) fn patient() -> Rules {
    Rules {
        lease_timeout: Duration::from_secs(4 * 3600),
        heartbeat: Duration::from_secs(3600),
        ..rules()
    }
}

/// Batches of up to `max_batch`, in which jobs that were claimed together are told together on a busy machine as well.
pub(crate) fn together(max_batch: usize) -> Config {
    let mut config = Config::with_max_batch(max_batch);
    config.batch.longest_wait = PATIENCE;
    config
}

/// A folder of pictures that can be put out of reach.
pub(crate) struct Pictures {
    folder: Directory,
    down: AtomicBool,
}

impl Pictures {
    pub(crate) fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::Relaxed);
    }

    fn reach(&self) -> pictures::Result<&Directory> {
        if self.down.load(Ordering::Relaxed) {
            return Err(pictures::Error::Unavailable {
                place: "the picture store",
                doing: "test the worker",
                cause: "the test has cut the line".into(),
            });
        }
        Ok(&self.folder)
    }
}

impl Images for Pictures {
    fn put<'a>(&'a self, key: &'a str, bytes: Bytes) -> BoxFuture<'a, pictures::Result<()>> {
        async move { self.reach()?.put(key, bytes).await }.boxed()
    }

    fn open<'a>(&'a self, key: &'a str) -> BoxFuture<'a, pictures::Result<Reading>> {
        async move { self.reach()?.open(key).await }.boxed()
    }

    fn delete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, pictures::Result<()>> {
        async move { self.reach()?.delete(key).await }.boxed()
    }

    fn list<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
    ) -> BoxFuture<'a, pictures::Result<Vec<Kept>>> {
        async move { self.reach()?.list(prefix, after).await }.boxed()
    }

    fn clear_unfinished<'a>(
        &'a self,
        prefix: &'a str,
        age: Duration,
    ) -> BoxFuture<'a, pictures::Result<usize>> {
        async move { self.reach()?.clear_unfinished(prefix, age).await }.boxed()
    }

    fn ping(&self) -> BoxFuture<'_, pictures::Result<()>> {
        async move { self.reach()?.ping().await }.boxed()
    }
}

/// A running worker.
pub(crate) struct Running {
    pub(crate) health: Health,
    pub(crate) tells: Arc<Tells>,
    shutdown: CancellationToken,
    handle: JoinHandle<Result<(), Error>>,
    crashed: bool,
}

impl Running {
    /// Asks it to stop, as a signal does.
    pub(crate) fn ask_to_stop(&self) {
        self.shutdown.cancel();
    }

    /// Asks it to stop and waits until it has.
    pub(crate) async fn stop(self) {
        self.tells.open();
        self.shutdown.cancel();
        self.end().await.unwrap();
    }

    /// Waits until it ends by itself, or because it was asked to.
    pub(crate) async fn end(mut self) -> Result<(), Error> {
        (&mut self.handle).await.unwrap()
    }

    /// Ends it at once, as a crash would. Its gate stays shut: a story that got through it now might still find a
    /// task that is not gone yet, and be kept.
    pub(crate) async fn vanish(mut self) {
        self.crashed = true;
        self.handle.abort();
        assert!((&mut self.handle).await.unwrap_err().is_cancelled());
    }
}

impl Drop for Running {
    /// Lets the engine's thread end when a test has failed.
    fn drop(&mut self) {
        if !self.crashed {
            self.tells.open();
        }
        self.handle.abort();
    }
}

/// The service. Its Postgres ends with it.
pub(crate) struct Service {
    pub(crate) store: Store,
    pub(crate) pictures: Arc<Pictures>,
    postgres: EmbeddedPostgres,
    rules: Rules,
    _data: TempDir,
}

impl Service {
    pub(crate) async fn start() -> Self {
        Service::with(rules()).await
    }

    pub(crate) async fn with(rules: Rules) -> Self {
        let data = open_folder();
        let postgres = EmbeddedPostgres::start(settings(data.path()))
            .await
            .unwrap();
        let store = Store::connect(&postgres.url(), rules.clone())
            .await
            .unwrap();
        store.migrate().await.unwrap();
        let pictures = Arc::new(Pictures {
            folder: Directory::open(data.path().join("pictures")).unwrap(),
            down: AtomicBool::new(false),
        });
        Service {
            store,
            pictures,
            postgres,
            rules,
            _data: data,
        }
    }

    /// Kills the database; its guardian starts it again.
    pub(crate) fn kill_database(&self) {
        let note = self._data.path().join("postgres/data/postmaster.pid");
        let note = std::fs::read_to_string(note).unwrap();
        let kill = std::process::Command::new("kill")
            .args(["-9", note.lines().next().unwrap()])
            .status();
        assert!(kill.unwrap().success());
    }

    /// The address of the database, for programs.
    pub(crate) fn database_url(&self) -> String {
        self.postgres.url()
    }

    /// Another process on the same database, by other rules.
    pub(crate) async fn store_with(&self, rules: Rules) -> Store {
        Store::connect(&self.postgres.url(), rules).await.unwrap()
    }

    /// A worker with batches of up to `max_batch` on a scripted engine.
    pub(crate) async fn worker(&self, max_batch: usize) -> Running {
        self.worker_with(together(max_batch)).await
    }

    pub(crate) async fn worker_with(&self, config: Config) -> Running {
        self.worker_of(config, ScriptedEngine::new()).await
    }

    /// A worker on an engine of the test's own.
    pub(crate) async fn worker_of(&self, config: Config, engine: ScriptedEngine) -> Running {
        let tells = engine.tells();
        self.worker_on(config, tells, engine.factory()).await
    }

    pub(crate) async fn worker_on(
        &self,
        config: Config,
        tells: Arc<Tells>,
        factory: EngineFactory,
    ) -> Running {
        // connections of its own, as another process has
        let store = self.store_with(self.rules.clone()).await;
        let queue = Arc::new(PostgresQueue::new(store.clone()));
        self.run(config, self.backends(store, queue), tells, factory)
    }

    /// A worker that hears of jobs through a broker.
    pub(crate) async fn worker_at(
        &self,
        settings: RabbitSettings,
        config: Config,
        engine: ScriptedEngine,
    ) -> Running {
        let store = self.store_with(self.rules.clone()).await;
        let queue = Arc::new(RabbitQueue::open(store.clone(), settings));
        let tells = engine.tells();
        self.run(config, self.backends(store, queue), tells, engine.factory())
    }

    fn backends(&self, store: Store, queue: Arc<dyn Queue>) -> Backends {
        Backends {
            queue,
            store,
            images: self.pictures.clone(),
            health: Health::new(),
        }
    }

    fn run(
        &self,
        config: Config,
        backends: Backends,
        tells: Arc<Tells>,
        factory: EngineFactory,
    ) -> Running {
        let (health, shutdown) = (backends.health.clone(), CancellationToken::new());
        let handle = tokio::spawn(worker::run(config, backends, factory, shutdown.clone()));
        Running {
            health,
            tells,
            shutdown,
            handle,
            crashed: false,
        }
    }

    /// Hands in a good picture with a script.
    pub(crate) async fn submit(&self, script: &str) -> Uuid {
        self.submit_as(request(script), &picture()).await
    }

    pub(crate) async fn submit_many(&self, count: usize, script: &str) -> Vec<Uuid> {
        let mut ids = Vec::new();
        for _ in 0..count {
            ids.push(self.submit(script).await);
        }
        ids
    }

    /// Hands in any bytes as a picture.
    pub(crate) async fn submit_as(&self, request: StoryRequest, bytes: &[u8]) -> Uuid {
        let id = NewJob::id();
        let image = StoredImage {
            key: Deployment(self.store.deployment().await.unwrap()).key(id, "image/png"),
            media_type: "image/png".to_owned(),
            width: 6,
            height: 4,
            bytes: bytes.len() as u64,
            sha256: hex::encode(Sha256::digest(bytes)),
        };
        let kept = Bytes::copy_from_slice(bytes);
        self.pictures.folder.put(&image.key, kept).await.unwrap();
        let job = NewJob {
            id,
            request,
            image,
            idempotency: None,
            telling: None,
        };
        match self.store.submit(job).await.unwrap() {
            Submitted::New(job) => job.id,
            other => panic!("not accepted: {other:?}"),
        }
    }

    /// Loses the picture of a job.
    pub(crate) async fn lose_picture(&self, id: Uuid) {
        let key = self.job(id).await.image.unwrap().key;
        self.pictures.folder.delete(&key).await.unwrap();
    }

    pub(crate) async fn job(&self, id: Uuid) -> Job {
        self.store.get(id).await.unwrap().expect("it was submitted")
    }

    /// The job once it has ended.
    pub(crate) async fn finished(&self, id: Uuid) -> Job {
        eventually("a job has ended", async || {
            let job = self.job(id).await;
            job.state.is_final().then_some(job)
        })
        .await
    }

    /// How the attempts at a job ended.
    pub(crate) async fn outcomes(&self, id: Uuid) -> Vec<String> {
        let attempts = self.store.attempts(id).await.unwrap().into_iter();
        attempts
            .map(|attempt| attempt.outcome.unwrap_or_else(|| "running".to_owned()))
            .collect()
    }
}

pub(crate) fn request(script: &str) -> StoryRequest {
    StoryRequest {
        metadata: [(SCRIPT.to_owned(), script.to_owned())].into(),
        ..StoryRequest::default()
    }
}

/// A small PNG.
pub(crate) fn picture() -> Vec<u8> {
    let picture = image::RgbImage::from_fn(6, 4, |x, y| image::Rgb([x as u8, y as u8, 7]));
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture
        .write_to(&mut bytes, image::ImageFormat::Png)
        .unwrap();
    bytes.into_inner()
}
