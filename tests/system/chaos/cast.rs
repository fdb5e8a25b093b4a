//! Who takes part: the three servers behind their wires, and the programs, each with a keeper that starts it again.
//! What must stay true: everything ends with the tests, and each life of a program has a name of its own, so that the
//! log of attempts says whom a job was lost with.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
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
use super::link::{Far, Link, Wire};
use testkit::postgres::{cache, open_folder};
use testkit::rabbitmq::Broker;
use testkit::seaweedfs::{self, Weed};

/// The secret of a run, known to the receiver of its webhooks.
pub(super) const SECRET: &str = "whsec_c3RvcnktZnJvbS1waWN0dXJlcy1pbi1jaGFvcw==";
/// RabbitMQ has its queues on disk some seconds after they were declared for the first time.
const QUEUES_ON_DISK: Duration = Duration::from_secs(8);
/// The share of lives that are given a point to die at.
const DOOMED: f64 = 0.3;

/// Everybody.
pub(super) struct Cast {
    pub(super) links: [Link; 3],
    pub(super) players: Vec<Arc<Player>>,
    pub(super) broker: Arc<Mutex<Broker>>,
    pub(super) weed: Arc<Mutex<Weed>>,
    pub(super) store: jobs::Store,
    database: PathBuf,
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
    number: usize,
    pid: Option<Pid>,
    deaths: Vec<Death>,
}

/// The end of a life.
#[derive(Clone, Debug)]
pub(super) struct Death {
    /// The name of that life in the log of attempts.
    pub(super) name: String,
    pub(super) at: DateTime<Utc>,
    pub(super) status: String,
}

impl Player {
    /// Sends a signal to its present life; whether there is one.
    pub(super) fn signal(&self, signal: Signal) -> bool {
        let life = self.life.lock().unwrap();
        life.pid
            .is_some_and(|pid| kill_process(pid, signal).is_ok())
    }

    pub(super) fn deaths(&self) -> Vec<Death> {
        self.life.lock().unwrap().deaths.clone()
    }

    fn died(&self, name: String, status: String) {
        let mut life = self.life.lock().unwrap();
        life.pid = None;
        life.deaths.push(Death {
            name,
            at: Utc::now(),
            status,
        });
    }

    /// Plays for ever.
    async fn play(self: Arc<Self>, scene: Arc<Scene>, seed: u64) {
        let mut chance = StdRng::seed_from_u64(seed);
        loop {
            let name = {
                let mut life = self.life.lock().unwrap();
                life.number += 1;
                format!("{}.{}", self.name, life.number)
            };
            let mut program = scene.program(&self, &name);
            if chance.random_bool(DOOMED) {
                let point =
                    jobs::faults::POINTS[chance.random_range(0..jobs::faults::POINTS.len())];
                program.env("STORYTELLER_DIE_AT", format!("{point}=0.2"));
            }
            let mut child = program.spawn().unwrap();
            let pid = child.id().and_then(|pid| Pid::from_raw(pid as i32));
            self.life.lock().unwrap().pid = pid;
            let status = child.wait().await.unwrap().to_string();
            self.died(name, status);
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
    /// Everybody, ready; none where a server is not installed.
    pub(super) async fn start(plan: &Plan) -> Option<Cast> {
        let weed = blocking(Weed::start).await?;
        seaweedfs::guard(&weed, "chaos");
        let broker = blocking(Broker::start).await?;
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
        let scene = Arc::new(Scene {
            environment: environment(&postgres.url(), &links, &weed).await,
            programs: Path::new(env!("CARGO_BIN_EXE_storyteller"))
                .parent()
                .unwrap()
                .to_owned(),
            logs: std::env::var_os("STORYTELLER_CHAOS_LOGS")
                .map_or_else(|| folder.path().to_owned(), PathBuf::from),
        });
        let cast = Cast {
            database: folder.path().join("postgres/data/postmaster.pid"),
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
        tokio::time::sleep(QUEUES_ON_DISK).await;
        Some(cast)
    }

    pub(super) fn of(&self, role: Role) -> Vec<Arc<Player>> {
        let mut players = self.players.clone();
        players.retain(|player| player.role == role);
        players
    }

    /// Kills the database's first process; the others end with it, and its keeper starts it again.
    pub(super) fn kill_postgres(&self) -> bool {
        let file = std::fs::read_to_string(&self.database).unwrap_or_default();
        let pid = file.lines().next().and_then(|pid| pid.parse().ok());
        let pid = pid.and_then(Pid::from_raw);
        pid.is_some_and(|pid| kill_process(pid, Signal::KILL).is_ok())
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

/// Runs what would block the tests' threads.
pub(super) async fn blocking<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(act).await.unwrap()
}

fn players(plan: &Plan) -> Vec<Arc<Player>> {
    let player = |role, name: String| {
        let held = TcpListener::bind("127.0.0.1:0").unwrap();
        Arc::new(Player {
            name,
            role,
            address: held.local_addr().unwrap().to_string(),
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
        ("AWS_ACCESS_KEY_ID", bucket.access_key),
        ("AWS_SECRET_ACCESS_KEY", bucket.secret_key),
        ("STORYTELLER_ALLOW_ADDRESSES", "127.0.0.1".to_owned()),
        ("STORYTELLER_CACHE", cache().display().to_string()),
        ("OMP_NUM_THREADS", "1".to_owned()),
        ("STORYTELLER_LOG", "info,sqlx=warn".to_owned()),
    ]
}
