//! Verbs for styles that callers add.
//! What must stay true: every style here is made with one bundle.

use jobs::{LearntStyle, Outcome, State, StyleDraft, StyleSubmitted};

use crate::service::Service;

/// The bundle with which they are made.
pub const BUNDLE: &str = "starter-1";

/// A text that is to become a style.
pub fn draft(name: &str, text: &str) -> StyleDraft {
    StyleDraft {
        name: name.to_owned(),
        description: "of the sea".to_owned(),
        source: "a test".to_owned(),
        text: text.to_owned(),
    }
}

/// What a worker says of a style it has made.
pub fn learnt(number: f32) -> Outcome {
    Outcome::Learnt(LearntStyle {
        bundle: BUNDLE.to_owned(),
        passages: 31,
        found: 40,
        known: 92.5,
        vector: vec![number; 3],
    })
}

impl Service {
    /// Hands in a style.
    pub async fn new_style(&self, name: &str) {
        let submitted = self.store.submit_style(&draft(name, "long ago")).await;
        assert!(matches!(submitted.unwrap(), StyleSubmitted::New(_)));
    }

    /// What the styles of this name are.
    pub async fn vectors(&self, name: &str) -> Vec<Vec<f32>> {
        let names = [name.to_owned()];
        // to a job that is nobody's
        let nobodys = uuid::Uuid::nil();
        let added = self.store.added_styles(BUNDLE, &names, nobodys).await;
        let added = added.unwrap();
        added.into_iter().map(|style| style.vector).collect()
    }

    /// How the style of this name stands.
    pub async fn state(&self, name: &str) -> Option<State> {
        let standing = self.store.style(name).await.unwrap();
        standing.map(|standing| standing.state)
    }
}
