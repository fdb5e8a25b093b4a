//! That connections to the database can be encrypted and certificates are looked at: a Postgres with a certificate of
//! its own that takes nothing in plain text, at a loopback address that nobody else has.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use jobs::{Rules, Store};
use testkit::eventually;
use testkit::postgres::{cache, open_folder};

/// Postgres refuses to run as root; this user has no rights anywhere.
const NOBODY: u32 = 65534;

struct Server {
    process: Child,
    address: String,
    /// What was said of every connection.
    log: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn own(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    if is_root() {
        chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|about| std::os::unix::fs::MetadataExt::uid(&about) == 0)
}

/// A program of Postgres, as its owner.
fn postgres(program: &str, folder: &Path) -> Command {
    let programs = embedded::find_programs(None, &cache()).unwrap();
    let mut command = Command::new(programs.join(program));
    command.current_dir(folder).stdin(Stdio::null());
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

fn certificate(folder: &Path, name: &str, address: &str) {
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
        ])
        .args([
            "-keyout",
            &format!("{name}.key"),
            "-out",
            &format!("{name}.pem"),
            "-days",
            "2",
        ])
        .args([
            "-subj",
            "/CN=postgres",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-addext",
            &format!("subjectAltName=IP:{address}"),
        ])
        .current_dir(folder)
        .output()
        .expect("this test needs the program openssl: install it");
    assert!(made.status.success(), "{made:?}");
    own(&folder.join(format!("{name}.key")), 0o600);
    own(&folder.join(format!("{name}.pem")), 0o644);
}

fn server(folder: &Path) -> Server {
    let [a, b, c] = rand::random::<[u8; 3]>();
    // an address of this test's own, so that its port is free
    let address = format!("127.{a}.{b}.{}", c.clamp(2, 254));
    own(folder, 0o755);
    certificate(folder, "server", &address);
    certificate(folder, "other", &address);
    let mut initdb = postgres("initdb", folder);
    initdb.args([
        "-D",
        "data",
        "-U",
        "storyteller",
        "--auth=trust",
        "--no-sync",
        "--locale=C",
    ]);
    assert!(initdb.output().unwrap().status.success());
    let only_encrypted = "hostssl all all 127.0.0.0/8 trust\n";
    fs::write(folder.join("data/pg_hba.conf"), only_encrypted).unwrap();
    let log = folder.join("log");
    let place = folder.display();
    let mut command = postgres("postgres", folder);
    command
        .args(["-D", "data"])
        .stderr(fs::File::create(&log).unwrap());
    for option in [
        format!("listen_addresses={address}"),
        "unix_socket_directories=".to_owned(),
        "fsync=off".to_owned(),
        "ssl=on".to_owned(),
        format!("ssl_cert_file={place}/server.pem"),
        format!("ssl_key_file={place}/server.key"),
    ] {
        command.arg("-c").arg(option);
    }
    let process = command.spawn().unwrap();
    Server {
        process,
        address,
        log,
    }
}

impl Server {
    async fn connect(&self, wish: &str) -> Result<Store, String> {
        let url = format!(
            "postgres://storyteller@{}:5432/postgres?{wish}",
            self.address
        );
        let store = Store::connect(&url, Rules::default()).await;
        store.map_err(|error| error.to_string())
    }
}

#[tokio::test]
async fn a_database_is_reached_encrypted_and_its_certificate_looked_at() {
    let folder = open_folder();
    let mut server = server(folder.path());
    eventually("the server answers", async || {
        if let Some(status) = server.process.try_wait().unwrap() {
            panic!("{status}: {}", fs::read_to_string(&server.log).unwrap());
        }
        server.connect("sslmode=require").await.ok()
    })
    .await;
    let trusted = format!("sslrootcert={}", folder.path().join("server.pem").display());
    let other = format!("sslrootcert={}", folder.path().join("other.pem").display());
    for wish in [
        // what is preferred is used, and not given up for plain text in silence
        "sslmode=prefer".to_owned(),
        "sslmode=require".to_owned(),
        format!("sslmode=verify-ca&{trusted}"),
        format!("sslmode=verify-full&{trusted}"),
    ] {
        let store = server
            .connect(&wish)
            .await
            .unwrap_or_else(|error| panic!("{wish}: {error}"));
        store.migrate().await.unwrap();
        store.ping().await.unwrap();
    }
    let stranger = server
        .connect(&format!("sslmode=verify-full&{other}"))
        .await
        .unwrap_err();
    assert!(stranger.contains("certificate"), "{stranger}");
    let plain = server.connect("sslmode=disable").await.unwrap_err();
    assert!(plain.contains("no encryption"), "{plain}");
}
