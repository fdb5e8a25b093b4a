//! What a person may choose for a story, as the networks take it.
//! The worker and the command line fill it in; the stages read it.

/// What a person may choose for a story.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Styles with their weights; none means a plain description.
    pub style: Vec<(String, f32)>,
    /// How far to shift towards the style: 0 not at all, 1 as the original.
    pub style_strength: f32,
    /// How many captions the story starts from.
    pub captions: usize,
    /// How many texts a search follows at once, or how many are drawn to choose from.
    pub beam_width: usize,
    /// The most words of the story (strict stories end by themselves, as the original's did).
    pub max_words: usize,
    /// Prose or verse.
    pub form: Form,
    /// Search or chance.
    pub mode: Mode,
    /// How many stories of the picture are told, the best first.
    pub count: usize,
    /// The story that this one goes on from; empty for one that begins.
    pub before: String,
    /// Exactly the original's rules and raw text: no bar on repeats, words joined by spaces.
    pub strict: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            style: vec![("romance".to_owned(), 1.0)],
            style_strength: 1.0,
            captions: 100,
            beam_width: 50,
            max_words: 120,
            form: Form::Prose,
            mode: Mode::Sample {
                temperature: 0.6,
                top_p: 0.92,
                seed: 1,
            },
            count: 1,
            before: String::new(),
            strict: false,
        }
    }
}

/// How the text is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// Running text.
    #[default]
    Prose,
    /// A line for each phrase.
    Lyrics,
}

/// How words are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Mode {
    /// The likeliest text that a beam search finds.
    #[default]
    Beam,
    /// Words drawn by chance.
    Sample {
        /// 0 takes the likeliest word, 1 the network's own distribution.
        temperature: f32,
        /// Only the likeliest words that together have this probability.
        top_p: f32,
        /// The same seed tells the same story.
        seed: u64,
    },
}
