//! Carries a grammar out: one sentence from a start rule and a stream of random numbers.
//!
//! Called by `grammar` only. Words come out left to right, so a subject can say what it is (one,
//! many, he, she, it) and all that follows agrees with it until another subject speaks up.

use super::{Alternative, Grammar, Mark, Part};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// The words of one sentence, without the final period.
pub(super) fn sentence(grammar: &Grammar, start: usize, rng: &mut ChaCha8Rng) -> Vec<String> {
    let mut speaker = Speaker {
        grammar,
        rng,
        person: Mark::Thing,
        gerund: false,
        words: Vec::new(),
    };
    speaker.rule(start);
    speaker.words
}

struct Speaker<'a> {
    grammar: &'a Grammar,
    rng: &'a mut ChaCha8Rng,
    /// Male, Female, Thing or Plural
    person: Mark,
    gerund: bool,
    words: Vec<String>,
}

impl Speaker<'_> {
    fn rule(&mut self, rule: usize) {
        let grammar = self.grammar;
        self.one_of(&grammar.rules[rule]);
    }

    fn one_of(&mut self, alternatives: &[Alternative]) {
        let all: u32 = alternatives.iter().map(|a| a.weight).sum();
        let mut drawn = self.rng.random_range(0..all);
        for alternative in alternatives {
            if drawn < alternative.weight {
                return self.all_of(&alternative.parts);
            }
            drawn -= alternative.weight;
        }
    }

    fn all_of(&mut self, parts: &[Part]) {
        for part in parts {
            match part {
                Part::Word(word) => self.words.push(word.clone()),
                Part::Forms(forms) => self.form(forms),
                Part::Rule(rule) => self.rule(*rule),
                Part::Choice(alternatives) => self.one_of(alternatives),
                Part::Optional(percent, parts) => {
                    if self.rng.random_range(0..100) < *percent {
                        self.all_of(parts);
                    }
                }
                Part::Mark(mark) => self.mark(*mark),
            }
        }
    }

    fn form(&mut self, forms: &[String]) {
        let form = match forms.get(2) {
            Some(gerund) if self.gerund => gerund,
            _ if matches!(self.person, Mark::Plural) => &forms[0],
            _ => &forms[1],
        };
        self.words.push(form.clone());
    }

    fn mark(&mut self, mark: Mark) {
        match mark {
            Mark::Male | Mark::Female | Mark::Thing | Mark::Plural => self.person = mark,
            Mark::Child if self.rng.random() => self.person = Mark::Male,
            Mark::Child => self.person = Mark::Female,
            Mark::Finite => self.gerund = false,
            Mark::Gerund => self.gerund = true,
            Mark::His => self.pronoun(["his", "her", "its", "their"]),
            Mark::Him => self.pronoun(["him", "her", "it", "them"]),
            Mark::Himself => self.pronoun(["himself", "herself", "itself", "themselves"]),
        }
    }

    fn pronoun(&mut self, [male, female, thing, many]: [&str; 4]) {
        let word = match self.person {
            Mark::Male => male,
            Mark::Female => female,
            Mark::Plural => many,
            _ => thing,
        };
        self.words.push(word.to_owned());
    }
}
