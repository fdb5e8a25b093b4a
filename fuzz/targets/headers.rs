//! Looks for headers of HTTP that break their promise: `make fuzz TARGET=headers`.
//! What must hold is written in `src/headers.rs`; `tests/replay.rs` holds it to what was found here.
#![no_main]

mod memory;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::headers::holds(bytes));
