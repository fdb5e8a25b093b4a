//! A step of all branches on a processor: the matrices' products, and nothing else of libtorch.
//!
//! Keys and values of the text are copied out of its cache once for all; those of each branch stand in vectors of its own.
//! Queries of all branches meet the shared keys in one product a head, and their own keys one by one.

use super::numbers::{add, add_shares, dots, gated, rms_norm, rotate, softmax};
use super::product::product;
use crate::networks::llama::{Block, Cache, Config, Llama};
use crate::tensors::floats::floats;
use tch::Tensor;

/// The branches' keys and values.
#[derive(Debug)]
pub(super) struct Beside {
    /// What each layer's norms multiply with, attention's first.
    gains: Vec<[Vec<f32>; 2]>,
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
    keys: Vec<f32>,
    values: Vec<f32>,
}

/// Keys and values of the tokens that a branch has read (length, kv_heads, head).
#[derive(Clone, Debug, Default)]
struct Own {
    keys: Vec<f32>,
    values: Vec<f32>,
}

impl Own {
    /// Keys and values from a place of the first token on.
    fn from(&self, place: usize) -> [&[f32]; 2] {
        [&self.keys, &self.values].map(|all| all.get(place..).unwrap_or_default())
    }
}

impl Beside {
    /// So many branches of the text in `text`, with so much room each.
    pub(super) fn new(llama: &Llama, text: &Cache, [rows, room]: [usize; 2]) -> Self {
        let layers = text.filled();
        let own = vec![vec![Own::default(); rows]; layers.len()];
        let text_of = |(keys, values): (Tensor, Tensor)| Standing {
            keys: floats(&keys.get(0).transpose(1, 2)),
            values: floats(&values.get(0)),
        };
        let gains = |block: &Block| block.norms().map(floats);
        Self {
            gains: llama.blocks.iter().map(gains).collect(),
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
            let gains = &branches.gains[layer];
            let normed = rms_norm(&x, &gains[0], eps);
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
            let fed = block.feed(&self.config, &rms_norm(&x, &gains[1], eps));
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
    /// The feed-forward part of normed rows (B · width).
    fn feed(&self, config: &Config, normed: &[f32]) -> Vec<f32> {
        let halves = self.gate_up.times(normed);
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
    let mut queries = Vec::with_capacity(qkv.len() / row * heads * head);
    for k in 0..kv {
        for row in qkv.chunks_exact(row) {
            queries.extend_from_slice(&row[k * group..][..group]);
        }
    }
    queries
}

/// Queries (kv_heads, B · group, head) → what they found (B · heads · head).
fn attend(config: &Config, queries: &[f32], text: &Standing, own: &[&Own]) -> Vec<f32> {
    let (heads, kv, head) = sizes(config);
    let (group, stride) = (heads / kv, kv * head);
    let scale = (head as f64).powf(-0.5) as f32;
    let (standing, added) = (
        text.keys.len() / stride,
        own.first().map_or(0, |own| own.keys.len() / stride),
    );
    let mut scores = vec![0.0f32; added];
    let mut found = Vec::with_capacity(queries.len());
    for (k, queries) in queries.chunks_exact(own.len() * group * head).enumerate() {
        let [keys, values] =
            [&text.keys, &text.values].map(|all| &all[k * standing * head..][..standing * head]);
        let mut shared = product(queries, keys, head);
        let mut of_own = vec![0.0f32; queries.len()];
        let places = queries
            .chunks_exact(head)
            .zip(of_own.chunks_exact_mut(head));
        for (at, (query, found)) in places.enumerate() {
            let [keys, values] = own[at / group].from(k * head);
            dots(query, keys, stride, &mut scores);
            softmax(
                [&mut shared[at * standing..][..standing], &mut scores],
                scale,
            );
            add_shares(found, &scores, values, stride);
        }
        let mut of_both = product(&shared, values, standing);
        add(&mut of_both, &of_own);
        found.extend_from_slice(&of_both);
    }
    by_row(&found, kv, own.len())
}

/// (kv_heads, B, …) → (B, kv_heads, …).
fn by_row(found: &[f32], kv: usize, rows: usize) -> Vec<f32> {
    let width = found.len() / (kv * rows).max(1);
    let mut moved = Vec::with_capacity(found.len());
    for row in 0..rows {
        for k in 0..kv {
            moved.extend_from_slice(&found[(k * rows + row) * width..][..width]);
        }
    }
    moved
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
