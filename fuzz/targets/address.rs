//! Looks for addresses of webhooks and of IP that break their promise: `make fuzz TARGET=address`.
//! What must hold is written in `src/address.rs`; `tests/replay.rs` holds it to what was found here.
#![no_main]

mod memory;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::address::holds(bytes));
