//! What a language model that was taught none of this makes of stories: how expected their words are, and whether what comes
//! later belongs to what came before.
//!
//! `storyteller evaluate stories` asks it about stories and about passages by people. A story's second half is read behind its
//! own first half and behind another story's: where the halves have nothing to do with each other, that makes no difference.

use tch::{Device, no_grad};

use crate::low_rank::{Output, behind};
use models::Result;
use models::networks::llama::Llama;
use models::text::pieces::Pieces;
use models::text::sentences::sentences;

/// Texts read together.
const AT_ONCE: usize = 8;
/// What stands before a text: the network expects nothing of it.
const BEFORE: &str = "\n";

/// How a set of texts reads.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Reading {
    /// Nats a token; people's prose has more than what is bland, and less than what is wrong.
    pub nats: f64,
    /// Nats a token that the second half costs less behind its own first half than behind that of another text.
    pub belonging: f64,
}

/// A reader of texts.
#[derive(Debug)]
pub struct Reader<'a> {
    llama: &'a Llama,
    pieces: &'a Pieces,
    output: Output,
}

/// The two halves of a text in tokens.
struct Halves {
    first: Vec<i64>,
    second: Vec<i64>,
}

impl<'a> Reader<'a> {
    /// Who reads with this network and its tokens.
    pub fn new(llama: &'a Llama, pieces: &'a Pieces) -> Self {
        let all: Vec<i64> = (0..llama.config().vocabulary).collect();
        let output = Output::of(llama, &all);
        Self {
            llama,
            pieces,
            output,
        }
    }

    /// Reads all texts; each one's other is half of them away, so that neighbours may be about the same. Texts of one sentence
    /// have no halves and are passed over.
    ///
    /// # Errors
    /// When the tokenizer fails.
    pub fn read(&self, texts: &[&str], progress: &mut dyn FnMut(usize, usize)) -> Result<Reading> {
        let before = self.pieces.encode(BEFORE)?;
        let halves = texts
            .iter()
            .filter_map(|text| self.halves(text).transpose());
        let halves = halves.collect::<Result<Vec<Halves>>>()?;
        let of = |index: usize| &halves[index % halves.len()];
        let (mut whole, mut own, mut other) = (Sum::default(), Sum::default(), Sum::default());
        for from in (0..halves.len()).step_by(AT_ONCE) {
            let some: Vec<usize> = (from..halves.len().min(from + AT_ONCE)).collect();
            let behind = |shift: usize| -> Vec<(Vec<i64>, &[i64])> {
                let row = |&index: &usize| {
                    let shown = [&before[..], &of(index + shift).first].concat();
                    (shown, &of(index).second[..])
                };
                some.iter().map(row).collect()
            };
            let firsts = some
                .iter()
                .map(|&index| (before.clone(), &of(index).first[..]));
            let (first, second) = (
                self.costs(&firsts.collect::<Vec<_>>()),
                self.costs(&behind(0)),
            );
            whole.add(first);
            whole.add(second);
            own.add(second);
            other.add(self.costs(&behind(halves.len().div_ceil(2))));
            progress(from + some.len(), halves.len());
        }
        Ok(Reading {
            nats: whole.mean(),
            belonging: other.mean() - own.mean(),
        })
    }

    fn halves(&self, text: &str) -> Result<Option<Halves>> {
        let sentences = sentences(text);
        let (first, second) = sentences.split_at(sentences.len().div_ceil(2));
        if second.is_empty() {
            return Ok(None);
        }
        Ok(Some(Halves {
            first: self.pieces.encode(&first.join(" "))?,
            second: self.pieces.encode(&format!(" {}", second.join(" ")))?,
        }))
    }

    /// The sum of what the tokens of rows cost behind what is shown of each, and how many there are.
    fn costs(&self, rows: &[(Vec<i64>, &[i64])]) -> (f64, i64) {
        no_grad(|| {
            let (ids, targets) = behind(rows, self.llama.device());
            let hidden = self.llama.forward(&self.llama.embed(&ids));
            let losses = self.output.losses(&hidden, &targets).to_device(Device::Cpu);
            let sum = losses.sum(tch::Kind::Double).double_value(&[]);
            (sum, losses.size()[0])
        })
    }
}

/// A mean in the making.
#[derive(Default)]
struct Sum {
    sum: f64,
    count: i64,
}

impl Sum {
    fn add(&mut self, (sum, count): (f64, i64)) {
        self.sum += sum;
        self.count += count;
    }

    fn mean(&self) -> f64 {
        self.sum / self.count.max(1) as f64
    }
}
