//! Our numbers against those printed by the original code: one test binary, one module a part.
#![allow(clippy::unwrap_used)]

mod parity {
    mod encoders;
    mod golden;
    mod stories;
    mod tokens;
}
