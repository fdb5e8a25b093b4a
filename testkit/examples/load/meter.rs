//! What a measurement costs: processor time of the API and of Postgres, and statements.
//! What must stay true: what the meter asks itself is not counted.

use std::fs;
use std::time::Duration;

use serde::Serialize;
use sqlx::Row as _;

use crate::place::Place;

/// The clock ticks in which Linux counts processor time.
const TICKS: f64 = 100.0;
/// Statements that are named; the rest are counted only.
const NAMED: usize = 12;

/// Where things stood at the start.
pub(crate) struct Meter {
    api: f64,
    postgres: f64,
}

/// What was spent.
#[derive(Debug, Serialize)]
pub(crate) struct Cost {
    /// Processor seconds of the API.
    pub(crate) api_cpu_seconds: f64,
    /// Processor seconds of Postgres.
    pub(crate) postgres_cpu_seconds: f64,
    /// Statements, `begin` and `commit` among them; none if they are not counted.
    pub(crate) statements: Option<f64>,
    /// The most frequent ones, and how often for each request.
    pub(crate) by_statement: Vec<Statement>,
}

/// A statement.
#[derive(Debug, Serialize)]
pub(crate) struct Statement {
    pub(crate) each: f64,
    /// Milliseconds in the database.
    pub(crate) mean_ms: f64,
    pub(crate) text: String,
}

impl Meter {
    pub(crate) async fn start(place: &mut Place) -> Meter {
        if place.counts {
            let reset = "select pg_stat_statements_reset()";
            sqlx::raw_sql(reset)
                .execute(&mut place.database)
                .await
                .unwrap();
        }
        Meter {
            api: seconds(place.api.id()),
            postgres: of_postgres(place.postmaster),
        }
    }

    /// What was spent on so many requests.
    pub(crate) async fn read(self, place: &mut Place, requests: usize) -> Cost {
        let mut cost = Cost {
            api_cpu_seconds: seconds(place.api.id()) - self.api,
            postgres_cpu_seconds: of_postgres(place.postmaster) - self.postgres,
            statements: None,
            by_statement: Vec::new(),
        };
        if !place.counts {
            return cost;
        }
        let counted = "select calls::float8, mean_exec_time, query from pg_stat_statements \
                       where query !~ 'pg_stat_statements' order by calls desc";
        let rows = sqlx::raw_sql(counted)
            .fetch_all(&mut place.database)
            .await
            .unwrap();
        let calls = rows.iter().map(|row| row.get::<f64, _>(0));
        cost.statements = Some(calls.sum());
        let named = rows.iter().take(NAMED).map(|row| {
            let text: String = row.get(2);
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            Statement {
                each: row.get::<f64, _>(0) / requests.max(1) as f64,
                mean_ms: row.get(1),
                text: text.chars().take(90).collect(),
            }
        });
        cost.by_statement = named.collect();
        cost
    }
}

/// Processor seconds of a process and of those of its children that have ended.
fn seconds(process: u32) -> f64 {
    stat(process).map_or(0.0, |fields| {
        let ticks = fields[11..15]
            .iter()
            .map(|text| text.parse::<f64>().unwrap());
        ticks.sum::<f64>() / TICKS
    })
}

/// Processor seconds of Postgres: a process for each connection.
fn of_postgres(postmaster: u32) -> f64 {
    let parent = postmaster.to_string();
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let children = ids.filter(|&id| stat(id).is_some_and(|fields| fields[1] == parent));
    seconds(postmaster) + children.map(seconds).sum::<f64>()
}

/// The fields of `/proc/ID/stat` after the name, which may have spaces in it.
fn stat(process: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}

/// Milliseconds that this share of sorted times is not above.
pub(crate) fn percentile(sorted: &[Duration], share: f64) -> f64 {
    let place = (sorted.len() as f64 * share) as usize;
    let time = sorted.get(place.min(sorted.len().saturating_sub(1)));
    time.map_or(0.0, |time| time.as_secs_f64() * 1000.0)
}
