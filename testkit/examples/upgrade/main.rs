//! `make upgrade-check`: programs of an earlier version and of this one side by side on one database, while stories are asked
//! for all the time: the earlier version alone, then the new tables, both together, and this version alone.
//! What must stay true: nothing is lost, no request is answered 5xx or not at all, and a story stays as it was told.

#![allow(clippy::unwrap_used, reason = "a check that cannot go on has failed")]

mod callers;
mod programs;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use embedded::EmbeddedPostgres;
use testkit::postgres::{open_folder, settings};

use callers::Callers;
use programs::{Program, Version};

/// Runs two versions side by side.
#[derive(Parser)]
struct Options {
    /// The folder of the earlier version's `api` and `worker`, and of its bundle.
    #[arg(long)]
    before: PathBuf,
    /// The same of this version.
    #[arg(long)]
    after: PathBuf,
    /// How long each stage lasts.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Callers at once.
    #[arg(long, default_value_t = 4)]
    callers: usize,
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "people run it to read what it found")]
async fn main() -> ExitCode {
    let options = Options::parse();
    let folder = open_folder();
    let postgres = EmbeddedPostgres::start(settings(folder.path()))
        .await
        .unwrap();
    let version = |name, programs| Version::new(name, programs, &postgres.url(), folder.path());
    let before = version("before", options.before);
    let after = version("after", options.after);
    let stage = Duration::from_secs(options.seconds);

    before.migrate().await;
    let [old_api, old_worker] = both(&before).await;
    let callers = Arc::new(Callers::new());
    callers.may_ask(&old_api);
    let calling = callers.clone().call(options.callers);
    tokio::time::sleep(stage).await;

    println!("the tables of this version, under programs of the earlier one");
    after.migrate().await;
    tokio::time::sleep(stage).await;

    println!("both versions side by side; the earlier one is started anew on the new tables");
    let [new_api, new_worker] = both(&after).await;
    callers.may_ask(&new_api);
    callers.may_not_ask(&old_api);
    old_worker.stop().await;
    old_api.stop().await;
    let [old_api, old_worker] = both(&before).await;
    callers.may_ask(&old_api);
    tokio::time::sleep(2 * stage).await;

    println!("this version alone");
    callers.may_not_ask(&old_api);
    old_worker.stop().await;
    old_api.stop().await;
    tokio::time::sleep(stage).await;
    callers.enough();
    calling.await;
    let faults = callers.look_back().await;
    println!("{callers}");
    for fault in &faults {
        println!("* {fault}");
    }
    new_worker.stop().await;
    new_api.stop().await;
    postgres.stop().await.unwrap();
    ExitCode::from(u8::from(!faults.is_empty()))
}

async fn both(version: &Version) -> [Program; 2] {
    [version.start("api").await, version.start("worker").await]
}
