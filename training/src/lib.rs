#![doc = include_str!("../README.md")]

pub mod adam;
pub mod bundle_making;
pub mod caption_model;
pub mod caption_writer;
pub mod checkpoint;
pub mod corpus;
pub mod course;
pub mod expansion;
pub mod grammar;
pub mod language_bundle;
pub mod low_rank;
pub mod measure;
pub mod order;
pub mod parameters;
pub mod passages;
pub mod recipes;
pub mod shelf;
pub mod standing;
pub mod thoughts;
pub mod usage;

pub use adam::{Adam, AdamKind};
pub use checkpoint::Keeper;
pub use course::{Course, Measured, Observer, Oversight, Progress, Schedule};
pub use order::Grouping;
pub use parameters::Parameters;
pub use recipes::settings::Settings;
pub use standing::Standing;
