//! The connections to Postgres, and how long an answer over one is waited for.
//! Every statement of the store goes through here, alone or in a transaction. What must stay true: nobody waits for minutes for
//! a peer that silently drops packets, and a connection that has not answered in time is thrown away, place in the pool
//! and all. (The driver sets no keepalive, and a middle box that hangs would answer those.)

use std::io;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt as _, StreamExt as _, TryFutureExt as _, TryStreamExt as _};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{
    PgConnectOptions, PgConnection, PgPool, PgPoolOptions, PgQueryResult, PgRow, PgStatement,
    PgTypeInfo,
};
use sqlx::{
    AssertSqlSafe, Connection as _, Describe, Either, Execute, Executor, Postgres, SqlSafeStr,
    SqlStr,
};
use tokio::runtime::Handle;
use tokio::time::timeout;
use tokio_util::context::TokioContext;

/// What Postgres does by itself for each connection. No statement takes ten seconds unless something is badly wrong, and
/// then waiting makes it worse. The others are for our own end: of a process that is gone without a word the locks are too.
const SETTINGS: [(&str, &str); 6] = [
    ("statement_timeout", "10s"),
    ("idle_in_transaction_session_timeout", "10s"),
    ("tcp_keepalives_idle", "10"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "15s"),
];
/// Postgres has ended the statement by then and said so, if it can still be heard.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(12);
/// How long a caller waits for a free connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection that has lain idle is asked whether it still lives before it is used. After a fault in the network all of
/// them are dead, and whoever comes first must not wait so long that his heartbeat is late.
const PING_TIMEOUT: Duration = Duration::from_secs(1);
/// And before it goes back into the pool, where nobody waits.
const RETURN_TIMEOUT: Duration = Duration::from_secs(5);

/// The connections of one store.
#[derive(Clone, Debug)]
pub(super) struct Database {
    pool: PgPool,
    /// Where connections live. One that a thread of the API opened in its own runtime would die with that thread at a stop,
    /// under the request of another thread that has it by then.
    home: Handle,
}

/// One of them, for as long as somebody has it.
#[derive(Debug)]
pub(super) struct Connection {
    /// There until it is dropped.
    held: Option<PoolConnection<Postgres>>,
    /// It has not answered in time, and what it says next would be the answer to an earlier question.
    late: bool,
    in_transaction: bool,
    home: Handle,
}

/// A connection in a transaction, which is rolled back unless it is committed.
#[derive(Debug)]
pub(super) struct Transaction(Connection);

impl Database {
    /// Connects, and keeps up to `most` connections, which live in this runtime whoever asks for them.
    pub(super) async fn connect(options: PgConnectOptions, most: u32) -> sqlx::Result<Database> {
        let pool = pool(most)
            .test_before_acquire(false)
            .before_acquire(|connection, _| Box::pin(async { Ok(lives(connection).await) }))
            .connect_with(options.options(SETTINGS))
            .await?;
        Ok(Database {
            pool,
            home: Handle::current(),
        })
    }

    /// How a connection of another kind is made to the same database.
    pub(super) fn options(&self) -> PgConnectOptions {
        self.pool.connect_options().as_ref().clone()
    }

    /// Where connections live.
    pub(super) fn home(&self) -> &Handle {
        &self.home
    }

    /// A connection.
    pub(super) async fn acquire(&self) -> sqlx::Result<Connection> {
        Ok(Connection {
            held: Some(TokioContext::new(self.pool.acquire(), self.home.clone()).await?),
            late: false,
            in_transaction: false,
            home: self.home.clone(),
        })
    }

    /// A transaction.
    pub(super) async fn begin(&self) -> sqlx::Result<Transaction> {
        self.begin_with("begin").await
    }

    /// A transaction that reads what there was at one moment, however many statements it takes.
    pub(super) async fn begin_reading(&self) -> sqlx::Result<Transaction> {
        self.begin_with("begin isolation level repeatable read read only")
            .await
    }

    /// A transaction in which nobody else is who named the same telling: one way there and back for both. What is read in it
    /// afterwards is as the one before has left it.
    pub(super) async fn begin_alone(&self, telling: &str) -> sqlx::Result<Transaction> {
        // of several statements none takes parameters; a telling is a hash, and a text in any case. The key is that of
        // `one_at_a_time`
        let text = telling.replace('\'', "''");
        let begin = format!("begin; select pg_advisory_xact_lock(hashtextextended('{text}', 0))");
        self.begin_with(AssertSqlSafe(begin)).await
    }

    /// A transaction that begins with these statements.
    async fn begin_with(&self, begin: impl SqlSafeStr) -> sqlx::Result<Transaction> {
        let mut connection = self.acquire().await?;
        // before it is: whoever stops waiting in between does not know
        connection.in_transaction = true;
        connection.execute(begin.into_sql_str()).await?;
        Ok(Transaction(connection))
    }

    /// Ends all connections, once they have done what they are doing.
    pub(super) async fn close(&self) {
        self.pool.close().await;
    }

    /// Does something until the connections are closed.
    pub(super) async fn until_closed<T>(&self, doing: impl Future<Output = T>) -> sqlx::Result<T> {
        self.pool.close_event().do_until(doing).await
    }
}

/// A pool that does not let anybody wait for long.
pub(super) fn pool(most: u32) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(most)
        .acquire_timeout(ACQUIRE_TIMEOUT)
}

/// What comes of waiting, for no longer than an answer may take.
pub(super) async fn answered<T>(answer: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
    within(ANSWER_TIMEOUT, answer).await
}

async fn lives(connection: &mut PgConnection) -> bool {
    let answer = within(PING_TIMEOUT, connection.ping()).await;
    if let Err(error) = &answer {
        tracing::info!(%error, "an idle connection to the database is dead; making another");
    }
    answer.is_ok()
}

async fn within<T>(
    patience: Duration,
    answer: impl Future<Output = sqlx::Result<T>>,
) -> sqlx::Result<T> {
    timeout(patience, answer).await.unwrap_or_else(|_| {
        let late = format!("no answer within {} s", patience.as_secs());
        Err(io::Error::new(io::ErrorKind::TimedOut, late).into())
    })
}

impl Connection {
    async fn ask<'a, T>(
        &'a mut self,
        question: impl FnOnce(&'a mut PgConnection) -> BoxFuture<'a, sqlx::Result<T>>,
    ) -> sqlx::Result<T> {
        let held = self.held.as_deref_mut();
        let answer = answered(question(held.expect("it is there until it is dropped"))).await;
        self.late = matches!(&answer, Err(sqlx::Error::Io(_)));
        answer
    }
}

impl Transaction {
    /// Makes what it did true.
    pub(super) async fn commit(mut self) -> sqlx::Result<()> {
        self.0.execute("commit").await?;
        self.0.in_transaction = false;
        Ok(())
    }

    /// Ends it as if it had not been.
    pub(super) async fn rollback(mut self) -> sqlx::Result<()> {
        self.0.execute("rollback").await?;
        self.0.in_transaction = false;
        Ok(())
    }
}

impl Deref for Transaction {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.0
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.0
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let Some(held) = self.held.take() else { return };
        if self.late {
            // closed without a word
            drop(held.detach());
        } else {
            let held = Returning(Some(held));
            drop(self.home.spawn(give_back(held, self.in_transaction)));
        }
    }
}

/// On its way back into the pool. If the runtime it lives in is over, nobody goes that way, and it is closed.
struct Returning(Option<PoolConnection<Postgres>>);

impl Drop for Returning {
    fn drop(&mut self) {
        drop(self.0.take().map(PoolConnection::detach));
    }
}

/// Back into the pool. The pool would do it by itself, and wait for a dead connection for as long as the kernel does.
async fn give_back(mut returning: Returning, in_transaction: bool) {
    let Some(mut held) = returning.0.take() else {
        return;
    };
    if in_transaction {
        let rollback = timeout(RETURN_TIMEOUT, held.execute("rollback")).await;
        if !matches!(rollback, Ok(Ok(_))) {
            drop(held.detach());
            return;
        }
    }
    // what is not back by then is closed
    let _ = timeout(RETURN_TIMEOUT, held.return_to_pool()).await;
}

/// Answers are short: they are read as a whole before anybody sees them.
type Steps = Vec<Either<PgQueryResult, PgRow>>;

fn steps<'e>(
    answer: impl Future<Output = sqlx::Result<Steps>> + Send + 'e,
) -> BoxStream<'e, StepResult> {
    answer
        .map_ok(|steps| stream::iter(steps.into_iter().map(Ok)))
        .try_flatten_stream()
        .boxed()
}

type StepResult = sqlx::Result<Either<PgQueryResult, PgRow>>;

impl<'c> Executor<'c> for &'c mut Connection {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, StepResult>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        steps(self.ask(|connection| connection.fetch_many(query).try_collect().boxed()))
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, sqlx::Result<Option<PgRow>>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        self.ask(|connection| connection.fetch_optional(query))
            .boxed()
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, sqlx::Result<PgStatement>>
    where
        'c: 'e,
    {
        self.ask(move |connection| connection.prepare_with(sql, parameters))
            .boxed()
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, sqlx::Result<Describe<Postgres>>>
    where
        'c: 'e,
    {
        self.ask(|connection| connection.describe(sql)).boxed()
    }
}

impl<'c> Executor<'c> for &'c Database {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, StepResult>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        steps(async move { self.acquire().await?.fetch_many(query).try_collect().await })
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, sqlx::Result<Option<PgRow>>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        async move { self.acquire().await?.fetch_optional(query).await }.boxed()
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, sqlx::Result<PgStatement>>
    where
        'c: 'e,
    {
        async move { self.acquire().await?.prepare_with(sql, parameters).await }.boxed()
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, sqlx::Result<Describe<Postgres>>>
    where
        'c: 'e,
    {
        async move { self.acquire().await?.describe(sql).await }.boxed()
    }
}
