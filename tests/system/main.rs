//! The whole system over HTTP, as its users meet it: one binary, one harness with a verb for each user action.
//! `stories`, `asking` and `bad_input` run on a scripted engine that fails on demand, `real` and `styles` on the starter bundle,
//! `crash` kills the real program, `chaos` everything, `objects` its S3 server, `page` looks at it in a browser, `documents`
//! and `typed` do what the documents say, `traces` hears what a collector hears, `watching` what Prometheus hears, `clients` are
//! made by others' programs, `compose` and `kubernetes` read what containers may do, `tidy` and `parameters` guard the house rules.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod asking;
mod bad_input;
mod chaos;
mod clients;
mod command_line;
mod compose;
mod crash;
mod dead_letters;
mod documents;
mod floors;
mod harness;
mod keys;
mod kubernetes;
mod objects;
mod page;
mod parameters;
mod real;
mod restore;
mod stories;
mod styles;
mod tidy;
mod traces;
mod training;
mod typed;
mod watching;
mod yaml;
