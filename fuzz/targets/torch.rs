//! Looks for PyTorch's old files that break their promise: `make fuzz TARGET=torch`.
//! What must hold is written in `src/torch.rs`; `tests/replay.rs` holds it to what was found here.
#![no_main]

mod memory;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::torch::holds(bytes));
