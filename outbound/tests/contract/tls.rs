//! That webhooks and S3 work over TLS, and that certificates are looked at: a server with a certificate of its own,
//! asked once by a copy of this program that trusts it and once by this one, which does not.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use outbound::{Client, Secret, Secrets};
use pictures::{Images as _, S3};

use testkit::seaweedfs;

/// Names the server to the copy of this program.
const SERVER: &str = "STORYTELLER_TEST_TLS_SERVER";
const CERTIFICATE: &str = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out cert.pem \
                           -days 2 -subj /CN=localhost -addext basicConstraints=critical,CA:FALSE -addext subjectAltName=IP:127.0.0.1,DNS:localhost";
const PROGRAM: &str = r#"
import http.server, ssl
class Answers(http.server.BaseHTTPRequestHandler):
    def answer(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()
    do_POST = do_HEAD = do_GET = answer
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("cert.pem", "key.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
"#;

struct Server {
    program: Child,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

fn server(folder: &Path) -> Server {
    let made = Command::new("openssl")
        .args(CERTIFICATE.split_whitespace())
        .current_dir(folder)
        .stderr(Stdio::null())
        .status()
        .expect("no openssl here: install the package `openssl`");
    assert!(made.success());
    let mut program = Command::new("python3")
        .args(["-c", PROGRAM])
        .current_dir(folder)
        .stdout(Stdio::piped())
        .spawn()
        .expect("no python3 here: install the package `python3`");
    let mut line = String::new();
    BufReader::new(program.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let port = line.trim().parse().unwrap();
    Server { program, port }
}

/// What a webhook and a question to S3 come to: the webhook's status, and whether S3 answered.
async fn ask(port: u16) -> (Result<u16, String>, Result<(), String>) {
    let client = Client::new("127.0.0.0/8,::1".parse().unwrap()).unwrap();
    let headers = Secrets::one(Secret::new()).sign("msg_1", 0, b"{}");
    let url = format!("https://localhost:{port}/hook");
    let sent = client.send_webhook(&url, &headers, b"{}".to_vec()).await;
    let images = S3::open(seaweedfs::settings(&format!("https://127.0.0.1:{port}")));
    let reached = images.unwrap().ping().await;
    (
        sent.map(|answer| answer.status)
            .map_err(|error| error.to_string()),
        reached.map_err(|error| error.to_string()),
    )
}

/// Not a test of its own: what the copy does that [`certificates_are_looked_at_and_good_ones_taken`] starts.
#[tokio::test]
async fn asks_a_server_whose_certificate_it_trusts() {
    let Ok(port) = std::env::var(SERVER) else {
        return;
    };
    assert_eq!(ask(port.parse().unwrap()).await, (Ok(200), Ok(())));
}

#[tokio::test]
async fn certificates_are_looked_at_and_good_ones_taken() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path());
    let (sent, reached) = ask(server.port).await;
    assert!(
        sent.as_ref()
            .is_err_and(|error| error.contains("certificate")),
        "{sent:?}"
    );
    assert!(
        reached
            .as_ref()
            .is_err_and(|error| error.contains("ertificate")),
        "{reached:?}"
    );
    let copy = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "tls::asks_a_server_whose_certificate_it_trusts",
            "--nocapture",
        ])
        .env(SERVER, server.port.to_string())
        .env("SSL_CERT_FILE", folder.path().join("cert.pem"))
        .output()
        .unwrap();
    assert!(
        copy.status.success(),
        "{}",
        String::from_utf8_lossy(&copy.stderr)
    );
    assert!(String::from_utf8_lossy(&copy.stdout).contains("1 passed"));
}
