//! The options by which a program is told how to send webhooks.
//! `worker` and `storyteller serve` flatten them into their own. What must stay true: secrets are read from the
//! environment or a file, and never shown in `--help` or a log.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

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
        let made = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(file);
        match made {
            Ok(mut new) => {
                let secret = Secret::new();
                writeln!(new, "{}", secret.reveal()).map_err(trouble("write"))?;
                new.sync_all().map_err(trouble("write"))?;
                Ok(Secrets::one(secret))
            }
            Err(cause) if cause.kind() == std::io::ErrorKind::AlreadyExists => {
                fs::read_to_string(file).map_err(trouble("read"))?.parse()
            }
            Err(cause) => Err(trouble("write")(cause)),
        }
    }
}
