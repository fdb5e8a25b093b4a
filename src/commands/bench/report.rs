//! What `bench` found: as JSON, as a table, as a picture, and beside what an earlier run found.
//! Names of rows are what two runs are compared by, so they say everything that a row depends on.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;

use serde::{Deserialize, Serialize};

/// A row this much slower than before is told.
const SLOWER: f64 = 1.1;

/// What the machine can do, one thread.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(super) struct Ceilings {
    /// Large matrix products, GFLOP/s.
    pub(super) product_f32: f64,
    pub(super) product_bf16: f64,
    /// Products of eight rows, GFLOP/s.
    pub(super) thin_f32: f64,
    pub(super) thin_bf16: f64,
    /// Copying, GB/s.
    pub(super) copy: f64,
}

/// One measurement.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Row {
    /// What was measured.
    pub(super) name: String,
    /// Stories in it.
    pub(super) items: usize,
    /// Seconds on the wall.
    pub(super) wall: f64,
    /// Seconds of all processors.
    pub(super) cpu: f64,
    /// The most memory so far, MiB.
    pub(super) peak_mib: u64,
    /// Seconds until a first sentence stood, where sentences come one by one.
    pub(super) first_sentence: Option<f64>,
    /// Steps of writing.
    pub(super) tokens: Option<usize>,
    /// Seconds on the wall of each stage.
    pub(super) stages: BTreeMap<String, f64>,
}

/// All of it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Report {
    pub(super) ceilings: Ceilings,
    pub(super) rows: Vec<Row>,
}

impl Row {
    fn cpu_each(&self) -> f64 {
        self.cpu / self.items.max(1) as f64
    }
}

impl Report {
    /// A machine, and nothing measured on it yet.
    pub(super) fn new(ceilings: Ceilings) -> Self {
        Self {
            ceilings,
            rows: Vec::new(),
        }
    }

    /// How many times the processor seconds of then each row takes; rows that only one of the runs has are left out.
    fn ratios<'a>(&'a self, before: &'a Self) -> impl Iterator<Item = (&'a Row, f64)> {
        self.rows.iter().filter_map(|row| {
            let then = before.rows.iter().find(|then| then.name == row.name)?;
            Some((row, row.cpu_each() / then.cpu_each().max(1e-9)))
        })
    }

    /// Prints `json`, or else tables; whether a row became slower.
    pub(super) fn print(
        &self,
        json: Option<&String>,
        before: Option<&Self>,
    ) -> std::io::Result<bool> {
        let mut out = std::io::stdout().lock();
        match json {
            Some(json) => writeln!(out, "{json}")?,
            None => write!(out, "{}", self.table())?,
        }
        let Some(before) = before else {
            return Ok(false);
        };
        let mut any = false;
        for (row, ratio) in self.ratios(before) {
            let slower = ratio > SLOWER;
            any |= slower;
            if json.is_none() {
                let note = if slower { "  SLOWER" } else { "" };
                writeln!(out, "{:40} {ratio:5.2} times as long{note}", row.name)?;
            }
        }
        Ok(any)
    }

    fn table(&self) -> String {
        let limits = &self.ceilings;
        let mut text = format!(
            "this machine, one thread: products {:.0} GFLOP/s in f32, {:.0} in bf16; of eight rows {:.0} and {:.0}; copies \
             {:.1} GB/s\n\n{:40} {:>8} {:>8} {:>8} {:>8} {:>7} {:>7}\n",
            limits.product_f32,
            limits.product_bf16,
            limits.thin_f32,
            limits.thin_bf16,
            limits.copy,
            "",
            "CPU s",
            "CPU s",
            "wall s",
            "first",
            "steps",
            "MiB",
        );
        let _ = writeln!(
            text,
            "{:40} {:>8} {:>8} {:>8} {:>8} {:>7} {:>7}",
            "", "", "a story", "", "sentence", "", "at most"
        );
        for row in &self.rows {
            let first = row
                .first_sentence
                .map_or(String::new(), |s| format!("{s:.2}"));
            let tokens = row.tokens.map_or(String::new(), |n| n.to_string());
            let _ = writeln!(
                text,
                "{:40} {:8.2} {:8.2} {:8.2} {first:>8} {tokens:>7} {:7}",
                row.name,
                row.cpu,
                row.cpu_each(),
                row.wall,
                row.peak_mib
            );
            for (stage, seconds) in &row.stages {
                let _ = writeln!(text, "  {stage:38} {:>17} {seconds:8.2}", "");
            }
        }
        text
    }

    /// Processor seconds a story, a bar for each row.
    pub(super) fn drawn(&self) -> String {
        let most = self.rows.iter().map(Row::cpu_each).fold(1e-9, f64::max);
        let height = 30 + 26 * self.rows.len();
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"640\" height=\"{height}\" font-family=\"sans-serif\" \
             font-size=\"12\"><text x=\"8\" y=\"18\">processor seconds a story</text>"
        );
        for (place, row) in self.rows.iter().enumerate() {
            let (y, width) = (30 + 26 * place, 300.0 * row.cpu_each() / most);
            let _ = write!(
                svg,
                "<text x=\"8\" y=\"{}\">{}</text><rect x=\"260\" y=\"{y}\" width=\"{width:.1}\" height=\"18\" \
                 fill=\"#7a5c3e\"/><text x=\"{:.1}\" y=\"{}\">{:.2}</text>",
                y + 14,
                row.name,
                266.0 + width,
                y + 14,
                row.cpu_each()
            );
        }
        svg + "</svg>\n"
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn report(cpu: f64) -> Report {
        let row = |name: &str, items: usize, cpu: f64| Row {
            name: name.to_owned(),
            items,
            wall: cpu,
            cpu,
            peak_mib: 100,
            first_sentence: None,
            tokens: None,
            stages: BTreeMap::new(),
        };
        Report {
            ceilings: Ceilings {
                product_f32: 60.0,
                product_bf16: 8.0,
                thin_f32: 20.0,
                thin_bf16: 2.0,
                copy: 10.0,
            },
            rows: vec![row("one", 1, cpu), row("eight", 8, 8.0)],
        }
    }

    #[test]
    fn what_became_slower_by_more_than_a_tenth_is_told_and_survives_a_file() {
        let text = serde_json::to_string(&report(2.0)).unwrap();
        let before: Report = serde_json::from_str(&text).unwrap();
        for (cpu, slower) in [(2.1, false), (2.3, true), (1.0, false)] {
            let now = report(cpu);
            let found: Vec<f64> = now.ratios(&before).map(|(_, ratio)| ratio).collect();
            assert!((found[0] - cpu / 2.0).abs() < 1e-9 && (found[1] - 1.0).abs() < 1e-9);
            assert_eq!(found.iter().any(|&ratio| ratio > SLOWER), slower);
        }
    }

    #[test]
    fn the_picture_has_a_bar_for_each_row() {
        let drawn = report(2.0).drawn();
        assert_eq!(drawn.matches("<rect").count(), 2);
        assert!(drawn.starts_with("<svg") && drawn.trim_end().ends_with("</svg>"));
    }
}
