//! The real worker with the scripted engine, as a program: `make load` has it tell stories while a crowd waits for them.
//! What must stay true: nothing of a worker but its engine is left out, and it ends when it is killed.

#![allow(
    clippy::unwrap_used,
    reason = "a measurement that cannot go on has failed"
)]

use std::sync::Arc;

use clap::Parser;
use jobs::{PostgresQueue, Rules, Store};
use operation::Health;
use pictures::ImageOptions;
use scripted::ScriptedEngine;
use tokio_util::sync::CancellationToken;
use worker::{Backends, Config};

/// Tells what the labels of jobs say.
#[derive(Parser)]
struct Options {
    /// The database that holds the jobs.
    #[arg(long)]
    database_url: String,
    /// Where pictures are, the same as the API's.
    #[command(flatten)]
    images: ImageOptions,
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    let options = Options::parse();
    let store = Store::connect(&options.database_url, Rules::default()).await;
    let store = store.unwrap();
    let backends = Backends {
        queue: Arc::new(PostgresQueue::new(store.clone())),
        store,
        images: options.images.open(None).await.unwrap(),
        health: Health::new(),
    };
    let engine = ScriptedEngine::new().factory();
    let never = CancellationToken::new();
    worker::run(Config::default(), backends, engine, never)
        .await
        .unwrap();
}
