//! A RabbitMQ of the test's own, on free loopback ports, with its own node name, home, cookie and name server.
//! What must stay true: nothing of it is left running, whatever happens to the test program.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use uuid::Uuid;

use crate::ports;
use crate::programs::kill_group;

/// Debian's wrapper in /usr/sbin insists on the user rabbitmq; this is the program behind it.
const SERVER: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";
const CONTROL: &str = "/usr/lib/rabbitmq/bin/rabbitmqctl";
/// It takes about 5 s on an idle machine.
const PATIENCE: Duration = Duration::from_secs(240);

/// The address of the broker that all tests share, who never hurt it.
static SHARED: LazyLock<String> = LazyLock::new(|| {
    if let Ok(url) = std::env::var("STORYTELLER_TEST_AMQP_URL") {
        return url;
    }
    let broker = Broker::start();
    let url = broker.url();
    // its guard ends it with this program
    std::mem::forget(broker);
    url
});

/// The address of the broker that all tests share.
pub async fn shared() -> String {
    tokio::task::spawn_blocking(|| SHARED.clone())
        .await
        .unwrap()
}

/// One broker, alone or a node of a cluster.
pub struct Broker {
    names: Arc<Names>,
    program: Child,
    folder: TempDir,
    /// For AMQP, and for the other nodes.
    ports: [u16; 2],
    node: String,
}

impl Broker {
    /// Starts one and waits until it answers.
    pub fn start() -> Broker {
        let [broker] = Broker::cluster();
        broker
    }

    /// Starts the nodes of one cluster and waits until all have joined.
    pub fn cluster<const N: usize>() -> [Broker; N] {
        assert!(
            fs::exists(SERVER).unwrap(),
            "{SERVER} is not there: run scripts/setup-rabbitmq.sh, or name a broker by STORYTELLER_TEST_AMQP_URL"
        );
        let names = Arc::new(Names::start());
        let nodes = [(); N].map(|()| format!("test{}@localhost", Uuid::new_v4().simple()));
        let cluster = nodes.each_ref().map(|node| {
            // one after the other: each finds those before it and joins them
            let broker = Broker::join(&names, node, &nodes);
            broker.wait();
            broker
        });
        let begun = Instant::now();
        while N > 1 && cluster[0].running() < N {
            assert!(begun.elapsed() < PATIENCE, "the nodes do not join");
        }
        cluster
    }

    fn join(names: &Arc<Names>, node: &str, nodes: &[String]) -> Broker {
        let folder = tempfile::Builder::new()
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir()
            .unwrap();
        let mut settings = String::new();
        if nodes.len() > 1 {
            settings += "cluster_formation.peer_discovery_backend = classic_config\n";
            for (at, node) in nodes.iter().enumerate() {
                let number = at + 1;
                settings += &format!("cluster_formation.classic_config.nodes.{number} = {node}\n");
            }
        }
        fs::write(folder.path().join("settings.conf"), settings).unwrap();
        let ports = ports::several();
        let broker = Broker {
            program: spawn(&folder, ports, names.port, node),
            names: names.clone(),
            folder,
            ports,
            node: node.to_owned(),
        };
        broker.guard();
        broker
    }

    /// How many nodes of its cluster run.
    fn running(&self) -> usize {
        let status = self.control(&["cluster_status", "--formatter", "json"]);
        let status: serde_json::Value = serde_json::from_str(&status).unwrap();
        status["running_nodes"].as_array().map_or(0, Vec::len)
    }

    /// Whether it is the node of this name.
    pub fn is(&self, node: &str) -> bool {
        self.node == node
    }

    /// What an operator's command says to it.
    pub fn control(&self, words: &[&str]) -> String {
        let asked = Command::new(CONTROL)
            .args(["--quiet", "--node", &self.node])
            .args(words)
            .env("HOME", self.folder.path())
            .env(
                "RABBITMQ_CTL_ERL_ARGS",
                "-start_epmd false -setcookie tests",
            )
            .env("ERL_EPMD_PORT", self.names.port.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let complaint = String::from_utf8_lossy(&asked.stderr);
        assert!(asked.status.success(), "{words:?}: {complaint}");
        String::from_utf8(asked.stdout).unwrap()
    }

    /// Has it write to disk which queues it has: the register of quorum queues waits there for some seconds. Killed before
    /// that, it starts again with a queue that has no leader and gets none (seen with 3.10.8).
    pub fn sync(&self) {
        let all = "lists:foreach(fun(Table) -> ok = dets:sync(Table) end, dets:all()).";
        self.control(&["eval", all]);
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.ports[0]
    }

    /// Its address for clients.
    pub fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.ports[0])
    }

    /// Ends it as a power cut would.
    pub fn kill(&mut self) {
        kill_group(self.program.id());
        self.program.wait().unwrap();
        // the machine that is the broker ends a moment after the script that started it
        while kill_group(self.program.id()) {
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Starts it again at the same address on the same data.
    pub fn start_again(&mut self) {
        self.program = spawn(&self.folder, self.ports, self.names.port, &self.node);
        self.guard();
        self.wait();
    }

    /// However the tests end, the broker, its name server and its folder end with them.
    fn guard(&self) {
        let (tests, group) = (std::process::id(), self.program.id());
        let (names, folder) = (self.names.program.id(), self.folder.path().display());
        // the broker first: alive, it would start another name server
        let watch = format!(
            "while kill -0 {tests} && kill -0 {group}; do sleep 1; done; \
             kill -s KILL -- -{group}; kill -0 {tests} || {{ kill -s KILL {names}; sleep 1; rm -rf {folder}; }}"
        );
        crate::programs::watch(&watch, "broker");
    }

    fn wait(&self) {
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.ports[0])).is_err() {
            let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(begun.elapsed() < PATIENCE, "no broker: {log}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Erlang's name server, which would outlive the brokers if a broker started it.
struct Names {
    program: Child,
    port: u16,
}

impl Names {
    /// In the foreground, where it can be ended.
    fn start() -> Names {
        let port = ports::reserve();
        let program = Command::new("epmd")
            .args(["-address", "127.0.0.1", "-port", &port.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Names { program, port }
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

fn spawn(folder: &TempDir, [amqp, distribution]: [u16; 2], names: u16, node: &str) -> Child {
    use std::os::unix::process::CommandExt as _;
    let path = folder.path();
    let log = fs::File::options()
        .append(true)
        .create(true)
        .open(path.join("log"))
        .unwrap();
    fs::write(path.join("enabled_plugins"), "[].").unwrap();
    Command::new(SERVER)
        .env("HOME", path)
        .env("RABBITMQ_BASE", path)
        .env("RABBITMQ_MNESIA_BASE", path.join("data"))
        .env("RABBITMQ_LOG_BASE", path)
        .env("RABBITMQ_LOGS", "-")
        .env(
            "RABBITMQ_ENABLED_PLUGINS_FILE",
            path.join("enabled_plugins"),
        )
        .env("RABBITMQ_CONFIG_FILE", path.join("settings.conf"))
        .env("RABBITMQ_CONF_ENV_FILE", path.join("none"))
        .env("RABBITMQ_PID_FILE", path.join("pid"))
        .env("RABBITMQ_NODENAME", node)
        .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
        .env("RABBITMQ_NODE_PORT", amqp.to_string())
        .env("RABBITMQ_DIST_PORT", distribution.to_string())
        .env(
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
            "-start_epmd false -setcookie tests -kernel inet_dist_use_interface {127,0,0,1}",
        )
        .env("ERL_EPMD_PORT", names.to_string())
        .env("ERL_EPMD_ADDRESS", "127.0.0.1")
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .process_group(0)
        .spawn()
        .unwrap()
}
