#![doc = include_str!("../README.md")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

pub mod disk;
pub mod link;
pub mod photos;
pub mod ports;
pub mod postgres;
mod programs;
pub mod rabbitmq;
pub mod receiver;
pub mod seaweedfs;
pub mod service;
mod waits;

pub use disk::SmallDisk;
pub use programs::Program;
pub use service::Service;
pub use waits::{PATIENCE, eventually};
