//! The HTTP API as a caller meets it, on a real Postgres and a real directory of pictures, without a worker:
//! the tests play the worker through the store, so every state of a job can be looked at for as long as needed.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bad_input;
mod batches;
mod by_address;
mod compressed;
mod connections;
mod cors;
mod docs;
mod documents;
mod examples;
mod explaining;
mod following;
mod harness;
mod keys;
mod limits;
mod operation;
mod page;
mod reuse;
mod schemathesis;
mod sites;
mod stories;
mod styles;
mod taken_back;
mod uploads;
mod waits;
mod who_asks;
mod wishes;
