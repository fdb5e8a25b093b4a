//! Our numbers against those printed by the original code: one test binary, one module a part.
//! The data lies in `tests/golden`; where we differ on purpose, the test says so.
#![allow(clippy::unwrap_used)]

mod parity {
    mod artifacts;
    mod encoders;
    mod golden;
    mod stories;
    mod tokens;
    mod vision;
}
