//! Runs the programs of Postgres on one place: makes the database, starts, watches and stops the server.
//! What must stay true: the server belongs to no terminal's process group, so that Ctrl-C reaches the service only and
//! Postgres ends last; and its guardian ends it when this process is gone without a word.

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Child;
use tokio::time::Instant;

use crate::error::{Error, Result};
use crate::place::{Place, disk};
use crate::programs::Programs;

/// After a crash the server first repeats what was written since the last checkpoint.
const START_PATIENCE: Duration = Duration::from_secs(120);
const ASK_EVERY: Duration = Duration::from_millis(20);
/// How long an end in order may take before the server is cut off.
const STOP_PATIENCE: Duration = Duration::from_secs(30);
/// The part of the socket's name that says which of several servers it belongs to.
const PORT: u16 = 5432;
/// A longer log is put aside when the server starts.
const LONGEST_LOG: u64 = 8 * 1024 * 1024;
/// What an error quotes from the log.
const QUOTED_LINES: usize = 8;
/// Waits for a word or the end of its input. Only the end, which is this process's death, makes it stop the server, and
/// that by its number: a guardian that wakes late would otherwise end the next server on this folder. The number may
/// belong to another process by then, so it looks where that works; the folder itself may have been moved.
const GUARDIAN: &str =
    r#"read -r word; [ "$word" = stopped ] || ! [ "/proc/$0/cwd" -ef data ] || kill -INT "$0""#;
/// A small database for one service on one machine.
const OPTIONS: [&str; 6] = [
    "listen_addresses=",
    "unix_socket_permissions=0700",
    "shared_buffers=64MB",
    "jit=off",
    "timezone=UTC",
    "log_timezone=UTC",
];

/// A place and the programs that fit it.
#[derive(Debug)]
pub(crate) struct Server {
    place: Place,
    programs: Programs,
    sockets: PathBuf,
    address: PgConnectOptions,
}

/// A server that answers, and its guardian.
#[derive(Debug)]
pub(crate) struct Running {
    postgres: Child,
    guardian: Child,
}

impl Running {
    pub(crate) async fn ended(&mut self) -> Option<ExitStatus> {
        self.postgres.wait().await.ok()
    }

    /// Lets the guardian go without a deed; otherwise it would end the next server on this place as well.
    pub(crate) async fn dismiss_guardian(&mut self) {
        if let Some(mut word) = self.guardian.stdin.take() {
            // a guardian that is gone needs no word
            let _ = word.write_all(b"stopped\n").await;
        }
        let _ = self.guardian.wait().await;
    }
}

impl Server {
    pub(crate) fn new(place: Place, programs: Programs) -> Result<Self> {
        let sockets = place.socket_folder()?;
        let address = address_in(&sockets);
        Ok(Server {
            place,
            programs,
            sockets,
            address,
        })
    }

    /// For whoever connects; without a password until the database is made.
    pub(crate) fn address(&self) -> &PgConnectOptions {
        &self.address
    }

    /// The socket itself.
    pub(crate) fn socket(&self) -> PathBuf {
        self.sockets.join(format!(".s.PGSQL.{PORT}"))
    }

    /// Ends the server of a service that was killed. This process holds the lock, so nobody else uses it.
    pub(crate) fn end_orphan(&self) -> Result<()> {
        let note = self.place.cluster().join("postmaster.pid");
        let Ok(text) = fs::read_to_string(&note) else {
            return Ok(());
        };
        let process = text.lines().next().unwrap_or_default().trim();
        if let Some(orphan) = process.parse().ok().and_then(Pid::from_raw) {
            self.end(orphan)?;
        }
        match fs::remove_file(&note) {
            // its guardian may have ended it at the same time
            Err(error) if error.kind() != ErrorKind::NotFound => Err(disk(
                "remove the note of a server that is gone",
                &note,
            )(error)),
            _ => Ok(()),
        }
    }

    /// Makes the database if there is none. A database is there in full or not at all, whenever this is killed.
    pub(crate) fn make_database(&mut self) -> Result<()> {
        if self.place.version()?.is_none() {
            let unfinished = self.place.root.join("data.new");
            if unfinished.exists() {
                fs::remove_dir_all(&unfinished)
                    .map_err(disk("remove the unfinished database", &unfinished))?;
            }
            self.place.new_password()?;
            let mut initdb = self.command("initdb");
            initdb
                .arg("-D")
                .arg(&unfinished)
                .arg("--pwfile")
                .arg(self.place.password_file());
            initdb.args([
                "--username=storyteller",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
            ]);
            finish(&mut initdb, "the database cannot be made")?;
            fs::rename(&unfinished, self.place.cluster())
                .map_err(disk("finish the database", &unfinished))?;
        }
        let password = self.place.password()?;
        self.address = self.address.clone().password(password.trim());
        Ok(())
    }

    /// Starts the server and its guardian, and returns once it answers.
    pub(crate) async fn start(&self) -> Result<Running> {
        let log = self.open_log()?;
        let from = log
            .metadata()
            .map_err(disk("look at the log", &self.place.log()))?
            .len();
        let copy = log
            .try_clone()
            .map_err(disk("open the log", &self.place.log()))?;
        let mut command = self.command("postgres");
        command
            .arg("-D")
            .arg(self.place.cluster())
            .arg("-k")
            .arg(&self.sockets);
        command.args(OPTIONS.iter().flat_map(|option| ["-c", option]));
        command.stdin(Stdio::null()).stdout(copy).stderr(log);
        let postgres = spawn(command, &self.programs.path("postgres"))?;
        let guardian = self.guardian(&postgres)?;
        let mut running = Running { postgres, guardian };
        match self.answers(&mut running, from).await {
            Ok(()) => Ok(running),
            Err(error) => {
                let _ = self.stop(running).await;
                Err(error)
            }
        }
    }

    /// Ends the server in order, or cuts it off if that takes too long.
    pub(crate) async fn stop(&self, mut running: Running) -> Result<()> {
        let process = running.postgres.id().and_then(|id| i32::try_from(id).ok());
        if let Some(process) = process.and_then(Pid::from_raw) {
            // by its number and not by its folder, which may have been moved
            let _ = kill_process(process, Signal::INT);
        }
        let ended = tokio::time::timeout(STOP_PATIENCE, running.postgres.wait()).await;
        if ended.is_err() {
            let _ = running.postgres.kill().await;
        }
        running.dismiss_guardian().await;
        ended.map(drop).map_err(|_| Error::Postgres {
            what: "Postgres does not stop in order and was cut off".to_owned(),
            said: format!("see {}", self.place.log().display()),
        })
    }

    fn gone_within(&self, server: Pid, patience: Duration) -> bool {
        let end = Instant::now() + patience;
        while self.is_served_by(server) {
            if Instant::now() >= end {
                return false;
            }
            std::thread::sleep(ASK_EVERY);
        }
        true
    }

    /// Ends a server in order, or at once if that takes too long.
    fn end(&self, server: Pid) -> Result<()> {
        if self.gone_within(server, Duration::ZERO) {
            return Ok(());
        }
        for (signal, how) in [(Signal::INT, "in order"), (Signal::QUIT, "at once")] {
            tracing::info!(
                process = server.as_raw_nonzero(),
                how,
                "ends the Postgres that a killed service has left running"
            );
            // one that is gone by now is what is wanted
            let _ = kill_process(server, signal);
            if self.gone_within(server, STOP_PATIENCE) {
                return Ok(());
            }
        }
        Err(Error::Postgres {
            what: format!(
                "an old Postgres, process {}, does not stop",
                server.as_raw_nonzero()
            ),
            said: format!("see {}", self.place.log().display()),
        })
    }

    /// Whether this process works in this folder: its number may belong to any other by now.
    fn is_served_by(&self, process: Pid) -> bool {
        let works_in = fs::read_link(format!("/proc/{}/cwd", process.as_raw_nonzero()));
        works_in.is_ok_and(|folder| folder == self.place.cluster())
    }

    fn guardian(&self, postgres: &Child) -> Result<Child> {
        let mut command = self.as_owner(Path::new("/bin/sh"));
        let process = postgres.id().unwrap_or_default();
        command.args(["-c", GUARDIAN]).arg(process.to_string());
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        spawn(command, Path::new("/bin/sh"))
    }

    async fn answers(&self, running: &mut Running, log_from: u64) -> Result<()> {
        let end = Instant::now() + START_PATIENCE;
        loop {
            if let Ok(connection) = self.address.connect().await {
                let _ = connection.close().await;
                return Ok(());
            }
            let what = match running.postgres.try_wait() {
                Ok(None) if Instant::now() < end => {
                    tokio::time::sleep(ASK_EVERY).await;
                    continue;
                }
                Ok(None) => format!(
                    "Postgres does not answer after {} s",
                    START_PATIENCE.as_secs()
                ),
                _ => "Postgres ended while it started".to_owned(),
            };
            let said = format!(
                "{} (more in {})",
                self.said_since(log_from),
                self.place.log().display()
            );
            return Err(Error::Postgres { what, said });
        }
    }

    fn open_log(&self) -> Result<File> {
        let path = self.place.log();
        if path.metadata().is_ok_and(|about| about.len() > LONGEST_LOG) {
            fs::rename(&path, path.with_extension("old"))
                .map_err(disk("put the log aside", &path))?;
        }
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(disk("open the log", &path))
    }

    fn said_since(&self, from: u64) -> String {
        let log = fs::read(self.place.log()).unwrap_or_default();
        let from = usize::try_from(from).unwrap_or(usize::MAX).min(log.len());
        last_lines(&log[from..])
    }

    fn command(&self, program: &str) -> Command {
        self.as_owner(&self.programs.path(program))
    }

    /// A command of the database's owner, untouched by settings for other databases in the environment.
    fn as_owner(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"PG"))
        {
            command.env_remove(name);
        }
        command
            .env("LC_ALL", "C")
            .current_dir(&self.place.root)
            .process_group(0);
        if self.place.owner.other {
            command.uid(self.place.owner.uid).gid(self.place.owner.gid);
        }
        command
    }
}

/// How a server in this folder of sockets is reached, but for its password.
pub(crate) fn address_in(sockets: &Path) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .socket(sockets)
        .port(PORT)
        .username("storyteller")
        .database("postgres")
        .ssl_mode(PgSslMode::Disable)
}

fn spawn(command: Command, program: &Path) -> Result<Child> {
    tokio::process::Command::from(command)
        .spawn()
        .map_err(disk("run", program))
}

/// Runs a command to its end.
fn finish(command: &mut Command, failure: &str) -> Result<()> {
    let program = PathBuf::from(command.get_program());
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(disk("run", &program))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(Error::Postgres {
        what: failure.to_owned(),
        said: last_lines(&said),
    })
}

fn last_lines(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let mut lines: Vec<&str> = text
        .lines()
        .rev()
        .filter(|line| !line.trim().is_empty())
        .take(QUOTED_LINES)
        .collect();
    lines.reverse();
    if lines.is_empty() {
        "it said nothing".to_owned()
    } else {
        lines.join(" | ")
    }
}
