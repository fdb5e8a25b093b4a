//! Looks for archives of numpy that break their promise: `make fuzz TARGET=npz`.
//! What must hold is written in `src/npz.rs`; `tests/replay.rs` holds it to what was found here.
#![no_main]

mod memory;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::npz::holds(bytes));
