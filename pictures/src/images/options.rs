//! The options by which every program of the service says where its pictures are: a directory, or a bucket in S3.
//! `api`, `worker` and `storyteller serve` flatten it into their own. What must stay true: programs that are given
//! the same environment use the same place.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::{Directory, Images, S3, S3Keys, S3Settings};
use crate::error::{Error, Result};

/// Postgres takes about as much for its log while a burst is written.
const MIN_FREE_MIB: u64 = 1024;

/// Where pictures are kept: in a bucket if one is named, in a directory otherwise.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Pictures")]
pub struct ImageOptions {
    /// The folder of the pictures, the same for all parts of the service.
    #[arg(
        long,
        alias = "pictures",
        env = "STORYTELLER_IMAGES",
        value_name = "DIR"
    )]
    pub images: Option<PathBuf>,
    /// How many MiB stay free on the disk of the folder: a picture that would take of them is refused (503), so that a
    /// database on the same disk goes on writing.
    #[arg(
        long,
        env = "STORYTELLER_MIN_FREE_MIB",
        value_name = "MIB",
        default_value_t = MIN_FREE_MIB,
        value_parser = clap::value_parser!(u64).range(0..=1 << 40)
    )]
    pub min_free_mib: u64,
    /// Keep the pictures in this bucket of an S3 server instead of a folder.
    #[arg(long, env = "S3_BUCKET", value_name = "NAME")]
    pub s3_bucket: Option<String>,
    /// The S3 server, such as http://127.0.0.1:8333.
    #[arg(long, env = "S3_ENDPOINT", value_name = "URL")]
    pub s3_endpoint: Option<String>,
    /// The S3 server as callers outside reach it, for pictures that they send to it themselves (`POST /v1/uploads`)
    /// [default: as `--s3-endpoint`].
    #[arg(long, env = "S3_PUBLIC_ENDPOINT", value_name = "URL")]
    pub s3_public_endpoint: Option<String>,
    /// The region that requests are signed for; most servers other than Amazon's take any.
    #[arg(
        long,
        env = "AWS_REGION",
        default_value = "us-east-1",
        value_name = "NAME"
    )]
    pub s3_region: String,
    /// Who asks the S3 server. Without this and the secret, keys are looked for where Amazon's SDKs look (a profile of
    /// ~/.aws by AWS_PROFILE, a web identity, the role of the container or machine) and renewed before they run out.
    #[arg(long, env = "AWS_ACCESS_KEY_ID", value_name = "ID")]
    pub s3_access_key: Option<String>,
    /// The secret of who asks; better in the environment than on the command line.
    #[arg(
        long,
        env = "AWS_SECRET_ACCESS_KEY",
        value_name = "SECRET",
        hide_env_values = true
    )]
    pub s3_secret_key: Option<Hidden>,
    /// With keys that hold only for a while: the token that came with them.
    #[arg(
        long,
        env = "AWS_SESSION_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true
    )]
    pub s3_session_token: Option<Hidden>,
}

/// A text that no log shows.
#[derive(Clone)]
pub struct Hidden(String);

impl From<String> for Hidden {
    fn from(text: String) -> Self {
        Hidden(text)
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("…")
    }
}

fn hidden(text: &Option<Hidden>) -> Option<String> {
    text.as_ref().map(|text| text.0.clone())
}

impl ImageOptions {
    /// Opens the place that is asked for; `default` is the folder if none is.
    ///
    /// # Errors
    /// `Setting` when something is missing or cannot be read, `Disk` when the folder cannot be used, `Unavailable` when
    /// keys are looked for and whoever gives them out does not answer. A bucket is not looked for yet: [`Images::ping`] does.
    pub async fn open(&self, default: Option<PathBuf>) -> Result<Arc<dyn Images>> {
        if let Some(bucket) = &self.s3_bucket {
            return Ok(Arc::new(S3::open(self.s3(bucket).await?)?));
        }
        if self.s3_endpoint.is_some() {
            return Err(Error::Setting {
                setting: "S3_ENDPOINT",
                reason: "is set, but no bucket: name it with S3_BUCKET or --s3-bucket".to_owned(),
            });
        }
        let folder = self.images.clone().or(default).ok_or(Error::Setting {
            setting: "--images",
            reason:
                "say where pictures are kept: a folder with --images, or a bucket with S3_BUCKET"
                    .to_owned(),
        })?;
        let directory = Directory::open(folder)?;
        Ok(Arc::new(directory.leaving(self.min_free_mib << 20)))
    }

    async fn s3(&self, bucket: &str) -> Result<S3Settings> {
        Ok(S3Settings {
            bucket: bucket.to_owned(),
            endpoint: self.s3_endpoint.clone(),
            public_endpoint: self.s3_public_endpoint.clone(),
            region: self.s3_region.clone(),
            keys: self.keys().await?,
        })
    }

    /// Half of what is needed is a slip, not a wish to have the rest looked for.
    async fn keys(&self) -> Result<S3Keys> {
        let missing = |setting| {
            Error::Setting {
            setting,
            reason: "is not set, though its counterpart is: set both, or neither to have keys looked for".to_owned(),
        }
        };
        match (self.s3_access_key.clone(), hidden(&self.s3_secret_key)) {
            (Some(access_key), Some(secret_key)) => Ok(S3Keys::Given {
                access_key,
                secret_key,
                session_token: hidden(&self.s3_session_token),
            }),
            (None, None) => S3Keys::find(&self.s3_region).await,
            (None, Some(_)) => Err(missing("AWS_ACCESS_KEY_ID")),
            (Some(_), None) => Err(missing("AWS_SECRET_ACCESS_KEY")),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use clap::{Args as _, FromArgMatches as _};

    use super::*;

    fn options(arguments: &[&str]) -> ImageOptions {
        let command = ImageOptions::augment_args(clap::Command::new("test").no_binary_name(true));
        // whatever the environment of this test run says
        let command = command.mut_args(|argument| argument.env(clap::builder::Resettable::Reset));
        let matches = command.try_get_matches_from(arguments).unwrap();
        ImageOptions::from_arg_matches(&matches).unwrap()
    }

    #[tokio::test]
    async fn what_is_missing_is_said_by_the_name_of_its_variable_and_no_secret_is_shown() {
        let bucket = ["--s3-bucket=pictures", "--s3-access-key=me"];
        let secret_only = [bucket[0], "--s3-secret-key=mine"];
        for (arguments, missing) in [
            (&[][..], "--images"),
            (&["--s3-endpoint=http://127.0.0.1:1"], "S3_ENDPOINT"),
            (&secret_only, "AWS_ACCESS_KEY_ID"),
            (&bucket, "AWS_SECRET_ACCESS_KEY"),
        ] {
            let error = options(arguments).open(None).await.err().unwrap();
            let error = error.to_string();
            assert!(error.starts_with(missing), "{arguments:?}: {error}");
        }
        let folder = tempfile::tempdir().unwrap();
        let images = format!("--images={}", folder.path().display());
        let full = options(&[&images, "--min-free-mib=1000000000000"]);
        let full = full.open(None).await.ok().unwrap();
        assert!(full.put("a", Vec::new().into()).await.is_err());
        let whole = options(&[&bucket[..], &["--s3-secret-key=mine"]].concat());
        assert!(whole.open(None).await.is_ok());
        assert!(!format!("{whole:?}").contains("mine"));
    }
}
