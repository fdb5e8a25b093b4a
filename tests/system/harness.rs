//! The service under test and one verb for each thing a user does to it.
//! Every test has its own service on a free port with its own data folder; the Postgres programs are the real ones.
//! Dropping a service stops everything it started.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use outbound::FetchOptions;
use outbound::WebhookOptions;
use pictures::ImageOptions;
use reqwest::multipart::{Form, Part};
use scripted::ScriptedEngine;
use serde_json::Value;
use storyteller::{AllInOne, all_in_one};
use tempfile::TempDir;
use testkit::PATIENCE;
use testkit::postgres::{cache, open_folder};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use worker::EngineFactory;

/// Every story is told: tests send the same picture again and again.
fn told_anew() -> api::Config {
    let mut config = api::Config::default();
    config.limits.tell_anew = true;
    config
}

/// One running service.
pub(crate) struct Service {
    pub(crate) address: String,
    pub(crate) data: TempDir,
    http: reqwest::Client,
    shutdown: CancellationToken,
    running: Option<JoinHandle<Result<(), storyteller::Error>>>,
}

/// An answer of the service, whole.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!(
                "not JSON ({error}): {}",
                String::from_utf8_lossy(&self.body)
            )
        })
    }

    /// A header's value, or an empty text.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

impl Service {
    /// A service whose engine does what each request's metadata tells it to.
    pub(crate) async fn scripted(engine: ScriptedEngine) -> Self {
        Self::telling(engine.factory()).await
    }

    /// A service on the starter bundle.
    pub(crate) async fn real() -> Self {
        let bundle = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("models/bundles/starter");
        Self::telling(worker::engine::storyteller::factory(
            bundle,
            cache(),
            "cpu".to_owned(),
        ))
        .await
    }

    /// A service whose engine is the caller's.
    pub(crate) async fn telling(engine: EngineFactory) -> Self {
        Self::start_in(open_folder(), engine).await
    }

    /// A service whose engine is scripted and whose pictures lie elsewhere.
    pub(crate) async fn scripted_with(engine: ScriptedEngine, images: ImageOptions) -> Self {
        let rules = jobs::RuleOptions::default();
        Self::start_on(open_folder(), engine.factory(), images, rules).await
    }

    /// A service whose engine is scripted and that lets so many stories wait.
    pub(crate) async fn scripted_with_room_for(engine: ScriptedEngine, max_queued: u32) -> Self {
        let rules = jobs::RuleOptions {
            max_queued,
            ..jobs::RuleOptions::default()
        };
        let images = ImageOptions::default();
        Self::start_on(open_folder(), engine.factory(), images, rules).await
    }

    async fn start_in(data: TempDir, engine: EngineFactory) -> Self {
        let rules = jobs::RuleOptions::default();
        Self::start_on(data, engine, ImageOptions::default(), rules).await
    }

    async fn start_on(
        data: TempDir,
        engine: EngineFactory,
        images: ImageOptions,
        rules: jobs::RuleOptions,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let shutdown = CancellationToken::new();
        let settings = AllInOne {
            bundle: None,
            data: data.path().to_owned(),
            cache: cache(),
            database_url: None,
            postgres_bin: None,
            work: worker::WorkOptions {
                drain_seconds: 30,
                ..worker::WorkOptions::default()
            },
            api: told_anew(),
            chores: worker::dispatcher::ChoreOptions::default(),
            rules,
            public_url: None,
            queue: jobs::QueueOptions::default(),
            images,
            webhooks: WebhookOptions::default(),
            fetch: FetchOptions {
                allow_addresses: Some("127.0.0.1".parse().unwrap()),
            },
        };
        let running = tokio::spawn(all_in_one(settings, engine, listener, shutdown.clone()));
        let service = Service {
            address,
            data,
            http: fresh_connections(),
            shutdown,
            running: Some(running),
        };
        service.is_ready().await;
        service
    }

    /// Waits until the service says that it is ready.
    pub(crate) async fn is_ready(&self) {
        let begun = Instant::now();
        loop {
            let answer = self
                .http
                .get(format!("{}/readyz", self.address))
                .send()
                .await;
            match answer {
                Ok(answer) if answer.status().is_success() => return,
                Err(error) if self.has_ended() => panic!("ended before it was ready: {error}"),
                _ if begun.elapsed() < PATIENCE => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                Ok(answer) => panic!("never ready: {}", answer.text().await.unwrap()),
                Err(error) => panic!("never reachable: {error}"),
            }
        }
    }

    fn has_ended(&self) -> bool {
        self.running.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Sends a picture with some fields.
    pub(crate) async fn submit(&self, picture: &[u8], fields: &[(&str, &str)]) -> Answer {
        let part = Part::bytes(picture.to_vec()).file_name("photo.jpg");
        let mut form = Form::new().part("image", part);
        for (name, value) in fields {
            form = form.text((*name).to_owned(), (*value).to_owned());
        }
        self.post_form(form).await
    }

    /// Sends a form as it is.
    pub(crate) async fn post_form(&self, form: Form) -> Answer {
        self.send(
            self.http
                .post(format!("{}/v1/stories", self.address))
                .multipart(form),
        )
        .await
    }

    /// Sends a picture that must be accepted; answers with the job's id.
    pub(crate) async fn accepted(&self, picture: &[u8], fields: &[(&str, &str)]) -> String {
        let answer = self.submit(picture, fields).await;
        assert_eq!(
            answer.status,
            202,
            "{}",
            String::from_utf8_lossy(&answer.body)
        );
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    /// Fetches a path.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.http.get(format!("{}{path}", self.address)))
            .await
    }

    /// Waits until a job has ended and answers with it.
    pub(crate) async fn finished(&self, id: &str) -> Value {
        let begun = Instant::now();
        loop {
            let job = self.get(&format!("/v1/stories/{id}?wait=5")).await.json();
            if !matches!(job["state"].as_str(), Some("queued" | "running")) {
                return job;
            }
            assert!(begun.elapsed() < PATIENCE, "still not finished: {job}");
        }
    }

    /// Lets others see a story, or takes that back.
    pub(crate) async fn shares(&self, id: &str, shared: bool) {
        let path = format!("{}/v1/stories/{id}/shared", self.address);
        let wish = serde_json::json!({"shared": shared});
        let answer = self.send(self.http.put(path).json(&wish)).await;
        assert_eq!(answer.status, 200, "{}", answer.json());
    }

    /// Takes a style away, if it was added.
    pub(crate) async fn forgets_style(&self, name: &str) {
        let path = format!("{}/v1/styles/{name}", self.address);
        self.send(self.http.delete(path)).await;
    }

    /// Waits until picture and text of a story are gone.
    pub(crate) async fn is_removed(&self, id: &str) {
        let begun = Instant::now();
        loop {
            let answer = self.get(&format!("/v1/stories/{id}")).await;
            if matches!(answer.status, 404 | 410) || answer.json()["data_removed"] == true {
                let picture = self.get(&format!("/v1/stories/{id}/image")).await;
                assert!(
                    matches!(picture.status, 404 | 410),
                    "its picture is still there"
                );
                return;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "never removed: {}",
                answer.json()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Stops the service and starts another one on the same data.
    pub(crate) async fn restarted(self, engine: ScriptedEngine) -> Self {
        self.restarted_after(|_| (), engine).await
    }

    /// The same; meanwhile something is done with the data.
    pub(crate) async fn restarted_after(
        mut self,
        act: impl FnOnce(&Path),
        engine: ScriptedEngine,
    ) -> Self {
        self.shutdown.cancel();
        self.running.take().unwrap().await.unwrap().unwrap();
        let data = std::mem::replace(&mut self.data, tempfile::tempdir().unwrap());
        act(data.path());
        Self::start_in(data, engine.factory()).await
    }

    /// Stops the service as Ctrl-C does and waits until all of it has ended.
    pub(crate) async fn stop(mut self) {
        self.shutdown.cancel();
        self.running.take().unwrap().await.unwrap().unwrap();
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let answer = request.send().await.unwrap();
        Answer {
            status: answer.status().as_u16(),
            headers: answer.headers().clone(),
            body: answer.bytes().await.unwrap().to_vec(),
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// A client that opens a connection for every request: one that was idle may be cut in the moment in which it is used.
fn fresh_connections() -> reqwest::Client {
    let client = reqwest::Client::builder().pool_max_idle_per_host(0);
    client.build().unwrap()
}

/// A small picture made on the spot; different seeds make different pictures.
pub(crate) fn small_picture(seed: u8) -> Vec<u8> {
    let picture = image::RgbImage::from_fn(64, 48, |x, y| image::Rgb([seed, x as u8, y as u8]));
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture
        .write_to(&mut bytes, image::ImageFormat::Png)
        .unwrap();
    bytes.into_inner()
}
