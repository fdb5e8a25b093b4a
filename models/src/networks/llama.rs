//! A language model of the llama family (Touvron et al. 2023): the decoder that writes from a thought.
//!
//! Each block: RMSNorm (Zhang & Sennrich 2019), grouped-query attention (Ainslie et al. 2023) with rotary positions (Su et
//! al. 2021), RMSNorm, SwiGLU (Shazeer 2020), both added to the residual stream. Embedding and output may share one matrix.
//! Sizes come from the weights' own file, so SmolLM2, Qwen-like and Llama models of any size fit. Residuals of small models
//! reach 3·10⁴: compute in 32-bit floats or bfloat16, never in float16.

mod branches;
mod cache;
mod kept;
mod loading;
mod slots;

use crate::error::{Error, Result};
use crate::networks::projection::{Adapter, Projection};
use crate::tensors::weights::Weights;
pub use branches::Branches;
pub use cache::Cache;
pub use loading::Adapted;
pub use slots::{Feed, Slots};
use tch::{Device, Kind, Tensor};

/// The sizes of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Numbers of a token's embedding.
    pub width: i64,
    /// Blocks.
    pub layers: usize,
    /// Heads that ask.
    pub heads: i64,
    /// Heads that answer, each for `heads / kv_heads` that ask.
    pub kv_heads: i64,
    /// Numbers of a head.
    pub head: i64,
    /// Numbers between the two halves of a feed-forward part.
    pub feed_forward: i64,
    /// Tokens.
    pub vocabulary: i64,
    /// The longest sequence it was trained on.
    pub context: i64,
    /// Added to the mean square before its root.
    pub norm_eps: f64,
    /// The base of the rotary angles.
    pub rope_base: f64,
}

/// One layer.
#[derive(Debug)]
struct Block {
    attention_norm: Tensor,
    qkv: Projection,
    o: Projection,
    feed_forward_norm: Tensor,
    gate_up: Projection,
    down: Projection,
}

/// The whole network.
#[derive(Debug)]
pub struct Llama {
    config: Config,
    embedding: Tensor,
    blocks: Vec<Block>,
    norm: Tensor,
    /// The output matrix where it is not the embedding.
    output: Option<Tensor>,
    cos: Tensor,
    sin: Tensor,
}

/// The layers that an adapter changes, by name.
pub const ADAPTED: [&str; 4] = ["qkv", "o", "gate_up", "down"];

impl Llama {
    /// The sizes.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Where it computes.
    pub fn device(&self) -> Device {
        self.embedding.device()
    }

    /// What it computes in.
    pub fn kind(&self) -> Kind {
        self.embedding.kind()
    }

    /// The names and extents (out, in) of all layers that can be adapted: `blocks.0.qkv` and so on.
    pub fn adaptable(&self) -> Vec<(String, [i64; 2])> {
        let named = |(index, block): (usize, &Block)| block.adaptable(index);
        self.blocks.iter().enumerate().flat_map(named).collect()
    }

    /// Adds an adapter file's matrices to the weights for good.
    ///
    /// # Errors
    /// When a matrix is missing or does not fit.
    pub fn merge(&mut self, weights: &Weights, scale: f64) -> Result<()> {
        let _no_grad = tch::no_grad_guard();
        let blocks = self.blocks.iter_mut().enumerate();
        for (index, block) in blocks {
            block.merge(index, weights, scale)?;
        }
        Ok(())
    }

    /// Puts an adapter beside each layer that can have one; `make` is asked for each by name.
    ///
    /// # Errors
    /// What `make` answers.
    pub fn adapt(&mut self, mut make: impl FnMut(&str, [i64; 2]) -> Result<Adapter>) -> Result<()> {
        for (name, extents) in self.adaptable() {
            let adapter = make(&name, extents)?;
            self.layer_mut(&name)?.adapt(adapter);
        }
        Ok(())
    }

    /// Packs all matrices of the blocks for telling, where the device can; a model that learns stays as it is.
    pub fn pack(&mut self) {
        Projection::pack(self.blocks.iter_mut().flat_map(Block::parts_mut));
    }

    fn layer_mut(&mut self, name: &str) -> Result<&mut Projection> {
        let found = name.strip_prefix("blocks.").and_then(|rest| {
            let (index, part) = rest.split_once('.')?;
            let block = self.blocks.get_mut(index.parse::<usize>().ok()?)?;
            let place = ADAPTED.iter().position(|&name| name == part)?;
            block.parts_mut().into_iter().nth(place)
        });
        found.ok_or_else(|| Error::format(name, "it is no layer of this network"))
    }

    /// Token ids (…) → embeddings (…, width).
    pub fn embed(&self, ids: &Tensor) -> Tensor {
        Tensor::embedding(&self.embedding, ids, -1, false, false)
    }

    /// Embeddings (B, T, width) of whole sequences → normed hidden states (B, T, width). Each position sees itself and those
    /// before; rows may be padded at the end, since nothing looks ahead.
    pub fn forward(&self, embeddings: &Tensor) -> Tensor {
        self.run(embeddings, None)
    }

    /// As [`Llama::forward`], for positions that follow those in `cache`, which grows by them.
    ///
    /// # Panics
    /// When the cache has no room left for them.
    pub fn extend(&self, embeddings: &Tensor, cache: &mut Cache) -> Tensor {
        let _no_grad = tch::no_grad_guard();
        self.run(embeddings, Some(cache))
    }

    /// Hidden states (…, width) → logits (…, vocabulary), 32-bit floats.
    pub fn logits(&self, hidden: &Tensor) -> Tensor {
        let output = self.output.as_ref().unwrap_or(&self.embedding);
        hidden.linear::<&Tensor>(output, None).to_kind(Kind::Float)
    }

    /// The rows of the output matrix for some tokens (V′): (V′, width). A product with them gives their logits alone.
    pub fn output_rows(&self, ids: &Tensor) -> Tensor {
        self.output
            .as_ref()
            .unwrap_or(&self.embedding)
            .index_select(0, ids)
    }

    /// An empty cache for `rows` sequences of up to `room` tokens.
    pub fn cache(&self, rows: i64, room: i64) -> Cache {
        let shape = [rows, self.config.kv_heads, room, self.config.head];
        Cache::new(self.blocks.len(), shape, (self.kind(), self.device()))
    }

    fn run(&self, embeddings: &Tensor, mut cache: Option<&mut Cache>) -> Tensor {
        let mut x = embeddings.to_kind(self.kind());
        let (start, length) = (
            cache.as_ref().map_or(0, |cache| cache.length()),
            x.size()[1],
        );
        let place = Place {
            cos: self.cos.narrow(0, start, length),
            sin: self.sin.narrow(0, start, length),
            bias: unseen(start, length, (self.kind(), self.device())),
        };
        for (index, block) in self.blocks.iter().enumerate() {
            let held = cache.as_deref_mut();
            let held = held.map(|cache| (cache as &mut dyn Held, index));
            x = block.forward(&self.config, &x, &place, held);
        }
        if let Some(cache) = cache {
            cache.grow(length);
        }
        rms_norm(&x, &self.norm, self.config.norm_eps)
    }
}

/// Keys and values that are held of earlier tokens.
trait Held {
    /// Fills in those of a layer's new tokens (rows, kv_heads, T, head) and gives all there are, as views.
    fn with(&mut self, layer: usize, keys: &Tensor, values: &Tensor) -> (Tensor, Tensor);
}

/// Where the tokens of a pass stand; for each row the same, or each row's own in the first axis of four.
struct Place {
    /// (T, head): the angles' cosines, twice.
    cos: Tensor,
    /// (T, head): their sines, for the first half of a head the other way round.
    sin: Tensor,
    /// Added to scores (T, S): a large negative number where a key comes later. `None` for one token, which sees all.
    bias: Option<Tensor>,
}

/// What hides later keys from `length` tokens after `start` others.
fn unseen(start: i64, length: i64, options: (Kind, Device)) -> Option<Tensor> {
    (length > 1).then(|| Tensor::full([length, start + length], -1e4, options).triu(start + 1))
}

impl Block {
    /// The layers that an adapter changes, in the order of [`ADAPTED`].
    fn parts_mut(&mut self) -> [&mut Projection; 4] {
        [
            &mut self.qkv,
            &mut self.o,
            &mut self.gate_up,
            &mut self.down,
        ]
    }

    /// The same, to look at.
    fn parts(&self) -> [&Projection; 4] {
        [&self.qkv, &self.o, &self.gate_up, &self.down]
    }

    /// What the norms multiply with, attention's first.
    fn norms(&self) -> [&Tensor; 2] {
        [&self.attention_norm, &self.feed_forward_norm]
    }

    /// Their names and extents (out, in), given which block this is.
    fn adaptable(&self, index: usize) -> [(String, [i64; 2]); 4] {
        let parts = self.parts();
        std::array::from_fn(|at| {
            let name = format!("blocks.{index}.{}", ADAPTED[at]);
            (name, parts[at].extents())
        })
    }

    /// Adds an adapter file's matrices to the weights for good.
    fn merge(&mut self, index: usize, weights: &Weights, scale: f64) -> Result<()> {
        let named = self.adaptable(index);
        for (part, (name, extents)) in self.parts_mut().into_iter().zip(named) {
            part.merge(Adapter::load(weights, &name, extents, scale)?);
        }
        Ok(())
    }

    /// (B, T, width) → (B, T, width).
    fn forward(
        &self,
        config: &Config,
        x: &Tensor,
        place: &Place,
        held: Option<(&mut dyn Held, usize)>,
    ) -> Tensor {
        let normed = rms_norm(x, &self.attention_norm, config.norm_eps);
        let x = x + self
            .o
            .forward(&attend(config, &self.qkv.forward(&normed), place, held));
        let normed = rms_norm(&x, &self.feed_forward_norm, config.norm_eps);
        let halves = self.gate_up.forward(&normed).chunk(2, -1);
        &x + self.down.forward(&(halves[0].silu() * &halves[1]))
    }
}

/// Fused queries, keys and values (B, T, (heads + 2·kv_heads)·head) → what the heads found (B, T, heads·head).
fn attend(
    config: &Config,
    qkv: &Tensor,
    place: &Place,
    held: Option<(&mut dyn Held, usize)>,
) -> Tensor {
    let (rows, length) = (qkv.size()[0], qkv.size()[1]);
    let (heads, kv, head) = (config.heads, config.kv_heads, config.head);
    let by_head = qkv
        .view([rows, length, heads + 2 * kv, head])
        .transpose(1, 2);
    // all heads of one position turn by the same angles
    let parts = by_head.split_with_sizes([heads + kv, kv], 1);
    let turned = rotate(&parts[0], place).split_with_sizes([heads, kv], 1);
    let (q, mut k, mut v) = (
        &turned[0],
        turned[1].shallow_clone(),
        parts[1].shallow_clone(),
    );
    if let Some((held, layer)) = held {
        (k, v) = held.with(layer, &k, &v);
    }
    // the queries of one group stand below each other, so that keys and values need no copy for each
    let group = heads / kv;
    let q = q.reshape([rows, kv, group * length, head]);
    let bias = place.bias.as_ref().map(|bias| match length {
        1 => bias.shallow_clone(),
        _ => bias.repeat([group, 1]),
    });
    let found = Tensor::scaled_dot_product_attention(
        &q,
        &k,
        &v,
        bias.as_ref(),
        0.0,
        false,
        (head as f64).powf(-0.5),
        false,
    );
    found
        .reshape([rows, heads, length, head])
        .transpose(1, 2)
        .reshape([rows, length, heads * head])
}

/// Turns the pairs (j, j + head/2) of each head by the angle of their position.
fn rotate(x: &Tensor, place: &Place) -> Tensor {
    let half = x.size()[3] / 2;
    // halves swapped: rolled by one of them
    (x * &place.cos).addcmul(&x.roll([half], [3]), &place.sin)
}

/// x / √(mean x² + eps) · gain over the last axis; the mean is taken in 32-bit floats.
fn rms_norm(x: &Tensor, gain: &Tensor, eps: f64) -> Tensor {
    let normed = x
        .to_kind(Kind::Float)
        .rms_norm(gain.size(), Some(gain), eps);
    normed.to_kind(x.kind())
}
