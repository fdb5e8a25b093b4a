//! The wording in which a language model is asked for a text: a request with places for what it is to be about.
//!
//! A bundle holds it, marks of the model's conversation included. Stories are asked for with it and an adapter learns behind
//! it, so that a model is asked as it was taught. What must stay true: nothing of a caller's gets into it.

/// The place of soft tokens, for an adapter that learnt to hear them there.
const THOUGHT: &str = "{thought}";
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
}

/// A request: what stands before the soft tokens, and what after them; all before where none are heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Everything before the soft tokens.
    pub before: String,
    /// Everything after them; none where the wording has no place for them.
    pub after: Option<String>,
}

/// Asks in this wording, which may name `{manner}`, `{caption}`, `{words}` and `{thought}`.
pub fn ask(wording: &str, subject: &Subject) -> Asked {
    let fill = |part: &str| {
        part.replace("{manner}", subject.manner)
            .replace("{words}", &subject.words.join(", "))
            .replace("{caption}", &as_a_part(subject.caption))
    };
    match wording.split_once(THOUGHT) {
        Some((before, after)) => Asked {
            before: fill(before),
            after: Some(fill(after)),
        },
        None => Asked {
            before: fill(wording),
            after: None,
        },
    }
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
}
