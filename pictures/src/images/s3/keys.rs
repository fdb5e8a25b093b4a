//! Who asks an S3 server: keys that were given, or whatever the SDK finds and renews by itself.
//! [`crate::ImageOptions`] chooses. What must stay true: given keys win, nothing else is looked for then; and without any
//! keys a program says so when it starts, and what to set, instead of failing with every picture.

use std::fmt;
use std::time::Duration;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use aws_sdk_s3::config::Region;
use aws_sdk_s3::error::BoxError;
use tokio::time::timeout;

use super::https::http_client;
use super::refusal::causes;
use crate::error::{Error, Result};

/// The last place that is asked is the machine's metadata service, which is tried some times for a second each.
const FOUND_WITHIN: Duration = Duration::from_secs(15);
/// Named in errors: the one that most people set.
const SETTING: &str = "AWS_ACCESS_KEY_ID";

/// Who asks, proved.
#[derive(Clone)]
pub enum Keys {
    /// These.
    Given {
        /// Who asks.
        access_key: String,
        /// The proof.
        secret_key: String,
        /// With keys that hold only for a while.
        session_token: Option<String>,
    },
    /// From [`Keys::find`].
    Found(SharedCredentialsProvider),
}

impl Keys {
    /// Looks where Amazon's SDKs look: environment, profile files (`AWS_PROFILE`), the token file of a web identity, the
    /// container's and the machine's metadata service. What is found is renewed before it runs out. `region` is
    /// where roles are asked for.
    ///
    /// # Errors
    /// `Setting` if there is nothing, `Unavailable` if whoever gives out keys does not answer.
    pub async fn find(region: &str) -> Result<Keys> {
        let config = ProviderConfig::without_region().with_http_client(http_client());
        let chain = DefaultCredentialsChain::builder()
            .configure(config)
            .region(Region::new(region.to_owned()))
            .build()
            .await;
        let unavailable = |cause: BoxError| Error::Unavailable {
            place: "whoever gives out the keys of the picture store",
            doing: "get some",
            cause,
        };
        let found = timeout(FOUND_WITHIN, chain.provide_credentials()).await;
        match found.map_err(|late| unavailable(late.into()))? {
            Ok(_) => Ok(Keys::Found(SharedCredentialsProvider::new(chain))),
            Err(
                nothing @ (CredentialsError::CredentialsNotLoaded(_)
                | CredentialsError::InvalidConfiguration(_)),
            ) => Err(Error::Setting {
                setting: SETTING,
                reason: format!(
                    "nobody says who asks the S3 server: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE for \
                     a profile of ~/.aws, or AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN, or give this container or machine \
                     a role ({})",
                    causes(&nothing)
                ),
            }),
            Err(refused) => Err(unavailable(causes(&refused).into())),
        }
    }

    pub(super) fn provider(&self) -> SharedCredentialsProvider {
        match self.clone() {
            Keys::Given {
                access_key,
                secret_key,
                session_token,
            } => SharedCredentialsProvider::new(Credentials::new(
                access_key,
                secret_key,
                session_token,
                None,
                "storyteller",
            )),
            Keys::Found(provider) => provider,
        }
    }
}

/// No log shows them.
impl fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Keys::Given { .. } => "given keys",
            Keys::Found(_) => "found keys",
        })
    }
}
