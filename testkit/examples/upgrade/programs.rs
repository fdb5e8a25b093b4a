//! The programs of one version on the database and the pictures of the check.
//! What must stay true: whatever is started here ends with the check, and what it says is kept in a file until then.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use testkit::postgres::cache;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Loading the networks takes seconds, on a busy machine more.
const STARTED_WITHIN: Duration = Duration::from_secs(180);
/// Running stories are finished first.
const STOPPED_WITHIN: Duration = Duration::from_secs(90);

/// One version of the programs.
pub(crate) struct Version {
    name: &'static str,
    programs: PathBuf,
    database: String,
    folder: PathBuf,
}

/// A running program.
pub(crate) struct Program {
    /// Where an API listens.
    pub(crate) address: String,
    /// Which program of which version.
    pub(crate) name: String,
    child: Child,
    log: JoinHandle<()>,
}

impl Version {
    pub(crate) fn new(
        name: &'static str,
        programs: PathBuf,
        database: &str,
        folder: &Path,
    ) -> Version {
        Version {
            name,
            programs,
            database: database.to_owned(),
            folder: folder.to_owned(),
        }
    }

    fn program(&self, name: &str) -> Command {
        let mut program = Command::new(self.programs.join(name));
        program
            .env("DATABASE_URL", &self.database)
            .env("STORYTELLER_IMAGES", self.folder.join("images"))
            .env("STORYTELLER_CACHE", cache())
            .env("STORYTELLER_BUNDLE", self.programs.join("bundle"))
            .env("STORYTELLER_LOG_FORMAT", "json")
            .env("STORYTELLER_LOG", "info")
            .env_remove("AMQP_URL")
            .env_remove("S3_BUCKET")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true);
        program
    }

    /// Brings the tables to this version.
    pub(crate) async fn migrate(&self) {
        let migrated = self.program("api").arg("migrate").status().await.unwrap();
        assert!(migrated.success(), "{}: migrate: {migrated}", self.name);
    }

    /// Starts a program and waits until it says that it works.
    pub(crate) async fn start(&self, name: &str) -> Program {
        let mut program = self.program(name);
        match name {
            "api" => program.args(["--listen", "127.0.0.1:0"]),
            _ => program.args(["--device", "cpu", "--max-batch", "2"]),
        };
        let mut child = program.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let file = self.folder.join(format!("{}-{name}.log", self.name));
        let mut file = tokio::fs::File::create(file).await.unwrap();
        let address = timeout(STARTED_WITHIN, async {
            while let Some(line) = lines.next_line().await.unwrap() {
                file.write_all(format!("{line}\n").as_bytes())
                    .await
                    .unwrap();
                let said: Value = serde_json::from_str(&line).unwrap_or_default();
                let fields = &said["fields"];
                if let Some(address) = fields["address"].as_str() {
                    return address.to_owned();
                }
                if fields["message"] == "the networks are loaded" {
                    return String::new();
                }
            }
            panic!("the {name} of {} has ended: {:?}", self.name, self.folder);
        });
        let address = address.await.expect("it starts");
        let log = tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                file.write_all(format!("{line}\n").as_bytes())
                    .await
                    .unwrap();
            }
        });
        Program {
            address,
            name: format!("{}'s {name}", self.name),
            child,
            log,
        }
    }
}

impl Program {
    /// Asks it to end, as a deployment does, and waits until it has.
    pub(crate) async fn stop(mut self) {
        let pid = self.child.id().unwrap().to_string();
        let asked = Command::new("kill").args(["-TERM", &pid]).status().await;
        assert!(asked.unwrap().success());
        let ended = timeout(STOPPED_WITHIN, self.child.wait()).await;
        let ended = ended.unwrap_or_else(|_| panic!("{} does not stop", self.name));
        assert!(ended.unwrap().success(), "{} ended badly", self.name);
        self.log.await.unwrap();
    }
}
