//! One service for each test: a verb for each thing a caller or a worker does.
//! Each has a database and a folder of its own, so tests run side by side on one server. What must stay true:
//! nothing here sleeps to wait; it polls, with a deadline.

mod answer;

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use api::{ApiState, Config};
use embedded::EmbeddedPostgres;
use jobs::{
    Beat, Claimed, Outcome, PostgresQueue, Queue, Rules, Stage, Store, StoryResult, StyleEntry,
    UsedCaption, Written,
};
use operation::Health;
use outbound::Client;
use pictures::{Directory, Images, S3};
use reqwest::multipart::{Form, Part};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use testkit::photos;
use testkit::postgres as database;

pub(crate) use answer::Answer;

/// A running API and everything it stands on.
pub(crate) struct TestService {
    /// Where it listens.
    pub(crate) address: String,
    pub(crate) store: Store,
    pub(crate) queue: Arc<dyn Queue>,
    pub(crate) health: Health,
    http: reqwest::Client,
    shutdown: CancellationToken,
    running: JoinHandle<Result<(), api::Error>>,
    database: Option<EmbeddedPostgres>,
    place: Place,
}

/// Where a service keeps things; several may share it.
#[derive(Clone)]
struct Place {
    url: String,
    /// Kept for as long as anybody uses it.
    folder: Arc<TempDir>,
    pictures: PathBuf,
    /// As many bytes of the disk stay free.
    leaving: u64,
    /// Where pictures are in place of the folder.
    bucket: Option<S3>,
}

impl Place {
    fn on(url: &str) -> Self {
        let folder = Arc::new(TempDir::new().unwrap());
        Place {
            url: url.to_owned(),
            pictures: folder.path().join("pictures"),
            leaving: 0,
            bucket: None,
            folder,
        }
    }

    fn images(&self) -> Arc<dyn Images> {
        match &self.bucket {
            Some(bucket) => Arc::new(bucket.clone()),
            None => {
                let pictures = Directory::open(self.pictures.clone()).unwrap();
                Arc::new(pictures.leaving(self.leaving))
            }
        }
    }
}

impl TestService {
    /// A service with the usual rules and no styles yet.
    pub(crate) async fn start() -> Self {
        Self::start_with(Rules::default(), Config::default()).await
    }

    /// A service with rules and limits of the test's own.
    pub(crate) async fn start_with(rules: Rules, config: Config) -> Self {
        let place = Place::on(&database::fresh().await);
        Self::start_at(place, None, rules, config).await
    }

    /// A service with a server of its own, for tests that take it away.
    pub(crate) async fn start_with_own_server() -> Self {
        let server = database::server().await;
        let place = Place::on(&server.url());
        Self::start_at(place, Some(server), Rules::default(), Config::default()).await
    }

    /// A service whose pictures are in this folder, and which leaves so many bytes of its disk free.
    pub(crate) async fn start_in(pictures: PathBuf, leaving: u64) -> Self {
        let url = database::fresh().await;
        let place = Place {
            url,
            folder: Arc::new(TempDir::new().unwrap()),
            pictures,
            leaving,
            bucket: None,
        };
        Self::start_at(place, None, Rules::default(), Config::default()).await
    }

    /// A service whose pictures are in this bucket of an S3 server.
    pub(crate) async fn start_on(bucket: S3, config: Config) -> Self {
        let place = Place {
            bucket: Some(bucket),
            ..Place::on(&database::fresh().await)
        };
        Self::start_at(place, None, Rules::default(), config).await
    }

    /// Changes rows behind the service's back, as time would.
    pub(crate) async fn tamper(&self, statement: &str) {
        database::tamper(&self.place.url, statement).await;
    }

    /// Another process of the same service: the same database and pictures.
    pub(crate) async fn another(&self) -> Self {
        self.another_with(Config::default()).await
    }

    /// The same with limits of its own.
    pub(crate) async fn another_with(&self, config: Config) -> Self {
        Self::start_at(self.place.clone(), None, Rules::default(), config).await
    }

    /// A service that tells nothing twice. All others tell every story anew: their tests send the same picture again and
    /// again.
    pub(crate) async fn start_reusing() -> Self {
        let place = Place::on(&database::fresh().await);
        Self::serve_at(place, None, Rules::default(), Config::default()).await
    }

    async fn start_at(
        place: Place,
        database: Option<EmbeddedPostgres>,
        rules: Rules,
        mut config: Config,
    ) -> Self {
        config.limits.tell_anew = true;
        Self::serve_at(place, database, rules, config).await
    }

    async fn serve_at(
        place: Place,
        database: Option<EmbeddedPostgres>,
        rules: Rules,
        config: Config,
    ) -> Self {
        let store = Store::connect(&place.url, rules).await.unwrap();
        store.migrate().await.unwrap();
        let queue: Arc<dyn Queue> = Arc::new(PostgresQueue::new(store.clone()));
        let health = Health::new();
        let state = ApiState {
            store: store.clone(),
            queue: queue.clone(),
            images: place.images(),
            fetch: Client::new("127.0.0.1".parse().unwrap()).unwrap(),
            health: health.clone(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(api::run(config, state, listener, shutdown.clone()));
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(30))
            .build()
            .unwrap();
        TestService {
            address,
            store,
            queue,
            health,
            http,
            shutdown,
            running,
            database,
            place,
        }
    }

    /// How many pictures are kept, wherever below its folder the store puts them.
    pub(crate) fn kept_pictures(&self) -> usize {
        let mut folders = vec![self.place.folder.path().join("pictures")];
        let mut files = 0;
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                match entry.unwrap().path() {
                    path if path.is_dir() => folders.push(path),
                    _ => files += 1,
                }
            }
        }
        files
    }

    /// A request that the test finishes itself.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.address))
    }

    /// Asks for an address.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path)).await
    }

    /// Submits a small good picture with these fields.
    pub(crate) async fn submit(&self, fields: &[(&'static str, &str)]) -> Answer {
        self.submit_picture(photos::jpeg(), fields).await
    }

    /// Submits these bytes, whatever they are, with these fields.
    pub(crate) async fn submit_picture(
        &self,
        bytes: Vec<u8>,
        fields: &[(&'static str, &str)],
    ) -> Answer {
        Answer::of(
            self.request(Method::POST, "/v1/stories")
                .multipart(form(bytes, fields)),
        )
        .await
    }

    /// Submits a small good picture; answers with the accepted job's id.
    pub(crate) async fn accepted(&self, fields: &[(&'static str, &str)]) -> String {
        let answer = self.submit(fields).await;
        assert_eq!(answer.status, 202, "{}", answer.text());
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    /// The job as the API shows it.
    pub(crate) async fn job(&self, id: &str) -> Value {
        let answer = self.get(&format!("/v1/stories/{id}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    /// Plays a worker that brings styles.
    pub(crate) async fn register_styles(&self, names: &[&str]) {
        let entry = |name: &&str| StyleEntry {
            name: (*name).to_owned(),
            description: format!("Books of {name}"),
            passages: 100,
            source: "A shelf".to_owned(),
        };
        let styles: Vec<_> = names.iter().map(entry).collect();
        self.store
            .register_styles("test-1-abc", &styles)
            .await
            .unwrap();
    }

    /// Plays a worker that takes the next job.
    pub(crate) async fn claim(&self) -> Claimed {
        let mut claimed = self
            .queue
            .claim("test", 1, Duration::from_secs(10))
            .await
            .unwrap();
        claimed.pop().expect("a job is waiting")
    }

    /// Plays a worker that says how far it is.
    pub(crate) async fn stage(&self, claimed: &Claimed, name: &str, done: u32, of: u32) {
        let stage = Stage {
            name: name.to_owned(),
            done,
            of,
        };
        let beat = Beat {
            lease: claimed.lease,
            stage: Some(stage),
            said: Vec::new(),
        };
        assert!(
            self.store
                .heartbeat(&[beat])
                .await
                .unwrap()
                .contains(&claimed.lease)
        );
    }

    /// Plays a worker that ends an attempt.
    pub(crate) async fn finish(&self, claimed: &Claimed, outcome: Outcome) {
        assert_eq!(
            self.store.finish(claimed.lease, outcome).await.unwrap(),
            Written::Done
        );
    }

    /// Asks the service to stop, as Ctrl-C does.
    pub(crate) fn ask_to_stop(&self) {
        self.shutdown.cancel();
    }

    /// Stops the service and waits for its end.
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        let ended = tokio::time::timeout(Duration::from_secs(15), self.running).await;
        ended
            .expect("a stop takes less than 15 s")
            .unwrap()
            .unwrap();
        self.store.close().await;
    }

    /// Takes the database away, as a crash of it would.
    pub(crate) async fn lose_the_database(self) -> Stranded {
        let server = self.database.expect("the test started a server of its own");
        server.stop().await.unwrap();
        Stranded {
            address: self.address,
            http: self.http,
            _running: self.running,
            _place: self.place,
        }
    }
}

/// A service whose database is gone.
pub(crate) struct Stranded {
    address: String,
    http: reqwest::Client,
    _running: JoinHandle<Result<(), api::Error>>,
    _place: Place,
}

impl Stranded {
    /// Asks for an address.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.http.get(format!("{}{path}", self.address))).await
    }

    /// Submits a good picture.
    pub(crate) async fn submit(&self) -> Answer {
        Answer::of(
            self.http
                .post(format!("{}/v1/stories", self.address))
                .multipart(form(photos::jpeg(), &[])),
        )
        .await
    }
}

/// A form with a picture of these bytes.
pub(crate) fn form(bytes: Vec<u8>, fields: &[(&'static str, &str)]) -> Form {
    let form = Form::new().part("image", Part::bytes(bytes).file_name("photo.jpg"));
    fields.iter().fold(form, |form, (name, value)| {
        form.text(*name, (*value).to_owned())
    })
}

/// A told story.
pub(crate) fn told(story: &str) -> Outcome {
    Outcome::Succeeded(StoryResult {
        story: story.to_owned(),
        style: "romance".to_owned(),
        captions: vec![UsedCaption {
            text: "A dog runs .".to_owned(),
            similarity: 0.5,
        }],
        timings: [("writing".to_owned(), 1.5)].into(),
        bundle: "test-1-abc".to_owned(),
        others: Vec::new(),
        explanation: None,
    })
}
