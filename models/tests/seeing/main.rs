//! Seeing against the numbers of the reference in Python: both pairs of eyes, every term of the score, the council.
//!
//! `golden/vision` was computed in f32 from stored pixels and texts: coffee.jpg (CC0 1.0, Rachel Michetti), dogs.jpg
//! (CC BY 4.0, Aitzol Berasategi, scaled) and the features of three COCO photos, 280 COCO captions (CC BY 4.0) and 20 of
//! the project's own.
#![allow(clippy::unwrap_used)]

mod eyes;
mod golden;
mod scoring;
