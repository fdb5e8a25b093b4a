//! What a job is and where it lives: states, rules, the Postgres store, the queue, the pictures, and the Postgres
//! that the one-process mode brings along. `api` submits and reads jobs here, `worker` claims and finishes them.
//! What must stay true: Postgres is the truth about every job, every SQL statement of the project is in
//! [`store`], and this crate knows neither HTTP nor networks.

pub mod config;
pub mod embedded;
pub mod error;
pub mod faults;
pub mod fetch;
pub mod health;
pub mod images;
pub mod job;
pub mod metrics;
pub mod picture;
pub mod queue;
pub mod request;
pub mod retry;
pub mod store;
pub mod style;
pub mod webhook;

pub use config::Rules;
pub use embedded::EmbeddedPostgres;
pub use error::{Error, Result};
pub use health::Health;
pub use images::{Directory, ImageOptions, Images, S3};
pub use job::{
    Attempt, ErrorKind, Job, JobError, JobKind, Stage, State, StoredImage, StoryResult, StyleEntry,
    UsedCaption,
};
pub use queue::{Claimed, PostgresQueue, Queue, QueueOptions, RabbitQueue, RabbitSettings};
pub use request::{Compat, FieldProblem, Form, Mode, StoryRequest};
pub use store::{
    Beat, Cancelled, Catalogue, Depth, Idempotency, Lease, NewJob, Outcome, Retried, Store,
    Submitted, Swept, Written,
};
pub use style::{AddedStyle, LearntStyle, StyleDraft, StyleStanding, StyleSubmitted};
