//! Pictures as files in a directory, for the service in one process.
//! What must stay true: a name appears only when its bytes are on the disk (temporary file, fsync, hard link),
//! and a name that exists is never replaced, because a hard link cannot.

use std::path::PathBuf;

use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::Images;
use crate::error::Result;

/// A directory of pictures.
#[derive(Clone, Debug)]
pub struct Directory {
    root: PathBuf,
}

impl Directory {
    /// Opens the directory, makes it if need be, and clears away what a crash left half written.
    ///
    /// # Errors
    /// `Disk` when it cannot be made or written to.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self> {
        Ok(Directory { root: root.into() })
    }
}

impl Images for Directory {
    fn put<'a>(&'a self, _key: &'a str, _bytes: Bytes) -> BoxFuture<'a, Result<()>> {
        let _ = &self.root;
        unimplemented!()
    }

    fn get<'a>(&'a self, _key: &'a str) -> BoxFuture<'a, Result<Bytes>> {
        unimplemented!()
    }

    fn delete<'a>(&'a self, _key: &'a str) -> BoxFuture<'a, Result<()>> {
        unimplemented!()
    }

    fn ping(&self) -> BoxFuture<'_, Result<()>> {
        unimplemented!()
    }
}
