//! What is a picture's own fault, told apart from that of the place where pictures are kept.
//! What must stay true: a refusal is written for the person who sent the picture.

/// Why a picture is not taken, in words for the person who sent it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The bytes are no picture that can be read to its end.
    #[error("the picture cannot be read: {0}")]
    Unreadable(String),
    /// More bytes or pixels than are taken, or too narrow a strip.
    #[error("the picture is too large: {0}; scale it down or crop it")]
    TooLarge(String),
    /// More than one frame.
    #[error("the picture moves: send a still one, for example one of its frames")]
    Animated,
}

impl Refusal {
    /// What is wrong with the picture, for a sentence that says already which picture it is.
    pub fn reason(&self) -> &str {
        match self {
            Refusal::Unreadable(reason) | Refusal::TooLarge(reason) => reason,
            Refusal::Animated => "it moves",
        }
    }
}
