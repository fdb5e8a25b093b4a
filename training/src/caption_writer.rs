//! Writes captions with a language model that was taught to: from a few words, what somebody would say of a picture of them.
//!
//! `storyteller train invent-captions --writer` fills a gallery with it. Rows whose requests have as many tokens are written
//! side by side; a token is drawn from those at least a fiftieth as likely as the likeliest, a little sharper than the model
//! has them. It judges captions, too, its own and others': by what their words gain from standing together, so that a rare
//! word costs nothing and a clumsy turn does (the log-odds of Pauls & Klein 2012, which Lau et al. 2017 found to go with what
//! people accept as English).

use std::collections::BTreeMap;

use tch::{Device, Kind, Tensor, no_grad};

use crate::low_rank::{Output, SCALE, behind};
use models::networks::llama::Llama;
use models::text::pieces::Pieces;
use models::{Error, Result, Weights};

/// Ends a caption.
pub const END: &str = "\n";
/// Captions written side by side, at most.
const ROWS: usize = 128;
/// Tokens of a caption, at most.
const LONGEST: i64 = 26;
/// Below one: likelier than the model has it.
const TEMPERATURE: f64 = 0.85;
/// Tokens less likely than this share of the likeliest are not drawn.
const LEAST: f64 = 0.02;

/// What a caption is asked for by.
pub fn asked<T: AsRef<str>>(words: &[T]) -> String {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    format!("{}:", words.join(", "))
}

/// The tokens of captions that people wrote, in rising order, and how often each stands there.
#[derive(Clone, Debug, Default)]
pub struct Tokens(BTreeMap<i64, u32>);

impl Tokens {
    /// Counts tokens.
    pub fn count(all: impl Iterator<Item = i64>) -> Self {
        let mut tokens = Self::default();
        for token in all {
            *tokens.0.entry(token).or_default() += 1;
        }
        tokens
    }

    /// Each of them once.
    pub fn ids(&self) -> Vec<i64> {
        self.0.keys().copied().collect()
    }

    /// The logarithm of each one's share (V′).
    fn shares(&self) -> Tensor {
        let counts: Vec<f32> = self.0.values().map(|&count| count as f32).collect();
        let counts = Tensor::from_slice(&counts);
        (&counts / counts.sum(Kind::Float)).log()
    }
}

/// The language model with what it learnt of captions.
#[derive(Debug)]
pub struct CaptionWriter {
    llama: Llama,
    pieces: Pieces,
    output: Output,
    /// Tokens that may be written, in the order of the logits.
    allowed: Tensor,
    /// What each of them costs by itself (V′).
    alone: Tensor,
    end: i64,
}

impl CaptionWriter {
    /// `llama` with the matrices of `trained`, which may write `tokens`.
    ///
    /// # Errors
    /// When the matrices do not fit, or the tokenizer has no token for the end of a line.
    pub fn new(
        mut llama: Llama,
        pieces: Pieces,
        trained: &Weights,
        tokens: &Tokens,
    ) -> Result<Self> {
        llama.merge(trained, SCALE)?;
        // not packed: that is for products of a few rows, here there are a thousand
        let output = Output::of(&llama, &tokens.ids());
        let end = match pieces.encode(END)?[..] {
            [end] => end,
            _ => {
                let reason = "its tokenizer has no token for the end of a line";
                return Err(Error::format("the language model", reason));
            }
        };
        Ok(Self {
            allowed: Tensor::from_slice(&tokens.ids()),
            alone: -tokens.shares().to_device(llama.device()),
            llama,
            pieces,
            output,
            end,
        })
    }

    /// Writes a caption for each request, in their order; none where it found no end. The draws come from libtorch's
    /// generator: seed it for the same captions.
    ///
    /// # Errors
    /// When a request has no tokens.
    pub fn write(&self, requests: &[Vec<String>]) -> Result<Vec<Option<String>>> {
        let mut by_length: BTreeMap<usize, Vec<(usize, Vec<i64>)>> = BTreeMap::new();
        for (place, words) in requests.iter().enumerate() {
            let ids = self.pieces.encode_plain(&asked(words))?;
            by_length.entry(ids.len()).or_default().push((place, ids));
        }
        let mut written = vec![None; requests.len()];
        for rows in by_length.values().flat_map(|rows| rows.chunks(ROWS)) {
            let ids: Vec<i64> = rows.iter().flat_map(|(_, ids)| ids.clone()).collect();
            let ids = Tensor::from_slice(&ids).view([rows.len() as i64, -1]);
            for ((place, _), found) in rows.iter().zip(self.side_by_side(&ids)) {
                let text = found.and_then(|tokens| self.pieces.decode(&tokens).ok());
                written[*place] = text.map(|text| text.trim().to_owned());
            }
        }
        Ok(written)
    }

    /// What the words of each caption gain from standing together, nats a token: more makes more sense.
    ///
    /// # Errors
    /// When a caption has no tokens.
    pub fn sense(&self, captions: &[String]) -> Result<Vec<f64>> {
        let before = self.pieces.encode_plain(&asked::<&str>(&[]))?;
        let ids = |caption: &String| self.pieces.encode_plain(&format!(" {caption}{END}"));
        let ids: Vec<Vec<i64>> = captions.iter().map(ids).collect::<Result<_>>()?;
        let mut order: Vec<usize> = (0..ids.len()).collect();
        order.sort_by_key(|&place| ids[place].len());
        let mut sense = vec![0.0; ids.len()];
        for part in order.chunks(ROWS) {
            let rows: Vec<(Vec<i64>, &[i64])> = part
                .iter()
                .map(|&place| (before.clone(), ids[place].as_slice()))
                .collect();
            let gains = no_grad(|| self.gains(&rows));
            for (&place, gain) in part.iter().zip(gains) {
                sense[place] = gain;
            }
        }
        Ok(sense)
    }

    /// The mean gain of each row's own tokens; one that nobody wrote gains nothing.
    fn gains(&self, rows: &[(Vec<i64>, &[i64])]) -> Vec<f64> {
        let (shown, targets) = behind(rows, self.llama.device());
        let hidden = self.llama.forward(&self.llama.embed(&shown));
        let places = self.output.places(&targets);
        let real = places.ge(0);
        let logs = self.output.logits(&hidden).log_softmax(-1, Kind::Float);
        let places = places.clamp_min(0);
        let logs = logs
            .gather(-1, &places.unsqueeze(-1), false)
            .squeeze_dim(-1);
        let gains = (logs + self.alone.take(&places)) * real.to_kind(Kind::Float);
        let counts = targets.ge(0).sum_dim_intlist(1i64, false, Kind::Float);
        let means = gains.sum_dim_intlist(1i64, false, Kind::Float) / counts;
        (0..rows.len() as i64)
            .map(|row| means.double_value(&[row]))
            .collect()
    }

    /// What is drawn after the rows of `ids` (B, T): tokens without the end; none without an end.
    fn side_by_side(&self, ids: &Tensor) -> Vec<Option<Vec<i64>>> {
        let _no_grad = tch::no_grad_guard();
        let device = self.llama.device();
        let (rows, length) = (ids.size()[0], ids.size()[1]);
        let mut cache = self.llama.cache(rows, length + LONGEST);
        let mut shown = ids.to_device(device);
        let mut going: Vec<usize> = (0..rows as usize).collect();
        let mut drafts = vec![Vec::new(); rows as usize];
        let mut done = vec![None; rows as usize];
        for _ in 0..LONGEST {
            let hidden = self.llama.extend(&self.llama.embed(&shown), &mut cache);
            let last = hidden.select(1, hidden.size()[1] - 1);
            let tokens = self.draw(&last);
            let mut stay = Vec::new();
            for (row, &token) in tokens.iter().enumerate() {
                let draft: &mut Vec<i64> = &mut drafts[going[row]];
                if token == self.end {
                    done[going[row]] = Some(std::mem::take(draft));
                } else {
                    draft.push(token);
                    stay.push(row);
                }
            }
            if stay.is_empty() {
                break;
            }
            if stay.len() < going.len() {
                let kept: Vec<i64> = stay.iter().map(|&row| row as i64).collect();
                cache.retain(&Tensor::from_slice(&kept).to_device(device));
            }
            let next: Vec<i64> = stay.iter().map(|&row| tokens[row]).collect();
            going = stay.iter().map(|&row| going[row]).collect();
            shown = Tensor::from_slice(&next).unsqueeze(1).to_device(device);
        }
        done
    }

    /// Hidden states (B, width) → a token for each row.
    fn draw(&self, hidden: &Tensor) -> Vec<i64> {
        let logs = self.output.logits(hidden).log_softmax(-1, Kind::Float);
        let least = logs.amax([-1i64].as_slice(), true) + LEAST.ln();
        let sharp = (&logs / TEMPERATURE).masked_fill(&logs.less_tensor(&least), f64::NEG_INFINITY);
        let places = sharp.softmax(-1, Kind::Float).multinomial(1, false);
        let places = places.squeeze_dim(1).to_device(Device::Cpu);
        let tokens = self.allowed.index_select(0, &places);
        (0..tokens.size()[0])
            .map(|row| tokens.int64_value(&[row]))
            .collect()
    }
}
