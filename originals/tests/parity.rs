//! Our numbers against those printed by the original code: one test binary, one module a part.
//! The data lies in `tests/golden`, in the layout that `storyteller check-parity` reads; where we differ on purpose, the
//! test says so. `STORYTELLER_GOLDEN` may name a folder with more sets.
#![allow(clippy::unwrap_used)]

mod parity {
    mod artifacts;
    mod breaking;
    mod groups;
    mod sets;
    mod stories;
    mod vision;
}
