//! `storyteller train expand-vocabulary`: the encoder learns to read words that it was not trained on.
//! It writes both halves with longer word tables and the longer word list: files for all later steps.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use models::{Vocabulary, Weights};
use serde_json::json;
use tch::Kind;
use training::expansion;
use training::expansion::Fit;
use training::expansion::vectors::WordVectors;

/// Expands the vocabulary.
#[derive(Args, Debug)]
pub(crate) struct ExpandVocabulary {
    /// Weights of the uni half.
    #[arg(long)]
    uni: PathBuf,
    /// Weights of the bi half.
    #[arg(long)]
    bi: PathBuf,
    /// The words of both.
    #[arg(long)]
    words: PathBuf,
    /// Word vectors: GloVe text, word2vec text or word2vec binary.
    #[arg(long)]
    vectors: PathBuf,
    /// Gain at most so many words, in the order of the file.
    #[arg(long, default_value_t = 100_000)]
    most: usize,
    /// Where uni.safetensors, bi.safetensors, words.txt and report.json go.
    #[arg(long)]
    out: PathBuf,
}

/// Of so many gained words the nearest neighbours are shown.
const SHOWN: usize = 8;

impl ExpandVocabulary {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let words = Vocabulary::read(&self.words)?;
        // words that the encoder knows already stand among those of the file
        let foreign = WordVectors::read(&self.vectors, self.most.saturating_add(words.len()))?;
        let gained = expansion::gained(&words, &foreign, self.most);
        std::fs::create_dir_all(&self.out)
            .with_context(|| format!("cannot make {}", self.out.display()))?;
        let wider = Wider {
            words: &words,
            foreign: &foreign,
            gained: &gained,
            out: &self.out,
        };
        let (uni, uni_fit) = wider.write("uni", &self.uni)?;
        let (_, bi_fit) = wider.write("bi", &self.bi)?;
        let mut list = words.words().to_vec();
        let fresh = gained
            .iter()
            .map(|&place| foreign.words[place as usize].clone());
        list.extend(fresh);
        let wide = Vocabulary::from_words(list);
        wide.write(&self.out.join("words.txt"))?;
        let report = json!({
            "words_before": words.words().len(), "gained": gained.len(), "words_now": wide.words().len(),
            "uni": uni_fit, "bi": bi_fit, "nearest_trained_words": neighbours(&uni, &words, &wide),
        });
        let text = serde_json::to_string_pretty(&report)?;
        let path = self.out.join("report.json");
        std::fs::write(&path, &text).with_context(|| format!("cannot write {}", path.display()))?;
        use std::io::Write as _;
        writeln!(std::io::stdout(), "{text}")?;
        Ok(())
    }
}

/// The words that the encoder learns, and where what knows them goes.
struct Wider<'a> {
    words: &'a Vocabulary,
    foreign: &'a WordVectors,
    /// Their places in the foreign list.
    gained: &'a [i64],
    out: &'a Path,
}

impl Wider<'_> {
    /// Writes one half with its longer table, which it returns.
    fn write(&self, name: &str, half: &Path) -> anyhow::Result<(tch::Tensor, Fit)> {
        let half = Weights::from_safetensors(half)?;
        let table = half.tensor("Wemb", &[self.words.len() as i64, -1])?;
        let map = expansion::fit(self.words, &table, self.foreign)?;
        let wide = map.expand(&table, self.foreign, self.gained);
        let arrays = half.iter().map(|(array, tensor)| {
            let tensor = if array == "Wemb" { &wide } else { tensor };
            (array.to_owned(), tensor.shallow_clone())
        });
        let weights = Weights::from_tensors(name, arrays);
        weights.save(&self.out.join(format!("{name}.safetensors")), Kind::Float)?;
        Ok((wide, map.fit))
    }
}

/// For some gained words the trained words that they lie nearest to: nonsense here means that the map is none.
fn neighbours(table: &tch::Tensor, words: &Vocabulary, wide: &Vocabulary) -> serde_json::Value {
    let (trained, all) = (words.len() as i64, wide.len() as i64);
    let step = ((all - trained) as usize / SHOWN).max(1);
    let rows: Vec<i64> = (trained..all).step_by(step).take(SHOWN).collect();
    if rows.is_empty() || trained < 7 {
        return json!({});
    }
    let near = expansion::nearest(table, &rows, trained, 5);
    let named = rows.iter().zip(near).map(|(&row, near)| {
        let near: Vec<&str> = near.iter().map(|&id| wide.word(id)).collect();
        (wide.word(row).to_owned(), json!(near))
    });
    serde_json::Value::Object(named.collect())
}
