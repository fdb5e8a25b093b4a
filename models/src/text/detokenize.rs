//! Tokens to text for people: the inverse of `tokenize`, as near as it can be had.
//!
//! Called by the storyteller on what the decoder wrote, except in the strict mode, which shows
//! the bare tokens as the original did. Case is kept as decoded. Quotation marks always come out
//! in pairs, because a decoder forgets to open or to close them now and then.

#[cfg(test)]
mod properties;

/// Writes tokens as running prose with typographic quotes, apostrophes and dashes.
pub fn prose<S: AsRef<str>>(tokens: &[S]) -> String {
    let mut page = Page::default();
    page.write(tokens, Page::attach);
    page.text
}

/// Writes tokens as verse: a new line at each comma; lines without a word are dropped.
pub fn lyrics<S: AsRef<str>>(tokens: &[S]) -> String {
    let mut page = Page::default();
    page.write(tokens, |page, _comma| page.new_line());
    let lines = page.text.lines().map(str::trim);
    let lines: Vec<&str> = lines
        .filter(|line| line.contains(char::is_alphanumeric))
        .collect();
    lines.join("\n")
}

/// Words that the Treebank rules cut in two and that belong together.
const REJOINED: [(&str, &str); 10] = [
    ("can", "not"),
    ("gon", "na"),
    ("got", "ta"),
    ("wan", "na"),
    ("gim", "me"),
    ("lem", "me"),
    ("d", "'ye"),
    ("'t", "is"),
    ("'t", "was"),
    ("more", "'n"),
];

/// Words that start with an apostrophe of their own: no quotation begins there.
const ELIDED: [&str; 10] = [
    "'em", "'tis", "'twas", "'t", "'til", "'cause", "'bout", "'round", "'neath", "'ye",
];

/// The text so far and what the next token must know of it.
#[derive(Default)]
struct Page {
    text: String,
    /// the next token follows without a space
    glued: bool,
    quote_open: bool,
}

impl Page {
    fn write<S: AsRef<str>>(&mut self, tokens: &[S], comma: impl Fn(&mut Page, &str)) {
        let mut before = "";
        for token in tokens {
            let token = token.as_ref();
            match token {
                "," => comma(self, token),
                "``" | "“" => self.open_quote(),
                "''" | "”" => self.close_quote(),
                "\"" if self.quote_open => self.close_quote(),
                "\"" => self.open_quote(),
                "." | ";" | ":" | "?" | "!" | "%" | ")" | "]" | "}" | "…" => self.attach(token),
                "..." => self.attach("…"),
                "--" | "—" => {
                    self.attach("—");
                    self.glued = true;
                }
                "(" | "[" | "{" | "$" | "#" => {
                    self.word(token);
                    self.glued = true;
                }
                _ if is_clitic(token) || rejoins(before, token) => self.attach(&apostrophes(token)),
                _ => self.word(&apostrophes(token)),
            }
            before = token;
        }
        if self.quote_open {
            self.close_quote();
        }
    }

    fn word(&mut self, word: &str) {
        if !self.glued && !self.text.is_empty() {
            self.text.push(' ');
        }
        self.text.push_str(word);
        self.glued = false;
    }

    /// Sets a mark or a clitic right behind what stands there.
    fn attach(&mut self, mark: &str) {
        self.text.push_str(mark);
        self.glued = false;
    }

    fn new_line(&mut self) {
        self.text.push('\n');
        self.glued = true;
    }

    /// A second opening mark closes the first quotation where a sentence has ended, and is
    /// dropped elsewhere.
    fn open_quote(&mut self) {
        if self.quote_open {
            if !self.text.ends_with(['.', '?', '!', '…', '—', ',']) {
                return;
            }
            self.close_quote();
        }
        self.word("“");
        self.glued = true;
        self.quote_open = true;
    }

    /// A closing mark without an open quotation is dropped, and so is a quotation of nothing.
    fn close_quote(&mut self) {
        if !std::mem::take(&mut self.quote_open) {
            return;
        }
        if self.text.ends_with('“') {
            self.text.pop();
            self.text.truncate(self.text.trim_end_matches(' ').len());
            self.glued = self.text.ends_with(['\n', '(', '[', '{', '$', '#', '—']);
        } else {
            // a verse line that ended inside the quotation keeps its mark
            let end = self.text.trim_end_matches('\n').len();
            self.text.insert(end, '”');
            self.glued = self.text.ends_with('\n');
        }
    }
}

fn is_clitic(token: &str) -> bool {
    let lower = token.to_lowercase();
    matches!(
        lower.as_str(),
        "n't" | "'s" | "'m" | "'d" | "'ll" | "'re" | "'ve" | "'"
    )
}

fn rejoins(before: &str, token: &str) -> bool {
    let pair = (before.to_lowercase(), token.to_lowercase());
    REJOINED.contains(&(pair.0.as_str(), pair.1.as_str()))
}

/// Curls the apostrophes of a word; one at its head opens a quotation unless the word is elided.
fn apostrophes(token: &str) -> String {
    let lower = token.to_lowercase();
    let curled = token.replace('\'', "’");
    match curled.strip_prefix('’') {
        Some(rest)
            if rest.starts_with(char::is_alphabetic)
                && !is_clitic(token)
                && !ELIDED.contains(&lower.as_str()) =>
        {
            format!("‘{rest}")
        }
        _ => curled,
    }
}

#[cfg(test)]
mod tests {
    use super::{lyrics, prose};

    fn told(text: &str) -> String {
        prose(&text.split(' ').collect::<Vec<_>>())
    }

    fn sung(text: &str) -> String {
        lyrics(&text.split(' ').collect::<Vec<_>>())
    }

    #[test]
    fn a_conversation_reads_like_a_book() {
        assert_eq!(
            told("`` I do n't know , '' she said , `` but he 'll come . '' He smiled ."),
            "“I don’t know,” she said, “but he’ll come.” He smiled."
        );
        assert_eq!(
            told("`` You ca n't -- '' `` Wo n't I ? '' asked Mr. Darcy ."),
            "“You can’t—” “Won’t I?” asked Mr. Darcy."
        );
    }

    #[test]
    fn marks_stand_where_a_printer_sets_them() {
        assert_eq!(
            told("The sea -- the wide , grey sea -- rose ( and fell ) ; I can not tell why ..."),
            "The sea—the wide, grey sea—rose (and fell); I cannot tell why…"
        );
        assert_eq!(
            told("It cost $ 3.50 , 20 % off !"),
            "It cost $3.50, 20% off!"
        );
    }

    #[test]
    fn apostrophes_are_told_from_single_quotes() {
        assert_eq!(
            told("'T is the sailors ' boat , and 'twas John 's ; give 'em the 'Mary Ann ' ."),
            "’Tis the sailors’ boat, and ’twas John’s; give ’em the ‘Mary Ann’."
        );
    }

    #[test]
    fn quotation_marks_come_in_pairs() {
        assert_eq!(told("He left . '' She wept ."), "He left. She wept.");
        assert_eq!(told("`` I love you , she said"), "“I love you, she said”");
        assert_eq!(told("`` Stop ! `` Go ! ''"), "“Stop!” “Go!”");
        assert_eq!(told("`` '' Nothing ."), "Nothing.");
        assert_eq!(
            told("She said \" yes \" at once ."),
            "She said “yes” at once."
        );
    }

    #[test]
    fn verses_break_at_commas_and_have_no_empty_lines() {
        assert_eq!(
            sung(", you know , I thought , , hey , ."),
            "you know\nI thought\nhey"
        );
        assert_eq!(
            sung("`` I 'm yours , '' she sang , and did n't lie"),
            "“I’m yours”\nshe sang\nand didn’t lie"
        );
    }

    #[test]
    fn no_tokens_give_no_text() {
        assert_eq!(told(""), "");
        assert_eq!(prose::<&str>(&[]), "");
        assert_eq!(lyrics::<&str>(&[]), "");
    }

    #[test]
    fn prose_survives_being_tokenised_and_written_again() {
        let text = "He said, \"I don't know.\" Then he cannot have seen John's boats (or ours).";
        let tokens = crate::text::tokenize::preprocess(text);
        assert_eq!(
            prose(&tokens),
            "He said, “I don’t know.” Then he cannot have seen John’s boats (or ours)."
        );
    }
}
