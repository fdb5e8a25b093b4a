//! Many texts side by side on a graphics card, a token of each in one pass: keys and values in one table of constant shape.
//!
//! A pass always computes all rows, whoever has a token to add, so that a row's numbers do not depend on its neighbours:
//! kernels are chosen by shapes alone. A card takes as long for one row as for hundreds. What must stay true: a row sees
//! what was put into it up to its own token, nothing else.

use super::{Cache, Held, Llama, Place, rms_norm};
use crate::error::Result;
use std::collections::BTreeMap;
use tch::{Kind, Tensor};

/// Keys that are looked at come in blocks of so many, so that few shapes arise.
const BLOCK: i64 = 64;

/// Keys and values of many rows.
#[derive(Debug)]
pub struct Slots {
    /// (layers, 2, rows, room, kv_heads, head); the last place of each row is for what nobody wants.
    table: Tensor,
}

/// A token for a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feed {
    /// The row.
    pub row: usize,
    /// The token.
    pub id: i64,
    /// How many tokens stand before it.
    pub at: usize,
}

impl Slots {
    /// How many tokens a row has room for.
    pub fn room(&self) -> usize {
        self.table.size()[3] as usize - 1
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.table.size()[2] as usize
    }

    /// Puts the one sequence of `text` into some rows that follow each other.
    ///
    /// # Panics
    /// When it is longer than the rows.
    pub fn put(&self, text: &Cache, first: usize, rows: usize) {
        let _no_grad = tch::no_grad_guard();
        let layers = text.filled().into_iter();
        let layers = layers.map(|(keys, values)| Tensor::cat(&[keys, values], 0).transpose(1, 2));
        // (layers, 2, 1, length, kv_heads, head)
        let all = Tensor::stack(&layers.collect::<Vec<_>>(), 0).unsqueeze(2);
        self.some(first, rows)
            .narrow(3, 0, text.length())
            .copy_(&all);
    }

    /// Puts what one row holds from the token `from` up to `to` into some rows that follow each other, itself among them.
    pub fn share(&self, row: usize, [from, to]: [usize; 2], [first, rows]: [usize; 2]) {
        let _no_grad = tch::no_grad_guard();
        let places = |some: Tensor| some.narrow(3, from as i64, (to - from) as i64);
        let own = places(self.some(row, 1)).copy();
        places(self.some(first, rows)).copy_(&own);
    }

    fn some(&self, first: usize, rows: usize) -> Tensor {
        self.table.narrow(2, first as i64, rows as i64)
    }
}

/// One pass over the rows.
struct Pass<'a> {
    table: &'a Tensor,
    /// The places of the new keys among all of a layer (rows).
    new: Tensor,
    /// How many keys are looked at.
    seen: i64,
}

impl Held for Pass<'_> {
    fn with(&mut self, layer: usize, keys: &Tensor, values: &Tensor) -> (Tensor, Tensor) {
        let of_layer = self.table.get(layer as i64);
        let put = |part: i64, new: &Tensor| {
            let own = of_layer.get(part);
            let flat = own.flatten(0, 1);
            // (rows, kv_heads, 1, head) → (rows, kv_heads, head)
            let _ = flat
                .shallow_clone()
                .index_copy_(0, &self.new, &new.squeeze_dim(2));
            own.narrow(1, 0, self.seen).transpose(1, 2)
        };
        (put(0, keys), put(1, values))
    }
}

impl Llama {
    /// Room for `rows` texts of up to `room` tokens.
    ///
    /// # Errors
    /// When the device has no memory for them.
    pub fn slots(&self, rows: usize, room: usize) -> Result<Slots> {
        let (kv, head) = (self.config.kv_heads, self.config.head);
        let shape = [
            self.blocks.len() as i64,
            2,
            rows as i64,
            room as i64 + 1,
            kv,
            head,
        ];
        let table = Tensor::f_zeros(shape, (self.kind(), self.device()))?;
        Ok(Slots { table })
    }

    /// Adds a token to some rows, at most one to each: normed hidden states (rows, width) of all rows, of which only those
    /// count that got one.
    ///
    /// # Panics
    /// When a row has no room for its token.
    pub fn step_slots(&self, feeds: &[Feed], slots: &Slots) -> Tensor {
        let _no_grad = tch::no_grad_guard();
        let (rows, trash) = (slots.rows(), slots.room());
        let fed: BTreeMap<usize, &Feed> = feeds.iter().map(|feed| (feed.row, feed)).collect();
        let of = |row: usize| fed.get(&row);
        let ids: Vec<i64> = (0..rows)
            .map(|row| of(row).map_or(0, |feed| feed.id))
            .collect();
        let at = |row: usize| of(row).map_or(trash, |feed| feed.at) as i64;
        // a row without a token looks at its first key: what comes of it is dropped
        let sees = |row: usize| of(row).map_or(0, |feed| feed.at) as i64;
        let longest = (0..rows).map(sees).max().unwrap_or(0) + 1;
        assert!(longest <= trash as i64, "a row has no room for its token");
        let seen = (longest as u64).next_multiple_of(BLOCK as u64) as i64;
        let seen = seen.min(trash as i64 + 1);
        let device = self.device();
        let moved = |numbers: Vec<i64>| Tensor::from_slice(&numbers).to_device(device);
        let sees = moved((0..rows).map(sees).collect());
        let new = (0..rows).map(|row| (row * (trash + 1)) as i64 + at(row));
        let place = self.places(&sees, seen);
        let mut pass = Pass {
            table: &slots.table,
            new: moved(new.collect()),
            seen,
        };
        let mut x = self.embed(&moved(ids).unsqueeze(1)).to_kind(self.kind());
        for (layer, block) in self.blocks.iter().enumerate() {
            let held = (&mut pass as &mut dyn Held, layer);
            x = block.forward(&self.config, &x, &place, Some(held));
        }
        rms_norm(&x, &self.norm, self.config.norm_eps).select(1, 0)
    }

    /// Angles of rows whose tokens stand at `at` (rows), and what hides from them the later ones of `seen` keys.
    fn places(&self, at: &Tensor, seen: i64) -> Place {
        let of_rows = |angles: &Tensor| angles.index_select(0, at).unsqueeze(1).unsqueeze(1);
        let later = Tensor::arange(seen, (Kind::Int64, at.device()))
            .unsqueeze(0)
            .greater_tensor(&at.unsqueeze(1));
        let none = Tensor::zeros([at.size()[0], seen], (self.kind(), at.device()));
        let bias = none.masked_fill(&later, -1e4);
        Place {
            cos: of_rows(&self.cos),
            sin: of_rows(&self.sin),
            bias: Some(bias.unsqueeze(1).unsqueeze(1)),
        }
    }
}
