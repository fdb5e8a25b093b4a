//! A RabbitMQ of the test's own, on free loopback ports, with its own node name, home, cookie and name server.
//! What must stay true: nothing of it is left running, whatever happens to the test program.
#![allow(dead_code, reason = "the tests of the whole system use some of it")]

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use uuid::Uuid;

/// Debian's wrapper in /usr/sbin insists on the user rabbitmq; this is the program behind it.
const SERVER: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";
/// It takes about 5 s on an idle machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// The address of the broker that all tests share, who never hurt it; none where there is no server.
static SHARED: LazyLock<Option<String>> = LazyLock::new(|| {
    if let Ok(url) = std::env::var("STORYTELLER_TEST_AMQP_URL") {
        return Some(url);
    }
    let broker = Broker::start()?;
    let url = broker.url();
    // its guard ends it with this program
    std::mem::forget(broker);
    Some(url)
});

pub(crate) async fn shared() -> Option<String> {
    tokio::task::spawn_blocking(|| SHARED.clone())
        .await
        .unwrap()
}

/// One broker.
pub(crate) struct Broker {
    /// Erlang's name server, which would outlive the broker if the broker started it.
    names: Child,
    program: Child,
    folder: TempDir,
    ports: [u16; 3],
    node: String,
}

impl Broker {
    /// Starts one and waits until it answers; none where there is no server.
    pub(crate) fn start() -> Option<Broker> {
        if !fs::exists(SERVER).unwrap() {
            // a machine with apt gets one from set-up; silence there would be a test that never ran
            let installable = fs::exists("/usr/bin/apt-get").unwrap();
            assert!(
                !installable,
                "{SERVER} is not there: run scripts/setup-rabbitmq.sh"
            );
            return None;
        }
        let folder = tempfile::Builder::new()
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir()
            .unwrap();
        let held = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let ports = held
            .each_ref()
            .map(|listener| listener.local_addr().unwrap().port());
        drop(held);
        let node = format!("test{}@localhost", Uuid::new_v4().simple());
        let names = name_server(ports[2]);
        let broker = Broker {
            program: spawn(&folder, ports, &node),
            names,
            folder,
            ports,
            node,
        };
        broker.guard();
        broker.wait();
        Some(broker)
    }

    pub(crate) fn port(&self) -> u16 {
        self.ports[0]
    }

    pub(crate) fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.ports[0])
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(&mut self) {
        signal_group(self.program.id());
        self.program.wait().unwrap();
        // the machine that is the broker ends a moment after the script that started it
        while signal_group(self.program.id()) {
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Starts it again at the same address on the same data.
    pub(crate) fn start_again(&mut self) {
        self.program = spawn(&self.folder, self.ports, &self.node);
        self.guard();
        self.wait();
    }

    /// However the tests end, the broker, its name server and its folder end with them.
    fn guard(&self) {
        let (tests, group) = (std::process::id(), self.program.id());
        let (names, folder) = (self.names.id(), self.folder.path().display());
        // the broker first: alive, it would start another name server
        let watch = format!(
            "while kill -0 {tests} && kill -0 {group}; do sleep 1; done; \
             kill -s KILL -- -{group}; kill -0 {tests} || {{ kill -s KILL {names}; sleep 1; rm -rf {folder}; }}"
        );
        let guarded = Command::new("setsid")
            .args(["--fork", "sh", "-c", &watch])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(guarded.unwrap().success());
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
        let _ = self.names.kill();
        let _ = self.names.wait();
    }
}

/// In the foreground, where it can be ended.
fn name_server(port: u16) -> Child {
    Command::new("epmd")
        .args(["-address", "127.0.0.1", "-port", &port.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Kills everything the broker's script started, all of its process group; whether anything was left to kill.
fn signal_group(group: u32) -> bool {
    let killed = Command::new("kill")
        .args(["-9", "--", &format!("-{group}")])
        .stderr(Stdio::null())
        .status();
    killed.is_ok_and(|status| status.success())
}

fn spawn(folder: &TempDir, [amqp, distribution, names]: [u16; 3], node: &str) -> Child {
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
        .env("RABBITMQ_CONFIG_FILE", path.join("none"))
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
