//! How much memory a target may hold at once: a reader that believes a length in a file ends here.
//! libFuzzer's own limit on single allocations needs a sanitizer, and these are off: all of ours is safe Rust.

use std::alloc::System;

use cap::Cap;

/// As much as the largest picture may take, and a fuzzer beside it.
#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, 1 << 30);
