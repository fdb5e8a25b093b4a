//! The commands of the binary, one file each, and what several of them share.
//! Only this half of the package knows about terminals and uses anyhow; the library half does not.

pub(crate) mod asking;
pub(crate) mod batch;
pub(crate) mod bench;
pub(crate) mod check_parity;
pub(crate) mod command_line;
pub(crate) mod dead_letters;
pub(crate) mod demo;
pub(crate) mod describe;
pub(crate) mod doctor;
pub(crate) mod evaluate;
pub(crate) mod exits;
pub(crate) mod health;
pub(crate) mod import;
pub(crate) mod keys;
pub(crate) mod migrate;
pub(crate) mod place;
pub(crate) mod progress;
pub(crate) mod runtime;
pub(crate) mod serve;
pub(crate) mod shell;
pub(crate) mod stories;
pub(crate) mod styles;
pub(crate) mod submit;
pub(crate) mod tell;
pub(crate) mod telling;
pub(crate) mod terminal_picture;
pub(crate) mod train;
pub(crate) mod webhooks;
pub(crate) mod wishes;
