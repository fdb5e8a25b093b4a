//! Sets running text as lines: a line for each phrase, a stanza for each few lines.
//! For stories asked for as lyrics; the words stay what they are.

/// Words of a line before it may break at a comma.
const SHORTEST: usize = 4;
/// Words of a line at which it breaks before the next small word.
const LONGEST: usize = 9;
/// Lines of a stanza.
pub(crate) const STANZA: usize = 4;
/// Words that a line likes to begin with.
const BEGINNINGS: [&str; 14] = [
    "and", "but", "or", "with", "where", "when", "while", "that", "which", "as", "in", "on", "of",
    "to",
];

/// The text as lines, stanzas apart.
pub(crate) fn lines(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut line: Vec<&str> = Vec::new();
    for word in text.split_whitespace() {
        if line.len() >= LONGEST && BEGINNINGS.contains(&word) || line.len() > LONGEST + 3 {
            lines.push(line.join(" "));
            line.clear();
        }
        line.push(word);
        let ends = word.ends_with(['.', '!', '?']);
        let pauses = word.ends_with([',', ';', ':', '—']) && line.len() >= SHORTEST;
        if ends || pauses {
            lines.push(line.join(" ").trim_end_matches([',', ';', ':']).to_owned());
            line.clear();
        }
    }
    if !line.is_empty() {
        lines.push(line.join(" "));
    }
    stanzas(&lines)
}

/// Lines as stanzas; the last one ends as a sentence does.
pub(crate) fn stanzas(lines: &[String]) -> String {
    let stanzas = lines.chunks(STANZA).map(|stanza| stanza.join("\n"));
    let text = stanzas.collect::<Vec<_>>().join("\n\n");
    let text = text.trim_end_matches([',', ';', ':', '—', '-', ' ']);
    if text.ends_with(char::is_alphanumeric) {
        return format!("{text}.");
    }
    text.to_owned()
}

/// Lines of a song as they come. The newest is held back: if it is the last one, it ends otherwise (see [`stanzas`]).
#[derive(Debug, Default)]
pub(crate) struct Coming {
    held: Option<String>,
    /// Lines that were given, the empty ones between stanzas left out.
    lines: usize,
}

impl Coming {
    /// Takes a line and gives what will not change any more, each with its place among all lines of the song; between
    /// stanzas there is an empty one.
    pub(crate) fn take(&mut self, line: &str) -> Vec<(usize, String)> {
        let Some(before) = self.held.replace(line.to_owned()) else {
            return Vec::new();
        };
        let first = self.place();
        self.lines += 1;
        let mut final_now = vec![before];
        if self.lines.is_multiple_of(STANZA) {
            final_now.push(String::new());
        }
        (first..).zip(final_now).collect()
    }

    /// The last line of the whole `song`, with its place.
    pub(crate) fn end(self, song: &str) -> Option<(usize, String)> {
        let place = self.place();
        self.held?;
        Some((place, song.lines().last()?.to_owned()))
    }

    /// The place of the next line among all: an empty one stands after each stanza.
    fn place(&self) -> usize {
        self.lines + self.lines / STANZA
    }
}

#[cfg(test)]
mod tests {
    use super::{Coming, lines, stanzas};

    #[test]
    fn phrases_become_lines_and_lines_stanzas() {
        let text = "The sea was calm and grey, and nobody spoke of the boat. It came at night. \
                    We saw the white sail on the dark water of the bay in the moon.";
        let wanted = "The sea was calm and grey\nand nobody spoke of the boat.\nIt came at night.\n\
                      We saw the white sail on the dark water\n\nof the bay in the moon.";
        assert_eq!(lines(text), wanted);
    }

    #[test]
    fn four_lines_are_a_stanza_and_the_last_line_ends() {
        let lines = ["One,", "two,", "three;", "four.", "And five,"].map(str::to_owned);
        assert_eq!(stanzas(&lines), "One,\ntwo,\nthree;\nfour.\n\nAnd five.");
        assert_eq!(stanzas(&[]), "");
    }

    #[test]
    fn lines_come_one_after_the_other_as_they_will_stand() {
        for count in [1, 3, 4, 5, 9] {
            let all: Vec<String> = (0..count).map(|n| format!("line {n},")).collect();
            let song = stanzas(&all);
            let mut coming = Coming::default();
            let mut heard: Vec<(usize, String)> =
                all.iter().flat_map(|line| coming.take(line)).collect();
            heard.extend(coming.end(&song));
            let wanted: Vec<(usize, String)> =
                song.lines().map(str::to_owned).enumerate().collect();
            assert_eq!(heard, wanted);
        }
        assert_eq!(Coming::default().end(""), None);
    }
}
