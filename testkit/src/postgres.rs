//! The one Postgres of a test program and a fresh database on it for each test; or a server of a test's own.
//! What must stay true: the server outlives every test, whose runtimes end with them, and a run leaves behind no more
//! than one folder, which the next run removes.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::channel;

use embedded::{EmbeddedPostgres, Settings};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection};
use tempfile::TempDir;

/// Folders of runs are called this and the run's process id.
const FOLDERS: &str = "storyteller-postgres-tests-";

/// The address of the shared server.
static SERVER: LazyLock<String> = LazyLock::new(|| {
    remove_folders_of_earlier_runs();
    let (send, receive) = channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let server = server().await;
            send.send(server.url()).unwrap();
            std::future::pending::<()>().await;
        });
    });
    receive.recv().unwrap()
});

static DATABASES: AtomicU32 = AtomicU32::new(0);

/// The address of a database that nobody else has.
pub async fn fresh() -> String {
    let server = tokio::task::spawn_blocking(|| SERVER.as_str())
        .await
        .unwrap();
    let name = format!("test_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
    let mut connection = PgConnection::connect(server).await.unwrap();
    let statement = AssertSqlSafe(format!("create database {name}"));
    sqlx::raw_sql(statement)
        .execute(&mut connection)
        .await
        .unwrap();
    let server: PgConnectOptions = server.parse().unwrap();
    server.database(&name).to_url_lossy().to_string()
}

/// A transaction that goes on for as long as a test wants.
pub struct Held(PgConnection);

impl Held {
    /// Ends it, as if it had not been.
    pub async fn rollback(mut self) {
        sqlx::raw_sql("rollback")
            .execute(&mut self.0)
            .await
            .unwrap();
    }
}

/// A transaction in this database that has done `statement` and holds what it has locked.
pub async fn holding(url: &str, statement: &'static str) -> Held {
    let mut connection = PgConnection::connect(url).await.unwrap();
    for statement in ["begin", statement] {
        sqlx::raw_sql(statement)
            .execute(&mut connection)
            .await
            .unwrap();
    }
    Held(connection)
}

/// Does to a database what no code of ours would do.
pub async fn tamper(url: &str, statement: &str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let statement = sqlx::raw_sql(AssertSqlSafe(statement.to_owned()));
    statement.execute(&mut connection).await.unwrap();
}

/// Another server.
pub async fn server() -> EmbeddedPostgres {
    static SERVERS: AtomicU32 = AtomicU32::new(0);
    let number = SERVERS.fetch_add(1, Ordering::Relaxed);
    let run = std::env::temp_dir().join(format!("{FOLDERS}{}", std::process::id()));
    let settings = settings(&run.join(number.to_string()));
    EmbeddedPostgres::start(settings).await.unwrap()
}

/// A server on this folder.
pub fn settings(data: &Path) -> Settings {
    Settings {
        data: data.to_owned(),
        cache: cache(),
        programs: None,
    }
}

/// A folder that the database's owner can enter, also when the tests run as root.
pub fn open_folder() -> TempDir {
    tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o755))
        .tempdir()
        .unwrap()
}

/// Where set-up puts what it fetches.
pub fn cache() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache/storyteller");
    std::env::var_os("STORYTELLER_CACHE").map_or_else(home, PathBuf::from)
}

fn remove_folders_of_earlier_runs() {
    for entry in fs::read_dir(std::env::temp_dir()).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let run = name.strip_prefix(FOLDERS);
        if run.is_some_and(|run| !Path::new("/proc").join(run).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
