//! The HTTP API as a caller meets it, on a real Postgres and a real directory of pictures, without a worker:
//! the tests play the worker through the store, so every state of a job can be looked at for as long as needed.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "api/bad_input.rs"]
mod bad_input;
#[path = "api/by_address.rs"]
mod by_address;
#[path = "api/database.rs"]
mod database;
#[path = "api/documents.rs"]
mod documents;
#[path = "api/harness.rs"]
mod harness;
#[path = "api/operation.rs"]
mod operation;
#[path = "api/pictures.rs"]
mod pictures;
#[path = "../../jobs/tests/contract/receiver.rs"]
mod receiver;
#[path = "api/stories.rs"]
mod stories;
#[path = "api/styles.rs"]
mod styles;
#[path = "api/wishes.rs"]
mod wishes;
