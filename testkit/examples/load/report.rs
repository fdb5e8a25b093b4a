//! The figures, as a table or as JSON.
//! What must stay true: names of JSON members are only ever added, so that files of earlier runs can be compared.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use crate::busy::{Busy, Heard};
use crate::caller::Answers;
use crate::crowd::Crowd;
use crate::meter::{Cost, percentile};

/// All that was measured.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    pub(crate) rows: Vec<Row>,
    pub(crate) crowd: Option<Crowd>,
    pub(crate) busy: Option<Busy>,
}

/// One kind of request.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    name: String,
    answers: usize,
    refused: usize,
    per_second: f64,
    p50_ms: Option<f64>,
    p99_ms: Option<f64>,
    api_cpu_us: f64,
    postgres_cpu_us: f64,
    statements: Option<f64>,
    cost: Cost,
}

impl Row {
    pub(crate) fn new(name: &str, answers: &Answers, time: Duration, cost: Cost) -> Row {
        let mut row = Row::of_jobs(name, answers.times.len(), time, cost);
        row.refused = answers.refused;
        row.p50_ms = Some(percentile(&answers.times, 0.5));
        row.p99_ms = Some(percentile(&answers.times, 0.99));
        row
    }

    /// What was not asked over HTTP.
    pub(crate) fn of_jobs(name: &str, count: usize, time: Duration, cost: Cost) -> Row {
        let each = |all: f64| all / count.max(1) as f64;
        Row {
            name: name.to_owned(),
            answers: count,
            refused: 0,
            per_second: count as f64 / time.as_secs_f64(),
            p50_ms: None,
            p99_ms: None,
            api_cpu_us: each(cost.api_cpu_seconds) * 1e6,
            postgres_cpu_us: each(cost.postgres_cpu_seconds) * 1e6,
            statements: cost.statements.map(each),
            cost,
        }
    }
}

impl Report {
    /// Prints it, and keeps it where that is wished.
    pub(crate) fn finish(&self, keep: &Option<PathBuf>, json: bool) {
        let object = serde_json::to_string_pretty(self).unwrap();
        if let Some(file) = keep {
            std::fs::write(file, &object).unwrap();
        }
        let text = if json { object } else { self.table() };
        let mut out = std::io::stdout().lock();
        writeln!(out, "{text}").unwrap();
    }

    fn table(&self) -> String {
        let mut lines = vec![format!(
            "{:38} {:>8} {:>8} {:>8} {:>9} {:>9} {:>10}",
            "", "a second", "p50 ms", "p99 ms", "API µs", "Postgr µs", "statements"
        )];
        let number = |value: Option<f64>| {
            value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"))
        };
        for row in &self.rows {
            lines.push(format!(
                "{:38} {:>8.0} {:>8} {:>8} {:>9.0} {:>9.0} {:>10}",
                row.name,
                row.per_second,
                number(row.p50_ms),
                number(row.p99_ms),
                row.api_cpu_us,
                row.postgres_cpu_us,
                number(row.statements)
            ));
            if row.refused > 0 {
                lines.push(format!("  {} were refused", row.refused));
            }
        }
        if let Some(crowd) = &self.crowd {
            lines.push(format!(
                "{} pollers wait: API {:.1} % of a processor, Postgres {:.1} %, {} statements a second; an end is heard of in {:.1} ms \
                 (p50), {:.1} ms (p99)",
                crowd.pollers,
                crowd.api_share * 100.0,
                crowd.postgres_share * 100.0,
                number(crowd.statements_per_second),
                crowd.heard_p50_ms,
                crowd.heard_p99_ms
            ));
        }
        if let Some(busy) = &self.busy {
            let soon = |Heard {
                            ends,
                            p50_ms,
                            p99_ms,
                        }: &Heard| {
                format!("{p50_ms:.1} ms (p50), {p99_ms:.1} ms (p99) for {ends}")
            };
            lines.push(format!(
                "{} pollers and {} event streams wait while {:.1} stories a second are told: from an end to the answer of a poll {}; \
                 to its event on a stream {}; {} ends were not heard of; \
                 others poll {:.0} times a second in {:.1} ms (p50), {:.1} ms (p99)",
                busy.pollers,
                busy.streams,
                busy.told_per_second,
                soon(&busy.by_poll),
                soon(&busy.by_stream),
                busy.unheard,
                busy.polls_per_second,
                busy.polls_p50_ms,
                busy.polls_p99_ms
            ));
        }
        lines.join("\n")
    }
}
