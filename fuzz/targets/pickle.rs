//! Looks for pickles that break their promise: `make fuzz TARGET=pickle`.
//! What must hold is written in `src/pickle.rs`; `tests/replay.rs` holds it to what was found here.
#![no_main]

mod memory;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::pickle::holds(bytes));
