//! What makes lines a verse: their length, an end that rhymes, stanzas that are whole.
//!
//! English is rhymed by its sounds, of which the spelling is a fair witness: two ends rhyme if they are spelt alike from the
//! last vowel on, or in one of the ways that mostly sound alike. A rhyme to the eye is taken for one.

use super::kinds_of_words::words as words_of;
use crate::pipeline::verse::STANZA;

/// A line whose end rhymes with one of the two before it in its stanza.
const RHYME: f64 = 1.5;
/// A line that ends with the word of another one of its stanza.
const SAME_END: f64 = -0.8;
/// A line of fewer or more words, and each word beyond.
const WORDS: (usize, usize) = (4, 9);
const EACH_BEYOND: f64 = -0.2;
/// Each syllable more or fewer than in the line before.
const UNEVEN: f64 = -0.05;
/// Words that the lines of a whole stanza may need.
const ROOM_OF_A_STANZA: usize = 32;
/// Ways to spell one sound at the end of a word.
const ALIKE: [(&str, &[&str]); 16] = [
    ("I", &["igh", "ie", "ye", "uy"]),
    ("AY", &["ay", "ey", "eigh"]),
    ("EE", &["ee", "ea"]),
    ("OO", &["ue", "ew", "oo"]),
    ("ITE", &["ight", "ite"]),
    ("AIR", &["air", "are"]),
    ("ORE", &["ore", "oor", "oar", "or", "our"]),
    ("AIN", &["ain", "ane", "eign"]),
    ("AID", &["aid", "ade"]),
    ("ALE", &["ale", "ail"]),
    ("EEM", &["eem", "eam"]),
    ("EEN", &["een", "ean"]),
    ("EET", &["eet", "eat"]),
    ("EEL", &["eel", "eal"]),
    ("OLE", &["ole", "oal", "oul"]),
    ("ER", &["er", "ir", "ur"]),
];

/// How well a line of these words stands after the lines of a song.
pub(super) fn of_a_line(words: &[String], lines: &[String]) -> f64 {
    let stanza = &lines[lines.len() - lines.len() % STANZA..];
    let ends: Vec<String> = stanza
        .iter()
        .filter_map(|line| words_of(line).pop())
        .collect();
    let end = words.last().map(String::as_str).unwrap_or_default();
    let rhymes = ends.iter().rev().take(2).any(|before| rhyme(before, end));
    let same = ends.iter().any(|before| before == end);
    let beyond = WORDS.0.saturating_sub(words.len()) + words.len().saturating_sub(WORDS.1);
    let uneven = stanza.last().map_or(0, |before| {
        let before: usize = before.split_whitespace().map(syllables).sum();
        let own: usize = words.iter().map(|word| syllables(word)).sum();
        own.abs_diff(before)
    });
    let heard = if same {
        SAME_END
    } else if rhymes {
        RHYME
    } else {
        0.0
    };
    heard + EACH_BEYOND * beyond as f64 + UNEVEN * uneven as f64
}

/// Whether so many lines end with a stanza.
pub(super) fn ends_stanza(lines: usize) -> bool {
    lines > 0 && lines.is_multiple_of(STANZA)
}

/// Whether another line may be begun with so many words left.
pub(super) fn has_room(lines: usize, words_left: usize) -> bool {
    let needed = if lines.is_multiple_of(STANZA) {
        ROOM_OF_A_STANZA
    } else {
        WORDS.0
    };
    words_left >= needed || lines == 0
}

/// Whether two words, in lower case, end alike; a word does not rhyme with itself.
fn rhyme(one: &str, other: &str) -> bool {
    one != other && sound(one).is_some_and(|sound_of_one| Some(sound_of_one) == sound(other))
}

/// What a word sounds like from its last full vowel on; none where the spelling says too little.
fn sound(word: &str) -> Option<String> {
    if let Some(one) = word.strip_suffix('s').filter(|one| !one.ends_with('s')) {
        return sound(one).map(|sound| sound + "s");
    }
    let longest = ALIKE
        .iter()
        .flat_map(|(sound, ways)| ways.iter().map(move |way| (*sound, *way)))
        .filter(|(_, way)| word.ends_with(way))
        .max_by_key(|(_, way)| way.len());
    if let Some((sound, _)) = longest {
        return Some(sound.to_owned());
    }
    let letters: Vec<char> = word.chars().collect();
    let voiced = |place: usize| is_vowel(letters[place]);
    if letters.last() == Some(&'y') {
        // "sky" and "by", but "lady" and "sea"
        let sound = if syllables(word) == 1 { "I" } else { "EE" };
        return Some(sound.to_owned());
    }
    let silent = letters.len() > 2 && letters.ends_with(&['e']) && !voiced(letters.len() - 2);
    let spoken = letters.len() - usize::from(silent);
    let last = (0..spoken).rev().find(|&place| voiced(place));
    let Some(last) = last else {
        return (word == "me" || word.ends_with("he")).then(|| "EE".to_owned());
    };
    let first = (0..=last).rev().take_while(|&place| voiced(place)).last();
    let end: String = letters[first.unwrap_or(last)..].iter().collect();
    (end.chars().count() > 1).then_some(end)
}

fn is_vowel(letter: char) -> bool {
    matches!(letter, 'a' | 'e' | 'i' | 'o' | 'u' | 'y')
}

/// Runs of vowels, without a silent "e" at the end.
fn syllables(word: &str) -> usize {
    let word = word.trim_end_matches(|c: char| !c.is_alphabetic());
    let mut runs = 0;
    let mut before = false;
    for letter in word.chars() {
        let vowel = is_vowel(letter.to_ascii_lowercase());
        runs += usize::from(vowel && !before);
        before = vowel;
    }
    let silent = word.ends_with('e') && !word.ends_with("le") && runs > 1;
    (runs - usize::from(silent)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_rhyme_by_their_sounds_as_far_as_spelling_tells() {
        for (one, other) in [
            ("night", "light"),
            ("night", "white"),
            ("fade", "shade"),
            ("maid", "shade"),
            ("sky", "high"),
            ("day", "grey"),
            ("sea", "free"),
            ("lady", "sea"),
            ("trees", "seas"),
            ("shore", "door"),
            ("rain", "lane"),
            ("face", "embrace"),
            ("ground", "sound"),
        ] {
            assert!(rhyme(one, other), "{one} {other}");
        }
        for (one, other) in [
            ("night", "night"),
            ("love", "sea"),
            ("fade", "fad"),
            ("sky", "lady"),
            ("tree", "trees"),
            ("a", "o"),
            ("", ""),
        ] {
            assert!(!rhyme(one, other), "{one} {other}");
        }
    }

    #[test]
    fn a_line_is_better_with_a_rhyme_and_worse_with_the_same_word_or_many() {
        let lines = ["The moon is bright tonight,".to_owned()];
        let score = |text: &str| {
            let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
            of_a_line(&words, &lines)
        };
        let plain = score("and all the world is old");
        assert!(score("and all the world is white") > plain);
        assert!(score("and all the world tonight") < plain);
        assert!(score("and all of all of all the world is very very old") < plain);
    }

    #[test]
    fn only_lines_of_the_same_stanza_rhyme() {
        let stanza: Vec<String> = ["one light", "two", "three", "four night"]
            .map(str::to_owned)
            .to_vec();
        let words: Vec<String> = ["so", "very", "very", "white"].map(str::to_owned).to_vec();
        assert_eq!(of_a_line(&words, &stanza), 0.0);
        assert!(ends_stanza(4) && !ends_stanza(5) && !ends_stanza(0));
        assert!(!has_room(4, 20) && has_room(5, 20) && has_room(0, 3));
    }
}
