//! Stories as text: how varied they are, whether they run in circles, how long they are and how they end.
//!
//! `storyteller evaluate stories` calls [`measure`]. Words are lower-cased and stripped of marks, so that the numbers do
//! not depend on how a story was set.

use std::collections::HashSet;

use super::flow::{Flow, flow};
use super::words::words;

/// A story with what it was told about and how.
#[derive(Clone, Debug, serde::Deserialize, serde::Serialize)]
pub struct Specimen {
    /// The picture.
    pub photo: String,
    /// The style.
    pub style: String,
    /// The text.
    pub story: String,
}

/// The numbers of a set of stories.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Measures {
    /// How many stories.
    pub stories: usize,
    /// Different pairs of neighbouring words over all pairs, all stories together: 1 if nothing is ever said twice.
    pub distinct_2: f64,
    /// The same for each story alone, on average.
    pub distinct_2_within: f64,
    /// 4-grams that occurred before in the same story, in per cent of all 4-grams.
    pub repeated_4: f64,
    /// Words of the shortest story, the median and the longest.
    pub words: [usize; 3],
    /// Stories of 60 to 200 words, in per cent.
    pub of_good_length: f64,
    /// Stories that end with a final mark, in per cent.
    pub ends_at_a_sentence: f64,
    /// Stories that equal another one, in per cent.
    pub same_as_another: f64,
    /// How their sentences follow one another.
    pub flow: Flow,
}

/// Measures stories; zeros if there are none.
pub fn measure(stories: &[Specimen]) -> Measures {
    let texts: Vec<Vec<String>> = stories.iter().map(|told| words(&told.story)).collect();
    let count = stories.len().max(1) as f64;
    let share = |fits: &dyn Fn(usize) -> bool| {
        100.0 * (0..stories.len()).filter(|&n| fits(n)).count() as f64 / count
    };
    let mut lengths: Vec<usize> = texts.iter().map(Vec::len).collect();
    lengths.sort_unstable();
    let at = |place: usize| lengths.get(place).copied().unwrap_or(0);
    let fours: usize = texts.iter().map(|text| text.windows(4).count()).sum();
    let repeated: usize = texts
        .iter()
        .map(|text| text.windows(4).count() - text.windows(4).collect::<HashSet<_>>().len())
        .sum();
    let all: HashSet<&str> = stories.iter().map(|told| told.story.trim()).collect();
    let within: f64 = texts
        .iter()
        .map(|text| distinct_2(std::slice::from_ref(text)))
        .sum();
    Measures {
        stories: stories.len(),
        distinct_2: distinct_2(&texts),
        distinct_2_within: within / count,
        repeated_4: 100.0 * repeated as f64 / fours.max(1) as f64,
        words: [
            at(0),
            at(lengths.len() / 2),
            at(lengths.len().saturating_sub(1)),
        ],
        of_good_length: share(&|n| (60..=200).contains(&texts[n].len())),
        ends_at_a_sentence: share(&|n| ends(&stories[n].story)),
        same_as_another: 100.0 * (stories.len() - all.len()) as f64 / count,
        flow: flow(stories.iter().map(|told| told.story.as_str())),
    }
}

fn distinct_2(texts: &[Vec<String>]) -> f64 {
    let all: usize = texts.iter().map(|text| text.windows(2).count()).sum();
    let different: HashSet<&[String]> = texts.iter().flat_map(|text| text.windows(2)).collect();
    different.len() as f64 / all.max(1) as f64
}

fn ends(story: &str) -> bool {
    let bare = story
        .trim_end()
        .trim_end_matches(['"', '\'', '”', '’', ')']);
    bare.trim_end().ends_with(['.', '!', '?', '…'])
}

#[cfg(test)]
mod tests {
    use super::{Specimen, measure};

    fn told(story: &str) -> Specimen {
        Specimen {
            photo: "a.jpg".to_owned(),
            style: "sea".to_owned(),
            story: story.to_owned(),
        }
    }

    #[test]
    fn a_story_that_runs_in_circles_shows_it() {
        let measures = measure(&[told("We sail on and on. We sail on and on.")]);
        // we sail on and, sail on and on, on and on we, and on we sail, on we sail on; then two known ones
        assert_eq!(measures.repeated_4, 100.0 * 2.0 / 7.0);
        assert_eq!(measures.words, [10, 10, 10]);
        assert_eq!(measures.ends_at_a_sentence, 100.0);
    }

    #[test]
    fn an_unfinished_and_a_repeated_story_are_counted() {
        let measures = measure(&[told("The sea was"), told("The sea was"), told("“Land!”")]);
        assert_eq!(measures.ends_at_a_sentence, 100.0 / 3.0);
        assert_eq!(measures.same_as_another, 100.0 / 3.0);
        assert_eq!(measures.distinct_2, 0.5);
        assert_eq!(measure(&[]).stories, 0);
    }
}
