//! Rows by the hundred thousand, such as the service itself leaves behind: request, picture, story with captions, timings.
//! `main.rs` asks for them. What must stay true: statistics and visibility are as after an autovacuum when it goes on.

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};
use uuid::Uuid;

/// Writes so many jobs in this state, the newest last, and lets Postgres look at them.
pub(crate) async fn fill(url: &str, rows: u64, state: &str) {
    let ended = state == "succeeded";
    let (started, result) = if ended {
        ("now()", STORY)
    } else {
        ("null", "null")
    };
    let statement = format!(
        "set statement_timeout = 0;
        alter table jobs disable trigger user;
        insert into jobs (id, request, image, lane, max_attempts, attempts, state, started_at, finished_at, result)
        select (lpad(to_hex((extract(epoch from clock_timestamp()) * 1000)::bigint), 12, '0') || '7'
                || substr(md5(random()::text), 1, 3) || '8' || substr(md5(random()::text), 1, 15))::uuid,
            request, jsonb_build_object('key', md5(number::text) || '.jpg', 'media_type', 'image/jpeg',
                'width', 640, 'height', 480, 'bytes', 100000, 'sha256', md5(number::text) || md5(number::text)),
            5, 3, {ended}::int, '{state}', {started}, {started}, {result}
        from generate_series(1, {rows}) as number, (select '{{\"style\": \"romance\"}}'::jsonb as request) as wish;
        alter table jobs enable trigger user;
        vacuum analyze jobs"
    );
    for statement in statement.split(';') {
        let mut statements = PgConnection::connect(url).await.unwrap();
        let unlimited = AssertSqlSafe("set statement_timeout = 0".to_owned());
        sqlx::raw_sql(unlimited)
            .execute(&mut statements)
            .await
            .unwrap();
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
            .execute(&mut statements)
            .await
            .unwrap();
        statements.close().await.unwrap();
    }
}

/// As long as an ordinary one.
const STORY: &str = "jsonb_build_object('story', repeat('They walked along the sea and said nothing. ', 12),
    'style', 'romance', 'bundle', 'starter', 'timings', '{\"writing\": 1.5}'::jsonb,
    'captions', (select jsonb_agg(jsonb_build_object('text', 'a dog runs along the beach', 'similarity', 0.5))
        from generate_series(1, 20)))";

/// Ids of ended jobs from all over the table.
pub(crate) async fn ids(url: &str, count: usize) -> Vec<Uuid> {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let statement =
        format!("select id from jobs where state = 'succeeded' order by random() limit {count}");
    let rows = sqlx::raw_sql(AssertSqlSafe(statement))
        .fetch_all(&mut connection)
        .await
        .unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// The table with its indexes.
pub(crate) async fn size(url: &str) -> String {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let row = sqlx::raw_sql("select pg_size_pretty(pg_total_relation_size('jobs'))")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    row.get(0)
}
