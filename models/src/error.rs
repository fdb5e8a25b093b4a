//! Every way in which this crate can fail, with enough said to act on it.
//!
//! A message names the file or the input, what was found and what was wanted. Callers match on the
//! variant only to tell a bad input from a broken installation; everything else reads the text.

use std::path::{Path, PathBuf};

/// The result of everything here that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read or written.
    #[error("cannot {doing} {}: {source}", path.display())]
    File {
        /// "read", "write", …
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file (or a stream of bytes) is not what it claims to be.
    #[error("{what} is not usable: {reason}")]
    Format {
        /// The file or the input.
        what: String,
        /// Why it cannot be used, and what to do.
        reason: String,
    },
    /// A weights file lacks an array.
    #[error("{file} has no array `{name}`; it holds {held}")]
    MissingArray {
        /// The weights file.
        file: String,
        /// The array looked for.
        name: String,
        /// The first few names that are there.
        held: String,
    },
    /// An array has another shape than the model needs.
    #[error("array `{name}` of {file} has shape {found:?}, but {wanted:?} is needed (-1: any)")]
    Shape {
        /// The weights file.
        file: String,
        /// The array.
        name: String,
        /// The shape in the file.
        found: Vec<i64>,
        /// The shape the model needs.
        wanted: Vec<i64>,
    },
    /// A picture cannot be used.
    #[error("the picture cannot be used: {0}")]
    Picture(String),
    /// A bundle folder is incomplete or its parts do not fit together.
    #[error("bundle {}: {reason}", path.display())]
    Bundle {
        /// The bundle's folder.
        path: PathBuf,
        /// What is wrong and what to do.
        reason: String,
    },
    /// A request asks for something that this bundle or this program cannot do.
    #[error("option `{field}`: {reason}")]
    Option {
        /// The option.
        field: &'static str,
        /// Why its value is not possible, and what is.
        reason: String,
    },
    /// Whoever asked for the work no longer wants it.
    #[error("cancelled")]
    Cancelled,
    /// A training led to numbers that are none.
    #[error(
        "training diverged: update {update} {what}. The last checkpoint was good and is still there; give a smaller --rate, \
         or a --clip, with --restart"
    )]
    Diverged {
        /// Updates made until then.
        update: usize,
        /// What was found.
        what: String,
    },
    /// The tensor library failed; the first line of what it said.
    #[error("computing failed: {0}")]
    Torch(String),
}

impl Error {
    /// Wraps an I/O error with the file and the action.
    pub fn file(doing: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::File {
            doing,
            path: path.to_owned(),
            source,
        }
    }

    /// A file or an input with a defect.
    pub fn format(what: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Format {
            what: what.into(),
            reason: reason.into(),
        }
    }
}

impl From<tch::TchError> for Error {
    /// Keeps the first line: the rest is a backtrace of C++ frames.
    fn from(error: tch::TchError) -> Self {
        let text = error.to_string();
        Self::Torch(text.lines().next().unwrap_or("no message").to_owned())
    }
}
