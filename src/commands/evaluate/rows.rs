//! Rows that are printed of stories and of passages by people alike: how sentences follow one another, and by which styles
//! are told apart. `stories` prints them, and `beside` those of the books.

use training::measure::flow::Flow;
use training::measure::probe::Separability;

use crate::commands::evaluate::table::{Row, line};

pub(super) fn flowing(of: &str, flow: &Flow) -> [Row; 3] {
    let share = |value: f64| format!("{value:.1} %");
    [
        line(
            &format!("words a sentence{of}"),
            format!("{:.1}", flow.words_a_sentence),
        ),
        line(
            &format!("sentences{of} beginning as the one before"),
            share(flow.begin_alike),
        ),
        line(
            &format!("sentences{of} that only state"),
            share(flow.only_state),
        ),
    ]
}

pub(super) fn told_apart(by: &str, apart: &Separability) -> Vec<Row> {
    let share = |value: f64| format!("{value:.1} %");
    let all = format!("{:.1} % (chance {:.1} %)", apart.accuracy, apart.chance);
    let styles = apart.by_style.iter();
    std::iter::once(line(by, all))
        .chain(styles.map(|(style, value)| line(&format!("  {style}"), share(*value))))
        .collect()
}
