//! A linear probe: can the styles of stories be told apart by their words alone?
//!
//! `storyteller evaluate stories` calls [`accuracy`] and, where books are at hand, [`taught_by`] and [`of_passages`].
//! Naive Bayes over the words that a story says (each counts once) is trained on some pictures' stories and asked about the
//! others', in turns (cross-validation by picture), so that it cannot know a style by what a picture shows; or on passages of
//! real books, and asked about all stories.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tch::{Kind, Tensor};

use crate::measure::stories::Specimen;
use crate::measure::words::words;

/// In how many turns.
const FOLDS: usize = 5;
/// Added to how many stories of a style say a word, so that no word rules a style out.
const UNSEEN: f64 = 0.3;

/// How well styles are told apart.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Separability {
    /// Stories whose style was named rightly, in per cent.
    pub accuracy: f64,
    /// What guessing would reach.
    pub chance: f64,
    /// Of each style's stories, in per cent.
    pub by_style: Vec<(String, f64)>,
}

/// Trains and asks in turns; `None` with fewer than two styles or two pictures.
pub fn accuracy(stories: &[Specimen]) -> Option<Separability> {
    in_turns(stories, 1)
}

/// The same of passages of books (a book in place of a picture), which says how well stories could be told apart at best.
pub fn of_passages(passages: &[Specimen]) -> Option<Separability> {
    in_turns(passages, BOOKS_OF_A_WORD)
}

/// Trains on some pictures and asks about the others, by words that stories of so many pictures have.
fn in_turns(stories: &[Specimen], pictures: usize) -> Option<Separability> {
    let styles: Vec<&str> = names(stories.iter().map(|told| told.style.as_str()));
    let photos: Vec<&str> = names(stories.iter().map(|told| told.photo.as_str()));
    if styles.len() < 2 || photos.len() < 2 {
        return None;
    }
    let folds = FOLDS.min(photos.len());
    let place = |list: &[&str], name: &str| list.iter().position(|one| *one == name).unwrap_or(0);
    let fold = |told: &Specimen| place(&photos, &told.photo) % folds;
    let mut counts = vec![(0usize, 0usize); styles.len()];
    for turn in 0..folds {
        let (asked, taught): (Vec<&Specimen>, Vec<&Specimen>) =
            stories.iter().partition(|told| fold(told) == turn);
        let classes = |told: &[&Specimen]| -> Vec<i64> {
            told.iter()
                .map(|one| place(&styles, &one.style) as i64)
                .collect()
        };
        let known = Words::of(&taught, pictures);
        let answers = known.answers(&taught, &classes(&taught), &asked, styles.len() as i64);
        for (right, answer) in classes(&asked).into_iter().zip(answers) {
            counts[right as usize].0 += usize::from(right == answer);
            counts[right as usize].1 += 1;
        }
    }
    Some(Separability::of(&styles, &counts))
}

/// Passages of so many books have a word before it may speak for a style: names speak for a book.
const BOOKS_OF_A_WORD: usize = 4;

/// Trains on passages of books (a book in place of a picture) and asks about stories; `None` with fewer than two styles.
/// Stories in styles of which there is no passage are passed over.
pub fn taught_by(passages: &[Specimen], stories: &[Specimen]) -> Option<Separability> {
    let styles = names(passages.iter().map(|one| one.style.as_str()));
    if styles.len() < 2 {
        return None;
    }
    let class = |one: &Specimen| styles.iter().position(|style| *style == one.style);
    let taught: Vec<&Specimen> = passages.iter().collect();
    let asked: Vec<&Specimen> = stories.iter().filter(|one| class(one).is_some()).collect();
    let classes = |some: &[&Specimen]| -> Vec<i64> {
        some.iter()
            .filter_map(|one| class(one))
            .map(|place| place as i64)
            .collect()
    };
    let known = Words::of(&taught, BOOKS_OF_A_WORD);
    let answers = known.answers(&taught, &classes(&taught), &asked, styles.len() as i64);
    let mut counts = vec![(0usize, 0usize); styles.len()];
    for (right, answer) in classes(&asked).into_iter().zip(answers) {
        counts[right as usize].0 += usize::from(right == answer);
        counts[right as usize].1 += 1;
    }
    Some(Separability::of(&styles, &counts))
}

impl Separability {
    /// Of each style the stories that were named rightly, and all.
    fn of(styles: &[&str], counts: &[(usize, usize)]) -> Self {
        let per_cent = |right: usize, all: usize| 100.0 * right as f64 / all.max(1) as f64;
        let sum = |of: fn(&(usize, usize)) -> usize| counts.iter().map(of).sum();
        let asked = styles.iter().zip(counts).filter(|(_, count)| count.1 > 0);
        Separability {
            accuracy: per_cent(sum(|count| count.0), sum(|count| count.1)),
            chance: 100.0 / styles.len() as f64,
            by_style: asked
                .map(|(style, count)| ((*style).to_owned(), per_cent(count.0, count.1)))
                .collect(),
        }
    }
}

fn names<'a>(all: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    all.collect::<BTreeSet<_>>().into_iter().collect()
}

/// The words that were seen in teaching.
struct Words(HashMap<String, usize>);

impl Words {
    /// Words that the stories of at least so many pictures have.
    fn of(stories: &[&Specimen], pictures: usize) -> Words {
        let mut of: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
        for told in stories {
            for word in words(&told.story) {
                of.entry(word).or_default().insert(&told.photo);
            }
        }
        let often = of.into_iter().filter(|(_, seen)| seen.len() >= pictures);
        Words(often.map(|(word, _)| word).zip(0..).collect())
    }

    /// Which of the words each story says, (N, words): ones and zeros.
    fn said(&self, stories: &[&Specimen]) -> Tensor {
        let width = self.0.len();
        let mut said = vec![0f32; stories.len() * width];
        for (row, told) in stories.iter().enumerate() {
            for place in words(&told.story)
                .iter()
                .filter_map(|word| self.0.get(word))
            {
                said[row * width + place] = 1.0;
            }
        }
        Tensor::from_slice(&said).view([stories.len() as i64, width as i64])
    }

    fn answers(
        &self,
        taught: &[&Specimen],
        classes: &[i64],
        asked: &[&Specimen],
        styles: i64,
    ) -> Vec<i64> {
        let of_style = Tensor::from_slice(classes)
            .one_hot(styles)
            .to_kind(Kind::Float);
        let uses = of_style.transpose(0, 1).matmul(&self.said(taught)) + UNSEEN;
        let share = &uses / uses.sum_dim_intlist([1i64].as_slice(), true, Kind::Float);
        let scores = self.said(asked).matmul(&share.log().transpose(0, 1));
        Vec::<i64>::try_from(scores.argmax(1, false))
            .expect("places of styles are whole numbers on the CPU")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{Specimen, accuracy, taught_by};

    fn stories(words_of_style: [&str; 2]) -> Vec<Specimen> {
        let story = |photo: usize, style: usize| Specimen {
            photo: format!("{photo}.jpg"),
            style: ["gothic", "sea"][style].to_owned(),
            story: format!("picture {photo} with {}", words_of_style[style]),
        };
        (0..10)
            .flat_map(|photo| [story(photo, 0), story(photo, 1)])
            .collect()
    }

    #[test]
    fn styles_with_words_of_their_own_are_told_apart_and_equal_ones_are_not() {
        let apart = accuracy(&stories(["a dark castle", "the salt wind"])).unwrap();
        assert_eq!(apart.accuracy, 100.0);
        let alike = accuracy(&stories(["a house", "a house"])).unwrap();
        assert_eq!(alike.accuracy, 50.0, "{alike:?}");
        assert!(accuracy(&stories(["a", "b"])[..1]).is_none());
    }

    #[test]
    fn passages_of_books_teach_the_styles_of_stories_and_names_teach_nothing() {
        let passages = stories(["a dark castle of Otranto", "the salt wind"]);
        let told = stories(["a dark wood", "a salt marsh"]);
        assert_eq!(taught_by(&passages, &told).unwrap().accuracy, 100.0);
        // a word of one book only is unknown
        let named: Vec<Specimen> = stories(["x", "x"])
            .into_iter()
            .map(|one| Specimen {
                story: format!("{} hero{}{}", one.story, one.style, one.photo),
                ..one
            })
            .collect();
        assert_eq!(taught_by(&named, &named).unwrap().accuracy, 50.0);
        assert!(taught_by(&passages[..1], &told).is_none());
    }
}
