//! Looks for safetensors files that break their promise: `make fuzz TARGET=safetensors`.
//! What must hold is written in `src/safetensors.rs`; `tests/replay.rs` holds it to what was found here.
#![no_main]

mod memory;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::safetensors::holds(bytes));
