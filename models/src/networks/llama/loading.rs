//! Opens a model from the file it was published in: GGUF, or a folder with safetensors and `config.json`.
//!
//! Both name the same matrices differently. llama.cpp also stores the rows of queries and keys for rotary pairs that
//! stand side by side; ours, as the published models, pair row j with j + head/2, so that order is undone here.

use super::{Block, Config, Llama, kept};
use crate::error::{Error, Result};
use crate::networks::projection::Projection;
use crate::tensors::abreast::abreast;
use crate::tensors::device::shared::{OneThread, Shared};
use crate::tensors::gguf::Gguf;
use crate::tensors::weights::Weights;
use std::path::Path;
use tch::{Device, Kind, Tensor};

/// Where to put a model, and in which numbers.
type Placement = (Kind, Device);

/// What a model is adapted with for telling.
#[derive(Clone, Copy, Debug)]
pub struct Adapted<'a> {
    /// The adapter's matrices; none for a model as it was published.
    pub adapter: Option<&'a Weights>,
    /// What their product is multiplied with.
    pub scale: f64,
    /// The file that keeps what comes of it, named by all that it is made from.
    pub kept: Option<&'a Path>,
}

/// What is done with a layer as soon as it is there, before its thread reads the next one.
type Each<'a> = &'a (dyn Fn(usize, &mut Block) -> Result<()> + Sync);

/// How layers become what they are to be.
#[derive(Clone, Copy)]
struct Settle<'a> {
    each: Each<'a>,
    /// A file that may hold all of them as they became before.
    kept: Option<&'a Path>,
}

impl Llama {
    /// Opens a model from `path`: a GGUF file, or a folder with `config.json` and `model.safetensors`.
    ///
    /// # Errors
    /// When the file cannot be read, is of another family, or lacks a part.
    pub fn open(path: &Path, placement: Placement) -> Result<Self> {
        Self::open_settled(path, placement, PLAIN)
    }

    /// As [`Llama::open`], for telling: an adapter file's matrices are added to the weights for good, which are packed where
    /// the device can, layer by layer. So the memory of one layer's plain weights serves all. What came of it is kept, and read
    /// the next time.
    ///
    /// # Errors
    /// As well when a matrix of the adapter is missing or does not fit.
    pub fn open_for_telling(path: &Path, placement: Placement, adapted: Adapted) -> Result<Self> {
        let adapter = adapted.adapter.map(Shared::lend);
        let each: Each = &|index, block| {
            if let Some(adapter) = &adapter {
                block.merge(index, adapter.get(), adapted.scale)?;
            }
            block
                .parts_mut()
                .into_iter()
                .for_each(Projection::pack_alone);
            Ok(())
        };
        // nothing else is packed
        let kept = adapted.kept;
        let kept = kept.filter(|_| placement == (Kind::Float, Device::Cpu));
        let mut llama = Self::open_settled(path, placement, Settle { each, kept })?;
        if let Some(kept) = kept.filter(|kept| !kept.exists()) {
            kept::keep(&llama.blocks, kept);
        }
        llama.pack();
        Ok(llama)
    }

    fn open_settled(path: &Path, placement: Placement, settle: Settle) -> Result<Self> {
        let _no_grad = tch::no_grad_guard();
        if path.is_dir() {
            return from_folder(path, placement, settle);
        }
        let file = Gguf::open(path)?;
        let family = file.text("general.architecture")?;
        // others of the kin have biases, or norms in other places, and would be read without a word
        if family != "llama" {
            let reason = format!("it is a model of the family `{family}`; llama is read");
            return Err(Error::format(file.label(), reason));
        }
        let config = Config::from_gguf(&file, family)?;
        let heads = |name: &str| {
            if name.contains("attn_q") {
                config.heads
            } else {
                config.kv_heads
            }
        };
        let take = |name: &str, shape: &[i64]| -> Result<Tensor> {
            let array = file.tensor(name, shape)?;
            let interleaved = name.contains("attn_q.") || name.contains("attn_k.");
            Ok(if interleaved {
                half_split(&array, heads(name))
            } else {
                array
            })
        };
        let names = Names {
            embedding: "token_embd",
            norm: "output_norm",
            output: file.contains("output.weight").then_some("output"),
            layer: |index, part| format!("blk.{index}.{part}"),
            parts: [
                "attn_norm",
                "attn_q",
                "attn_k",
                "attn_v",
                "attn_output",
                "ffn_norm",
                "ffn_gate",
                "ffn_up",
                "ffn_down",
            ],
        };
        let arrays = Arrays { names, take: &take };
        build(config.clone(), &arrays, placement, settle)
    }

    /// Builds a model from arrays under the names of a published safetensors file.
    ///
    /// # Errors
    /// When an array is missing or has another shape.
    pub fn from_weights(weights: &Weights, config: Config, placement: Placement) -> Result<Self> {
        Self::from_arrays(weights, config, placement, PLAIN)
    }

    fn from_arrays(
        weights: &Weights,
        config: Config,
        placement: Placement,
        settle: Settle,
    ) -> Result<Self> {
        let names = Names {
            embedding: "model.embed_tokens",
            norm: "model.norm",
            output: weights.contains("lm_head.weight").then_some("lm_head"),
            layer: |index, part| format!("model.layers.{index}.{part}"),
            parts: [
                "input_layernorm",
                "self_attn.q_proj",
                "self_attn.k_proj",
                "self_attn.v_proj",
                "self_attn.o_proj",
                "post_attention_layernorm",
                "mlp.gate_proj",
                "mlp.up_proj",
                "mlp.down_proj",
            ],
        };
        let weights = Shared::lend(weights);
        let take: Take = &|name, shape| weights.get().tensor(name, shape);
        build(config, &Arrays { names, take }, placement, settle)
    }
}

/// Layers as they are in their file.
const PLAIN: Settle<'static> = Settle {
    each: &|_, _| Ok(()),
    kept: None,
};

/// What a kind of file calls the matrices.
struct Names {
    embedding: &'static str,
    norm: &'static str,
    output: Option<&'static str>,
    layer: fn(usize, &str) -> String,
    /// Norm, queries, keys, values, output, norm, gate, up, down.
    parts: [&'static str; 9],
}

/// Finds an array by name and shape.
type Take<'a> = &'a (dyn Fn(&str, &[i64]) -> Result<Tensor> + Sync);

/// A file's matrices, by the names that its kind has for them.
struct Arrays<'a> {
    names: Names,
    take: Take<'a>,
}

fn build(config: Config, arrays: &Arrays, placement: Placement, settle: Settle) -> Result<Llama> {
    let Arrays { names, take } = arrays;
    config.check()?;
    let (kind, device) = placement;
    let matrix = |name: &str, shape: &[i64]| -> Result<Tensor> {
        Ok(take(&format!("{name}.weight"), shape)?
            .to_kind(kind)
            .to_device(device))
    };
    // norms stay 32-bit: they are small, and their product is taken in 32 bits anyway
    let gain = |name: &str| -> Result<Tensor> {
        Ok(take(&format!("{name}.weight"), &[config.width])?.to_device(device))
    };
    let block = |index: usize| -> Result<Block> {
        let part = |which: usize| (names.layer)(index, names.parts[which]);
        let (width, queries, keys) = (
            config.width,
            config.heads * config.head,
            config.kv_heads * config.head,
        );
        let join = |some: &[(usize, i64)]| -> Result<Projection> {
            let matrices = some
                .iter()
                .map(|&(which, out)| matrix(&part(which), &[out, width]));
            Ok(Projection::new(Tensor::cat(
                &matrices.collect::<Result<Vec<_>>>()?,
                0,
            )))
        };
        let mut block = Block {
            attention_norm: gain(&part(0))?,
            qkv: join(&[(1, queries), (2, keys), (3, keys)])?,
            o: Projection::new(matrix(&part(4), &[width, queries])?),
            feed_forward_norm: gain(&part(5))?,
            gate_up: join(&[(6, config.feed_forward), (7, config.feed_forward)])?,
            down: Projection::new(matrix(&part(8), &[width, config.feed_forward])?),
        };
        (settle.each)(index, &mut block)?;
        Ok(block)
    };
    let read = || {
        let _products = OneThread::begin();
        let blocks = abreast((0..config.layers).collect(), block);
        blocks.into_iter().collect::<Result<Vec<_>>>()
    };
    let known = settle.kept.and_then(|file| kept::recalled(&config, file));
    let shape = [config.vocabulary, config.width];
    let (cos, sin) = rotary(&config, placement);
    Ok(Llama {
        embedding: matrix(names.embedding, &shape)?,
        blocks: known.map_or_else(read, Ok)?,
        norm: gain(names.norm)?,
        output: names.output.map(|name| matrix(name, &shape)).transpose()?,
        cos,
        sin,
        config,
    })
}

/// cos, cos and −sin, sin (context, head) of the angles position / base^(2j/head).
fn rotary(config: &Config, (kind, device): Placement) -> (Tensor, Tensor) {
    let place = Tensor::arange(config.context, (Kind::Double, Device::Cpu)).unsqueeze(1);
    let step = Tensor::arange_start_step(0, config.head, 2, (Kind::Double, Device::Cpu))
        / config.head as f64;
    let angle = place * (step * -config.rope_base.ln()).exp();
    let moved = |t: Tensor| t.to_kind(kind).to_device(device);
    let (cos, sin) = (angle.cos(), angle.sin());
    let both = |first: &Tensor, second: &Tensor| moved(Tensor::cat(&[first, second], 1));
    (both(&cos, &cos), both(&-&sin, &sin))
}

/// File row 2j + t of a head becomes row (head/2)·t + j.
fn half_split(weight: &Tensor, heads: i64) -> Tensor {
    let (out, inner) = (weight.size()[0], weight.size()[1]);
    weight
        .reshape([heads, out / heads / 2, 2, inner])
        .transpose(1, 2)
        .reshape([out, inner])
}

fn from_folder(path: &Path, placement: Placement, settle: Settle) -> Result<Llama> {
    let file = path.join("config.json");
    let text = std::fs::read_to_string(&file).map_err(|error| Error::file("read", &file, error))?;
    let said: Published = serde_json::from_str(&text).map_err(|error| {
        Error::format(
            file.display().to_string(),
            format!("no model's configuration: {error}"),
        )
    })?;
    let weights = Weights::from_safetensors(&path.join("model.safetensors"))?;
    Llama::from_arrays(&weights, said.into(), placement, settle)
}

/// `config.json` of a published model.
#[derive(serde::Deserialize)]
struct Published {
    hidden_size: i64,
    num_hidden_layers: usize,
    num_attention_heads: i64,
    num_key_value_heads: Option<i64>,
    head_dim: Option<i64>,
    intermediate_size: i64,
    vocab_size: i64,
    max_position_embeddings: i64,
    rms_norm_eps: f64,
    rope_theta: Option<f64>,
}

impl From<Published> for Config {
    fn from(said: Published) -> Self {
        Self {
            width: said.hidden_size,
            layers: said.num_hidden_layers,
            heads: said.num_attention_heads,
            kv_heads: said.num_key_value_heads.unwrap_or(said.num_attention_heads),
            head: said
                .head_dim
                .unwrap_or(said.hidden_size / said.num_attention_heads.max(1)),
            feed_forward: said.intermediate_size,
            vocabulary: said.vocab_size,
            context: said.max_position_embeddings.min(LONGEST),
            norm_eps: said.rms_norm_eps,
            rope_base: said.rope_theta.unwrap_or(10_000.0),
        }
    }
}

/// Positions for which angles are kept: stories have a few hundred tokens, some models allow 131,072.
const LONGEST: i64 = 2048;

impl Config {
    fn from_gguf(file: &Gguf, family: &str) -> Result<Self> {
        let whole = |key: &str| file.whole(&format!("{family}.{key}"));
        let (width, heads) = (whole("embedding_length")?, whole("attention.head_count")?);
        Ok(Self {
            width,
            layers: usize::try_from(whole("block_count")?).unwrap_or(0),
            heads,
            kv_heads: whole("attention.head_count_kv").unwrap_or(heads),
            head: whole("attention.key_length").unwrap_or(width / heads.max(1)),
            feed_forward: whole("feed_forward_length")?,
            vocabulary: file.texts("tokenizer.ggml.tokens")?.len() as i64,
            context: whole("context_length")?.min(LONGEST),
            norm_eps: file.number(&format!("{family}.attention.layer_norm_rms_epsilon"))?,
            rope_base: file
                .number(&format!("{family}.rope.freq_base"))
                .unwrap_or(10_000.0),
        })
    }

    /// (out, in) of what a layer multiplies with, in the order of [`super::ADAPTED`].
    pub(super) fn extents(&self) -> [[i64; 2]; 4] {
        let (queries, keys) = (self.heads * self.head, self.kv_heads * self.head);
        [
            [queries + 2 * keys, self.width],
            [self.width, queries],
            [2 * self.feed_forward, self.width],
            [self.width, self.feed_forward],
        ]
    }

    /// Refuses sizes that no network can have.
    fn check(&self) -> Result<()> {
        let sizes = [
            self.width,
            self.heads,
            self.kv_heads,
            self.head,
            self.feed_forward,
            self.vocabulary,
            self.context,
        ];
        let fits = self.layers > 0
            && sizes.iter().all(|&size| size > 0)
            && self.heads % self.kv_heads == 0
            && self.head % 2 == 0;
        if fits {
            return Ok(());
        }
        Err(Error::format(
            "the language model's configuration",
            format!("its sizes do not fit together: {self:?}"),
        ))
    }
}
