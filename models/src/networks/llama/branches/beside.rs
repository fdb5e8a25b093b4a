//! A step of all branches on a processor: libtorch's products, and nothing else of it.
//!
//! Keys and values of the text are views of its cache, shared by all; those of each branch stand in vectors of its own.
//! Queries of all branches meet the shared keys in one product a head, and their own keys one by one.

use super::numbers::{add, add_scaled, dot, gated, rms_norm, rotate, softmax};
use crate::networks::llama::{Block, Cache, Config, Llama};
use crate::tensors::device::copied::copied_numbers;
use crate::tensors::floats::floats;
use tch::Tensor;

/// The branches' keys and values.
#[derive(Debug)]
pub(super) struct Beside {
    /// For each layer.
    text: Vec<Standing>,
    /// How many tokens the text has: S.
    standing: usize,
    /// For each layer and branch.
    own: Vec<Vec<Own>>,
    /// What each branch has read.
    read: Vec<Vec<i64>>,
    /// Which of them still go on.
    open: Vec<usize>,
    /// How many tokens each may read.
    room: usize,
}

/// Keys (kv_heads, head, S) and values (kv_heads, S, head) of the text.
#[derive(Debug)]
struct Standing {
    keys: Tensor,
    values: Tensor,
}

/// Keys and values of the tokens that a branch has read (length, kv_heads, head).
#[derive(Clone, Debug, Default)]
struct Own {
    keys: Vec<f32>,
    values: Vec<f32>,
}

impl Beside {
    pub(super) fn new(text: &Cache, rows: usize, room: usize) -> Self {
        let layers = text.filled();
        let own = vec![vec![Own::default(); rows]; layers.len()];
        let text_of = |(keys, values): (Tensor, Tensor)| Standing {
            keys: keys.get(0).transpose(1, 2),
            values: values.get(0),
        };
        Self {
            text: layers.into_iter().map(text_of).collect(),
            standing: text.length() as usize,
            own,
            read: vec![Vec::new(); rows],
            open: (0..rows).collect(),
            room,
        }
    }

    pub(super) fn retain(&mut self, rows: &[i64]) {
        self.open = rows.iter().map(|&row| self.open[row as usize]).collect();
    }

    /// How many tokens those that go on have read.
    fn length(&self) -> usize {
        self.open.first().map_or(0, |&row| self.read[row].len())
    }

    /// Fills the text with what a branch knows of these tokens, and says how many that were. The last token is left, since
    /// nobody kept what came of it.
    pub(super) fn hand_over(&self, row: usize, ids: &Tensor, text: &mut Cache) -> i64 {
        let ids = Vec::<i64>::try_from(ids).expect("ids are whole numbers");
        let same = self.read[row].iter().zip(&ids).take_while(|(a, b)| a == b);
        let known = same.count().min(ids.len() - 1);
        for (layer, own) in self.own.iter().enumerate() {
            let own = &own[row];
            let token = own.keys.len() / self.read[row].len().max(1);
            text.fill(
                layer,
                [&own.keys, &own.values].map(|all| &all[..known * token]),
            );
        }
        text.grow(known as i64);
        known as i64
    }
}

/// The angles of one position (head).
struct Turn {
    cos: Vec<f32>,
    sin: Vec<f32>,
}

impl Llama {
    /// Embeddings (B, 1, width) of each branch's next token → normed hidden states (B, width).
    pub(super) fn step_beside(
        &self,
        ids: &Tensor,
        embeddings: &Tensor,
        branches: &mut Beside,
    ) -> Tensor {
        let length = branches.length();
        assert!(
            length < branches.room,
            "a branch has no room for another token"
        );
        let place = (branches.standing + length) as i64;
        let turn = Turn {
            cos: floats(&self.cos.get(place)),
            sin: floats(&self.sin.get(place)),
        };
        let (open, eps) = (&branches.open, self.config.norm_eps);
        let mut x = floats(embeddings);
        for (layer, block) in self.blocks.iter().enumerate() {
            let normed = rms_norm(&x, &floats(&block.attention_norm), eps);
            let mut qkv = block.qkv.times(&normed);
            let own = &mut branches.own[layer];
            let rows = qkv.chunks_exact_mut(qkv_width(&self.config));
            for (row, &branch) in rows.zip(open) {
                remember(&self.config, row, &turn, &mut own[branch]);
            }
            let own: Vec<&Own> = open.iter().map(|&branch| &own[branch]).collect();
            let queries = by_kv_head(&self.config, &qkv);
            let found = attend(&self.config, &queries, &branches.text[layer], &own);
            add(&mut x, &block.o.times(&found));
            let fed = block.feed(&self.config, &x);
            add(&mut x, &fed);
        }
        let ids = Vec::<i64>::try_from(ids).expect("ids are whole numbers");
        for (&branch, id) in open.iter().zip(ids) {
            branches.read[branch].push(id);
        }
        let normed = rms_norm(&x, &floats(&self.norm), eps);
        Tensor::from_slice(&normed).view([-1, self.config.width])
    }
}

impl Block {
    /// The feed-forward part (B · width).
    fn feed(&self, config: &Config, x: &[f32]) -> Vec<f32> {
        let normed = rms_norm(x, &floats(&self.feed_forward_norm), config.norm_eps);
        let halves = self.gate_up.times(&normed);
        let gated = gated(&halves, config.feed_forward as usize);
        self.down.times(&gated)
    }
}

/// Turns queries and keys of a fused row by their angles; keys and values go to its branch.
fn remember(config: &Config, row: &mut [f32], turn: &Turn, own: &mut Own) {
    let (heads, kv, head) = sizes(config);
    let (turned, values) = row.split_at_mut((heads + kv) * head);
    for part in turned.chunks_exact_mut(head) {
        rotate(part, &turn.cos, &turn.sin);
    }
    own.keys.extend_from_slice(&turned[heads * head..]);
    own.values.extend_from_slice(values);
}

/// The queries of fused rows by the head that answers them (kv_heads, B · group, head).
fn by_kv_head(config: &Config, qkv: &[f32]) -> Vec<f32> {
    let (heads, kv, head) = sizes(config);
    let (row, group) = (qkv_width(config), heads / kv * head);
    let of_head = |k: usize| {
        let rows = qkv.chunks_exact(row);
        rows.flat_map(move |row| &row[k * group..][..group])
    };
    (0..kv).flat_map(of_head).copied().collect()
}

/// Queries (kv_heads, B · group, head) → what they found (B · heads · head).
fn attend(config: &Config, queries: &[f32], text: &Standing, own: &[&Own]) -> Vec<f32> {
    let (heads, kv, head) = sizes(config);
    let (group, standing) = (heads / kv, text.values.size()[1] as usize);
    let added = own.first().map_or(0, |own| own.keys.len() / (kv * head));
    let shape = |last: usize| [kv as i64, (own.len() * group) as i64, last as i64];
    // which head answers a query, and whose it is
    let place = |query: usize| (query / (own.len() * group), query / group % own.len());
    let asked = copied_numbers(queries, &shape(head));
    let mut shared = floats(&asked.bmm(&text.keys));
    let mut scores = vec![0.0f32; queries.len() / head * added];
    let scale = (head as f64).powf(-0.5) as f32;
    for (at, query) in queries.chunks_exact(head).enumerate() {
        let (k, row) = place(at);
        let scores = &mut scores[at * added..][..added];
        let keys = own[row].keys.chunks_exact(kv * head);
        for (score, key) in scores.iter_mut().zip(keys) {
            *score = dot(query, &key[k * head..][..head]);
        }
        softmax([&mut shared[at * standing..][..standing], scores], scale);
    }
    let shares = copied_numbers(&shared, &shape(standing));
    let mut found = floats(&shares.bmm(&text.values));
    for (at, found) in found.chunks_exact_mut(head).enumerate() {
        let (k, row) = place(at);
        let shares = &scores[at * added..][..added];
        let values = own[row].values.chunks_exact(kv * head);
        for (&share, value) in shares.iter().zip(values) {
            add_scaled(found, share, &value[k * head..][..head]);
        }
    }
    by_row(&found, kv, own.len())
}

/// (kv_heads, B, …) → (B, kv_heads, …).
fn by_row(found: &[f32], kv: usize, rows: usize) -> Vec<f32> {
    let width = found.len() / (kv * rows).max(1);
    let places = (0..rows).flat_map(|row| (0..kv).map(move |k| (k * rows + row) * width));
    let parts = places.flat_map(|place| &found[place..][..width]);
    parts.copied().collect()
}

/// Numbers of a fused row.
fn qkv_width(config: &Config) -> usize {
    let (heads, kv, head) = sizes(config);
    (heads + 2 * kv) * head
}

/// Heads that ask, heads that answer, numbers of each.
fn sizes(config: &Config) -> (usize, usize, usize) {
    (
        config.heads as usize,
        config.kv_heads as usize,
        config.head as usize,
    )
}
