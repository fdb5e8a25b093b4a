//! Looks for files as pictures that break their promise: `make fuzz TARGET=picture`.
//! What must hold is written in `src/picture.rs`; `tests/replay.rs` holds it to what was found here.
#![no_main]

mod memory;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::picture::holds(bytes));
