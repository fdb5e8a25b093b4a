//! Drawing from a table instead of a network.

use super::*;

/// Likes the tokens of a fixed table by the token before.
struct Table {
    logits: Tensor,
    /// What each row has read.
    read: Vec<Vec<usize>>,
}

impl Table {
    fn random(vocabulary: i64, rows: usize) -> Self {
        tch::manual_seed(3);
        let logits = Tensor::randn([vocabulary, vocabulary], (Kind::Float, Device::Cpu)) * 3.0;
        Self {
            logits,
            read: vec![vec![0]; rows],
        }
    }
}

impl NextToken for Table {
    fn first(&mut self) -> Tensor {
        let none: Vec<i64> = vec![0; self.read.len()];
        self.logits.index_select(0, &Tensor::from_slice(&none))
    }
    fn after(&mut self, tokens: &[usize]) -> Tensor {
        for (read, &token) in self.read.iter_mut().zip(tokens) {
            read.push(token);
        }
        let ids: Vec<i64> = tokens.iter().map(|&t| t as i64).collect();
        self.logits.index_select(0, &Tensor::from_slice(&ids))
    }
    fn keep(&mut self, row: usize, forget: usize) {
        let mut kept = self.read[row].clone();
        kept.truncate(kept.len() - forget);
        self.read = vec![kept; self.read.len()];
    }
}

/// Token 2 closes a sentence; takes the sentence in `row` as long as it is a whole one.
struct Fixed {
    row: usize,
    sentences: Vec<Drawn>,
}

impl Judge for Fixed {
    fn closes(&self, tokens: &[usize]) -> bool {
        tokens.last() == Some(&2)
    }
    fn choose(&mut self, sentences: &[Drawn]) -> Result<Option<usize>> {
        let row = self.row % sentences.len();
        let whole = |&row: &usize| sentences[row].ending != Ending::Open;
        let found = (row..sentences.len()).chain(0..row).find(whole);
        self.sentences
            .extend(found.map(|row| sentences[row].clone()));
        Ok(found)
    }
    fn goes_on(&mut self, end_probability: f64) -> bool {
        assert!((0.0..=1.0).contains(&end_probability));
        true
    }
}

fn rules() -> DrawingRules {
    DrawingRules {
        temperature: 0.9,
        top_p: 0.95,
        weariness: 0.0,
        no_repeat: 3,
        at_least: 10,
        at_most: 40,
        sentence: 30,
        ends: vec![1],
        seed: 5,
    }
}

fn told(rows: usize, row: usize, rules: &DrawingRules) -> (Drawn, Vec<Drawn>, Table) {
    let mut table = Table::random(12, rows);
    let mut judge = Fixed {
        row,
        sentences: Vec::new(),
    };
    let text = draw(&mut table, rows, rules, (&mut judge, &mut |_| true));
    (text.unwrap().unwrap(), judge.sentences, table)
}

#[test]
fn a_text_is_its_chosen_sentences_and_the_network_has_read_nothing_else() {
    for seed in 0..20 {
        let rules = DrawingRules { seed, ..rules() };
        let (text, sentences, table) = told(4, seed as usize, &rules);
        let joined: Vec<usize> = sentences.iter().flat_map(|s| s.tokens.clone()).collect();
        assert_eq!(text.tokens, joined);
        // up to the last sentence's beginning all rows have read the same text, whoever drew it
        let last = sentences.last().map_or(0, |s| s.tokens.len());
        let before = &text.tokens[..text.tokens.len() - last];
        for read in &table.read {
            assert_eq!(&read[1..=before.len()], before, "seed {seed}");
        }
    }
}

#[test]
fn no_run_comes_twice_and_no_text_ends_early_or_holds_its_end() {
    for seed in 0..20 {
        let (text, _, _) = told(4, 1, &DrawingRules { seed, ..rules() });
        assert!(text.tokens.len() <= 40 && !text.tokens.contains(&1));
        assert!(text.ending != Ending::OfText || text.tokens.len() >= 10);
        let runs: Vec<&[usize]> = text.tokens.windows(3).collect();
        let distinct: std::collections::HashSet<_> = runs.iter().collect();
        assert_eq!(runs.len(), distinct.len(), "{text:?}");
    }
}

#[test]
fn the_same_seed_tells_the_same_and_another_another() {
    assert_eq!(told(3, 0, &rules()).0, told(3, 0, &rules()).0);
    let other = DrawingRules { seed: 6, ..rules() };
    assert_ne!(told(3, 0, &rules()).0, told(3, 0, &other).0);
}

#[test]
fn the_log_probability_is_that_of_the_bare_network() {
    let strict = DrawingRules {
        temperature: 0.0,
        weariness: 5.0,
        ..rules()
    };
    let (text, _, _) = told(1, 0, &strict);
    let table = Table::random(12, 1).logits.log_softmax(1, Kind::Float);
    let mut before = 0i64;
    let mut sum = 0.0;
    for &token in &text.tokens {
        sum += table.double_value(&[before, token as i64]);
        before = token as i64;
    }
    assert!((sum - text.log_probability).abs() < 1e-4);
}

#[test]
fn weights_that_are_not_numbers_are_an_error_and_a_story_can_be_dropped() {
    let mut judge = Fixed {
        row: 0,
        sentences: Vec::new(),
    };
    let mut broken = Table::random(12, 1);
    broken.logits = broken.logits.full_like(f64::NAN);
    assert!(draw(&mut broken, 1, &rules(), (&mut judge, &mut |_| true)).is_err());
    let mut go_on = |steps| steps < 3;
    let dropped = draw(
        &mut Table::random(12, 1),
        1,
        &rules(),
        (&mut judge, &mut go_on),
    );
    assert_eq!(dropped.unwrap(), None);
}
