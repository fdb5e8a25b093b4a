//! Which words rhyme, and how many syllables they have, as far as the spelling of English tells.
//!
//! The spelling is a fair witness of sounds: two ends rhyme if they are spelt alike from the last vowel on, or in one of the
//! ways that mostly sound alike. A rhyme to the eye is taken for one. Lyrics are chosen by it, verses to learn from found.

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

/// Whether two words, in lower case, end alike; a word does not rhyme with itself.
pub fn rhyme(one: &str, other: &str) -> bool {
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

/// The syllables of a word: runs of vowels, without a silent "e" at the end.
pub fn syllables(word: &str) -> usize {
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
}
