//! Looks for word tables that break their promise: `make fuzz TARGET=table`.
//! What must hold is written in `src/table.rs`; `tests/replay.rs` holds it to what was found here.
#![no_main]

mod memory;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::table::holds(bytes));
