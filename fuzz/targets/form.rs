//! Looks for bodies of a submit that break their promise: `make fuzz TARGET=form`.
//! What must hold is written in `src/form.rs`; `tests/replay.rs` holds it to what was found here.
#![no_main]

mod memory;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::form::holds(bytes));
