//! The promises of the jobs crate, kept by every implementation of its seams: the store on a real Postgres, the queue,
//! the pictures, the embedded Postgres. One binary, one Postgres for all tests, one database for each.
#![allow(clippy::unwrap_used)]

#[path = "contract/attempts.rs"]
mod attempts;
#[path = "contract/broker.rs"]
mod broker;
#[path = "contract/chores.rs"]
mod chores;
#[path = "contract/embedded.rs"]
mod embedded;
#[path = "contract/fetch.rs"]
mod fetch;
#[path = "contract/harness.rs"]
mod harness;
#[path = "contract/images.rs"]
mod images;
#[path = "contract/metrics.rs"]
mod metrics;
#[path = "contract/model.rs"]
mod model;
#[path = "contract/queue.rs"]
mod queue;
#[path = "contract/rabbitmq.rs"]
mod rabbitmq;
#[path = "contract/rabbitmq_cluster.rs"]
mod rabbitmq_cluster;
#[path = "contract/rabbitmq_faults.rs"]
mod rabbitmq_faults;
#[path = "contract/reading.rs"]
mod reading;
#[path = "contract/receiver.rs"]
mod receiver;
#[path = "contract/s3.rs"]
mod s3;
#[path = "contract/signatures.rs"]
mod signatures;
#[path = "contract/styles.rs"]
mod styles;
#[path = "contract/submitting.rs"]
mod submitting;
#[path = "contract/sweeping.rs"]
mod sweeping;
#[path = "contract/tls.rs"]
mod tls;
#[path = "contract/webhooks.rs"]
mod webhooks;
#[path = "contract/weed.rs"]
mod weed;
