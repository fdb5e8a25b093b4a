//! Who takes part: the three servers behind their wires, and the programs, each with a keeper that starts it again.
//! What must stay true: everything ends with the tests, and each life of a program has a name of its own, so that the
//! log of attempts says whom a job was lost with.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use embedded::{EmbeddedPostgres, Settings};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::process::Command;

use super::Plan;
use testkit::link::{Far, Link, Wire};
use testkit::postgres::{cache, open_folder};
use testkit::rabbitmq::Broker;
use testkit::seaweedfs::{self, Weed};

/// The secret of a run, known to the receiver of its webhooks.
pub(super) const SECRET: &str = "whsec_c3RvcnktZnJvbS1waWN0dXJlcy1pbi1jaGFvcw==";
/// The share of lives that are given a point to die at.
const DOOMED: f64 = 0.3;
/// The share of workers' lives whose engine may hang, and how likely it does at each step; a story has hundreds.
const FROZEN: f64 = 0.15;
const FREEZES: &str = "0.001";
/// Stops that no story is short enough for, and stops that wait for the running ones.
const DRAINS: [&str; 2] = ["0", "20"];

/// Everybody.
pub(super) struct Cast {
    pub(super) links: [Link; 3],
    pub(super) players: Vec<Arc<Player>>,
    pub(super) broker: Arc<Mutex<Broker>>,
    pub(super) weed: Arc<Mutex<Weed>>,
    pub(super) store: jobs::Store,
    database: PathBuf,
    logs: PathBuf,
    _postgres: EmbeddedPostgres,
    _folder: TempDir,
}

/// What a player plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Api,
    Worker,
    Dispatcher,
}

/// A program that is always started again.
pub(super) struct Player {
    pub(super) name: String,
    pub(super) role: Role,
    /// Where an API listens.
    pub(super) address: String,
    life: Mutex<Life>,
}

#[derive(Default)]
struct Life {
    pid: Option<Pid>,
    past: Vec<Lived>,
}

/// One of its lives.
#[derive(Clone, Debug)]
pub(super) struct Lived {
    /// In the log of attempts.
    pub(super) name: String,
    pub(super) born: DateTime<Utc>,
    /// None while it lasts.
    pub(super) death: Option<Death>,
}

/// The end of a life.
#[derive(Clone, Debug)]
pub(super) struct Death {
    pub(super) at: DateTime<Utc>,
    /// It was asked to end, and did.
    pub(super) in_order: bool,
    pub(super) status: String,
}

impl Player {
    /// Sends a signal to its present life, if there is one.
    pub(super) fn signal(&self, signal: Signal) {
        let pid = self.life.lock().unwrap().pid;
        signal_all(pid.as_slice(), signal);
    }

    pub(super) fn lives(&self) -> Vec<Lived> {
        self.life.lock().unwrap().past.clone()
    }

    fn begin(&self) -> String {
        let mut life = self.life.lock().unwrap();
        let name = format!("{}.{}", self.name, life.past.len() + 1);
        life.past.push(Lived {
            name: name.clone(),
            born: Utc::now(),
            death: None,
        });
        name
    }

    fn end(&self, status: ExitStatus) {
        let mut life = self.life.lock().unwrap();
        life.pid = None;
        let last = life.past.last_mut().expect("it has begun");
        last.death = Some(Death {
            at: Utc::now(),
            in_order: status.success(),
            status: status.to_string(),
        });
    }

    /// Plays for ever.
    async fn play(self: Arc<Self>, scene: Arc<Scene>, seed: u64) {
        let mut chance = StdRng::seed_from_u64(seed);
        loop {
            let name = self.begin();
            let mut program = scene.program(&self, &name);
            if chance.random_bool(DOOMED) {
                let point =
                    jobs::faults::POINTS[chance.random_range(0..jobs::faults::POINTS.len())];
                program.env("STORYTELLER_DIE_AT", format!("{point}=0.2"));
            }
            if self.role == Role::Worker {
                let drain = DRAINS[chance.random_range(0..DRAINS.len())];
                program.args(["--drain-seconds", drain]);
                if chance.random_bool(FROZEN) {
                    program.env("STORYTELLER_HANG_AT_STEP", FREEZES);
                }
            }
            let mut child = program.spawn().unwrap();
            let pid = child.id().and_then(|pid| Pid::from_raw(pid as i32));
            self.life.lock().unwrap().pid = pid;
            self.end(child.wait().await.unwrap());
            let pause = Duration::from_millis(chance.random_range(0..2500));
            tokio::time::sleep(pause).await;
        }
    }
}

/// What all programs are told.
struct Scene {
    environment: Vec<(&'static str, String)>,
    programs: PathBuf,
    logs: PathBuf,
}

impl Scene {
    fn program(&self, player: &Player, name: &str) -> Command {
        let file = std::fs::File::options()
            .append(true)
            .create(true)
            .open(self.logs.join(format!("{}.log", player.name)))
            .unwrap();
        let binary = if player.role == Role::Api {
            "api"
        } else {
            "worker"
        };
        let path = self.programs.join(binary);
        assert!(
            path.exists(),
            "{} is not built: make chaos builds it",
            path.display()
        );
        // dies with the tests, however they end
        let mut program = Command::new("setpriv");
        program.args(["--pdeathsig", "KILL"]).arg(path);
        match player.role {
            Role::Api => program.args(["--listen", &player.address]),
            Role::Worker => program.args(["--name", name, "--max-batch", "4", "--device", "cpu"]),
            Role::Dispatcher => program.arg("--dispatch-only"),
        };
        if player.role != Role::Api {
            program.env("STORYTELLER_WEBHOOK_SECRET", SECRET);
        }
        program
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file)
            .kill_on_drop(true);
        program
    }
}

impl Cast {
    /// Everybody, ready.
    pub(super) async fn start(plan: &Plan) -> Cast {
        let weed = blocking(Weed::start).await;
        seaweedfs::guard(&weed, "chaos");
        let broker = blocking(Broker::start).await;
        let folder = open_folder();
        let settings = Settings {
            data: folder.path().to_owned(),
            cache: cache(),
            programs: None,
        };
        let postgres = EmbeddedPostgres::start(settings).await.unwrap();
        let links = [
            Link::lay("Postgres", Far::Socket(postgres.socket().to_owned())).await,
            Link::lay("RabbitMQ", Far::Tcp(broker.port())).await,
            Link::lay("S3", Far::Tcp(weed.port())).await,
        ];
        let store = jobs::Store::connect(&postgres.url(), jobs::Rules::default())
            .await
            .unwrap();
        store.migrate().await.unwrap();
        let logs = std::env::var_os("STORYTELLER_CHAOS_LOGS");
        let logs = logs.map_or_else(|| folder.path().to_owned(), PathBuf::from);
        let scene = Arc::new(Scene {
            environment: environment(&postgres.url(), &links, &weed).await,
            programs: Path::new(env!("CARGO_BIN_EXE_storyteller"))
                .parent()
                .unwrap()
                .to_owned(),
            logs: logs.clone(),
        });
        let cast = Cast {
            database: folder.path().join("postgres/data/postmaster.pid"),
            logs,
            links,
            players: players(plan),
            broker: Arc::new(Mutex::new(broker)),
            weed: Arc::new(Mutex::new(weed)),
            store,
            _postgres: postgres,
            _folder: folder,
        };
        for (number, player) in cast.players.iter().enumerate() {
            let seed = plan.seed.wrapping_mul(1000) + number as u64;
            tokio::spawn(player.clone().play(scene.clone(), seed));
        }
        cast.is_ready().await;
        cast.broker.lock().unwrap().sync();
        cast
    }

    pub(super) fn of(&self, role: Role) -> Vec<Arc<Player>> {
        let mut players = self.players.clone();
        players.retain(|player| player.role == role);
        players
    }

    /// What all lives of a program have said.
    pub(super) fn log(&self, player: &Player) -> String {
        std::fs::read_to_string(self.logs.join(format!("{}.log", player.name))).unwrap_or_default()
    }

    /// Kills the database's first process; the others end with it, and its keeper starts it again.
    pub(super) fn kill_postgres(&self) {
        signal_all(&self.postmaster(), Signal::KILL);
    }

    /// The database's first process, if it runs.
    fn postmaster(&self) -> Vec<Pid> {
        let file = std::fs::read_to_string(&self.database).unwrap_or_default();
        let pid = file.lines().next().and_then(|pid| pid.parse().ok());
        pid.and_then(Pid::from_raw).into_iter().collect()
    }

    /// All processes of the database.
    pub(super) fn postgres(&self) -> Vec<Pid> {
        let first = self.postmaster();
        let parent = first.first().map(|pid| pid.as_raw_nonzero().to_string());
        let children = std::fs::read_dir("/proc")
            .unwrap()
            .flatten()
            .filter(|process| {
                let stat = std::fs::read_to_string(process.path().join("stat")).unwrap_or_default();
                // the parent comes second after the name, which ends with the last bracket
                let parent_of = stat
                    .rsplit_once(") ")
                    .and_then(|(_, rest)| rest.split(' ').nth(1));
                parent.is_some() && parent_of == parent.as_deref()
            });
        let children = children.filter_map(|process| {
            let pid = process.file_name().to_str()?.parse().ok()?;
            Pid::from_raw(pid)
        });
        let children: Vec<_> = children.collect();
        first.into_iter().chain(children).collect()
    }

    /// Ends every trouble that lasts.
    pub(super) async fn be_well(&self) {
        for link in &self.links {
            link.set(Wire::Open);
        }
        for player in &self.players {
            player.signal(Signal::CONT);
        }
        self.is_ready().await;
    }

    async fn is_ready(&self) {
        let http = reqwest::Client::new();
        for api in self.of(Role::Api) {
            let address = format!("http://{}/readyz", api.address);
            let begun = std::time::Instant::now();
            loop {
                let answer = http
                    .get(&address)
                    .timeout(Duration::from_secs(5))
                    .send()
                    .await;
                if answer.is_ok_and(|answer| answer.status().is_success()) {
                    break;
                }
                assert!(
                    begun.elapsed().as_secs() < 120,
                    "{} is never ready",
                    api.name
                );
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Whoever is gone meanwhile needs none.
pub(super) fn signal_all(pids: &[Pid], signal: Signal) {
    for pid in pids {
        let _ = kill_process(*pid, signal);
    }
}

/// Runs what would block the tests' threads.
pub(super) async fn blocking<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(act).await.unwrap()
}

fn players(plan: &Plan) -> Vec<Arc<Player>> {
    let player = |role, name: String| {
        let port = testkit::ports::reserve();
        Arc::new(Player {
            name,
            role,
            address: format!("127.0.0.1:{port}"),
            life: Mutex::default(),
        })
    };
    let apis = (1..=plan.apis).map(|number| player(Role::Api, format!("api-{number}")));
    let workers = (1..=plan.workers).map(|number| player(Role::Worker, format!("worker-{number}")));
    let dispatcher = [player(Role::Dispatcher, "dispatcher".to_owned())];
    apis.chain(workers).chain(dispatcher).collect()
}

async fn environment(
    database: &str,
    links: &[Link; 3],
    weed: &Weed,
) -> Vec<(&'static str, String)> {
    let mut database = reqwest::Url::parse(database).unwrap();
    database.set_query(Some("sslmode=disable"));
    database.set_host(Some("127.0.0.1")).unwrap();
    database.set_port(Some(links[0].address.port())).unwrap();
    let bucket = seaweedfs::settings(&weed.endpoint());
    let [access_key, secret_key] = seaweedfs::keys();
    seaweedfs::bucket_at(bucket.clone()).await;
    vec![
        ("DATABASE_URL", database.to_string()),
        (
            "AMQP_URL",
            format!("amqp://guest:guest@{}/%2f", links[1].address),
        ),
        ("S3_BUCKET", bucket.bucket),
        ("S3_ENDPOINT", format!("http://{}", links[2].address)),
        ("AWS_REGION", bucket.region),
        ("AWS_ACCESS_KEY_ID", access_key),
        ("AWS_SECRET_ACCESS_KEY", secret_key),
        ("STORYTELLER_ALLOW_ADDRESSES", "127.0.0.1".to_owned()),
        ("STORYTELLER_CACHE", cache().display().to_string()),
        ("OMP_NUM_THREADS", "1".to_owned()),
        ("STORYTELLER_LOG", "info,sqlx=warn".to_owned()),
    ]
}
