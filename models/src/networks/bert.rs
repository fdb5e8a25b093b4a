//! A sentence encoder of the BERT family (Devlin et al. 2018; MiniLM: Wang et al. 2020): texts become thoughts.
//!
//! Word, position and segment embeddings, LayerNorm, then blocks of self-attention and a feed-forward part with exact GELU,
//! each added and normed. A sentence's vector is the mean over its tokens, to unit length (Reimers & Gurevych 2019). It
//! takes the place of skip-thoughts in bundles whose decoder is a language model. Texts are cut after [`LONGEST`] tokens.

use crate::error::{Error, Result};
use crate::tensors::weights::Weights;
use crate::text::pieces::Pieces;
use std::path::Path;
use tch::{Device, Kind, Tensor};

/// Tokens of a text, the first and last mark included: sentences are shorter, and training never saw longer ones.
pub const LONGEST: usize = 64;
/// Texts of similar length that go through together; a graphics card is not busy with fewer than many.
const BATCH: usize = 32;
const BATCH_ON_A_CARD: usize = 512;
/// Rounds a batch's length up, so that few shapes reach libtorch's cache of primitives.
const LENGTH_STEP: usize = 2;

/// The encoder with its word pieces.
#[derive(Debug)]
pub struct SentenceEncoder {
    pieces: Pieces,
    bert: Bert,
}

impl SentenceEncoder {
    /// Puts a network and its pieces together.
    pub fn new(pieces: Pieces, bert: Bert) -> Self {
        Self { pieces, bert }
    }

    /// Opens an encoder in a folder as its authors published it: `config.json`, `model.safetensors`, `tokenizer.json`.
    ///
    /// # Errors
    /// When a file is missing or is of another network.
    pub fn open(folder: &Path, device: Device) -> Result<Self> {
        let file = folder.join("config.json");
        let text =
            std::fs::read_to_string(&file).map_err(|error| Error::file("read", &file, error))?;
        let config: Config = serde_json::from_str(&text).map_err(|error| {
            Error::format(
                file.display().to_string(),
                format!("no configuration of BERT: {error}"),
            )
        })?;
        let weights = Weights::from_safetensors(&folder.join("model.safetensors"))?;
        let pieces = Pieces::from_json(&folder.join("tokenizer.json"))?;
        Ok(Self::new(pieces, Bert::load(&weights, &config, device)?))
    }

    /// How many numbers a thought has.
    pub fn size(&self) -> i64 {
        self.bert.width
    }

    /// Where it computes.
    pub fn device(&self) -> Device {
        self.bert.words.device()
    }

    /// Unit vectors (N, size) of texts, in their order; `progress` learns how many are done. Each text goes through beside
    /// others of its length, and what stands beside it changes its vector by rounding only.
    ///
    /// # Errors
    /// When a text cannot be cut into pieces.
    pub fn encode<T: AsRef<str>>(
        &self,
        texts: &[T],
        progress: &mut dyn FnMut(usize),
    ) -> Result<Tensor> {
        let _no_grad = tch::no_grad_guard();
        let cut = texts
            .iter()
            .map(|text| self.pieces.encode_sentence(text.as_ref(), LONGEST));
        let cut = cut.collect::<Result<Vec<_>>>()?;
        let mut order: Vec<usize> = (0..cut.len()).collect();
        order.sort_by_key(|&i| cut[i].len());
        let (mut found, mut done) = (Vec::new(), 0);
        let batch = if self.device().is_cuda() {
            BATCH_ON_A_CARD
        } else {
            BATCH
        };
        for some in order.chunks(batch) {
            let ids: Vec<&[i64]> = some.iter().map(|&i| cut[i].as_slice()).collect();
            found.push(self.bert.thoughts(&ids));
            done += some.len();
            progress(done);
        }
        if found.is_empty() {
            return Ok(Tensor::zeros(
                [0, self.size()],
                (Kind::Float, self.device()),
            ));
        }
        let mut place = vec![0i64; order.len()];
        for (row, &text) in order.iter().enumerate() {
            place[text] = row as i64;
        }
        let place = Tensor::from_slice(&place).to_device(self.device());
        Ok(Tensor::cat(&found, 0).index_select(0, &place))
    }

    /// As [`SentenceEncoder::encode`], each text alone: for the few whose vectors must not depend on their neighbours.
    ///
    /// # Errors
    /// When a text cannot be cut into pieces.
    pub fn encode_alone<T: AsRef<str>>(&self, texts: &[T]) -> Result<Tensor> {
        let _no_grad = tch::no_grad_guard();
        let mut rows = Vec::new();
        for text in texts {
            let ids = self.pieces.encode_sentence(text.as_ref(), LONGEST)?;
            rows.push(self.bert.thoughts(&[&ids]));
        }
        Ok(Tensor::cat(&rows, 0))
    }

    /// Text to word pieces.
    pub fn pieces(&self) -> &Pieces {
        &self.pieces
    }
}

/// The network.
#[derive(Debug)]
pub struct Bert {
    width: i64,
    heads: i64,
    words: Tensor,
    /// Positions plus the one segment that sentences have: (512, width).
    places: Tensor,
    norm: Norm,
    blocks: Vec<Block>,
}

#[derive(Debug)]
struct Block {
    qkv: Affine,
    out: Affine,
    attention_norm: Norm,
    inner: Affine,
    outer: Affine,
    norm: Norm,
}

#[derive(Debug)]
struct Affine {
    weight: Tensor,
    bias: Tensor,
}

#[derive(Debug)]
struct Norm {
    gain: Tensor,
    bias: Tensor,
    eps: f64,
}

/// What `config.json` says of a BERT network.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct Config {
    /// Numbers of a token.
    pub hidden_size: i64,
    /// Blocks.
    pub num_hidden_layers: usize,
    /// Heads of attention.
    pub num_attention_heads: i64,
    /// Numbers between the halves of a feed-forward part.
    pub intermediate_size: i64,
    /// Added to variances.
    pub layer_norm_eps: f64,
}

impl Bert {
    /// From the arrays of a published model, with or without the prefix `bert.`.
    ///
    /// # Errors
    /// When an array is missing or has another shape.
    pub fn load(weights: &Weights, config: &Config, device: Device) -> Result<Self> {
        let _no_grad = tch::no_grad_guard();
        let (width, heads, eps) = (
            config.hidden_size,
            config.num_attention_heads,
            config.layer_norm_eps,
        );
        if heads < 1 || width % heads != 0 {
            let reason = format!("{width} numbers cannot be shared by {heads} heads");
            return Err(Error::format(weights.label(), reason));
        }
        let part = Part { weights, device };
        let embedding = |name: &str| {
            part.take(
                &format!("embeddings.{name}_embeddings.weight"),
                &[-1, width],
            )
        };
        let places = embedding("position")? + embedding("token_type")?.narrow(0, 0, 1);
        let blocks = (0..config.num_hidden_layers)
            .map(|i| Block::load(&part, &format!("encoder.layer.{i}"), config));
        Ok(Self {
            width,
            heads,
            words: embedding("word")?,
            places,
            norm: part.norm("embeddings.LayerNorm", width, eps)?,
            blocks: blocks.collect::<Result<_>>()?,
        })
    }

    /// Token ids of N sentences, none empty → unit vectors (N, width).
    fn thoughts(&self, ids: &[&[i64]]) -> Tensor {
        let longest = ids.iter().map(|ids| ids.len()).max().unwrap_or(0);
        let length = longest.next_multiple_of(LENGTH_STEP);
        let mut padded = Vec::with_capacity(ids.len() * length);
        let mut real = Vec::with_capacity(ids.len() * length);
        for ids in ids {
            padded.extend(
                ids.iter()
                    .copied()
                    .chain(std::iter::repeat_n(0, length - ids.len())),
            );
            real.extend((0..length).map(|place| f32::from(u8::from(place < ids.len()))));
        }
        let shape = [ids.len() as i64, length as i64];
        let device = self.words.device();
        let ids = Tensor::from_slice(&padded).view(shape).to_device(device);
        let real = Tensor::from_slice(&real).view(shape).to_device(device);
        let hidden = self.forward(&ids, &real);
        let real = real.unsqueeze(2);
        let mean = (hidden * &real).sum_dim_intlist(1i64, false, Kind::Float)
            / real.sum_dim_intlist(1i64, false, Kind::Float);
        let norm = mean
            .square()
            .sum_dim_intlist(1i64, true, Kind::Float)
            .sqrt();
        mean / norm.clamp_min(1e-12)
    }

    /// Ids (N, T) and which of them are real (N, T; 0 or 1) → hidden states (N, T, width).
    fn forward(&self, ids: &Tensor, real: &Tensor) -> Tensor {
        let words = Tensor::embedding(&self.words, ids, -1, false, false);
        let mut x = self
            .norm
            .forward(&(words + self.places.narrow(0, 0, ids.size()[1])));
        let bias = ((real - 1.0) * 1e9).unsqueeze(1).unsqueeze(1);
        for block in &self.blocks {
            x = block.forward(&x, &bias, self.heads);
        }
        x
    }
}

impl Block {
    fn load(part: &Part, name: &str, config: &Config) -> Result<Self> {
        let (width, inner, eps) = (
            config.hidden_size,
            config.intermediate_size,
            config.layer_norm_eps,
        );
        let attention =
            |which: &str| part.affine(&format!("{name}.attention.self.{which}"), [width, width]);
        let three = [attention("query")?, attention("key")?, attention("value")?];
        Ok(Self {
            qkv: Affine {
                weight: Tensor::cat(&three.each_ref().map(|one| &one.weight), 0),
                bias: Tensor::cat(&three.each_ref().map(|one| &one.bias), 0),
            },
            out: part.affine(&format!("{name}.attention.output.dense"), [width, width])?,
            attention_norm: part.norm(&format!("{name}.attention.output.LayerNorm"), width, eps)?,
            inner: part.affine(&format!("{name}.intermediate.dense"), [inner, width])?,
            outer: part.affine(&format!("{name}.output.dense"), [width, inner])?,
            norm: part.norm(&format!("{name}.output.LayerNorm"), width, eps)?,
        })
    }

    fn forward(&self, x: &Tensor, bias: &Tensor, heads: i64) -> Tensor {
        let (rows, length, width) = x.size3().unwrap_or_default();
        let head = width / heads;
        let parts = self
            .qkv
            .forward(x)
            .view([rows, length, 3, heads, head])
            .permute([2, 0, 3, 1, 4]);
        let (q, k, v) = (parts.get(0), parts.get(1), parts.get(2));
        let scores = q.matmul(&k.transpose(2, 3)) * (head as f64).powf(-0.5) + bias;
        let found = scores.softmax(-1, Kind::Float).matmul(&v);
        let found = found.transpose(1, 2).reshape([rows, length, width]);
        let x = self.attention_norm.forward(&(x + self.out.forward(&found)));
        let inner = self.inner.forward(&x).gelu("none");
        self.norm.forward(&(&x + self.outer.forward(&inner)))
    }
}

impl Affine {
    fn forward(&self, x: &Tensor) -> Tensor {
        x.linear(&self.weight, Some(&self.bias))
    }
}

impl Norm {
    fn forward(&self, x: &Tensor) -> Tensor {
        let width = self.gain.size();
        x.layer_norm(
            width.as_slice(),
            Some(&self.gain),
            Some(&self.bias),
            self.eps,
            false,
        )
    }
}

/// Where the arrays of a network come from, and where they go.
struct Part<'a> {
    weights: &'a Weights,
    device: Device,
}

impl Part<'_> {
    fn take(&self, name: &str, shape: &[i64]) -> Result<Tensor> {
        let prefixed = format!("bert.{name}");
        let name = if self.weights.contains(&prefixed) {
            &prefixed
        } else {
            name
        };
        Ok(self.weights.tensor(name, shape)?.to_device(self.device))
    }

    fn affine(&self, name: &str, [out, inner]: [i64; 2]) -> Result<Affine> {
        Ok(Affine {
            weight: self.take(&format!("{name}.weight"), &[out, inner])?,
            bias: self.take(&format!("{name}.bias"), &[out])?,
        })
    }

    fn norm(&self, name: &str, width: i64, eps: f64) -> Result<Norm> {
        Ok(Norm {
            gain: self.take(&format!("{name}.weight"), &[width])?,
            bias: self.take(&format!("{name}.bias"), &[width])?,
            eps,
        })
    }
}
