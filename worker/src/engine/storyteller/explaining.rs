//! From what the networks explain of a story to what its job keeps of it.
//! `storyteller` asks. What must stay true: only numbers that JSON has are written down.

use jobs::{ChosenCaption, Explanation, MapPoint, StyleShift, UsedCaption};
use models::pipeline::explanation::{self, Near, PlaceKind};
use models::pipeline::storyteller::Story;

/// Captions whose reasons are kept: a story can have a thousand.
const CAPTIONS: usize = 20;

/// What is kept of a story's explanation; with networks that give none, the captions alone.
pub(super) fn explanation(story: &Story) -> Explanation {
    let why = story.explanation.as_ref();
    let chosen = why.map_or(&[][..], |why| &why.chosen);
    let captions = story.captions.iter().take(CAPTIONS).enumerate();
    let captions = captions.map(|(place, caption)| {
        let reasons = chosen.get(place).into_iter().flatten();
        ChosenCaption {
            text: caption.text.clone(),
            similarity: finite(caption.similarity),
            reasons: reasons
                .map(|&(name, share)| (name.to_owned(), finite(share)))
                .collect(),
        }
    });
    let captions = captions.collect();
    let Some(why) = why else {
        return Explanation {
            captions,
            ..Explanation::default()
        };
    };
    Explanation {
        captions,
        words: why.words.clone(),
        before: why.before.iter().map(near).collect(),
        after: why.after.iter().map(near).collect(),
        styles: why.styles.iter().map(shift).collect(),
        map: why.map.iter().map(point).collect(),
    }
}

fn near(near: &Near) -> UsedCaption {
    UsedCaption {
        text: near.text.clone(),
        similarity: finite(near.similarity),
    }
}

fn shift(style: &explanation::StyleShift) -> StyleShift {
    StyleShift {
        name: style.name.clone(),
        before: finite(style.before),
        after: finite(style.after),
    }
}

fn point(place: &explanation::Place) -> MapPoint {
    let kind = match place.kind {
        PlaceKind::Caption => "caption",
        PlaceKind::Style => "style",
        PlaceKind::Before => "before",
        PlaceKind::After => "after",
    };
    MapPoint {
        kind: kind.to_owned(),
        label: place.label.clone(),
        x: finite(place.x),
        y: finite(place.y),
    }
}

/// JSON has no name for what is no number.
fn finite(number: f32) -> f64 {
    if number.is_finite() {
        f64::from(number)
    } else {
        0.0
    }
}
