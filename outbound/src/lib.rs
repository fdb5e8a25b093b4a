#![doc = include_str!("../README.md")]

mod client;
mod error;
mod signing;

pub use client::{Allowed, Answer, Client, FetchError, FetchOptions, host_of};
pub use error::{Error, Result};
pub use signing::{Headers, ID, Refused, SIGNATURE, Secret, Secrets, TIMESTAMP, WebhookOptions};
