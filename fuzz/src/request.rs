//! Any JSON as the fields of a story request.
//! What must stay true: a request that is read and validated reads back equal from its row, from its JSON and from a form that says
//! the same in texts, and is the same telling each time.

use jobs::StoryRequest;
use serde_json::{Map, Value};

/// Reads `text` as a caller's fields.
///
/// # Panics
/// When the promise does not hold.
pub fn holds(text: &[u8]) {
    let Ok(fields) = serde_json::from_slice::<Map<String, Value>>(text) else {
        return;
    };
    let request = match StoryRequest::read(fields) {
        Ok(request) => request,
        Err(problem) => {
            assert!(!problem.field.is_empty() || !problem.message.is_empty());
            return;
        }
    };
    if let Err(problem) = request.validate() {
        let known = StoryRequest::fields().any(|field| field == problem.field);
        assert!(known, "{problem} is of no field");
        return;
    }
    reads_back(&request);
    is_settled_once(&request);
    let styles = request.styles().expect("it was validated");
    let total: f64 = styles.iter().map(|(_, share)| share).sum();
    assert!((total - 1.0).abs() < 1e-9, "the shares add up to {total}");
}

fn reads_back(request: &StoryRequest) {
    let row = serde_json::to_string(request).expect("a request has JSON");
    let stored: StoryRequest = serde_json::from_str(&row).expect("a row is read");
    assert_eq!(&stored, request, "its row");
    let Ok(Value::Object(fields)) = serde_json::from_str(&row) else {
        panic!("a request is an object of JSON");
    };
    let form: Map<String, Value> = fields.clone().into_iter().map(as_in_a_form).collect();
    for (kind, fields) in [("JSON", fields), ("a form", form)] {
        let again = StoryRequest::read(fields).expect("what was written is read");
        again.validate().expect("what was valid is valid");
        assert_eq!(&again, request, "{kind}");
        assert_eq!(again.telling("a"), request.telling("a"), "{kind}");
    }
}

fn as_in_a_form((name, value): (String, Value)) -> (String, Value) {
    let text = match value {
        Value::Null | Value::String(_) => value,
        other => Value::String(other.to_string()),
    };
    (name, text)
}

fn is_settled_once(request: &StoryRequest) {
    let settled = request.clone().filled_in();
    settled.validate().expect("what is settled is valid");
    assert!(settled.mode.is_some());
    assert_eq!(settled.clone().filled_in(), settled);
    assert_eq!(settled.telling("a"), request.telling("a"));
}
