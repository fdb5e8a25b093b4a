//! Looks for arrays of numpy that break their promise: `make fuzz TARGET=npy`.
//! What must hold is written in `src/npy.rs`; `tests/replay.rs` holds it to what was found here.
#![no_main]

mod memory;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::npy::holds(bytes));
