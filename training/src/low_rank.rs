//! A language model that learns by low-rank matrices beside its layers (Hu et al. 2021), and what its tokens cost.
//!
//! Both recipes for language models stand on this: `adapter` (passages from thoughts) and `captions` (captions from words).
//! The softmax is over the tokens that may be written, a fraction of the vocabulary and of its products.

use tch::{Device, Kind, Reduction, Tensor};

use crate::parameters::Parameters;
use models::Result;
use models::networks::llama::Llama;
use models::networks::projection::Adapter;

/// Alpha over rank: what the product of the matrices is multiplied with.
pub const SCALE: f64 = 2.0;

/// Adds matrices of `rank` for every layer of `llama` that change nothing yet: the writing half is zero.
pub fn add_matrices(parameters: &mut Parameters, llama: &Llama, rank: i64) {
    let options = (Kind::Float, Device::Cpu);
    for (name, [out, inner]) in llama.adaptable() {
        let reads = Tensor::randn([rank, inner], options) / (inner as f64).sqrt();
        parameters.add(&format!("{name}.lora_a"), reads);
        let writes = Tensor::zeros([out, rank], options);
        parameters.add(&format!("{name}.lora_b"), writes);
    }
}

/// Puts the matrices of `parameters` beside the layers of `llama`, as they are: what learns is heard at once.
///
/// # Errors
/// When one does not fit its layer.
pub fn listen(llama: &mut Llama, parameters: &Parameters) -> Result<()> {
    llama.adapt(|name, _| {
        Ok(Adapter {
            a: parameters.get(&format!("{name}.lora_a")).shallow_clone(),
            b: parameters.get(&format!("{name}.lora_b")).shallow_clone(),
            scale: SCALE,
        })
    })
}

/// The output matrix of a model, cut down to the tokens that may be written.
#[derive(Debug)]
pub struct Output {
    /// Its rows for these tokens (V′, width).
    rows: Tensor,
    /// The place of a token among them (vocabulary); −1 for all others.
    places: Tensor,
}

impl Output {
    /// Of the tokens `allowed`, in this order.
    pub fn of(llama: &Llama, allowed: &[i64]) -> Self {
        let _no_grad = tch::no_grad_guard();
        let device = llama.device();
        let allowed = Tensor::from_slice(allowed).to_device(device);
        let places = Tensor::full([llama.config().vocabulary], -1, (Kind::Int64, device));
        let order = Tensor::arange(allowed.size()[0], (Kind::Int64, device));
        Self {
            places: places.index_copy(0, &allowed, &order),
            rows: llama.output_rows(&allowed),
        }
    }

    /// The places of tokens among those that may be written; −1 for others, and for numbers below zero.
    pub fn places(&self, tokens: &Tensor) -> Tensor {
        self.places
            .take(&tokens.clamp_min(0))
            .masked_fill(&tokens.less(0), -1)
    }

    /// Hidden states (…, width) → logits of the tokens that may be written (…, V′), 32-bit floats.
    pub fn logits(&self, hidden: &Tensor) -> Tensor {
        hidden
            .linear::<&Tensor>(&self.rows, None)
            .to_kind(Kind::Float)
    }

    /// The loss of each token in `targets` (B, T) that its hidden state (B, T, width) foretells, rows in order; targets
    /// below zero do not count: (tokens).
    pub fn losses(&self, hidden: &Tensor, targets: &Tensor) -> Tensor {
        let real = targets.ge(0);
        let hidden = hidden
            .masked_select(&real.unsqueeze(-1))
            .view([-1, hidden.size()[2]]);
        let targets = self.places.index_select(0, &targets.masked_select(&real));
        self.logits(&hidden).cross_entropy_loss::<Tensor>(
            &targets,
            None,
            Reduction::None,
            -100,
            0.0,
        )
    }
}

/// Rows of own tokens behind others: what is shown of them (B, T − 1), and what follows each (B, T − 1), −1 where that is
/// none of the row's own.
pub(crate) fn behind(rows: &[(Vec<i64>, &[i64])], device: Device) -> (Tensor, Tensor) {
    let lengths = rows.iter().map(|(before, own)| before.len() + own.len());
    let longest = lengths.max().unwrap_or(1);
    let mut ids = vec![0i64; rows.len() * longest];
    let mut targets = vec![-1i64; rows.len() * longest];
    for (row, (before, own)) in rows.iter().enumerate() {
        let (first, own_first) = (row * longest, row * longest + before.len());
        ids[first..own_first].copy_from_slice(before);
        ids[own_first..own_first + own.len()].copy_from_slice(own);
        targets[own_first..own_first + own.len()].copy_from_slice(own);
    }
    let table = |numbers: &[i64]| {
        let table = Tensor::from_slice(numbers).view([rows.len() as i64, longest as i64]);
        table.to_device(device)
    };
    let last = longest as i64 - 1;
    (
        table(&ids).narrow(1, 0, last),
        table(&targets).narrow(1, 1, last),
    )
}
