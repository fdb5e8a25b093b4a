//! The whole system over HTTP, as its users meet it: one binary, one harness with a verb for each user action.
//! `stories` and `bad_input` run on a scripted engine that fails on demand, `real` and `styles` on the starter bundle,
//! `crash` kills the real program, `chaos` everything, `objects` its S3 server, `page` looks at it in a browser, `tidy`
//! guards the house rules.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "system/bad_input.rs"]
mod bad_input;
#[path = "../jobs/tests/contract/broker.rs"]
mod broker;
#[path = "system/chaos.rs"]
mod chaos;
#[path = "system/command_line.rs"]
mod command_line;
#[path = "system/crash.rs"]
mod crash;
#[path = "system/dead_letters.rs"]
mod dead_letters;
#[path = "system/harness.rs"]
mod harness;
#[path = "system/objects.rs"]
mod objects;
#[path = "system/page.rs"]
mod page;
#[path = "system/real.rs"]
mod real;
#[path = "../jobs/tests/contract/receiver.rs"]
mod receiver;
#[path = "system/stories.rs"]
mod stories;
#[path = "system/styles.rs"]
mod styles;
mod tidy;
#[path = "system/training.rs"]
mod training;
#[path = "../jobs/tests/contract/weed.rs"]
mod weed;
