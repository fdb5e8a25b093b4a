//! The loss curve of a training as a small SVG: training loss as a line, measurements below in words.
//! Drawn anew with every report from the lines of the log, so it can be watched in a browser.

use std::fmt::Write as _;

use serde_json::Value;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 60.0;
const TOP: f64 = 20.0;
const BOTTOM: f64 = 50.0;

/// Draws the log's lines, `{"progress": {"update", "of", "loss"}, "measured": …}` each.
pub(super) fn draw(lines: &[Value]) -> String {
    let points: Vec<(f64, f64)> = lines
        .iter()
        .filter_map(|line| {
            let progress = &line["progress"];
            Some((progress["update"].as_f64()?, progress["loss"].as_f64()?))
        })
        .filter(|(_, loss)| loss.is_finite())
        .collect();
    let of = lines
        .last()
        .and_then(|line| line["progress"]["of"].as_f64());
    let of = of.unwrap_or(1.0).max(1.0);
    let losses = || points.iter().map(|point| point.1);
    let least = losses().fold(f64::INFINITY, f64::min);
    let most = losses().fold(f64::NEG_INFINITY, f64::max);
    let paper = Paper {
        of,
        least: if most > least { least } else { least - 1.0 },
        most: if most > least { most } else { least + 1.0 },
    };
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    if !points.is_empty() {
        svg += &paper.scales();
        svg += &paper.line(&points);
    }
    let _ = writeln!(
        svg,
        "<text x=\"{LEFT}\" y=\"{:.1}\">loss by update{}</text>\n</svg>",
        HEIGHT - 8.0,
        escaped(&last_measured(lines))
    );
    svg
}

/// What is drawn on: where updates and losses lie.
struct Paper {
    of: f64,
    least: f64,
    most: f64,
}

impl Paper {
    fn x(&self, update: f64) -> f64 {
        LEFT + update / self.of * (WIDTH - LEFT - 20.0)
    }

    fn y(&self, loss: f64) -> f64 {
        TOP + (self.most - loss) / (self.most - self.least) * (HEIGHT - TOP - BOTTOM)
    }

    fn scales(&self) -> String {
        let mut svg = String::new();
        for part in 0..=4 {
            let share = f64::from(part) / 4.0;
            let loss = self.least + share * (self.most - self.least);
            let update = share * self.of;
            let (down, across) = (self.y(loss), self.x(update));
            let _ = writeln!(
                svg,
                "<path d=\"M{LEFT} {down:.1}H{}\" stroke=\"#ddd\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{loss:.3}</text>\
                 <text x=\"{across:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{update:.0}</text>",
                WIDTH - 20.0,
                LEFT - 6.0,
                down + 4.0,
                HEIGHT - BOTTOM + 18.0
            );
        }
        svg
    }

    fn line(&self, points: &[(f64, f64)]) -> String {
        let path: Vec<String> = points
            .iter()
            .map(|(update, loss)| format!("{:.1} {:.1}", self.x(*update), self.y(*loss)))
            .collect();
        let path = path.join("L");
        format!("<path d=\"M{path}\" fill=\"none\" stroke=\"#1f5fa8\" stroke-width=\"1.5\"/>\n")
    }
}

/// The last measurement in words.
fn last_measured(lines: &[Value]) -> String {
    let measured = lines.iter().rev().find_map(|line| line.get("measured"));
    measured.map_or_else(String::new, |measured| {
        format!("; last measured: {measured}")
    })
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "")
}

#[cfg(test)]
mod tests {
    use super::draw;
    use serde_json::json;

    #[test]
    fn a_curve_is_drawn_from_first_to_last_update() {
        let line = |update: u32, loss: f64| json!({"progress": {"update": update, "of": 10, "loss": loss}});
        let svg = draw(&[line(5, 4.0), line(10, 2.0)]);
        assert!(svg.contains("M380.0 20.0L700.0 310.0"), "{svg}");
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
        assert!(draw(&[]).contains("</svg>"), "no reports yet, no crash");
    }
}
