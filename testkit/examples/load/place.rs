//! The service that is measured: a Postgres of its own, the `api` program, and where pictures are kept.
//! What must stay true: it is what a person gets who starts these programs, but for the room in the queue; everything is stopped and
//! removed at the end.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use embedded::EmbeddedPostgres;
use jobs::{Rules, Store, StyleEntry};
use sqlx::{Connection as _, PgConnection};
use tempfile::TempDir;
use testkit::Program;
use testkit::postgres::{open_folder, settings};
use testkit::seaweedfs::{self, Weed};

use crate::caller::{Caller, get};

/// Room in the queue that no measurement fills.
const MOST_WAITING: u32 = 10_000_000;

/// The service.
pub(crate) struct Place {
    pub(crate) address: SocketAddr,
    pub(crate) store: Store,
    pub(crate) api: Program,
    pub(crate) database: PgConnection,
    /// The process id of Postgres.
    pub(crate) postmaster: u32,
    /// Whether it counts statements.
    pub(crate) counts: bool,
    postgres: EmbeddedPostgres,
    /// Where pictures are, in the environment of programs.
    pictures: Vec<(&'static str, String)>,
    folder: TempDir,
    _weed: Option<Weed>,
}

impl Place {
    pub(crate) async fn open(api: &Path, s3: bool) -> Place {
        let folder = open_folder();
        let (postgres, counts) = counting_postgres(folder.path()).await;
        let url = postgres.url();
        let migrated = Command::new(api)
            .args(["migrate", "--database-url", &url])
            .status();
        assert!(migrated.unwrap().success(), "the tables cannot be made");
        let rules = Rules {
            max_queued: MOST_WAITING,
            max_queued_bytes: u64::MAX,
            ..Rules::default()
        };
        let store = Store::connect(&url, rules).await.unwrap();
        let style = StyleEntry {
            name: "romance".to_owned(),
            description: "for measuring".to_owned(),
            passages: 1,
            source: "nowhere".to_owned(),
        };
        store.register_styles("load", &[style]).await.unwrap();

        let weed = s3.then(Weed::start);
        let address = free_address();
        let mut program = Command::new(api);
        program
            .args([
                "--database-url",
                &url,
                "--max-queued",
                &MOST_WAITING.to_string(),
            ])
            .args(["--max-connections", "20000"])
            .args(["--listen", &address.to_string()])
            .env_remove("S3_BUCKET")
            .stderr(std::fs::File::create(folder.path().join("api.log")).unwrap())
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let pictures = match &weed {
            None => vec![("STORYTELLER_IMAGES", text(folder.path().join("images")))],
            Some(weed) => in_bucket(weed).await,
        };
        let api = Program::start(program.envs(pictures.clone())).unwrap();
        is_up(address).await;
        let database = PgConnection::connect(&url).await.unwrap();
        let pid = folder.path().join("postgres/data/postmaster.pid");
        let pid = std::fs::read_to_string(pid).unwrap();
        Place {
            address,
            store,
            api,
            database,
            postmaster: pid.lines().next().unwrap().trim().parse().unwrap(),
            counts,
            postgres,
            pictures,
            folder,
            _weed: weed,
        }
    }

    /// Starts a worker whose engine is scripted.
    pub(crate) fn teller(&self, program: &Path) -> Program {
        let log = std::fs::File::create(self.folder.path().join("teller.log"));
        let mut teller = Command::new(program);
        let teller = teller
            .args(["--database-url", &self.postgres.url()])
            .env_remove("S3_BUCKET")
            .envs(self.pictures.clone())
            .stderr(log.unwrap())
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        Program::start(teller).unwrap()
    }

    /// Stops everything.
    pub(crate) async fn close(self) {
        self.store.close().await;
        self.database.close().await.unwrap();
        drop(self.api);
        self.postgres.stop().await.unwrap();
    }
}

/// A Postgres that counts statements, if it was installed with what does that.
async fn counting_postgres(folder: &Path) -> (EmbeddedPostgres, bool) {
    let postgres = EmbeddedPostgres::start(settings(folder)).await.unwrap();
    let mut connection = PgConnection::connect(&postgres.url()).await.unwrap();
    let there = "select from pg_available_extensions where name = 'pg_stat_statements'";
    let there = sqlx::raw_sql(there).fetch_optional(&mut connection).await;
    if there.unwrap().is_none() {
        return (postgres, false);
    }
    let load = "alter system set shared_preload_libraries = 'pg_stat_statements'";
    sqlx::raw_sql(load).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    postgres.stop().await.unwrap();
    let postgres = EmbeddedPostgres::start(settings(folder)).await.unwrap();
    let mut connection = PgConnection::connect(&postgres.url()).await.unwrap();
    let make = "create extension pg_stat_statements";
    sqlx::raw_sql(make).execute(&mut connection).await.unwrap();
    (postgres, true)
}

async fn in_bucket(weed: &Weed) -> Vec<(&'static str, String)> {
    let settings = seaweedfs::settings(&weed.endpoint());
    let [access_key, secret_key] = seaweedfs::keys();
    seaweedfs::bucket_at(settings.clone()).await;
    vec![
        ("S3_BUCKET", settings.bucket),
        ("S3_ENDPOINT", weed.endpoint()),
        ("AWS_ACCESS_KEY_ID", access_key),
        ("AWS_SECRET_ACCESS_KEY", secret_key),
    ]
}

fn text(path: PathBuf) -> String {
    path.into_os_string().into_string().unwrap()
}

fn free_address() -> SocketAddr {
    ([127, 0, 0, 1], testkit::ports::reserve()).into()
}

async fn is_up(address: SocketAddr) {
    let begun = std::time::Instant::now();
    loop {
        if let Ok(mut caller) = Caller::open(address).await {
            caller.send(&get("/livez")).await.unwrap();
            assert_eq!(caller.answer().await.unwrap().0, 200);
            return;
        }
        assert!(begun.elapsed() < testkit::PATIENCE, "the API never listens");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
