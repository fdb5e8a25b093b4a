//! Thoughts for training the decoder and for styles: what the frozen encoder makes of books.
//!
//! `storyteller train thoughts` fills a [`Folder`] book by book, the decoder's trainer and the style vectors are made of
//! the results. What must stay true: a passage's thought is shifted here exactly as captions are when a story is told,
//! mean of single sentences − mean sentence + mean passage of its kind of book (algorithm.md §6).

use std::path::{Path, PathBuf};

use tch::{Kind, Tensor};

use models::networks::skip_thoughts::Encoding;
use models::text::book::Book;
use models::{Error, Result, SkipThoughts, Weights};

/// What is taken from a book.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Fewest words of a passage; the original took passages longer than 100.
    pub least: usize,
    /// Most words of a passage.
    pub most: usize,
    /// At most this many passages are taken, spread over the book.
    pub passages: usize,
    /// At most this many passages are read whole for the book's style.
    pub styled: usize,
}

/// The thoughts of one book.
#[derive(Debug)]
pub struct BookThoughts {
    /// The book's name.
    pub name: String,
    /// The passages, tokenised.
    pub passages: Vec<String>,
    /// Mean vector of each passage's sentences, (N, ctx).
    pub means: Tensor,
    /// Sum of all sentence vectors, (ctx), and how many.
    pub sentences: (Tensor, usize),
    /// Sum of the vectors of passages read whole, (ctx), and how many.
    pub styled: (Tensor, usize),
}

/// Encodes a book's passages, sentence by sentence and some of them whole; `None` if it has not a single one.
fn of_book(encoder: &SkipThoughts, book: &Book, settings: Settings) -> Option<BookThoughts> {
    let _no_grad = tch::no_grad_guard();
    let all = book.passages(settings.least, settings.most);
    let passages = spread(&all, settings.passages);
    if passages.is_empty() {
        return None;
    }
    let tokens = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let mut sentences = Vec::new();
    let mut owners = Vec::new();
    for (owner, passage) in passages.iter().enumerate() {
        for sentence in sentences_of(passage) {
            sentences.push(tokens(&sentence));
            owners.push(owner as i64);
        }
    }
    let vectors = encoder.encode(&sentences, Encoding::default(), &mut |_| {});
    let count = passages.len() as i64;
    let owners = Tensor::from_slice(&owners);
    let sums = Tensor::zeros([count, encoder.size()], (Kind::Float, vectors.device()))
        .index_add(0, &owners, &vectors);
    let ones = Tensor::ones([sentences.len() as i64], (Kind::Float, vectors.device()));
    let counts =
        Tensor::zeros([count], (Kind::Float, vectors.device())).index_add(0, &owners, &ones);
    let whole: Vec<Vec<String>> = spread(&passages, settings.styled)
        .iter()
        .map(|text| tokens(text))
        .collect();
    let styled = encoder.encode(&whole, Encoding::default(), &mut |_| {});
    Some(BookThoughts {
        name: book.name.clone(),
        means: sums / counts.unsqueeze(1),
        sentences: (
            vectors.sum_dim_intlist(0i64, false, Kind::Float),
            sentences.len(),
        ),
        styled: (
            styled.sum_dim_intlist(0i64, false, Kind::Float),
            whole.len(),
        ),
        passages,
    })
}

impl BookThoughts {
    /// The mean vector of the passages read whole, (ctx): the book's style.
    pub fn style(&self) -> Tensor {
        &self.styled.0 / self.styled.1 as f64
    }

    fn save(&self, folder: &Path) -> Result<()> {
        let text = folder.join(format!("{}.txt", self.name));
        std::fs::write(&text, self.passages.join("\n"))
            .map_err(|error| Error::file("write", &text, error))?;
        let count = |count: usize| Tensor::from_slice(&[count as f32]);
        let arrays = [
            ("means", self.means.shallow_clone()),
            ("sentence_sum", self.sentences.0.shallow_clone()),
            ("sentence_count", count(self.sentences.1)),
            ("styled_sum", self.styled.0.shallow_clone()),
            ("styled_count", count(self.styled.1)),
        ];
        let weights = Weights::from_tensors(
            &*self.name,
            arrays.map(|(name, tensor)| (name.to_owned(), tensor)),
        );
        weights.save(
            &folder.join(format!("{}.safetensors", self.name)),
            Kind::Float,
        )
    }

    fn load(path: &Path) -> Result<BookThoughts> {
        let weights = Weights::from_safetensors(path)?;
        let count =
            |name: &str| Ok::<_, Error>(weights.tensor(name, &[1])?.double_value(&[0]) as usize);
        let text = path.with_extension("txt");
        let passages =
            std::fs::read_to_string(&text).map_err(|error| Error::file("read", &text, error))?;
        Ok(BookThoughts {
            name: path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            passages: passages.lines().map(str::to_owned).collect(),
            means: weights.tensor("means", &[-1, -1])?,
            sentences: (
                weights.tensor("sentence_sum", &[-1])?,
                count("sentence_count")?,
            ),
            styled: (weights.tensor("styled_sum", &[-1])?, count("styled_count")?),
        })
    }
}

/// A folder of book thoughts: `NAME.safetensors` beside `NAME.txt`.
#[derive(Clone, Debug)]
pub struct Folder(pub PathBuf);

impl Folder {
    /// Adds the thoughts of `book` unless they are there; says whether they were made.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn add(&self, encoder: &SkipThoughts, book: &Book, settings: Settings) -> Result<bool> {
        std::fs::create_dir_all(&self.0).map_err(|error| Error::file("make", &self.0, error))?;
        if self.0.join(format!("{}.safetensors", book.name)).exists() {
            return Ok(false);
        }
        match of_book(encoder, book, settings) {
            Some(thoughts) => thoughts.save(&self.0).map(|()| true),
            None => Ok(false),
        }
    }

    /// The thoughts of all books, in the order of their names.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn books(&self) -> Result<Vec<BookThoughts>> {
        let entries =
            std::fs::read_dir(&self.0).map_err(|error| Error::file("list", &self.0, error))?;
        let mut files: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .collect();
        files.retain(|path| path.extension().is_some_and(|kind| kind == "safetensors"));
        files.sort();
        files.iter().map(|file| BookThoughts::load(file)).collect()
    }

    /// The mean vector of all sentences, (ctx).
    ///
    /// # Errors
    /// When a file cannot be read or there is none.
    pub fn mean_sentence(&self) -> Result<Tensor> {
        let books = self.books()?;
        let count: usize = books.iter().map(|book| book.sentences.1).sum();
        let sums: Vec<Tensor> = books.into_iter().map(|book| book.sentences.0).collect();
        if count == 0 {
            return Err(Error::format(
                self.0.display().to_string(),
                "it holds no book thoughts",
            ));
        }
        Ok(Tensor::stack(&sums, 0).sum_dim_intlist(0i64, false, Kind::Float) / count as f64)
    }
}

/// A tokenised passage cut again at its final marks: close to its sentences, and independent of how it was joined.
pub fn sentences_of(passage: &str) -> Vec<String> {
    let mut sentences = Vec::new();
    let mut current: Vec<&str> = Vec::new();
    let words: Vec<&str> = passage.split(' ').collect();
    for (place, word) in words.iter().enumerate() {
        current.push(word);
        let closes = |word: &str| matches!(word, "''" | ")" | "'");
        let final_mark = matches!(*word, "." | "!" | "?")
            || closes(word) && place > 0 && matches!(words[place - 1], "." | "!" | "?");
        let goes_on = words.get(place + 1).is_some_and(|next| closes(next));
        if final_mark && !goes_on {
            sentences.push(std::mem::take(&mut current).join(" "));
        }
    }
    if !current.is_empty() {
        sentences.push(current.join(" "));
    }
    sentences
}

/// At most `most` of the items, evenly spread.
fn spread(items: &[String], most: usize) -> Vec<String> {
    if items.len() <= most {
        return items.to_vec();
    }
    (0..most)
        .map(|index| items[index * items.len() / most].clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::sentences_of;

    #[test]
    fn a_passage_is_cut_at_final_marks_and_closing_quotes_stay() {
        let cut = sentences_of("`` Come in . '' She came . Why ? No end");
        assert_eq!(cut, ["`` Come in . ''", "She came .", "Why ?", "No end"]);
    }
}
