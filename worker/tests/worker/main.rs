//! What a worker promises about jobs, on a real Postgres and a scripted engine that fails on demand.
//! Every test has its own database and waits for what must happen, with a deadline; none waits for time to pass.
#![allow(clippy::unwrap_used)]

mod continuing;
mod faults;
mod harness;
mod leases;
mod networks;
mod orphans;
mod status;
mod styles;
mod webhook_faults;
mod webhooks;
