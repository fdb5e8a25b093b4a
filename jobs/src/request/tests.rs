//! What can be asked for and what cannot, field by field.
#![allow(clippy::unwrap_used)]

use super::*;

fn problem(change: impl FnOnce(&mut StoryRequest)) -> FieldProblem {
    let mut request = StoryRequest::default();
    change(&mut request);
    request.validate().unwrap_err()
}

#[test]
fn the_default_request_is_valid() {
    StoryRequest::default().validate().unwrap();
}

#[test]
fn a_mix_is_scaled_to_one() {
    assert_eq!(
        parse_style("romance").unwrap(),
        [("romance".to_owned(), 1.0)]
    );
    let mix = parse_style(" romance:3 , adventure:1").unwrap();
    assert_eq!(
        mix,
        [("romance".to_owned(), 0.75), ("adventure".to_owned(), 0.25)]
    );
}

#[test]
fn styles_that_cannot_be_read_are_explained() {
    for (text, expected) in [
        ("", "empty name"),
        ("romance,", "empty name"),
        ("romance:x", "share `x`"),
        ("romance:-1", "share `-1`"),
        ("romance:NaN", "share `NaN`"),
        ("romance:inf", "share `inf`"),
        ("a,a", "twice"),
        ("../etc", "`../etc`"),
        ("a,b,c,d,e,f,g,h,i", "9 styles"),
    ] {
        let problem = parse_style(text).unwrap_err();
        assert_eq!(problem.field, "style");
        assert!(problem.message.contains(expected), "{text}: {problem}");
    }
}

#[test]
fn each_field_has_its_limits() {
    assert_eq!(
        problem(|request| request.style_strength = f64::NAN).field,
        "style_strength"
    );
    assert_eq!(
        problem(|request| request.beam_width = 0).field,
        "beam_width"
    );
    assert_eq!(problem(|request| request.captions = 1001).field, "captions");
    assert_eq!(problem(|request| request.max_words = 19).field, "max_words");
    assert_eq!(
        problem(|request| request.temperature = 0.0).field,
        "temperature"
    );
    assert_eq!(problem(|request| request.top_p = 0.0).field, "top_p");
    assert_eq!(
        problem(|request| request.seed = Some(1 << 53)).field,
        "seed"
    );
    assert_eq!(problem(|request| request.priority = 10).field, "priority");
    let many = |request: &mut StoryRequest| {
        request.metadata = (0..17).map(|n| (n.to_string(), String::new())).collect();
    };
    assert_eq!(problem(many).field, "metadata");
}

#[test]
fn a_row_of_another_version_is_read_with_defaults() {
    let request: StoryRequest =
        serde_json::from_str(r#"{"mode":"sample","seed":7,"later":1}"#).unwrap();
    assert_eq!(
        (request.mode, request.seed, request.beam_width),
        (Some(Mode::Sample), Some(7), 50)
    );
}

#[test]
fn a_strict_story_is_searched_for_never_drawn() {
    let strict = |mode| StoryRequest {
        compat: Compat::Strict,
        mode: Some(mode),
        ..StoryRequest::default()
    };
    strict(Mode::Beam).validate().unwrap();
    let problem = strict(Mode::Sample).validate().unwrap_err();
    assert_eq!(problem.field, "compat");
    let old: StoryRequest = serde_json::from_str("{}").unwrap();
    assert_eq!(
        old.compat,
        Compat::Modern,
        "rows from before there was a choice"
    );
}

#[test]
fn what_is_left_open_is_settled_once_so_that_the_same_request_tells_the_same_story() {
    let open = StoryRequest::default().filled_in();
    assert_eq!((open.mode, open.seed), (Some(Mode::Sample), Some(1)));
    let chosen = StoryRequest {
        mode: Some(Mode::Beam),
        ..StoryRequest::default()
    };
    assert_eq!(chosen.clone().filled_in(), chosen);
    let strict = StoryRequest {
        compat: Compat::Strict,
        ..StoryRequest::default()
    };
    assert_eq!(strict.filled_in().mode, Some(Mode::Beam));
}
