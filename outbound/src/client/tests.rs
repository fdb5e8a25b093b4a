//! Names that lead elsewhere when they are asked about again: what is dialled is what was checked, for every connection.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use testkit::receiver::{Receiver, Reply};

use super::{Client, FetchError};

const NAME: &str = "rebinding.example";
/// Stands for the world: the only address that this client may dial.
const OPEN: Ipv4Addr = Ipv4Addr::LOCALHOST;
/// Stands for our own network.
const CLOSED: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// Says of every name what comes next, and the last of it for ever.
struct Script {
    answers: Vec<Vec<Ipv4Addr>>,
    asked: AtomicUsize,
}

impl Resolve for Script {
    fn resolve(&self, name: Name) -> Resolving {
        assert_eq!(name.as_str(), NAME);
        let asked = self.asked.fetch_add(1, Ordering::SeqCst);
        let answer = self.answers[asked.min(self.answers.len() - 1)].clone();
        let found = answer
            .into_iter()
            .map(|address| SocketAddr::new(IpAddr::V4(address), 0));
        Box::pin(async move { Ok(Box::new(found) as Addrs) })
    }
}

/// A server of pictures at the open address, a trap at the same port of the closed one, and a client that believes a script.
struct Scene {
    port: u16,
    server: Receiver,
    trap: TcpListener,
    script: Arc<Script>,
    client: Client,
}

impl Scene {
    async fn of(answers: &[&[Ipv4Addr]]) -> Self {
        let server = Receiver::start(|request, _| match request.path.as_str() {
            "/moved" => Reply::to(format!("http://{}/picture", request.headers["host"])),
            _ => Reply::body("a picture"),
        });
        let server = server.await;
        let port = server.address.port();
        let trap = TcpListener::bind((CLOSED, port)).unwrap();
        trap.set_nonblocking(true).unwrap();
        let script = Arc::new(Script {
            answers: answers.iter().map(|answer| answer.to_vec()).collect(),
            asked: AtomicUsize::new(0),
        });
        let allowed = OPEN.to_string().parse().unwrap();
        let client = Client::asking(Arc::clone(&script) as _, allowed).unwrap();
        Scene {
            port,
            server,
            trap,
            script,
            client,
        }
    }

    async fn fetch(&self, path: &str) -> Result<String, FetchError> {
        let url = format!("http://{NAME}:{}{path}", self.port);
        let picture = self.client.picture(&url, 1000).await?;
        Ok(String::from_utf8(picture.into()).unwrap())
    }

    /// How often the name was asked about and the server reached; nobody was ever in the trap.
    fn asked_and_reached(&self) -> (usize, usize) {
        let caught = self.trap.accept().map(|(_, from)| from);
        assert_eq!(caught.unwrap_err().kind(), ErrorKind::WouldBlock);
        let asked = self.script.asked.load(Ordering::SeqCst);
        (asked, self.server.heard().len())
    }
}

#[tokio::test]
async fn a_name_that_leads_inside_at_the_second_look_is_dialled_where_the_first_one_led() {
    let scene = Scene::of(&[&[OPEN], &[CLOSED]]).await;
    assert_eq!(scene.fetch("/picture").await.unwrap(), "a picture");
    assert_eq!(scene.asked_and_reached(), (1, 1), "there is no second look");
    let again = scene.fetch("/picture").await.unwrap_err();
    assert!(matches!(again, FetchError::Blocked(_)), "{again:?}");
    assert_eq!(scene.asked_and_reached(), (2, 1), "each is checked anew");
}

#[tokio::test]
async fn a_redirect_to_a_name_that_leads_inside_by_then_is_not_followed() {
    let scene = Scene::of(&[&[OPEN], &[CLOSED]]).await;
    let error = scene.fetch("/moved").await.unwrap_err();
    assert!(matches!(error, FetchError::Blocked(_)), "{error:?}");
    assert_eq!(scene.asked_and_reached(), (2, 1));
}

#[tokio::test]
async fn of_a_name_that_leads_outside_and_inside_at_once_only_the_outside_is_dialled() {
    let scene = Scene::of(&[&[CLOSED, OPEN]]).await;
    assert_eq!(scene.fetch("/moved").await.unwrap(), "a picture");
    assert_eq!(scene.asked_and_reached(), (2, 2));
}
