//! A SeaweedFS of the run's own, with a bucket for each test; or another S3 server that the environment names
//! (STORYTELLER_TEST_S3_ENDPOINT and AWS_…; one that does not make buckets by itself).
//! Its data is thrown away: it is killed, never asked to stop, which would take 20 s.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use pictures::images::{S3Keys, S3Settings};
use pictures::{Images as _, S3};
use uuid::Uuid;

use crate::ports;
use crate::postgres::cache;

const FOLDERS: &str = "storyteller-weed-tests-";
const ACCESS_KEY: &str = "storyteller-tests";
const SECRET_KEY: &str = "not-a-secret-of-anybody";
/// It is up in a second on an idle machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The address of the server that all tests share.
static SHARED: LazyLock<String> = LazyLock::new(|| {
    if let Ok(endpoint) = std::env::var("STORYTELLER_TEST_S3_ENDPOINT") {
        return endpoint;
    }
    remove_folders_of_earlier_runs();
    let (server, endpoint) = (Weed::start(), "shared");
    let address = server.endpoint();
    guard(&server, endpoint);
    // it lives as long as this program
    std::mem::forget(server);
    address
});

/// One server.
pub struct Weed {
    program: Child,
    folder: PathBuf,
    ports: Vec<u16>,
}

impl Weed {
    /// A server of the test's own.
    pub fn start() -> Weed {
        let program = cache().join("bin/weed");
        assert!(
            program.exists(),
            "{} is not there: run scripts/setup-seaweedfs.sh, or name a server by STORYTELLER_TEST_S3_ENDPOINT",
            program.display()
        );
        let run = format!(
            "{FOLDERS}{}-{}",
            std::process::id(),
            Uuid::new_v4().simple()
        );
        let folder = std::env::temp_dir().join(run);
        fs::create_dir(&folder).unwrap();
        let ports = ports::several::<11>().to_vec();
        Weed {
            program: spawn(&program, &folder, &ports),
            folder,
            ports,
        }
    }

    /// Where S3 is.
    pub fn port(&self) -> u16 {
        self.ports[0]
    }

    /// The same as an address.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[0])
    }

    /// Ends it as a crash would.
    pub fn kill(&mut self) {
        self.program.kill().unwrap();
        self.program.wait().unwrap();
    }

    /// Starts it again at the same address on the same data.
    pub fn start_again(&mut self) {
        self.program = spawn(&cache().join("bin/weed"), &self.folder, &self.ports);
    }

    /// Stops it in the middle of whatever it does, as a machine that swaps would.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([name, &self.program.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
    }
}

impl Drop for Weed {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn spawn(program: &Path, folder: &Path, ports: &[u16]) -> Child {
    let flags = [
        "s3.port",
        "s3.port.grpc",
        "master.port",
        "master.port.grpc",
        "volume.port",
        "volume.port.grpc",
        "filer.port",
        "filer.port.grpc",
        "admin.port",
        "admin.port.grpc",
        "s3.port.lance",
    ];
    let log = File::options()
        .append(true)
        .create(true)
        .open(folder.join("log"))
        .unwrap();
    Command::new(program)
        .arg("mini")
        .arg(format!("-dir={}", folder.display()))
        .args([
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            "-master.telemetry=false",
        ])
        .args([
            "-webdav=false",
            "-admin.ui=false",
            "-s3.port.iceberg=0",
            "-s3.autoCreateBucket=false",
        ])
        // every bucket takes volumes of its own, and without a word there are as many as would fit full:
        // nine where 600 MB are free, and the tenth test's pictures are refused with 500
        .arg("-volume.max=10000")
        .args(
            flags
                .iter()
                .zip(ports)
                .map(|(flag, port)| format!("-{flag}={port}")),
        )
        .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}

/// Ends a server when this program is gone, however it went.
pub fn guard(server: &Weed, name: &str) {
    let watch = format!(
        "while kill -0 {} 2>/dev/null; do sleep 1; done; kill -9 {}; rm -rf {}",
        std::process::id(),
        server.program.id(),
        server.folder.display()
    );
    crate::programs::watch(&watch, name);
}

fn remove_folders_of_earlier_runs() {
    for entry in fs::read_dir(std::env::temp_dir()).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let run = name
            .strip_prefix(FOLDERS)
            .and_then(|rest| rest.split_once('-'));
        if run.is_some_and(|(run, _)| !Path::new("/proc").join(run).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// The keys of the tests: who asks, and the proof.
pub fn keys() -> [String; 2] {
    let ours =
        |name: &str, otherwise: &str| std::env::var(name).unwrap_or_else(|_| otherwise.to_owned());
    [
        ours("AWS_ACCESS_KEY_ID", ACCESS_KEY),
        ours("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
    ]
}

/// How to reach a server with the keys of the tests.
pub fn settings(endpoint: &str) -> S3Settings {
    let [access_key, secret_key] = keys();
    S3Settings {
        bucket: format!("test-{}", Uuid::new_v4().simple()),
        endpoint: Some(endpoint.to_owned()),
        public_endpoint: None,
        region: "us-east-1".to_owned(),
        keys: S3Keys::Given {
            access_key,
            secret_key,
            session_token: None,
        },
    }
}

/// The server that all tests share.
pub async fn endpoint() -> String {
    tokio::task::spawn_blocking(|| SHARED.clone())
        .await
        .unwrap()
}

/// A bucket of its own on that server.
pub async fn bucket() -> S3 {
    bucket_at(settings(&endpoint().await)).await
}

/// The bucket, once the server is up.
pub async fn bucket_at(settings: S3Settings) -> S3 {
    let images = S3::open(settings).unwrap();
    let begun = Instant::now();
    while let Err(error) = images.make_bucket().await {
        assert!(begun.elapsed() < PATIENCE, "{error}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    images.ping().await.unwrap();
    images
}
