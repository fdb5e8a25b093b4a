//! A disk that is soon full. What must stay true: it is unmounted when it is dropped, and a machine that lets nobody mount
//! one fails the test instead of passing it over.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// A folder with room for only so much.
pub struct SmallDisk(TempDir);

impl SmallDisk {
    /// One of this size, such as `1m`.
    ///
    /// # Panics
    /// When it cannot be mounted: that takes root.
    pub fn mount(size: &str) -> Self {
        let folder = crate::postgres::open_folder();
        let mounted = Command::new("mount")
            .args([
                "-t",
                "tmpfs",
                "-o",
                &format!("size={size},mode=755"),
                "tmpfs",
            ])
            .arg(folder.path())
            .output()
            .unwrap();
        assert!(
            mounted.status.success(),
            "this test mounts a small tmpfs, for which it needs root: {mounted:?}"
        );
        SmallDisk(folder)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Puts a file there that leaves no room.
    ///
    /// # Panics
    /// When there is room for it.
    pub fn fill(&self) {
        let zeros = std::io::repeat(0);
        let mut others = std::fs::File::create(self.path().join("others")).unwrap();
        std::io::copy(&mut { zeros }, &mut others).unwrap_err();
    }

    /// Takes it away again.
    pub fn clear(&self) {
        std::fs::remove_file(self.path().join("others")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount")
            .arg("--lazy")
            .arg(self.path())
            .status();
    }
}
