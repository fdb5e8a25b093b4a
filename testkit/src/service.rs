//! A fresh database and a service on it, with one verb for each thing a service does to its jobs.
//! The tests of the packages below HTTP use it. What must stay true: each test has a database of its own.

pub mod styles;
mod webhooks;

use std::time::Duration;

use jobs::retry::Backoff;
use jobs::{
    Claimed, Job, JobError, NewJob, Outcome, Rules, Store, StoredImage, StoryRequest, StoryResult,
    Submitted,
};
use sqlx::{Connection as _, PgConnection, Row as _};
use uuid::Uuid;

use crate::postgres;

/// A fresh database and a service on it.
pub struct Service {
    /// The address of the database.
    pub url: String,
    /// The jobs in it.
    pub store: Store,
}

impl Service {
    /// No waits between attempts, everything else as always.
    pub async fn start() -> Service {
        Service::with(Rules {
            backoff: Backoff::NONE,
            ..Rules::default()
        })
        .await
    }

    /// Leases end at once: whoever is not heard of between two statements is lost.
    pub async fn impatient() -> Service {
        Service::with(Rules {
            backoff: Backoff::NONE,
            lease_timeout: Duration::ZERO,
            ..Rules::default()
        })
        .await
    }

    /// By rules of the test's own.
    pub async fn with(rules: Rules) -> Service {
        let url = postgres::fresh().await;
        let store = Store::connect(&url, rules).await.unwrap();
        store.migrate().await.unwrap();
        Service { url, store }
    }

    /// Hands in a job as usual.
    pub async fn submit(&self) -> Job {
        self.submit_as(StoryRequest::default()).await
    }

    /// Hands in a job with wishes.
    pub async fn submit_as(&self, request: StoryRequest) -> Job {
        match self.store.submit(new_job(request)).await.unwrap() {
            Submitted::New(job) => job,
            other => panic!("not accepted: {other:?}"),
        }
    }

    /// Hands in so many.
    pub async fn submit_many(&self, count: usize) -> Vec<Uuid> {
        let mut ids = Vec::new();
        for _ in 0..count {
            ids.push(self.submit().await.id);
        }
        ids
    }

    /// The next job, which must be there.
    pub async fn claim(&self) -> Claimed {
        self.store
            .claim("worker", 1)
            .await
            .unwrap()
            .pop()
            .expect("a job is due")
    }

    /// The job as it is now.
    pub async fn job(&self, id: Uuid) -> Job {
        self.store.get(id).await.unwrap().expect("the job exists")
    }

    /// The names of how the attempts at a job ended.
    pub async fn outcomes(&self, id: Uuid) -> Vec<String> {
        let attempts = self.store.attempts(id).await.unwrap();
        attempts
            .into_iter()
            .map(|attempt| attempt.outcome.unwrap_or_else(|| "running".to_owned()))
            .collect()
    }

    /// A text that the tables have, whatever the service shows.
    pub async fn ask(&self, question: &'static str) -> String {
        let mut connection = PgConnection::connect(&self.url).await.unwrap();
        let row = sqlx::raw_sql(question)
            .fetch_one(&mut connection)
            .await
            .unwrap();
        row.get(0)
    }

    /// Changes rows behind the service's back, as time or another version would.
    pub async fn tamper(&self, statement: &str) {
        postgres::tamper(&self.url, statement).await;
    }
}

/// A job about a picture that nobody looks for.
pub fn new_job(request: StoryRequest) -> NewJob {
    let id = NewJob::id();
    let key = pictures::images::Deployment(Uuid::nil()).key(id, "image/jpeg");
    let image = StoredImage {
        key,
        media_type: "image/jpeg".to_owned(),
        width: 640,
        height: 480,
        bytes: 1234,
        sha256: "ab".repeat(32),
    };
    NewJob {
        id,
        request,
        image,
        idempotency: None,
        telling: None,
    }
}

/// A result.
pub fn story(text: &str) -> StoryResult {
    StoryResult {
        story: text.to_owned(),
        style: "romance".to_owned(),
        captions: Vec::new(),
        timings: [("writing".to_owned(), 1.5)].into(),
        bundle: "starter".to_owned(),
        others: Vec::new(),
        explanation: None,
    }
}

/// What a worker says of a job that went well.
pub fn told() -> Outcome {
    Outcome::Succeeded(story("They never met again."))
}

/// What a worker says of a job that went wrong.
pub fn trouble() -> JobError {
    JobError::new(jobs::ErrorKind::ModelError, "the beam is empty")
}
