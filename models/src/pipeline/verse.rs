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

#[cfg(test)]
mod tests {
    use super::{lines, stanzas};

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
}
