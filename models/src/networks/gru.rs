//! The one recurrent cell of the whole system (algorithm.md §3.1).
//!
//! Encoders, the joint embedding and the decoder all use it, at inference and in training, so it
//! must keep working under autograd. The arrays are those of the original, (in, out) and split in
//! two; they are joined into libtorch's fused layout, whose arithmetic is the same, and may be packed for telling.

use crate::error::Result;
use crate::tensors::device::packed_floats::PackedFloats;
use crate::tensors::weights::Weights;
use tch::Tensor;

/// A gated recurrent unit: reset gate, update gate (keeps the old state), candidate.
#[derive(Debug)]
pub struct Gru {
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor,
    b_hh: Tensor,
    packed: Option<PackedGru>,
}

/// The weights packed for a processor's products: of the input with the bias, and of the state.
#[derive(Debug)]
struct PackedGru {
    input: PackedFloats,
    state: PackedFloats,
}

/// The six arrays of a GRU as the original stores them; E is the input's size, D the state's.
#[derive(Debug)]
pub struct GruArrays<'a> {
    /// (E, 2D): input to reset and update gates.
    pub w: &'a Tensor,
    /// (D, 2D): state to reset and update gates.
    pub u: &'a Tensor,
    /// (2D): bias of both gates.
    pub b: &'a Tensor,
    /// (E, D): input to the candidate.
    pub wx: &'a Tensor,
    /// (D, D): state to the candidate.
    pub ux: &'a Tensor,
    /// (D): bias of the candidate.
    pub bx: &'a Tensor,
}

impl Gru {
    /// Takes `prefix_W`, `prefix_U`, `prefix_b`, `prefix_Wx`, `prefix_Ux` and `prefix_bx`, and packs them where the processor
    /// multiplies quicker so.
    ///
    /// # Errors
    /// When an array is missing or the shapes do not fit each other.
    pub fn new(weights: &Weights, prefix: &str) -> Result<Self> {
        let wx = weights.tensor(&format!("{prefix}_Wx"), &[-1, -1])?;
        let (e, d) = wx.size2()?;
        let get = |part: &str, shape: &[i64]| weights.tensor(&format!("{prefix}_{part}"), shape);
        let mut gru = Self::from_arrays(&GruArrays {
            w: &get("W", &[e, 2 * d])?,
            u: &get("U", &[d, 2 * d])?,
            b: &get("b", &[2 * d])?,
            wx: &wx,
            ux: &get("Ux", &[d, d])?,
            bx: &get("bx", &[d])?,
        });
        gru.pack();
        Ok(gru)
    }

    /// Joins the six arrays. Gradients flow back to them: a trainer calls this once an update.
    pub fn from_arrays(arrays: &GruArrays) -> Self {
        let b_ih = Tensor::cat(&[arrays.b, arrays.bx], 0);
        let gru = Self {
            w_ih: Tensor::cat(&[arrays.w, arrays.wx], 1).tr().contiguous(),
            w_hh: Tensor::cat(&[arrays.u, arrays.ux], 1).tr().contiguous(),
            b_hh: b_ih.detach().zeros_like(),
            b_ih,
            packed: None,
        };
        if gru.w_ih.device().is_cuda() && !gru.w_ih.requires_grad() {
            gru.lay_together();
        }
        gru
    }

    /// Puts the weights into one block of memory, as cuDNN wants them: else it would copy them there for every run, and say so
    /// on standard error each time.
    fn lay_together(&self) {
        // cuDNN's number for this kind of cell, and what a cell of one direction and one layer has
        const GRU: i64 = 3;
        let arrays = [&self.w_ih, &self.w_hh, &self.b_ih, &self.b_hh];
        let (input, state) = (self.input_size(), self.state_size());
        let _no_grad = tch::no_grad_guard();
        let laid = Tensor::f_internal_cudnn_rnn_flatten_weight(
            &arrays,
            arrays.len() as i64,
            input,
            GRU,
            state,
            0,
            1,
            false,
            false,
        );
        if let Err(error) = laid {
            tracing::warn!(
                "the weights of a recurrent network stay apart, which costs time: {error}"
            );
        }
    }

    /// Packs the weights, unless they are to learn or lie on a graphics card.
    fn pack(&mut self) {
        let input = PackedFloats::new(&self.w_ih, Some(&self.b_ih));
        let state = PackedFloats::new(&self.w_hh, None);
        if let (Some(input), Some(state)) = (input, state) {
            self.packed = Some(PackedGru { input, state });
            // they are held once
            self.w_ih = Tensor::new();
            self.w_hh = Tensor::new();
        }
    }

    /// The size E of an input row.
    pub fn input_size(&self) -> i64 {
        match &self.packed {
            Some(packed) => packed.input.extents()[1],
            None => self.w_ih.size()[1],
        }
    }

    /// The size D of the state.
    pub fn state_size(&self) -> i64 {
        self.b_ih.size()[0] / 3
    }

    /// Runs over `x` (T, B, E) from `h0` (B, D), or from zero; returns all states (T, B, D).
    ///
    /// `mask` (T, B) holds 1 for a step that counts and 0 for one that leaves the state as it is,
    /// in any pattern. Without a mask libtorch's fused kernel does the whole sequence.
    pub fn run(&self, x: &Tensor, h0: Option<&Tensor>, mask: Option<&Tensor>) -> Tensor {
        let batch = x.size()[1];
        let zero = || Tensor::zeros([batch, self.state_size()], (x.kind(), x.device()));
        let start = h0.map_or_else(zero, Tensor::shallow_clone);
        if x.size()[0] == 0 {
            return Tensor::zeros([0, batch, self.state_size()], (x.kind(), x.device()));
        }
        match (mask, &self.packed) {
            (None, None) => self.run_fused(x, &start),
            (None, Some(packed)) => {
                let rows = vec![batch; x.size()[0] as usize];
                let mut states = Vec::with_capacity(rows.len());
                let _last = packed.run(&x.flatten(0, 1), &rows, start, |h| {
                    states.push(h.shallow_clone());
                });
                Tensor::stack(&states, 0)
            }
            (Some(mask), _) => self.run_masked(x, start, mask),
        }
    }

    /// One step: `x` (B, E) and `h` (B, D) give the next state (B, D).
    pub fn step(&self, x: &Tensor, h: &Tensor) -> Tensor {
        self.step_first(x, h, x.size()[0])
    }

    /// As [`Gru::step`], where only the first `rows` rows count: the others are some numbers that nobody reads.
    pub fn step_first(&self, x: &Tensor, h: &Tensor, rows: i64) -> Tensor {
        if let Some(packed) = &self.packed {
            return packed.next(&packed.input.product_of_first(x, rows), h, rows);
        }
        x.gru_cell(
            h,
            &self.w_ih,
            &self.w_hh,
            Some(&self.b_ih),
            Some(&self.b_hh),
        )
    }

    /// Runs over sequences of several lengths, the longest first: `x` (sum of the lengths, E) holds the first steps of all, then
    /// the second ones of those that have one, and so on; `rows` says of each step how many have it. Returns their last states
    /// (B, D), in this order.
    pub fn run_packed(&self, x: &Tensor, rows: &[i64]) -> Tensor {
        let batch = rows.first().copied().unwrap_or(0);
        let start = Tensor::zeros([1, batch, self.state_size()], (x.kind(), x.device()));
        if batch == 0 {
            return start.squeeze_dim(0);
        }
        if let Some(packed) = &self.packed {
            return packed.run(x, rows, start.squeeze_dim(0), |_| ());
        }
        let arrays = [&self.w_ih, &self.w_hh, &self.b_ih, &self.b_hh];
        let rows = Tensor::from_slice(rows);
        let (_states, last) =
            Tensor::gru_data(x, &rows, &start, &arrays, true, 1, 0.0, false, false);
        last.squeeze_dim(0)
    }

    fn run_fused(&self, x: &Tensor, start: &Tensor) -> Tensor {
        let arrays = [&self.w_ih, &self.w_hh, &self.b_ih, &self.b_hh];
        let train = x.requires_grad() || self.w_ih.requires_grad();
        let (states, _last) = x.gru(
            &start.unsqueeze(0),
            &arrays,
            true,
            1,
            0.0,
            train,
            false,
            false,
        );
        states
    }

    fn run_masked(&self, x: &Tensor, start: Tensor, mask: &Tensor) -> Tensor {
        let mut h = start;
        let mut states = Vec::new();
        for t in 0..x.size()[0] {
            let keep = mask.select(0, t).to_kind(x.kind()).unsqueeze(1);
            let next = self.step(&x.select(0, t), &h);
            h = &keep * next + (1.0 - &keep) * h;
            states.push(h.shallow_clone());
        }
        Tensor::stack(&states, 0)
    }
}

impl PackedGru {
    /// What an input says (B, 3D) and states (B, D) to the next states, of which the first `rows` count.
    fn next(&self, input: &Tensor, h: &Tensor, rows: i64) -> Tensor {
        let size = h.size()[1];
        let state = self.state.product_of_first(h, rows);
        let part = |of: &Tensor, place: i64| of.narrow(1, place * size, size);
        let gate = |place| (part(input, place) + part(&state, place)).sigmoid_();
        let reset = gate(0);
        let candidate = (part(input, 2) + reset * part(&state, 2)).tanh_();
        &candidate + (h - &candidate) * gate(1)
    }

    /// As [`Gru::run_packed`], from first states; `each` sees the states of every step.
    fn run(
        &self,
        x: &Tensor,
        rows: &[i64],
        start: Tensor,
        mut each: impl FnMut(&Tensor),
    ) -> Tensor {
        // one product for all steps: its rows do not depend on each other
        let inputs = self.input.product(x);
        let (mut h, mut first, mut ended) = (start, 0, Vec::new());
        for &count in rows {
            let before = h.size()[0];
            if count < before {
                ended.push(h.narrow(0, count, before - count));
            }
            let input = inputs.narrow(0, first, count);
            h = self.next(&input, &h.narrow(0, 0, count), count);
            first += count;
            each(&h);
        }
        // the shortest ended first and stand last
        ended.push(h);
        ended.reverse();
        Tensor::cat(&ended, 0)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use tch::{Device, Kind, no_grad};

    const FLOAT: (Kind, Device) = (Kind::Float, Device::Cpu);

    fn small() -> Vec<Tensor> {
        tch::manual_seed(7);
        let shapes: [&[i64]; 6] = [&[3, 8], &[4, 8], &[8], &[3, 4], &[4, 4], &[4]];
        shapes
            .iter()
            .map(|shape| Tensor::randn(*shape, FLOAT).set_requires_grad(true))
            .collect()
    }

    fn cell(p: &[Tensor]) -> Gru {
        Gru::from_arrays(&GruArrays {
            w: &p[0],
            u: &p[1],
            b: &p[2],
            wx: &p[3],
            ux: &p[4],
            bx: &p[5],
        })
    }

    /// algorithm.md §3.1, written out.
    fn by_hand(p: &[Tensor], x: &Tensor, h: &Tensor) -> Tensor {
        let gates = (h.matmul(&p[1]) + x.matmul(&p[0]) + &p[2]).sigmoid();
        let (r, u) = (gates.narrow(1, 0, 4), gates.narrow(1, 4, 4));
        let c = (h.matmul(&p[4]) * r + x.matmul(&p[3]) + &p[5]).tanh();
        &u * h + (1.0 - &u) * c
    }

    #[test]
    fn a_step_the_fused_run_and_the_written_out_cell_agree() {
        let p = small();
        let gru = cell(&p);
        let x = Tensor::randn([5, 2, 3], FLOAT);
        let states = gru.run(&x, None, None);
        let ones = Tensor::ones([5, 2], FLOAT);
        let masked = gru.run(&x, None, Some(&ones));
        let mut h = Tensor::zeros([2, 4], FLOAT);
        for t in 0..5 {
            h = by_hand(&p, &x.select(0, t), &h);
            assert!(states.select(0, t).allclose(&h, 1e-5, 1e-6, false));
            assert!(masked.select(0, t).allclose(&h, 1e-5, 1e-6, false));
        }
    }

    #[test]
    fn sequences_of_several_lengths_end_as_each_alone_does() {
        let _no_grad = tch::no_grad_guard();
        let gru = cell(&small());
        let rows = [3, 3, 2, 1];
        let x = Tensor::randn([9, 3], FLOAT);
        let last = gru.run_packed(&x, &rows);
        for (row, length) in [(0, 4), (1, 3), (2, 2)] {
            let places = [row, 3 + row, 6 + row, 8 + row];
            let own = x.index_select(0, &Tensor::from_slice(&places[..length]));
            let alone = gru.run(&own.unsqueeze(1), None, None);
            let alone = alone.select(0, length as i64 - 1);
            assert!(last.narrow(0, row, 1).allclose(&alone, 1e-5, 1e-6, false));
        }
        assert_eq!(gru.run_packed(&x.narrow(0, 0, 0), &[]).size(), [0, 4]);
    }

    #[test]
    fn gradients_reach_the_six_arrays() {
        let p = small();
        let x = Tensor::randn([5, 2, 3], FLOAT);
        cell(&p)
            .run(&x, None, None)
            .square()
            .sum(Kind::Float)
            .backward();
        for array in &p {
            let norm = no_grad(|| array.grad().norm().double_value(&[]));
            assert!(norm > 0.0 && norm.is_finite());
        }
    }

    #[test]
    fn packed_weights_give_the_same_states() {
        let _no_grad = tch::no_grad_guard();
        let p: Vec<Tensor> = small().iter().map(Tensor::detach).collect();
        let (plain, mut packed) = (cell(&p), cell(&p));
        packed.pack();
        if packed.packed.is_none() {
            return; // a processor for which there is no kernel
        }
        let sizes = |gru: &Gru| [gru.input_size(), gru.state_size()];
        assert_eq!(sizes(&packed), sizes(&plain));
        let (x, h) = (
            Tensor::randn([5, 2, 3], FLOAT),
            Tensor::randn([2, 4], FLOAT),
        );
        let mask = Tensor::from_slice(&[1f32, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0]);
        let mask = mask.view([5, 2]);
        let rows = [4, 4, 1, 1];
        let flat = Tensor::randn([10, 3], FLOAT);
        let all = |gru: &Gru| {
            [
                gru.run(&x, Some(&h), None),
                gru.run(&x, None, None),
                gru.run(&x, Some(&h), Some(&mask)),
                gru.step(&x.get(0), &h),
                gru.run_packed(&flat, &rows),
            ]
        };
        for (found, wanted) in all(&packed).iter().zip(&all(&plain)) {
            assert_eq!(found.size(), wanted.size());
            assert!(found.allclose(wanted, 1e-5, 1e-6, false));
        }
        let first = packed.step_first(&x.get(0), &h, 1);
        assert_eq!(first.get(0), packed.step(&x.get(0), &h).get(0));
    }

    #[test]
    fn no_steps_give_no_states() {
        let states = cell(&small()).run(&Tensor::zeros([0, 2, 3], FLOAT), None, None);
        assert_eq!(states.size(), [0, 2, 4]);
    }
}
