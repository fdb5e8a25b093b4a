//! The promises of the jobs crate: the store on a real Postgres, and the queue, kept by every implementation of it.
//! One binary, one Postgres for all tests, one database for each.
#![allow(clippy::unwrap_used)]

mod attempts;
mod batches;
mod black_holes;
mod chores;
mod events;
mod keys;
mod migrations;
mod model;
mod model_beats;
mod queue;
mod rabbitmq;
mod rabbitmq_cluster;
mod rabbitmq_faults;
mod reading;
mod retention;
mod reuse;
mod styles;
mod submitting;
mod sweeping;
mod taken_back;
mod tls;
mod upgrades;
mod webhooks;
