//! The wording in which a language model is asked for a text: a request with places for what it is to be about.
//!
//! A bundle holds it, marks of the model's conversation included. Stories are asked for with it and an adapter learns behind
//! it, so that a model is asked as it was taught. What must stay true: nothing of a caller's gets into it.

/// The place of soft tokens, for an adapter that learnt to hear them there.
const THOUGHT: &str = "{thought}";
/// What ends a part of a conversation.
const END: &str = "<|im_end|>";
/// What is written without a style, and in one that has no manner of its own.
pub const NO_MANNER: &str = "a story";
/// See [`NO_MANNER`].
pub const ADDED_MANNER: &str = "an old novel";

/// What a text is asked for by.
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    /// Whose manner it is to have.
    pub manner: &'a str,
    /// What a caption says.
    pub caption: &'a str,
    /// Words that it should speak of.
    pub words: &'a [String],
    /// Who it is about, and what sets it going; a sentence of the wording that names what is empty is left out.
    pub hero: &'a str,
    /// See `hero`.
    pub turn: &'a str,
}

/// A request: what stands before the soft tokens, and what after them; all before where none are heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Everything before the soft tokens.
    pub before: String,
    /// Everything after them; none where the wording has no place for them.
    pub after: Option<String>,
}

/// Whether a wording has a place for soft tokens.
pub fn hears_thoughts(wording: &str) -> bool {
    wording.contains(THOUGHT)
}

/// The same wording with a place for soft tokens, at the end of what is asked.
pub fn with_thoughts(wording: &str) -> String {
    match wording.rfind(END) {
        Some(end) if !hears_thoughts(wording) => {
            let (asked, after) = wording.split_at(end);
            format!("{asked}{THOUGHT}{after}")
        }
        _ => wording.to_owned(),
    }
}

/// Asks in this wording, which may name `{manner}`, `{caption}`, `{words}`, `{hero}`, `{turn}` and `{thought}`.
pub fn ask(wording: &str, subject: &Subject) -> Asked {
    let mut wording = wording.to_owned();
    for (name, text) in [("{hero}", subject.hero), ("{turn}", subject.turn)] {
        if text.is_empty() {
            wording = without_the_sentence_of(&wording, name);
        }
    }
    let fill = |part: &str| {
        part.replace("{manner}", subject.manner)
            .replace("{words}", &subject.words.join(", "))
            .replace("{hero}", subject.hero)
            .replace("{turn}", subject.turn)
            .replace("{caption}", &as_a_part(subject.caption))
    };
    match wording.split_once(THOUGHT) {
        Some((before, after)) => Asked {
            before: fill(before),
            after: Some(fill(after)),
        },
        None => Asked {
            before: fill(&wording),
            after: None,
        },
    }
}

/// A wording less the sentence in which a place stands.
fn without_the_sentence_of(wording: &str, place: &str) -> String {
    let Some(at) = wording.find(place) else {
        return wording.to_owned();
    };
    let (before, after) = wording.split_at(at);
    let from = before.rfind(['.', '\n', '>']).map_or(0, |last| last + 1);
    let to = after.find(['.', '\n', '<']).unwrap_or(after.len());
    let stop = usize::from(after[to..].starts_with('.'));
    format!("{}{}", &before[..from], &after[to + stop..])
}

/// A caption as it stands within a sentence: without its full stop and its capital.
fn as_a_part(caption: &str) -> String {
    let caption = caption.trim().trim_end_matches('.');
    let mut letters = caption.chars();
    let first = letters.next().into_iter().flat_map(char::to_lowercase);
    first.chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caption_stands_within_a_sentence() {
        assert_eq!(
            as_a_part("A dog that is in a house."),
            "a dog that is in a house"
        );
        assert_eq!(as_a_part("Éclairs on a plate "), "éclairs on a plate");
        assert_eq!(as_a_part(""), "");
    }

    #[test]
    fn a_wording_has_a_place_for_everything_and_soft_tokens_only_where_it_says_so() {
        let words = ["dog".to_owned(), "grass".to_owned()];
        let subject = Subject {
            manner: "a romance",
            caption: "A {words} dog.",
            words: &words,
            hero: "an old sailor",
            turn: "",
        };
        let asked = ask(
            "Write {manner} about {caption}: {words}.{thought} Now.",
            &subject,
        );
        assert_eq!(
            asked.before,
            "Write a romance about a {words} dog: dog, grass."
        );
        assert_eq!(asked.after.as_deref(), Some(" Now."));
        let asked = ask("Write {manner}.", &subject);
        assert_eq!(
            (asked.before.as_str(), asked.after),
            ("Write a romance.", None)
        );
    }

    #[test]
    fn a_sentence_that_names_what_there_is_none_of_is_left_out() {
        let (words, wording) = (
            [],
            "<|im_start|>user\nTell of {caption}. The hero is {hero} {turn}. Be brief.<|im_end|>\n",
        );
        let asked = |hero, turn| {
            let subject = Subject {
                manner: "a tale",
                caption: "A dog",
                words: &words,
                hero,
                turn,
            };
            ask(wording, &subject).before
        };
        let whole =
            "<|im_start|>user\nTell of a dog. The hero is a fox who waits. Be brief.<|im_end|>\n";
        assert_eq!(asked("a fox", "who waits"), whole);
        let without = "<|im_start|>user\nTell of a dog. Be brief.<|im_end|>\n";
        for (hero, turn) in [("", ""), ("", "who waits"), ("a fox", "")] {
            assert_eq!(asked(hero, turn), without, "{hero} {turn}");
        }
    }

    #[test]
    fn soft_tokens_get_a_place_once_where_what_is_asked_ends() {
        let wording = "<|im_start|>user\nTell.<|im_end|>\n<|im_start|>assistant\n";
        let heard = with_thoughts(wording);
        let wanted = "<|im_start|>user\nTell.{thought}<|im_end|>\n<|im_start|>assistant\n";
        assert_eq!(heard, wanted);
        assert_eq!(with_thoughts(&heard), wanted);
        assert!(hears_thoughts(&heard) && !hears_thoughts(wording));
    }
}
