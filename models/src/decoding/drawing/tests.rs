//! Drawing from a table instead of a network.

use super::*;
use rand::Rng as _;
use tch::{Kind, Tensor};

/// Likes the tokens of a fixed table by the token before.
struct Table {
    logits: Tensor,
    leaning: Vec<(usize, f32)>,
    /// What stands, and what each branch has read beyond it.
    text: Vec<usize>,
    branches: Vec<Vec<usize>>,
    /// How many branches were read on in all.
    steps: usize,
}

impl Table {
    fn random(vocabulary: i64) -> Self {
        // not libtorch's generator: all tests of the process draw from that one
        let mut random = ChaCha8Rng::seed_from_u64(3);
        let numbers: Vec<f32> = (0..vocabulary * vocabulary)
            .map(|_| random.random_range(-5.0..5.0))
            .collect();
        let logits = Tensor::from_slice(&numbers).view([vocabulary, vocabulary]);
        Self {
            logits,
            leaning: Vec::new(),
            text: Vec::new(),
            branches: Vec::new(),
            steps: 0,
        }
    }

    fn rows(&self, tokens: &[usize]) -> Tensor {
        let ids: Vec<i64> = tokens.iter().map(|&t| t as i64).collect();
        self.logits.index_select(0, &Tensor::from_slice(&ids))
    }

    fn likeliest(&self, logits: &Tensor, shifts: &[Shift]) -> Result<Likeliest> {
        let leaning = leaning(&self.leaning, logits.size()[1], logits.device());
        Likeliest::of(logits, leaning.as_ref(), shifts)
    }
}

impl NextToken for Table {
    fn begin(&mut self, shift: Shift) -> Result<Next> {
        self.follow(0, &[], shift)
    }
    fn follow(&mut self, _branch: usize, tokens: &[usize], shift: Shift) -> Result<Next> {
        self.text.extend(tokens);
        let logits = self.rows(&[self.text.last().copied().unwrap_or(0)]);
        Ok(Next {
            likeliest: self.likeliest(&logits, &[shift])?,
            end: share_of(&[1], &logits),
        })
    }
    fn branch(&mut self, branches: usize) {
        self.branches = vec![Vec::new(); branches];
    }
    fn after(&mut self, tokens: &[usize], shifts: Vec<Shift>) -> Result<Likeliest> {
        assert_eq!(tokens.len(), self.branches.len());
        self.steps += tokens.len();
        for (read, &token) in self.branches.iter_mut().zip(tokens) {
            read.push(token);
        }
        self.likeliest(&self.rows(tokens), &shifts)
    }
    fn retain(&mut self, branches: &[i64]) {
        let kept = branches.iter().map(|&b| self.branches[b as usize].clone());
        self.branches = kept.collect();
    }
}

/// Token 2 closes a sentence; takes the sentence in `row` as long as it is a whole one.
struct Fixed {
    row: usize,
    sentences: Vec<Drawn>,
    /// The tokens that all branches would have read if each went on as long as the longest.
    at_worst: usize,
}

impl Judge for Fixed {
    fn closes(&self, tokens: &[usize]) -> bool {
        tokens.last() == Some(&2)
    }
    fn choose(&mut self, sentences: &mut [Drawn]) -> Result<Option<usize>> {
        let longest = sentences.iter().map(|sentence| sentence.tokens.len()).max();
        // nobody reads the last token
        self.at_worst += longest.unwrap_or(1).saturating_sub(1) * sentences.len();
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
        branches: 1,
        left_open: 0,
        temperature: 0.9,
        top_p: 0.95,
        weariness: 0.0,
        leaning: Vec::new(),
        no_repeat: 3,
        at_least: 10,
        at_most: 40,
        sentence: 30,
        ends: vec![1],
        seed: 5,
    }
}

fn rules_of(branches: usize, seed: u64) -> DrawingRules {
    DrawingRules {
        branches,
        left_open: branches * 3 / 8,
        seed,
        ..rules()
    }
}

fn told(row: usize, rules: &DrawingRules) -> (Drawn, Vec<Drawn>, Table) {
    let mut table = Table::random(12);
    table.leaning = rules.leaning.clone();
    let mut judge = Fixed {
        row,
        sentences: Vec::new(),
        at_worst: 0,
    };
    let text = draw(&mut table, rules, &mut judge, &mut |_| true);
    (text.unwrap().unwrap(), judge.sentences, table)
}

#[test]
fn a_text_is_its_chosen_sentences_and_the_network_has_read_nothing_else() {
    for seed in 0..20 {
        let (text, sentences, table) = told(seed as usize, &rules_of(4, seed));
        let joined: Vec<usize> = sentences.iter().flat_map(|s| s.tokens.clone()).collect();
        assert_eq!(text.tokens, joined);
        // whoever drew them, what stands is what was chosen, but for a last sentence that nothing follows
        let last = sentences.last().map_or(0, |s| s.tokens.len());
        let before = text.tokens.len() - last;
        assert!(table.text.len() >= before, "seed {seed}");
        assert_eq!(table.text, text.tokens[..table.text.len()], "seed {seed}");
    }
}

#[test]
fn a_branch_that_is_done_costs_nothing_more() {
    for seed in 0..5 {
        let mut table = Table::random(12);
        let mut judge = Fixed {
            row: 0,
            sentences: Vec::new(),
            at_worst: 0,
        };
        draw(&mut table, &rules_of(8, seed), &mut judge, &mut |_| true).unwrap();
        assert!(
            table.steps < judge.at_worst,
            "{} of {}",
            table.steps,
            judge.at_worst
        );
    }
}

#[test]
fn no_run_comes_twice_and_no_text_ends_early_or_holds_its_end() {
    for seed in 0..20 {
        let (text, _, _) = told(1, &rules_of(4, seed));
        assert!(text.tokens.len() <= 40 && !text.tokens.contains(&1));
        assert!(text.ending != Ending::OfText || text.tokens.len() >= 10);
        let runs: Vec<&[usize]> = text.tokens.windows(3).collect();
        let distinct: std::collections::HashSet<_> = runs.iter().collect();
        assert_eq!(runs.len(), distinct.len(), "{text:?}");
    }
}

#[test]
fn the_same_seed_tells_the_same_and_another_another() {
    let (one, other) = (rules_of(3, 5), rules_of(3, 6));
    assert_eq!(told(0, &one).0, told(0, &one).0);
    assert_ne!(told(0, &one).0, told(0, &other).0);
}

#[test]
fn the_log_probability_is_that_of_the_bare_network() {
    let strict = DrawingRules {
        temperature: 0.0,
        weariness: 5.0,
        ..rules()
    };
    let (text, _, _) = told(0, &strict);
    let table = Table::random(12).logits.log_softmax(1, Kind::Float);
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
        at_worst: 0,
    };
    let mut broken = Table::random(12);
    broken.logits = broken.logits.full_like(f64::NAN);
    assert!(draw(&mut broken, &rules(), &mut judge, &mut |_| true).is_err());
    let mut go_on = |steps| steps < 3;
    let dropped = draw(&mut Table::random(12), &rules(), &mut judge, &mut go_on);
    assert_eq!(dropped.unwrap(), None);
}

#[test]
fn a_text_says_more_often_what_it_leans_towards_and_its_log_probability_is_still_the_networks() {
    let said = |nats: f32| {
        let leaning = vec![(5, nats)];
        let texts = (0..40).map(|seed| {
            let rules = DrawingRules {
                leaning: leaning.clone(),
                ..rules_of(1, seed)
            };
            told(0, &rules).0
        });
        let texts: Vec<Drawn> = texts.collect();
        let fives = texts.iter().flat_map(|text| &text.tokens);
        (fives.filter(|&&token| token == 5).count(), texts)
    };
    let (less, plain, more) = (said(-2.0), said(0.0), said(2.0));
    assert!(less.0 < plain.0 && plain.0 < more.0);
    assert_eq!(plain.1[3], told(0, &rules_of(1, 3)).0);
    let table = Table::random(12).logits.log_softmax(1, Kind::Float);
    let own = |text: &Drawn| {
        let before = std::iter::once(0).chain(text.tokens.iter().copied());
        let pairs = before.zip(&text.tokens);
        let costs =
            pairs.map(|(before, &token)| table.double_value(&[before as i64, token as i64]));
        costs.sum::<f64>()
    };
    for text in &more.1 {
        // the end of a text counts for nothing
        assert!((own(text) - text.log_probability).abs() < 1e-4);
    }
}
