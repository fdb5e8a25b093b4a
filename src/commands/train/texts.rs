//! The steps of training that only touch text: books, captions, word lists, the gallery.
//! Each writes plain text, so that what was kept can be read before hours are spent on it.

use std::collections::HashSet;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use models::Vocabulary;
use models::text::book::Book;
use models::text::encoding;
use models::text::tokenize;
use training::corpus;
use training::corpus::{Cutter, Kept};
use training::grammar::{Grammar, generate};

/// Cuts books into sentences.
#[derive(Args, Debug)]
pub(crate) struct Corpus {
    /// Text files, or folders of them.
    #[arg(required = true)]
    books: Vec<PathBuf>,
    /// Where NAME.tok is written for each book, and report.json for all.
    #[arg(long)]
    out: PathBuf,
    /// Say how many words of the text this list has.
    #[arg(long)]
    words: Option<PathBuf>,
}

impl Corpus {
    pub(super) fn run(self) -> anyhow::Result<()> {
        std::fs::create_dir_all(&self.out)
            .with_context(|| format!("cannot make {}", self.out.display()))?;
        let list = self.words.as_deref().map(Vocabulary::read).transpose()?;
        let (mut cutter, mut books) = (Cutter::default(), Vec::new());
        let mut all = Kept {
            name: "all".to_owned(),
            ..Kept::default()
        };
        writeln!(std::io::stdout(), "{}", row(&TITLES.map(str::to_owned)))?;
        let paths = corpus::find_texts(&self.books)?;
        for (path, name) in paths.iter().zip(corpus::names_apart(&paths)) {
            let (book, kept) = cut(path, &name, &mut cutter, list.as_ref())?;
            book.write(&self.out)?;
            writeln!(std::io::stdout(), "{}", row(&figures(&kept)))?;
            all.add(&kept);
            books.push(kept);
        }
        writeln!(std::io::stdout(), "{}", row(&figures(&all)))?;
        let report = serde_json::json!({"files": books.len(), "all": all, "books": books});
        let path = self.out.join("report.json");
        std::fs::write(&path, serde_json::to_string_pretty(&report)?)
            .with_context(|| format!("cannot write {}", path.display()))
    }
}

fn cut(
    path: &std::path::Path,
    name: &str,
    cutter: &mut Cutter,
    list: Option<&Vocabulary>,
) -> anyhow::Result<(Book, Kept)> {
    if path.extension().is_some_and(|kind| kind == "tok") {
        let book = Book {
            name: name.to_owned(),
            ..Book::read(path)?
        };
        let kept = Kept::of(&book, list);
        return Ok((book, kept));
    }
    Ok(cutter.cut(name, &encoding::read_text(path)?, list))
}

const TITLES: [&str; 9] = [
    "book",
    "characters",
    "licence",
    "paragraphs",
    "headings",
    "repeated",
    "sentences",
    "words",
    "passages",
];

fn figures(kept: &Kept) -> [String; 9] {
    let covered = kept.covered.map(|share| format!("  {share:.1} % known"));
    [
        kept.name.clone(),
        kept.characters.to_string(),
        kept.licence_characters.to_string(),
        kept.paragraphs.to_string(),
        kept.headings.to_string(),
        kept.repeated.to_string(),
        kept.sentences.to_string(),
        kept.words.to_string(),
        format!("{}{}", kept.passages, covered.unwrap_or_default()),
    ]
}

fn row(cells: &[String; 9]) -> String {
    let (name, numbers) = (&cells[0], &cells[1..]);
    let numbers: String = numbers.iter().map(|cell| format!(" {cell:>10}")).collect();
    format!("{name:28.28}{numbers}")
}

/// Tokenises captions.
#[derive(Args, Debug)]
pub(crate) struct Captions {
    /// Files of lines «photo TAB caption», or «photo TAB licence TAB caption».
    #[arg(required = true)]
    captions: Vec<PathBuf>,
    /// Only photos named in this file.
    #[arg(long)]
    photos: Option<PathBuf>,
    /// The file to write.
    #[arg(long)]
    out: PathBuf,
}

impl Captions {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let only = self.photos.as_ref().map(lines).transpose()?;
        let only: Option<HashSet<String>> = only.map(|names| names.into_iter().collect());
        let mut text = String::new();
        for file in &self.captions {
            let mut last = String::new();
            for line in lines(file)? {
                let (photo, rest) = line
                    .split_once('\t')
                    .with_context(|| format!("{}: no TAB in «{line}»", file.display()))?;
                let caption = rest.rsplit('\t').next().unwrap_or(rest);
                if only.as_ref().is_some_and(|only| !only.contains(photo)) {
                    continue;
                }
                if photo != last && !text.is_empty() {
                    text.push('\n');
                }
                photo.clone_into(&mut last);
                text += &tokenize::preprocess(caption).join(" ");
                text.push('\n');
            }
        }
        std::fs::write(&self.out, text)
            .with_context(|| format!("cannot write {}", self.out.display()))
    }
}

/// Lists words.
#[derive(Args, Debug)]
pub(crate) struct Words {
    /// Tokenised texts, or folders of them.
    #[arg(required = true)]
    texts: Vec<PathBuf>,
    /// How many words are kept at most.
    #[arg(long, default_value_t = 10_000)]
    most: usize,
    /// Words that occur less often are left out.
    #[arg(long, default_value_t = 1)]
    least_count: usize,
    /// Begin with the words of this list.
    #[arg(long)]
    after: Option<PathBuf>,
    /// The list to write.
    #[arg(long)]
    out: PathBuf,
}

impl Words {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let books = corpus::find_texts(&self.texts)?;
        let books = books
            .iter()
            .map(|path| corpus::read_book(path))
            .collect::<Result<Vec<Book>, _>>()?;
        let counts =
            corpus::count_words(books.iter().flat_map(Book::sentences).map(String::as_str));
        let all: usize = counts.iter().map(|(_, count)| count).sum();
        let frequent = counts
            .into_iter()
            .filter(|(_, count)| *count >= self.least_count)
            .take(self.most);
        let (words, counts): (Vec<String>, Vec<usize>) = frequent.unzip();
        let kept: usize = counts.iter().sum();
        let mut list = self
            .after
            .as_ref()
            .map(lines)
            .transpose()?
            .unwrap_or_default();
        let known: HashSet<String> = list.iter().cloned().collect();
        list.extend(words.into_iter().filter(|word| !known.contains(word)));
        let share = 100.0 * kept as f64 / all.max(1) as f64;
        writeln!(
            std::io::stdout(),
            "{} words; those counted here cover {share:.2} % of the text",
            list.len()
        )?;
        Vocabulary::from_words(list).write(&self.out)?;
        Ok(())
    }
}

/// Writes a caption gallery.
#[derive(Args, Debug)]
pub(crate) struct Gallery {
    /// The grammar.
    #[arg(long, default_value = "training/gallery/grammar.txt")]
    grammar: PathBuf,
    /// How many captions.
    #[arg(long, default_value_t = 24_000)]
    count: usize,
    /// The same seed writes the same gallery.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Captions of this file (one a line, after the last TAB if there is one) are left out.
    #[arg(long)]
    exclude: Option<PathBuf>,
    /// The gallery to write.
    #[arg(long)]
    out: PathBuf,
}

impl Gallery {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let text = std::fs::read_to_string(&self.grammar)
            .with_context(|| format!("cannot read {}", self.grammar.display()))?;
        let exclude = self
            .exclude
            .as_ref()
            .map(lines)
            .transpose()?
            .unwrap_or_default();
        let exclude: HashSet<String> = exclude
            .iter()
            .map(|line| line.rsplit('\t').next().unwrap_or(line).to_owned())
            .collect();
        let captions = generate(&Grammar::parse(&text)?, self.count, self.seed, &exclude)?;
        let text: String = captions
            .iter()
            .map(|caption| format!("{}\n", caption.text))
            .collect();
        std::fs::write(&self.out, text)
            .with_context(|| format!("cannot write {}", self.out.display()))
    }
}

/// The lines of a text file.
pub(crate) fn lines(path: &PathBuf) -> anyhow::Result<Vec<String>> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(encoding::without_mark(&text)
        .lines()
        .map(str::to_owned)
        .collect())
}
