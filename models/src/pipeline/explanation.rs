//! Why a story is the one it is, in numbers that people can be shown.
//! Pipelines fill it in while they tell. What must stay true: everything was measured on the very thought that the story
//! was told from.

/// Where the thought of a story came from, and where the style moved it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Explanation {
    /// For each caption that the story started from, the nearest first: what it was chosen for. The terms add up to its
    /// score.
    pub chosen: Vec<Vec<(&'static str, f32)>>,
    /// What was read out of the shifted thought for the decoder: whom the story is about and what sets it going, and words.
    pub words: Vec<String>,
    /// Captions of the gallery nearest to the thought before the shift, by cosine.
    pub before: Vec<Near>,
    /// The same after it.
    pub after: Vec<Near>,
    /// How near the thought is to what makes each style, before and after.
    pub styles: Vec<StyleShift>,
    /// All of these on one plane: the two directions in which they differ most.
    pub map: Vec<Place>,
}

/// A text near a thought.
#[derive(Clone, Debug, PartialEq)]
pub struct Near {
    /// The text.
    pub text: String,
    /// The cosine of the angle between the two.
    pub similarity: f32,
}

/// What the shift did to the nearness of one style.
#[derive(Clone, Debug, PartialEq)]
pub struct StyleShift {
    /// Its name.
    pub name: String,
    /// The cosine before the shift.
    pub before: f32,
    /// The cosine after it.
    pub after: f32,
}

/// Something on the map.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// What it is.
    pub kind: PlaceKind,
    /// The text of a caption, the name of a style; empty for the thought itself.
    pub label: String,
    /// Across, −1 to 1.
    pub x: f32,
    /// Upwards, −1 to 1.
    pub y: f32,
}

/// What is on the map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaceKind {
    /// A caption that the story started from.
    Caption,
    /// A style.
    Style,
    /// The thought before the shift.
    Before,
    /// The thought after it.
    After,
}
