//! Looks for networks of Caffe that break their promise: `make fuzz TARGET=caffe`.
//! What must hold is written in `src/caffe.rs`; `tests/replay.rs` holds it to what was found here.
#![no_main]

mod memory;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::caffe::holds(bytes));
