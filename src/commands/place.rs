//! Where things are: the bundle, the data of the service, the cache of what can be made again.
//! Shared by every command that needs one of them; each place has a flag, an environment variable and a default.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use jobs::QueueOptions;
use pictures::ImageOptions;

/// Where the weights are and where what is computed from them may be kept.
#[derive(Args, Clone, Debug)]
pub(crate) struct Weights {
    /// The bundle of weights to tell with.
    #[arg(long, env = "STORYTELLER_BUNDLE", value_name = "DIR")]
    pub(crate) bundle: Option<PathBuf>,
    /// Where what can be made again is kept (image encoder, caption vectors) [default: ~/.cache/storyteller].
    #[arg(long, env = "STORYTELLER_CACHE", value_name = "DIR")]
    pub(crate) cache: Option<PathBuf>,
    /// Where to compute: cpu, cuda, cuda:N, or auto for a GPU if there is one.
    #[arg(
        long,
        env = "STORYTELLER_DEVICE",
        default_value = "auto",
        value_name = "DEVICE"
    )]
    pub(crate) device: String,
}

impl Weights {
    /// The bundle's folder: as asked, else `models/bundles/starter` here, else the installed one, else beside the source it
    /// was built from.
    ///
    /// # Errors
    /// When none of them holds a `bundle.toml`.
    pub(crate) fn bundle(&self) -> anyhow::Result<PathBuf> {
        if let Some(asked) = &self.bundle {
            if asked.join("bundle.toml").is_file() {
                return Ok(asked.clone());
            }
            bail!(
                "there is no bundle.toml in {}: give --bundle a folder that holds a bundle",
                asked.display()
            );
        }
        let starter = Path::new("models/bundles/starter");
        let installed = installed().map(|share| share.join("bundles/starter"));
        [
            Some(starter.to_path_buf()),
            installed,
            Some(Path::new(env!("CARGO_MANIFEST_DIR")).join(starter)),
        ]
        .into_iter()
        .flatten()
        .find(|folder| folder.join("bundle.toml").is_file())
        .context("found no bundle: run from the project's folder, or name one with --bundle DIR")
    }

    /// The cache's folder, with the networks that a package has brought along.
    ///
    /// # Errors
    /// When neither the flag nor `HOME` says where, or the folder cannot be written.
    pub(crate) fn cache(&self) -> anyhow::Result<PathBuf> {
        let cache = cache_or(self.cache.as_deref())?;
        if let Some(share) = installed() {
            link_networks(&share.join("networks"), &cache)
                .with_context(|| format!("cannot write the cache {}", cache.display()))?;
        }
        Ok(cache)
    }
}

/// What was installed beside this program, if it was: `bin/storyteller` and `share/storyteller`, as `make install` and the
/// package lay them out.
fn installed() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?.canonicalize().ok()?;
    let prefix = program.parent()?.parent()?;
    Some(prefix.join("share/storyteller"))
}

/// Names in the cache what lies in a folder that nobody may write to: what is made of it is kept beside it.
fn link_networks(networks: &Path, cache: &Path) -> std::io::Result<()> {
    let Ok(entries) = std::fs::read_dir(networks) else {
        return Ok(());
    };
    std::fs::create_dir_all(cache)?;
    for entry in entries {
        let entry = entry?;
        let link = cache.join(entry.file_name());
        if !link.exists() {
            // one that leads nowhere was an older package's
            let _ = std::fs::remove_file(&link);
            match std::os::unix::fs::symlink(entry.path(), &link) {
                // two programs may begin at once
                Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                    return Err(error);
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// The cache's folder: as asked, else the usual one.
///
/// # Errors
/// When neither the flag nor `HOME` says where.
pub(crate) fn cache_or(asked: Option<&Path>) -> anyhow::Result<PathBuf> {
    match asked {
        Some(asked) => Ok(asked.to_owned()),
        None => Ok(home("--cache")?.join(".cache/storyteller")),
    }
}

/// Where the service keeps pictures and its database.
#[derive(Args, Clone, Debug)]
pub(crate) struct Data {
    /// Where pictures and the database are kept [default: ~/.local/share/storyteller].
    #[arg(long, env = "STORYTELLER_DATA", value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
}

/// What keeps the service's data: its folder, its database, its queue and its pictures.
#[derive(Args, Clone, Debug)]
pub(crate) struct Locations {
    /// Where data is.
    #[command(flatten)]
    pub(crate) data: Data,
    /// A Postgres of your own instead of the one that is started here.
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub(crate) database_url: Option<String>,
    /// The folder of the Postgres programs to start [default: found on this machine, or the one set-up fetched].
    #[arg(long, env = "STORYTELLER_POSTGRES_BIN", value_name = "DIR")]
    pub(crate) postgres_bin: Option<PathBuf>,
    /// Where workers hear of jobs [default: Postgres].
    #[command(flatten)]
    pub(crate) queue: QueueOptions,
    /// Where pictures are [default: with the data].
    #[command(flatten)]
    pub(crate) images: ImageOptions,
}

impl Data {
    /// The data folder.
    ///
    /// # Errors
    /// When neither the flag nor `HOME` says where.
    pub(crate) fn folder(&self) -> anyhow::Result<PathBuf> {
        match &self.data {
            Some(asked) => Ok(asked.clone()),
            None => Ok(home("--data")?.join(".local/share/storyteller")),
        }
    }
}

fn home(flag: &str) -> anyhow::Result<PathBuf> {
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty());
    home.map(PathBuf::from)
        .with_context(|| format!("HOME is not set: say where with {flag} DIR"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn networks_of_a_package_are_named_in_the_cache_and_nothing_there_is_replaced() {
        let (share, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (networks, cache) = (share.path().join("networks"), cache.path().join("new"));
        link_networks(&networks, &cache).unwrap();
        assert!(!cache.exists(), "no package, no folder");
        std::fs::create_dir_all(networks.join("writer")).unwrap();
        std::fs::write(networks.join("eyes"), "of the package").unwrap();
        std::fs::create_dir_all(&cache).unwrap();
        std::fs::write(cache.join("eyes"), "his own").unwrap();
        std::os::unix::fs::symlink("/of/an/older/package", cache.join("writer")).unwrap();
        for _ in 0..2 {
            link_networks(&networks, &cache).unwrap();
        }
        assert_eq!(
            std::fs::read_to_string(cache.join("eyes")).unwrap(),
            "his own"
        );
        assert!(cache.join("writer").is_dir());
    }
}
