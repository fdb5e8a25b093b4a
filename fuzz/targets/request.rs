//! Looks for fields of a story request that break their promise: `make fuzz TARGET=request`.
//! What must hold is written in `src/request.rs`; `tests/replay.rs` holds it to what was found here.
#![no_main]

mod memory;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::request::holds(bytes));
