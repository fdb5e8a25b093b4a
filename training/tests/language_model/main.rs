//! Language models that learn: passages from thoughts, captions from words.

#![allow(clippy::unwrap_used)]

mod adapter;
mod captions;
mod reading;
mod tiny;
