//! Import: a bundle tells what the original's files tell, and what is wrong with a file is said.
//! `STORYTELLER_GOLDEN` may name a folder with more sets, as in `tests/parity`.
#![allow(clippy::unwrap_used)]

mod import {
    mod image_forms;
    mod refusals;
    mod round_trip;
    mod sets;
    mod tables;
}
