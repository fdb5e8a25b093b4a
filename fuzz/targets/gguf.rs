//! Looks for GGUF files that break their promise: `make fuzz TARGET=gguf`.
//! What must hold is written in `src/gguf.rs`; `tests/replay.rs` holds it to what was found here.
#![no_main]

mod memory;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::gguf::holds(bytes));
