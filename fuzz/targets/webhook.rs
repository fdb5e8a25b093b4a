//! Looks for webhooks, their secrets and signatures that break their promise: `make fuzz TARGET=webhook`.
//! What must hold is written in `src/webhook.rs`; `tests/replay.rs` holds it to what was found here.
#![no_main]

mod memory;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::webhook::holds(bytes));
