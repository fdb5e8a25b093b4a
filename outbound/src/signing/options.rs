//! The options by which a program is told how to send webhooks.
//! `worker` and `storyteller serve` flatten them into their own. What must stay true: secrets are read from the
//! environment or a file, and never shown in `--help` or a log.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use tempfile::NamedTempFile;

use super::{Secret, Secrets};
use crate::error::{Error, Result};

/// How webhooks are signed.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Webhooks")]
pub struct WebhookOptions {
    /// What webhooks are signed with: `whsec_…`, or the new and the old one, separated by a comma, while receivers
    /// change over. `storyteller webhooks secret` makes one.
    #[arg(
        long,
        env = "STORYTELLER_WEBHOOK_SECRET",
        value_name = "SECRET",
        hide_env_values = true
    )]
    pub webhook_secret: Option<Secrets>,
}

impl WebhookOptions {
    /// The secrets that were given, else the one in this file, which is made if it is not there.
    ///
    /// # Errors
    /// `Disk` when the file cannot be read or written, `Setting` when there is no secret in it.
    pub fn secrets_or_in(&self, file: &Path) -> Result<Secrets> {
        if let Some(secrets) = &self.webhook_secret {
            return Ok(secrets.clone());
        }
        let trouble = |doing| {
            move |cause| Error::Disk {
                doing,
                path: file.to_owned(),
                cause,
            }
        };
        match fs::read_to_string(file) {
            Err(cause) if cause.kind() == ErrorKind::NotFound => {
                let made = Secret::new();
                // whole or not there, for its owner only, and never in place of another's
                let mut fresh = NamedTempFile::new_in(file.parent().unwrap_or(Path::new(".")))
                    .map_err(trouble("write"))?;
                writeln!(fresh, "{}", made.reveal()).map_err(trouble("write"))?;
                fresh.as_file().sync_all().map_err(trouble("write"))?;
                match fresh.persist_noclobber(file) {
                    Ok(_) => Ok(Secrets::one(made)),
                    Err(taken) if taken.error.kind() == ErrorKind::AlreadyExists => {
                        fs::read_to_string(file).map_err(trouble("read"))?.parse()
                    }
                    Err(other) => Err(trouble("write")(other.error)),
                }
            }
            text => text.map_err(trouble("read"))?.parse(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_secret_that_nobody_gave_is_made_once_and_kept_for_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("webhook.secret");
        let options = WebhookOptions::default();
        let first = options.secrets_or_in(&file).unwrap().sign("a", 1, b"b");
        assert_eq!(
            options.secrets_or_in(&file).unwrap().sign("a", 1, b"b"),
            first
        );
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let given = WebhookOptions {
            webhook_secret: Some(Secrets::one(Secret::new())),
        };
        assert_ne!(
            given.secrets_or_in(&file).unwrap().sign("a", 1, b"b"),
            first
        );
    }
}
