//! One Postgres for the whole run and a fresh database for each test, with one verb for each thing a service does.
//! The server's guardian ends it when the run is over; its folder is removed by the next run.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use jobs::embedded::Settings;
use jobs::retry::Backoff;
use jobs::{
    Claimed, EmbeddedPostgres, Job, JobError, NewJob, Outcome, Rules, Store, StoredImage,
    StoryRequest, StoryResult, Submitted,
};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use uuid::Uuid;

const FOLDERS: &str = "storyteller-jobs-tests-";

/// The address of the server that all tests share.
static SERVER: LazyLock<String> = LazyLock::new(|| {
    remove_folders_of_earlier_runs();
    let (send, receive) = std::sync::mpsc::channel();
    // the server lives on a runtime of its own: each test has one that ends with it
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let data = std::env::temp_dir().join(format!("{FOLDERS}{}", std::process::id()));
            let postgres = EmbeddedPostgres::start(settings(&data)).await.unwrap();
            send.send(postgres.url()).unwrap();
            std::future::pending::<()>().await;
        });
    });
    receive.recv().unwrap()
});

fn remove_folders_of_earlier_runs() {
    for entry in fs::read_dir(std::env::temp_dir()).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let run = name.strip_prefix(FOLDERS).map(str::to_owned);
        if run.is_some_and(|run| !Path::new("/proc").join(run).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Where set-up puts programs.
pub(crate) fn cache() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache/storyteller");
    std::env::var_os("STORYTELLER_CACHE").map_or_else(home, PathBuf::from)
}

pub(crate) fn settings(data: &Path) -> Settings {
    Settings {
        data: data.to_owned(),
        cache: cache(),
        programs: None,
    }
}

/// A folder that the database's owner can enter, also when the tests run as root.
pub(crate) fn open_folder() -> tempfile::TempDir {
    tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o755))
        .tempdir()
        .unwrap()
}

/// Waits for something that happens by itself.
pub(crate) async fn eventually<T>(what: &str, mut attempt: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(value) = attempt().await {
            return value;
        }
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A fresh database and a service on it.
pub(crate) struct Service {
    pub(crate) url: String,
    pub(crate) store: Store,
}

impl Service {
    /// No waits between attempts, everything else as always.
    pub(crate) async fn start() -> Service {
        Service::with(Rules {
            backoff: Backoff::NONE,
            ..Rules::default()
        })
        .await
    }

    /// Leases end at once: whoever is not heard of between two statements is lost.
    pub(crate) async fn impatient() -> Service {
        Service::with(Rules {
            backoff: Backoff::NONE,
            lease_timeout: Duration::ZERO,
            ..Rules::default()
        })
        .await
    }

    pub(crate) async fn with(rules: Rules) -> Service {
        let name = format!("test_{}", Uuid::new_v4().simple());
        let mut connection = PgConnection::connect(&SERVER).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(format!("create database {name}")))
            .execute(&mut connection)
            .await
            .unwrap();
        let url = SERVER.replace("/postgres?", &format!("/{name}?"));
        let store = Store::connect(&url, rules).await.unwrap();
        store.migrate().await.unwrap();
        Service { url, store }
    }

    pub(crate) async fn submit(&self) -> Job {
        self.submit_as(StoryRequest::default()).await
    }

    pub(crate) async fn submit_as(&self, request: StoryRequest) -> Job {
        match self.store.submit(new_job(request)).await.unwrap() {
            Submitted::New(job) => job,
            other => panic!("not accepted: {other:?}"),
        }
    }

    pub(crate) async fn submit_many(&self, count: usize) -> Vec<Uuid> {
        let mut ids = Vec::new();
        for _ in 0..count {
            ids.push(self.submit().await.id);
        }
        ids
    }

    /// The next job, which must be there.
    pub(crate) async fn claim(&self) -> Claimed {
        self.store
            .claim("worker", 1)
            .await
            .unwrap()
            .pop()
            .expect("a job is due")
    }

    pub(crate) async fn job(&self, id: Uuid) -> Job {
        self.store.get(id).await.unwrap().expect("the job exists")
    }

    /// The names of how the attempts at a job ended.
    pub(crate) async fn outcomes(&self, id: Uuid) -> Vec<String> {
        let attempts = self.store.attempts(id).await.unwrap();
        attempts
            .into_iter()
            .map(|attempt| attempt.outcome.unwrap_or_else(|| "running".to_owned()))
            .collect()
    }

    /// Changes rows behind the service's back, as time or another version would.
    pub(crate) async fn tamper(&self, statement: &'static str) {
        let mut connection = PgConnection::connect(&self.url).await.unwrap();
        sqlx::raw_sql(statement)
            .execute(&mut connection)
            .await
            .unwrap();
    }
}

pub(crate) fn new_job(request: StoryRequest) -> NewJob {
    let id = NewJob::id();
    let key = jobs::images::key(id, "image/jpeg");
    let image = StoredImage {
        key,
        media_type: "image/jpeg".to_owned(),
        width: 640,
        height: 480,
        bytes: 1234,
        sha256: "ab".repeat(32),
    };
    NewJob {
        id,
        request,
        image,
        idempotency: None,
    }
}

pub(crate) fn story(text: &str) -> StoryResult {
    StoryResult {
        story: text.to_owned(),
        style: "romance".to_owned(),
        captions: Vec::new(),
        timings: [("writing".to_owned(), 1.5)].into(),
        bundle: "starter".to_owned(),
    }
}

pub(crate) fn told() -> Outcome {
    Outcome::Succeeded(story("They never met again."))
}

pub(crate) fn trouble() -> JobError {
    JobError::new(jobs::ErrorKind::ModelError, "the beam is empty")
}
