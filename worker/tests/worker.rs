//! What a worker promises about jobs, on a real Postgres and a scripted engine that fails on demand.
//! Every test has its own database and waits for what must happen, with a deadline; none waits for time to pass.
#![allow(clippy::unwrap_used)]

#[path = "worker/faults.rs"]
mod faults;
#[path = "worker/harness.rs"]
mod harness;
#[path = "worker/leases.rs"]
mod leases;
#[path = "worker/networks.rs"]
mod networks;
#[path = "../../jobs/tests/contract/receiver.rs"]
mod receiver;
#[path = "worker/status.rs"]
mod status;
#[path = "worker/styles.rs"]
mod styles;
#[path = "worker/webhook_faults.rs"]
mod webhook_faults;
#[path = "worker/webhooks.rs"]
mod webhooks;
