//! Draws several texts at once, token by token, from a network that gives logits over tokens.
//!
//! The rows of one story go through together and always in the same number, so that a text never depends on the company of
//! its story. Arithmetic over the vocabulary stays on the device; only the few likeliest tokens come to the host, where a
//! seeded generator for each row chooses (nucleus sampling, Holtzman et al. 2020). This file names no network.

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
    /// Tokens that end a text.
    pub ends: Vec<usize>,
    /// Each seed draws other texts.
    pub seed: u64,
}

/// A text that was drawn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Drawn {
    /// Its tokens, without the end.
    pub tokens: Vec<usize>,
    /// The sum of their log probabilities as the network gave them, before any rule.
    pub log_probability: f64,
    /// Whether it came to an end by itself.
    pub ended: bool,
}

impl Drawn {
    /// The mean log probability of a token, nats; an empty text has none to speak of.
    pub fn fluency(&self) -> f64 {
        self.log_probability / self.tokens.len().max(1) as f64
    }
}

/// Draws `rows` texts. After each token `go_on` learns how many there are and says whether to go on; a dropped story is
/// `None`.
///
/// # Errors
/// When the network's answers are not numbers.
pub fn draw(
    network: &mut dyn NextToken,
    rows: usize,
    rules: &DrawingRules,
    go_on: &mut dyn FnMut(usize) -> bool,
) -> Result<Option<Vec<Drawn>>> {
    let _no_grad = tch::no_grad_guard();
    let mut texts: Vec<Row> = (0..rows).map(|row| Row::new(rules.seed, row)).collect();
    let mut logits = network.first();
    let mut used = Tensor::zeros_like(&logits);
    for step in 0..rules.at_most {
        let tokens = choose(&logits, &used, &mut texts, rules)?;
        if !go_on(step + 1) {
            return Ok(None);
        }
        if texts.iter().all(|text| text.drawn.ended) || step + 1 == rules.at_most {
            break;
        }
        count(&mut used, &tokens);
        logits = network.after(&tokens);
    }
    Ok(Some(texts.into_iter().map(|text| text.drawn).collect()))
}

/// A text on its way.
struct Row {
    drawn: Drawn,
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
            rng,
            followed: HashMap::new(),
        }
    }

    /// The tokens that would repeat a run.
    fn repeats(&self, no_repeat: usize) -> &[usize] {
        let tokens = &self.drawn.tokens;
        if no_repeat < 2 || tokens.len() < no_repeat {
            return &[];
        }
        let last = &tokens[tokens.len() + 1 - no_repeat..];
        self.followed.get(last).map_or(&[], Vec::as_slice)
    }

    fn add(&mut self, token: usize, no_repeat: usize) {
        let tokens = &mut self.drawn.tokens;
        if no_repeat >= 2 && tokens.len() + 1 >= no_repeat {
            let run = tokens[tokens.len() + 1 - no_repeat..].to_vec();
            self.followed.entry(run).or_default().push(token);
        }
        tokens.push(token);
    }
}

/// Takes the next token of every text; a text that has ended gets its last token again, and nobody looks at it.
fn choose(
    logits: &Tensor,
    used: &Tensor,
    texts: &mut [Row],
    rules: &DrawingRules,
) -> Result<Vec<usize>> {
    let shifted = logits - used * rules.weariness;
    for (row, text) in texts.iter().enumerate() {
        let early: &[usize] = if text.drawn.tokens.len() < rules.at_least {
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
        if text.drawn.ended {
            // its row goes on for the shape's sake
        } else if rules.ends.contains(&token) {
            text.drawn.ended = true;
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
mod tests {
    use super::*;

    /// Likes the tokens of a fixed table by the token before.
    struct Table {
        logits: Tensor,
        rows: i64,
    }

    impl Table {
        fn random(vocabulary: i64, rows: i64) -> Self {
            tch::manual_seed(3);
            let logits = Tensor::randn([vocabulary, vocabulary], (Kind::Float, Device::Cpu)) * 3.0;
            Self { logits, rows }
        }
    }

    impl NextToken for Table {
        fn first(&mut self) -> Tensor {
            self.after(&vec![0; self.rows as usize])
        }
        fn after(&mut self, tokens: &[usize]) -> Tensor {
            let ids: Vec<i64> = tokens.iter().map(|&t| t as i64).collect();
            self.logits.index_select(0, &Tensor::from_slice(&ids))
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
            ends: vec![1],
            seed: 5,
        }
    }

    fn texts(rows: usize, rules: &DrawingRules) -> Vec<Drawn> {
        let mut table = Table::random(12, rows as i64);
        draw(&mut table, rows, rules, &mut |_| true)
            .unwrap()
            .unwrap()
    }

    #[test]
    fn no_run_comes_twice_and_no_text_ends_early_or_holds_its_end() {
        for text in texts(8, &rules()) {
            assert!(text.tokens.len() >= 10 && text.tokens.len() <= 40);
            assert!(!text.tokens.contains(&1));
            let runs: Vec<&[usize]> = text.tokens.windows(3).collect();
            let distinct: std::collections::HashSet<_> = runs.iter().collect();
            assert_eq!(runs.len(), distinct.len(), "{text:?}");
        }
    }

    #[test]
    fn a_row_draws_the_same_text_among_few_and_many_and_another_with_another_seed() {
        let (few, many) = (texts(2, &rules()), texts(6, &rules()));
        assert_eq!(few, many[..2]);
        let other = texts(2, &DrawingRules { seed: 6, ..rules() });
        assert_ne!(few, other);
    }

    #[test]
    fn the_log_probability_is_that_of_the_bare_network() {
        let strict = DrawingRules {
            temperature: 0.0,
            weariness: 5.0,
            ..rules()
        };
        let text = &texts(1, &strict)[0];
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
        let mut broken = Table {
            logits: Tensor::full([12, 12], f64::NAN, (Kind::Float, Device::Cpu)),
            rows: 1,
        };
        assert!(draw(&mut broken, 1, &rules(), &mut |_| true).is_err());
        let dropped = draw(&mut Table::random(12, 1), 1, &rules(), &mut |steps| {
            steps < 3
        })
        .unwrap();
        assert_eq!(dropped, None);
    }
}
