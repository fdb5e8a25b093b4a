#![doc = include_str!("../README.md")]

pub mod claim;
pub mod config;
pub mod delivery;
pub mod error;
pub mod event;
pub mod explanation;
pub mod faults;
pub mod job;
pub mod key;
pub mod queue;
pub mod request;
pub mod retry;
pub mod store;
pub mod style;

pub use claim::{Claimed, Lease, Ticket};
pub use config::{KeepFor, RuleOptions, Rules};
pub use error::{Error, Result};
pub use event::{Event, Happened, Said, What};
pub use explanation::{ChosenCaption, Explanation, MapPoint, StyleShift, UsedCaption};
pub use job::{
    Attempt, Cache, ErrorKind, Job, JobError, JobKind, Stage, State, StoredImage, StoryResult,
    StyleEntry,
};
pub use key::{Actor, AuditEntry, Credential, Key, KeyLimits, NewKey, Owned, Quota, Scope, Void};
pub use queue::{PostgresQueue, Queue, QueueOptions, RabbitQueue, RabbitSettings};
pub use request::{Compat, FieldProblem, Form, Mode, StoryRequest};
pub use store::batches::{Batch, BatchStory, BatchSubmitted, NewBatch, RefusedPicture};
pub use store::events::Standing;
pub use store::removing::Removed;
pub use store::retention::Forgotten;
pub use store::sharing::{Gallery, Place, Shared};
pub use store::{
    Beat, Cancelled, Catalogue, Depth, Idempotency, Line, Listed, NewJob, Opening, Outcome,
    QueueLimit, Retried, Room, Store, Submitted, Swept, Tokens, Written,
};
pub use style::{AddedStyle, LearntStyle, StyleDraft, StyleStanding, StyleSubmitted};
