//! Looks for mixes of styles that break their promise: `make fuzz TARGET=style`.
//! What must hold is written in `src/style.rs`; `tests/replay.rs` holds it to what was found here.
#![no_main]

mod memory;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::style::holds(bytes));
