//! Draws a text sentence by sentence from a network that gives logits over tokens.
//!
//! From one state several rows draw the next sentence; a judge chooses one, and all rows go on from there. So chance is
//! kept in hand where it matters, and a sentence is final as soon as it is chosen. Arithmetic over the vocabulary stays on
//! the device; only the few likeliest tokens come to the host, where a seeded generator for each row chooses (nucleus
//! sampling, Holtzman et al. 2020). A text never depends on the company of its story. This file names no network.

use crate::{Error, Result};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::HashMap;
use tch::{Device, Kind, Tensor};

/// How many of the likeliest tokens a nucleus may be made of.
const LIKELIEST: i64 = 200;
/// A logit that no token survives.
const NEVER: f64 = -1e9;

/// What gives the logits of the next token. Tokens are numbered as the network's output is, which may be a part of its
/// vocabulary.
pub trait NextToken {
    /// Logits (R, V) of the first token of each of the R texts.
    fn first(&mut self) -> Tensor;
    /// Logits (R, V) after each text got the token beside it.
    fn after(&mut self, tokens: &[usize]) -> Tensor;
    /// All texts go on from the one in `row` as it was `forget` tokens ago.
    fn keep(&mut self, row: usize, forget: usize);
}

/// Who says where sentences end and which of them stand.
pub trait Judge {
    /// Whether a sentence ends with the last of these tokens, drawn since the sentence before.
    fn closes(&self, tokens: &[usize]) -> bool;
    /// Chooses among sentences that might come next; none of them: the text is over.
    ///
    /// # Errors
    /// When they cannot be judged.
    fn choose(&mut self, sentences: &[Drawn]) -> Result<Option<usize>>;
    /// Whether another sentence is wanted, given how likely the network would end the text here.
    fn goes_on(&mut self, end_probability: f64) -> bool;
}

/// How texts are drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct DrawingRules {
    /// 1 draws from the network's own distribution, less prefers likely tokens, 0 takes the likeliest.
    pub temperature: f64,
    /// Only the likeliest tokens that together have this probability.
    pub top_p: f64,
    /// Taken off a token's logit for each time the text has used it.
    pub weariness: f64,
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

/// Draws a text of `rows` sentences at a time. After each token `go_on` learns how many the text has and says whether to go
/// on; a dropped story is `None`.
///
/// # Errors
/// When the network's answers are not numbers, or the judge cannot judge.
pub fn draw(
    network: &mut dyn NextToken,
    rows: usize,
    rules: &DrawingRules,
    (judge, go_on): (&mut dyn Judge, &mut dyn FnMut(usize) -> bool),
) -> Result<Option<Drawn>> {
    let _no_grad = tch::no_grad_guard();
    let mut round = Round::begin(network.first(), rows, rules);
    let mut text = Drawn::default();
    loop {
        let Some(sentences) = round.sentences(network, text.tokens.len(), (&*judge, go_on))? else {
            return Ok(None);
        };
        let Some(chosen) = judge.choose(&sentences)? else {
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
        round.go_on_from(network, chosen);
        if !judge.goes_on(round.end_probability()) {
            text.ending = Ending::OfText;
            break;
        }
    }
    Ok(Some(text))
}

/// All rows from one sentence's end to the next.
struct Round<'a> {
    rules: &'a DrawingRules,
    texts: Vec<Row>,
    logits: Tensor,
    /// How often each row used each token (R, V).
    used: Tensor,
    /// Tokens of this round that the network has read.
    read: usize,
}

impl<'a> Round<'a> {
    fn begin(logits: Tensor, rows: usize, rules: &'a DrawingRules) -> Self {
        Self {
            texts: (0..rows).map(|row| Row::new(rules.seed, row)).collect(),
            used: Tensor::zeros_like(&logits),
            logits,
            rules,
            read: 0,
        }
    }

    /// Draws until most rows have a sentence; `before`: tokens of the text so far.
    fn sentences(
        &mut self,
        network: &mut dyn NextToken,
        before: usize,
        (judge, go_on): (&dyn Judge, &mut dyn FnMut(usize) -> bool),
    ) -> Result<Option<Vec<Drawn>>> {
        let rows = self.texts.len();
        // the last quarter would cost as many steps as all others
        let enough = rows - rows / 4;
        let longest = (self.rules.at_most - before).min(self.rules.sentence);
        for step in 1..=longest {
            let tokens = choose(&self.logits, &self.used, &mut self.texts, self.rules)?;
            for text in &mut self.texts {
                if text.drawn.ending == Ending::Open && judge.closes(&text.drawn.tokens) {
                    text.drawn.ending = Ending::Closed;
                }
            }
            if !go_on(before + step) {
                return Ok(None);
            }
            let open = self
                .texts
                .iter()
                .filter(|text| text.drawn.ending == Ending::Open);
            if rows - open.count() >= enough || step == longest {
                break;
            }
            count(&mut self.used, &tokens);
            self.logits = network.after(&tokens);
            self.read += 1;
        }
        Ok(Some(
            self.texts.iter().map(|text| text.drawn.clone()).collect(),
        ))
    }

    /// Every row goes on from the sentence of one.
    fn go_on_from(&mut self, network: &mut dyn NextToken, row: usize) {
        let chosen = &self.texts[row];
        let tokens = &chosen.drawn.tokens;
        let last = tokens[tokens.len() - 1];
        // up to the token before its last, which all rows read together
        network.keep(row, self.read + 1 - tokens.len());
        let uses: Vec<i64> = chosen.all.iter().map(|&token| token as i64).collect();
        let (all, followed) = (chosen.all.clone(), chosen.followed.clone());
        for text in &mut self.texts {
            (text.all, text.followed) = (all.clone(), followed.clone());
            text.drawn = Drawn::default();
        }
        let rows = self.texts.len();
        self.logits = network.after(&vec![last; rows]);
        let uses = Tensor::from_slice(&uses).to_device(self.used.device());
        let counts = uses.bincount::<&Tensor>(None, self.used.size()[1]);
        let counts = counts.to_kind(self.used.kind());
        self.used = counts.unsqueeze(0).repeat([rows as i64, 1]);
        self.read = 0;
    }

    /// How likely the network ends the text now.
    fn end_probability(&self) -> f64 {
        let ends: Vec<i64> = self.rules.ends.iter().map(|&end| end as i64).collect();
        if ends.is_empty() {
            return 0.0;
        }
        let ends = Tensor::from_slice(&ends).to_device(self.logits.device());
        let shares = self.logits.get(0).softmax(0, Kind::Float);
        shares
            .index_select(0, &ends)
            .sum(Kind::Float)
            .double_value(&[])
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

/// Takes the next token of every text; a row whose sentence is done draws on, and nobody looks at it.
fn choose(
    logits: &Tensor,
    used: &Tensor,
    texts: &mut [Row],
    rules: &DrawingRules,
) -> Result<Vec<usize>> {
    let shifted = logits - used * rules.weariness;
    for (row, text) in texts.iter().enumerate() {
        let early: &[usize] = if text.all.len() < rules.at_least {
            &rules.ends
        } else {
            &[]
        };
        for &token in text.repeats(rules.no_repeat).iter().chain(early) {
            let _ = shifted.get(row as i64).get(token as i64).fill_(NEVER);
        }
    }
    let look = LIKELIEST.min(logits.size()[1]);
    let (values, places) = shifted.topk(look, 1, true, true);
    // the probability that counts is the network's own, whatever the rules made of it
    let plain = logits.gather(1, &places, false) - logits.logsumexp([1i64].as_slice(), true);
    let (values, places, plain) = (rows_of(&values)?, ids_of(&places)?, rows_of(&plain)?);
    let mut tokens = Vec::with_capacity(texts.len());
    for (row, text) in texts.iter_mut().enumerate() {
        let range = row * look as usize..(row + 1) * look as usize;
        let (values, places) = (&values[range.clone()], &places[range.clone()]);
        let pick = pick(values, rules, &mut text.rng)?;
        let token = places[pick] as usize;
        if text.drawn.ending != Ending::Open {
            // its row goes on for the shape's sake
        } else if rules.ends.contains(&token) {
            text.drawn.ending = Ending::OfText;
        } else {
            text.drawn.log_probability += f64::from(plain[range][pick]);
            text.add(token, rules.no_repeat);
        }
        tokens.push(token);
    }
    Ok(tokens)
}

/// The place of the drawn one among logits in falling order.
fn pick(values: &[f32], rules: &DrawingRules, rng: &mut ChaCha8Rng) -> Result<usize> {
    let first = f64::from(*values.first().unwrap_or(&f32::NAN));
    if !first.is_finite() {
        return Err(Error::format(
            "the language model",
            "its answer is not a number: its weights may be damaged",
        ));
    }
    // drawn in any case, so that a row's luck does not depend on the temperature
    let luck: f64 = rng.random();
    if rules.temperature <= 0.0 {
        return Ok(0);
    }
    let weigh = |&value: &f32| ((f64::from(value) - first) / rules.temperature).exp();
    let total: f64 = values.iter().map(weigh).sum();
    let (mut nucleus, mut sum) = (Vec::new(), 0.0);
    for weight in values.iter().map(weigh) {
        if sum >= rules.top_p * total {
            break;
        }
        sum += weight;
        nucleus.push(sum);
    }
    let drawn = nucleus.iter().position(|&upper| luck * sum < upper);
    Ok(drawn.unwrap_or(nucleus.len().saturating_sub(1)))
}

/// Adds one use of each row's token.
fn count(used: &mut Tensor, tokens: &[usize]) {
    let ids: Vec<i64> = tokens.iter().map(|&token| token as i64).collect();
    let ids = Tensor::from_slice(&ids)
        .unsqueeze(1)
        .to_device(used.device());
    let one = Tensor::ones_like(&ids).to_kind(used.kind());
    let _ = used.scatter_add_(1, &ids, &one);
}

fn rows_of(tensor: &Tensor) -> Result<Vec<f32>> {
    let flat = tensor
        .to_device(Device::Cpu)
        .to_kind(Kind::Float)
        .reshape(-1);
    Vec::try_from(flat).map_err(|error| {
        Error::format(
            "the language model",
            format!("its answer is unusable: {error}"),
        )
    })
}

fn ids_of(tensor: &Tensor) -> Result<Vec<i64>> {
    let flat = tensor.to_device(Device::Cpu).reshape(-1);
    Vec::try_from(flat).map_err(|error| {
        Error::format(
            "the language model",
            format!("its answer is unusable: {error}"),
        )
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
