//! Draws a text sentence by sentence from a network that gives logits over tokens.
//!
//! From what stands several branches draw the next sentence, and a judge chooses one. So chance is kept in hand where it
//! matters, and a sentence is final as soon as it is chosen. A branch that is done costs nothing more. Arithmetic over the vocabulary stays on
//! the device; only the few likeliest tokens come to the host, where a seeded generator for each row chooses (nucleus
//! sampling, Holtzman et al. 2020). A text never depends on the company of its story. This file names no network.

use crate::error::Result;
use likeliest::NEVER;
pub use likeliest::{Likeliest, Shift, leaning, share_of};
use picking::pick;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::collections::HashMap;

mod likeliest;
mod picking;

/// What gives the likeliest next tokens. Tokens are numbered as the network's output is, which may be a part of its
/// vocabulary; what a text leans towards the network knows itself.
pub trait NextToken {
    /// What comes first.
    ///
    /// # Errors
    /// As all of these, when the network's answers cannot be read.
    fn begin(&mut self, shift: Shift) -> Result<Next>;
    /// The text goes on with tokens that a branch drew, of which it may have read some: what comes after them.
    ///
    /// # Errors
    /// See [`NextToken::begin`].
    fn follow(&mut self, branch: usize, tokens: &[usize], shift: Shift) -> Result<Next>;
    /// So many branches begin where the text ends; those before are gone.
    fn branch(&mut self, branches: usize);
    /// What comes after each branch got the token beside it; each has a shift.
    ///
    /// # Errors
    /// See [`NextToken::begin`].
    fn after(&mut self, tokens: &[usize], shifts: Vec<Shift>) -> Result<Likeliest>;
    /// Of the branches that go on only these still do, in this order.
    fn retain(&mut self, branches: &[i64]);
}

/// What may come after a text that stands.
#[derive(Clone, Debug)]
pub struct Next {
    /// One row.
    pub likeliest: Likeliest,
    /// How likely the network would end the text here.
    pub end: f64,
}

/// Who says where sentences end and which of them stand.
pub trait Judge {
    /// Whether a sentence ends with the last of these tokens, drawn since the sentence before.
    fn closes(&self, tokens: &[usize]) -> bool;
    /// Chooses among sentences that might come next, and may change how they end; none of them: the text is over.
    ///
    /// # Errors
    /// When they cannot be judged.
    fn choose(&mut self, sentences: &mut [Drawn]) -> Result<Option<usize>>;
    /// Whether another sentence is wanted, given how likely the network would end the text here.
    fn goes_on(&mut self, end_probability: f64) -> bool;
}

/// How texts are drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct DrawingRules {
    /// For each sentence, so many to choose from.
    pub branches: usize,
    /// Of them so many need not be done when the others have a sentence: nobody waits for the slowest.
    pub left_open: usize,
    /// 1 draws from the network's own distribution, less prefers likely tokens, 0 takes the likeliest.
    pub temperature: f64,
    /// Only the likeliest tokens that together have this probability.
    pub top_p: f64,
    /// Taken off a token's logit for each time the text has used it.
    pub weariness: f64,
    /// Added to the logits of these tokens, nats: what a text leans towards.
    pub leaning: Vec<(usize, f32)>,
    /// No run of this many tokens comes twice in a text; 0 allows all.
    pub no_repeat: usize,
    /// No text ends before it has so many tokens.
    pub at_least: usize,
    /// Every text is broken off after so many tokens.
    pub at_most: usize,
    /// Nobody waits for a sentence of more tokens.
    pub sentence: usize,
    /// Tokens that end a text.
    pub ends: Vec<usize>,
    /// Each seed draws other texts.
    pub seed: u64,
}

/// How a sentence came to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ending {
    /// Others were done before it was.
    #[default]
    Open,
    /// With a full stop or the like.
    Closed,
    /// The whole text ends with it; without tokens, it ends with the sentence before.
    OfText,
}

/// A sentence that was drawn, or what there is of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Drawn {
    /// Its tokens, without an end of the text.
    pub tokens: Vec<usize>,
    /// The sum of their log probabilities as the network gave them, before any rule.
    pub log_probability: f64,
    /// How it ended.
    pub ending: Ending,
}

impl Drawn {
    /// The mean log probability of a token, nats; nothing drawn has none to speak of.
    pub fn fluency(&self) -> f64 {
        self.log_probability / self.tokens.len().max(1) as f64
    }
}

/// Draws a text. After each token `go_on` learns how many the text has and says whether to go on; a dropped story is `None`.
///
/// # Errors
/// When the network's answers are not numbers, or the judge cannot judge.
pub fn draw(
    network: &mut dyn NextToken,
    rules: &DrawingRules,
    judge: &mut dyn Judge,
    go_on: &mut dyn FnMut(usize) -> bool,
) -> Result<Option<Drawn>> {
    let _no_grad = tch::no_grad_guard();
    let mut text = Drawn::default();
    let branches = 0..rules.branches;
    let mut rows: Vec<Row> = branches.map(|row| Row::new(rules.seed, row)).collect();
    let mut next = network.begin(rows[0].shift(rules))?;
    loop {
        network.branch(rules.branches);
        let mut round = Round::begin(&next.likeliest, rows, rules);
        if !round.draw(network, text.tokens.len(), judge, go_on)? {
            return Ok(None);
        }
        let mut sentences: Vec<Drawn> = round.rows.iter().map(|row| row.drawn.clone()).collect();
        let Some(chosen) = judge.choose(&mut sentences)? else {
            text.ending = Ending::OfText;
            break;
        };
        let sentence = &sentences[chosen];
        text.tokens.extend(&sentence.tokens);
        text.log_probability += sentence.log_probability;
        text.ending = sentence.ending;
        if sentence.ending != Ending::Closed || text.tokens.len() >= rules.at_most {
            break;
        }
        rows = round.all_from(chosen);
        next = network.follow(chosen, &sentence.tokens, rows[0].shift(rules))?;
        if !judge.goes_on(next.end) {
            text.ending = Ending::OfText;
            break;
        }
    }
    Ok(Some(text))
}

/// All branches from one sentence's end to the next.
struct Round<'a> {
    rules: &'a DrawingRules,
    rows: Vec<Row>,
    /// Which of the rows the network still has, in its order.
    open: Vec<usize>,
    /// What may come after each of these.
    next: Likeliest,
}

impl<'a> Round<'a> {
    /// `next`: what may come after the text that stands.
    fn begin(next: &Likeliest, rows: Vec<Row>, rules: &'a DrawingRules) -> Self {
        Self {
            open: (0..rows.len()).collect(),
            next: next.repeated(rows.len()),
            rows,
            rules,
        }
    }

    /// Draws until all rows have a sentence but those that may be left open; `before`: tokens of the text so far. False: the
    /// story was dropped.
    fn draw(
        &mut self,
        network: &mut dyn NextToken,
        before: usize,
        judge: &dyn Judge,
        go_on: &mut dyn FnMut(usize) -> bool,
    ) -> Result<bool> {
        let longest = (self.rules.at_most - before).min(self.rules.sentence);
        for step in 1..=longest {
            let mut tokens = self.choose()?;
            for row in &mut self.rows {
                if row.is_open() && judge.closes(&row.drawn.tokens) {
                    row.drawn.ending = Ending::Closed;
                }
            }
            if !go_on(before + step) {
                return Ok(false);
            }
            let still = self.rows.iter().filter(|row| row.is_open()).count();
            if still <= self.rules.left_open || step == longest {
                break;
            }
            // dropping a branch copies the others: not for each one
            if still * 4 <= self.open.len() * 3 {
                tokens = self.drop_closed(network, &tokens);
            }
            let open = self.open.iter();
            let shifts = open.map(|&row| self.rows[row].shift(self.rules));
            self.next = network.after(&tokens, shifts.collect())?;
        }
        Ok(true)
    }

    /// Leaves only open rows to the network; returns their tokens of all `tokens`.
    fn drop_closed(&mut self, network: &mut dyn NextToken, tokens: &[usize]) -> Vec<usize> {
        let places = 0..self.open.len();
        let kept: Vec<usize> = places
            .filter(|&b| self.rows[self.open[b]].is_open())
            .collect();
        let branches: Vec<i64> = kept.iter().map(|&branch| branch as i64).collect();
        network.retain(&branches);
        self.open = kept.iter().map(|&branch| self.open[branch]).collect();
        kept.iter().map(|&branch| tokens[branch]).collect()
    }

    /// Rows that have all told what one of them has, each with its own luck.
    fn all_from(self, chosen: usize) -> Vec<Row> {
        let (all, followed) = (&self.rows[chosen].all, &self.rows[chosen].followed);
        let from = |row: &Row| Row {
            drawn: Drawn::default(),
            all: all.clone(),
            rng: row.rng.clone(),
            followed: followed.clone(),
        };
        self.rows.iter().map(from).collect()
    }

    /// Takes the next token of every branch; one that is done gets some token, and nobody looks at it.
    fn choose(&mut self) -> Result<Vec<usize>> {
        let rules = self.rules;
        let mut tokens = Vec::with_capacity(self.open.len());
        for (branch, &row) in self.open.iter().enumerate() {
            let (row, next) = (&mut self.rows[row], self.next.row(branch));
            let pick = pick(next.values, rules, &mut row.rng)?;
            let token = next.tokens[pick] as usize;
            if !row.is_open() {
                // waits until enough others are done to be dropped with them
            } else if rules.ends.contains(&token) {
                row.drawn.ending = Ending::OfText;
            } else {
                row.drawn.log_probability += f64::from(next.plain[pick]);
                row.add(token, rules.no_repeat);
            }
            tokens.push(token);
        }
        Ok(tokens)
    }
}

/// A text on its way.
struct Row {
    /// The sentence being drawn.
    drawn: Drawn,
    /// All tokens of the text, this sentence's included.
    all: Vec<usize>,
    rng: ChaCha8Rng,
    /// What followed each run of `no_repeat - 1` tokens.
    followed: HashMap<Vec<usize>, Vec<usize>>,
}

impl Row {
    fn new(seed: u64, row: usize) -> Self {
        // a stream of its own for each row: adding rows changes no other
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(row as u64);
        Self {
            drawn: Drawn::default(),
            all: Vec::new(),
            rng,
            followed: HashMap::new(),
        }
    }

    fn is_open(&self) -> bool {
        self.drawn.ending == Ending::Open
    }

    /// What the rules add to the logits of its next token: each use of a token takes something off it, and what would repeat a
    /// run or end the text too early never comes.
    fn shift(&self, rules: &DrawingRules) -> Shift {
        let weary = -rules.weariness as f32;
        let mut shift: Shift = self.all.iter().map(|&token| (token, weary)).collect();
        shift.extend(
            self.repeats(rules.no_repeat)
                .iter()
                .map(|&token| (token, NEVER)),
        );
        if self.all.len() < rules.at_least {
            shift.extend(rules.ends.iter().map(|&end| (end, NEVER)));
        }
        shift
    }

    /// The tokens that would repeat a run.
    fn repeats(&self, no_repeat: usize) -> &[usize] {
        if no_repeat < 2 || self.all.len() < no_repeat {
            return &[];
        }
        let last = &self.all[self.all.len() + 1 - no_repeat..];
        self.followed.get(last).map_or(&[], Vec::as_slice)
    }

    fn add(&mut self, token: usize, no_repeat: usize) {
        if no_repeat >= 2 && self.all.len() + 1 >= no_repeat {
            let run = self.all[self.all.len() + 1 - no_repeat..].to_vec();
            self.followed.entry(run).or_default().push(token);
        }
        self.all.push(token);
        self.drawn.tokens.push(token);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
