//! Keys and values of the tokens that a model has read, so that the next token costs one position only.
//!
//! Room for the whole story is taken once and filled in place: nothing is copied as the text grows.

use super::Held;
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

    pub(super) fn device(&self) -> Device {
        self.layers
            .first()
            .map_or(Device::Cpu, |(keys, _)| keys.device())
    }

    /// Keys and values of every layer, as far as they are filled: views (rows, kv_heads, length, head).
    pub(super) fn filled(&self) -> Vec<(Tensor, Tensor)> {
        let filled = |held: &Tensor| held.narrow(2, 0, self.length);
        let layers = self.layers.iter();
        layers
            .map(|(keys, values)| (filled(keys), filled(values)))
            .collect()
    }

    /// Only these sequences go on, in this order.
    pub fn retain(&mut self, rows: &Tensor) {
        for (keys, values) in &mut self.layers {
            *keys = keys.index_select(0, rows);
            *values = values.index_select(0, rows);
        }
    }

    /// So many copies of its one sequence, with room for `more` tokens each: what branches of a story share is computed once.
    pub(super) fn branches(&self, rows: i64, more: i64) -> Cache {
        let copied = |filled: Tensor| {
            let [_, heads, length, head] = filled.size()[..] else {
                unreachable!("a cache has four axes");
            };
            let empty = Tensor::zeros(
                [rows, heads, length + more, head],
                (filled.kind(), filled.device()),
            );
            empty
                .narrow(2, 0, length)
                .copy_(&filled.expand([rows, heads, length, head], false));
            empty
        };
        let layers = self.filled().into_iter();
        Cache {
            layers: layers
                .map(|(keys, values)| (copied(keys), copied(values)))
                .collect(),
            length: self.length,
        }
    }

    /// As [`Held::with`], of a cache of one sequence: keys and values (T, kv_heads, head) one after the other.
    pub(super) fn fill(&mut self, layer: usize, [keys, values]: [&[f32]; 2]) {
        let (held, _) = &self.layers[layer];
        let (kv, head) = (held.size()[1], held.size()[3]);
        let by_head = |numbers: &[f32]| {
            let numbers = Tensor::from_slice(numbers).view([-1, kv, head]);
            numbers.transpose(0, 1).unsqueeze(0)
        };
        let _ = self.with(layer, &by_head(keys), &by_head(values));
    }

    /// Counts tokens that every layer has filled in.
    pub(super) fn grow(&mut self, by: i64) {
        self.length += by;
    }
}

impl Held for Cache {
    fn with(&mut self, layer: usize, keys: &Tensor, values: &Tensor) -> (Tensor, Tensor) {
        let (held_keys, held_values) = &self.layers[layer];
        let new = keys.size()[2];
        held_keys.narrow(2, self.length, new).copy_(keys);
        held_values.narrow(2, self.length, new).copy_(values);
        let all = self.length + new;
        (held_keys.narrow(2, 0, all), held_values.narrow(2, 0, all))
    }
}
