//! The JSON shapes of events: what happens to a story, as those hear it who follow it.
//! `events.rs` says them, and a client in Rust reads them with [`EventView::read`]. What must stay true: names of events and
//! fields are only ever added, so whoever meets a name he does not know passes over it.

use chrono::{DateTime, Utc};
use jobs::{State, UsedCaption};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{CaptionView, StoryView};

/// One thing that happens to a story.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", content = "data", rename_all = "snake_case")]
pub enum EventView {
    /// It came to another state, or to another place in the queue. A new `running` makes captions and sentences before it
    /// void.
    State(StateView),
    /// A worker has come so far.
    Progress(StageView),
    /// The captions it is made of.
    Captions(CaptionsView),
    /// A sentence that will not change any more; of lyrics a line, and an empty one between stanzas.
    Sentence(SentenceView),
    /// It ended: the whole job, as it is shown elsewhere.
    End(Box<StoryView>),
}

/// A state, and since when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateView {
    /// The state.
    pub state: State,
    /// When it came to it.
    pub at: DateTime<Utc>,
    /// While queued: how many are told before it.
    pub position: Option<u64>,
    /// While queued, once the pace of the service is known: in how many seconds it is told.
    pub eta_seconds: Option<u64>,
}

/// A stage, and how far it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageView {
    /// `looking`, `captioning`, `thinking` or `writing`.
    pub stage: String,
    /// Steps done.
    pub done: u32,
    /// Steps there are, or 0 where that is not known.
    pub of: u32,
}

/// Captions that were found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CaptionsView {
    /// The nearest ones first.
    pub captions: Vec<CaptionView>,
}

/// A sentence of the story.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentenceView {
    /// Its place, from 0.
    pub index: u32,
    /// Its words.
    pub text: String,
}

impl EventView {
    /// What was said under a name; none if the name is not known here.
    ///
    /// # Errors
    /// When the data are not what belongs to the name.
    pub fn read(name: &str, data: &str) -> Option<Result<Self, serde_json::Error>> {
        Some(match name {
            "state" => serde_json::from_str(data).map(EventView::State),
            "progress" => serde_json::from_str(data).map(EventView::Progress),
            "captions" => serde_json::from_str(data).map(EventView::Captions),
            "sentence" => serde_json::from_str(data).map(EventView::Sentence),
            "end" => serde_json::from_str(data).map(EventView::End),
            _ => return None,
        })
    }

    /// The lines of a server-sent event with this number.
    pub(crate) fn lines(&self, number: u32) -> String {
        let (name, data) = match self {
            EventView::State(state) => ("state", json!(state)),
            EventView::Progress(stage) => ("progress", json!(stage)),
            EventView::Captions(captions) => ("captions", json!(captions)),
            EventView::Sentence(sentence) => ("sentence", json!(sentence)),
            EventView::End(job) => ("end", json!(job)),
        };
        format!("id: {number}\nevent: {name}\ndata: {data}\n\n")
    }
}

impl CaptionsView {
    pub(crate) fn of(captions: &[UsedCaption]) -> Self {
        let view = |used: &UsedCaption| CaptionView {
            text: used.text.clone(),
            similarity: used.similarity,
        };
        CaptionsView {
            captions: captions.iter().map(view).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_read_back_under_the_same_name() {
        let said = [
            EventView::State(StateView {
                state: State::Queued,
                at: DateTime::UNIX_EPOCH,
                position: Some(2),
                eta_seconds: None,
            }),
            EventView::Progress(StageView {
                stage: "writing".to_owned(),
                done: 3,
                of: 0,
            }),
            EventView::Captions(CaptionsView {
                captions: Vec::new(),
            }),
            EventView::Sentence(SentenceView {
                index: 1,
                text: "Two\nlines.".to_owned(),
            }),
        ];
        for event in said {
            let lines = event.lines(7);
            let field = |name: &str| lines.lines().find_map(|line| line.strip_prefix(name));
            let (name, data) = (
                field("event: ").expect("it has a name"),
                field("data: ").expect("it has data"),
            );
            let read = EventView::read(name, data).expect("the name is known");
            let read = read.expect("the data belong to it");
            assert_eq!(json!(read), json!(event));
            assert_eq!(lines.lines().count(), 4, "{lines:?}");
        }
        assert!(EventView::read("of_tomorrow", "{}").is_none());
    }
}
