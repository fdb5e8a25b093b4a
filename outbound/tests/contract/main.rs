//! The promises of the guarded client and of the signatures, against servers and implementations that are not ours.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod client;
mod signatures;
mod tls;
