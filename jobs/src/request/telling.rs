//! When two requests ask for the same story.
//! The API asks at submit. What must stay true: every field that changes the story counts; a new field counts unless it
//! is taken out here.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::StoryRequest;

impl StoryRequest {
    /// A hash of everything that makes the story of a picture, which is given by the SHA-256 of what is kept of it: equal
    /// for requests that differ only in labels, urgency, how long they are kept and who is told of them.
    #[must_use]
    pub fn telling(&self, picture: &str) -> String {
        let alike = StoryRequest {
            metadata: BTreeMap::new(),
            deadline: None,
            priority: 0,
            webhook_url: None,
            webhook_events: Vec::new(),
            keep_for: None,
            ..self.clone().filled_in()
        };
        let wishes = serde_json::to_vec(&alike)
            .expect("a request is texts, numbers and lists of them: all of that has JSON");
        hex::encode(
            Sha256::new()
                .chain_update(picture)
                .chain_update(wishes)
                .finalize(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changes_the_story_counts() {
        let plain = StoryRequest::default();
        let labelled = StoryRequest {
            metadata: [("album".to_owned(), "2026".to_owned())].into(),
            priority: 9,
            keep_for: Some(60),
            webhook_url: Some("https://example.com/".to_owned()),
            ..plain.clone()
        };
        assert_eq!(plain.telling("a"), labelled.telling("a"));
        assert_eq!(plain.telling("a"), plain.clone().filled_in().telling("a"));
        assert_ne!(plain.telling("a"), plain.telling("b"));
        let seeded = StoryRequest {
            seed: Some(2),
            ..plain.clone()
        };
        assert_ne!(plain.telling("a"), seeded.telling("a"));
    }
}
