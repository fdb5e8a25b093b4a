//! What can go wrong with the places where jobs live, one variant per reaction of the caller.
//! Every function of this crate that reaches a database or a broker returns it. What must stay true:
//! the text says what was attempted and what to do; the cause is kept for the log and never shown to callers.

/// The result of everything that can fail here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why the store or the queue did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The place cannot be reached now; the same call may work later.
    #[error("{place} cannot be reached while trying to {doing}: {cause}")]
    Unavailable {
        /// The database or the broker.
        place: &'static str,
        /// What was attempted.
        doing: &'static str,
        /// What the system or the driver said.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A statement or a row is not what this version expects: a bug, or another version's database.
    #[error("cannot {doing}: {cause}")]
    Unexpected {
        /// What was attempted.
        doing: &'static str,
        /// What the driver or the reader said.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    /// Whether the same call may work later without anybody changing anything in this program.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Error::Unavailable { .. })
    }

    /// What an operator can do about it.
    pub fn remedy(&self) -> &'static str {
        let (Error::Unavailable { cause, .. } | Error::Unexpected { cause, .. }) = self;
        let Some(said) = cause.downcast_ref::<sqlx::Error>() else {
            return "see that it runs, that its address is right, and that nothing on the way keeps it from being reached";
        };
        match said {
            sqlx::Error::Configuration(_) => {
                "write it as postgres://user:password@host:5432/database, with %XX for what an address cannot hold"
            }
            sqlx::Error::Tls(_) => {
                "the server does not speak TLS as the address asks: change its sslmode, or give the server a certificate"
            }
            sqlx::Error::Database(said) => refused(said.code().as_deref().unwrap_or_default()),
            _ => {
                "see that Postgres runs, and that DATABASE_URL (--database-url) names its host and port"
            }
        }
    }

    /// The same for somebody else whom it befell, too.
    pub(crate) fn again(&self) -> Self {
        match self {
            Error::Unavailable {
                place,
                doing,
                cause,
            } => Error::Unavailable {
                place,
                doing,
                cause: cause.to_string().into(),
            },
            Error::Unexpected { doing, cause } => Error::unexpected(doing, cause.to_string()),
        }
    }

    pub(crate) fn unexpected(
        doing: &'static str,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Error::Unexpected {
            doing,
            cause: cause.into(),
        }
    }
}

/// What can be done when Postgres gives this code.
fn refused(code: &str) -> &'static str {
    match code {
        "28P01" => "compare user and password in DATABASE_URL with the server's",
        "28000" => {
            "let this user in: `create role … login` in the server, a line for it in pg_hba.conf, or TLS if that asks for it"
        }
        "3D000" => "make the database (createdb), or name the one that is there in DATABASE_URL",
        "42501" => "let the user of DATABASE_URL use the tables: whoever migrates must own them",
        "53300" => "raise max_connections of Postgres, or lower --database-connections",
        "57P03" => "wait: Postgres is starting or stopping",
        _ => "the log of Postgres says more",
    }
}
