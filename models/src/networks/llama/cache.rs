//! Keys and values of the tokens that a model has read, so that the next token costs one position only.
//!
//! Room for the whole story is taken once and filled in place: nothing is copied as the text grows.

use tch::{Device, Kind, Tensor};

/// Keys and values of every layer: (rows, kv_heads, room, head) each, the first `length` of room filled.
#[derive(Debug)]
pub struct Cache {
    layers: Vec<(Tensor, Tensor)>,
    length: i64,
}

impl Cache {
    pub(super) fn new(layers: usize, shape: [i64; 4], options: (Kind, Device)) -> Self {
        let empty = || Tensor::zeros(shape, options);
        Self {
            layers: (0..layers).map(|_| (empty(), empty())).collect(),
            length: 0,
        }
    }

    /// How many tokens it holds.
    pub fn length(&self) -> i64 {
        self.length
    }

    /// The sequences go on from others: row i from what row `parents[i]` was.
    pub fn keep(&mut self, parents: &Tensor) {
        for (keys, values) in &mut self.layers {
            *keys = keys.index_select(0, parents);
            *values = values.index_select(0, parents);
        }
    }

    /// The last `tokens` of every sequence are forgotten; what comes next takes their place.
    pub fn forget(&mut self, tokens: i64) {
        self.length -= tokens.clamp(0, self.length);
    }

    /// The same sequence `times` times: what candidates of one story share is computed once.
    pub fn repeat(&mut self, times: i64) {
        for (keys, values) in &mut self.layers {
            *keys = keys.repeat([times, 1, 1, 1]);
            *values = values.repeat([times, 1, 1, 1]);
        }
    }

    /// Fills in new keys and values (rows, kv_heads, T, head) and gives all there are.
    pub(super) fn with(
        &mut self,
        layer: usize,
        keys: &Tensor,
        values: &Tensor,
    ) -> (Tensor, Tensor) {
        let (held_keys, held_values) = &self.layers[layer];
        let new = keys.size()[2];
        held_keys.narrow(2, self.length, new).copy_(keys);
        held_values.narrow(2, self.length, new).copy_(values);
        let all = self.length + new;
        (held_keys.narrow(2, 0, all), held_values.narrow(2, 0, all))
    }

    /// Counts tokens that every layer has filled in.
    pub(super) fn grow(&mut self, by: i64) {
        self.length += by;
    }
}
