//! What the detector's scores say about the objects that a caption names, and what the council of captions adds.
//!
//! The score asks for evidence: how far the log odds of a class lie above a line, within limits. The last choice asks for
//! belief: how likely a person would name the class, from its score, from how often people name it at all and from
//! how many of the best captions do.

use serde::{Deserialize, Serialize};

/// The detector's class that stands for people; its scores are high for whatever has a head.
const PERSON: usize = 0;
/// Scores are cut off here before their odds are taken.
const SUREST: f32 = 1e-4;

/// How scores become evidence for a named object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// The score that speaks neither for nor against a class.
    pub line: f32,
    /// What an absent object costs at most, in log odds: negative.
    pub least: f32,
    /// What a seen object brings at most.
    pub most: f32,
    /// How much people count, of 1.
    pub person: f32,
}

impl Evidence {
    /// For and against each class, from the detector's scores.
    pub fn of(&self, scores: &[f32]) -> Vec<f32> {
        let line = log_odds(self.line);
        let each = scores.iter().enumerate().map(|(class, &score)| {
            let evidence = (log_odds(score) - line).clamp(self.least, self.most);
            if class == PERSON {
                evidence * self.person
            } else {
                evidence
            }
        });
        each.collect()
    }
}

/// How it is judged whether a person would name a class: the weights of a logistic regression.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Belief {
    /// How much the chosen captions gain and lose by it; 0: it is not asked.
    pub weight: f32,
    /// A class that is likelier than this is better named than not.
    pub line: f32,
    /// Of the log odds of the detector's score.
    pub score: f32,
    /// Of the log odds with which captions name the class at all.
    pub usual: f32,
    /// Of being a person.
    pub person: f32,
    /// Of the log odds of the score of a person, besides.
    pub person_score: f32,
    /// Of the distance to the best class, at most 4 below it.
    pub rival: f32,
    /// Of the log odds of the share of the council that names the class.
    pub share: f32,
    /// Of that share times the log odds of the score.
    pub share_score: f32,
    /// Always added.
    pub constant: f32,
}

impl Belief {
    /// How likely it is (0 to 1) that a person would name each class.
    ///
    /// `scores` are the detector's, `usual` how often captions name the classes, `shares` how much of the council does.
    pub fn of(&self, scores: &[f32], usual: &[f32], shares: &[f32]) -> Vec<f32> {
        let odds: Vec<f32> = scores.iter().map(|&score| log_odds(score)).collect();
        let best = odds.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let each = odds.iter().zip(usual).zip(shares).enumerate();
        let likely = each.map(|(class, ((&odds, &usual), &share))| {
            let person = if class == PERSON {
                self.person + self.person_score * odds
            } else {
                0.0
            };
            // a share of exactly 0 or 1 is possible and must not decide alone
            let shared = ((share + 0.02) / (1.02 - share)).ln();
            let sum = self.constant
                + self.score * odds
                + self.usual * log_odds(usual)
                + person
                + self.rival * (odds - best).max(-4.0)
                + self.share * shared
                + self.share_score * share * odds;
            1.0 / (1.0 + (-sum).exp())
        });
        likely.collect()
    }
}

fn log_odds(share: f32) -> f32 {
    let share = share.clamp(SUREST, 1.0 - SUREST);
    (share / (1.0 - share)).ln()
}
