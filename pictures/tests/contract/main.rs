//! The promises of every place for pictures, kept by a directory and by a real S3 server, and what only S3 promises.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod images;
mod s3;
