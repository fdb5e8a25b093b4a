//! From the fields of a form or of a JSON object to a request.
//! The API calls [`StoryRequest::read`]. What must stay true: a field means the same however it came, every problem
//! names its field, and a field that does not exist is never passed over.

use std::sync::LazyLock;

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::{FieldProblem, StoryRequest};

/// How much of a wrong value is quoted.
const QUOTED: usize = 40;

/// Every field with its default.
static FIELDS: LazyLock<Map<String, Value>> =
    LazyLock::new(|| match serde_json::to_value(StoryRequest::default()) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    });

impl StoryRequest {
    /// The names of all fields.
    pub fn fields() -> impl Iterator<Item = &'static str> {
        FIELDS.keys().map(String::as_str)
    }

    /// The request that these fields describe, each as JSON has it or as the text of a form; `null` is as good as not
    /// given.
    ///
    /// # Errors
    /// The first field that does not exist or is not what it should be; limits are for [`StoryRequest::validate`].
    pub fn read(fields: Map<String, Value>) -> Result<Self, FieldProblem> {
        let mut read = Map::new();
        for (field, value) in fields {
            if !FIELDS.contains_key(&field) {
                return Err(FieldProblem::new(field, "is no field of a story"));
            }
            if !value.is_null() {
                let value = fitting(&field, value)?;
                read.insert(field, value);
            }
        }
        // each field fits by itself, and no field is about another
        serde_json::from_value(Value::Object(read))
            .map_err(|error| FieldProblem::new("request", error.to_string()))
    }
}

/// The value, or what its text stands for, if it is what the field takes.
fn fitting(field: &str, value: Value) -> Result<Value, FieldProblem> {
    let mut problem = None;
    for candidate in candidates(&value) {
        let alone = Map::from_iter([(field.to_owned(), candidate.clone())]);
        match serde_json::from_value::<StoryRequest>(Value::Object(alone)) {
            Ok(_) => return Ok(candidate),
            Err(error) => {
                problem.get_or_insert(error);
            }
        }
    }
    let shown = match &value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let shown: String = shown.chars().take(QUOTED).collect();
    let why = problem.map_or_else(String::new, |error| error.to_string());
    Err(FieldProblem::new(field, complaint(field, &shown, &why)))
}

/// What a value may stand for, the likeliest first. A form has texts only: `50` is a number where the field is one, and
/// a text where it is not; what looks like a list or an object of JSON is one where the field takes it.
fn candidates(value: &Value) -> Vec<Value> {
    let Value::String(text) = value else {
        return vec![value.clone()];
    };
    let text = text.trim();
    let plain = Value::String(text.to_owned());
    match serde_json::from_str(text) {
        Ok(read) if text.starts_with(['[', '{']) => vec![read, plain],
        Ok(read) => vec![plain, read],
        Err(_) => vec![plain],
    }
}

/// What is wrong with a value, in words for people where the kind of field allows.
fn complaint(field: &str, shown: &str, why: &str) -> String {
    match FIELDS.get(field) {
        Some(Value::Number(number)) if number.is_f64() => {
            format!("is a number such as {number}, not `{shown}`")
        }
        Some(Value::Number(number)) => {
            format!("is a whole number such as {number}, not `{shown}`")
        }
        Some(Value::Object(_)) => {
            format!(
                "is a JSON object of texts such as {{\"album\": \"2026\"}}, not `{shown}`: {why}"
            )
        }
        _ => format!("cannot be `{shown}`: {why}"),
    }
}

/// Names in a list, or in one text and separated by commas.
pub(super) fn names<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Names {
        List(Vec<String>),
        Text(String),
    }
    Ok(match Names::deserialize(from)? {
        Names::List(names) => names,
        Names::Text(text) => text.split(',').map(|name| name.trim().to_owned()).collect(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;
    use crate::request::{Compat, Form, Mode};

    fn read(fields: Value) -> Result<StoryRequest, FieldProblem> {
        match fields {
            Value::Object(fields) => StoryRequest::read(fields),
            other => panic!("{other} are no fields"),
        }
    }

    #[test]
    fn a_form_and_json_say_the_same() {
        let form = read(json!({
            "style": " 1984 ", "style_strength": "0.5", "form": "lyrics", "beam_width": "7", "mode": "beam", "seed": "5",
            "compat": "strict", "metadata": "{\"album\": \"1\"}", "deadline": "2026-11-23T12:00:00Z",
            "webhook_url": "https://example.com", "webhook_events": "story.failed, story.expired"
        }))
        .unwrap();
        let object = read(json!({
            "style": "1984", "style_strength": 0.5, "form": "lyrics", "beam_width": 7, "mode": "beam", "seed": 5,
            "compat": "strict", "metadata": {"album": "1"}, "deadline": "2026-11-23T12:00:00Z", "captions": null,
            "webhook_url": "https://example.com", "webhook_events": ["story.failed", "story.expired"]
        }))
        .unwrap();
        assert_eq!(form, object);
        assert_eq!((form.form, form.compat), (Form::Lyrics, Compat::Strict));
        assert_eq!((form.mode, form.seed), (Some(Mode::Beam), Some(5)));
        assert_eq!((form.style.as_str(), form.beam_width), ("1984", 7));
        assert_eq!(form.webhook_events, ["story.failed", "story.expired"]);
    }

    #[test]
    fn whatever_a_field_cannot_be_is_said_with_its_name() {
        for (field, value, words) in [
            ("beam_width", json!("wide"), "whole number such as 50"),
            ("beam_width", json!(1.5), "whole number"),
            ("captions", json!("-1"), "whole number"),
            ("style_strength", json!("NaN"), "a number such as 1.0"),
            ("form", json!("sonnet"), "`prose` or `lyrics`"),
            ("seed", json!("seven"), "`seven`"),
            ("metadata", json!("[1]"), "JSON object"),
            ("deadline", json!("tomorrow"), "`tomorrow`"),
            ("style", json!(5), "`5`"),
            ("bean_width", json!(5), "no field"),
        ] {
            let problem = read(json!({field: value})).unwrap_err();
            assert_eq!(problem.field, field);
            assert!(problem.message.contains(words), "{problem}");
        }
    }

    #[test]
    fn rows_of_other_versions_are_read() {
        let old = json!({"style": "sea", "gone": 1});
        let request: StoryRequest = serde_json::from_value(old).unwrap();
        assert_eq!(request.style, "sea");
    }
}
