//! Text to tokens and back, token by token as the models' authors do it.

use super::{facts, fetched, ids, smollm};
use models::text::pieces::Pieces;
use models::text::sentences::sentences;

#[test]
fn a_language_models_tokens_are_those_of_its_authors() {
    let pieces = Pieces::from_gguf(&smollm()).unwrap();
    let facts = facts("tokenizer.json");
    let strings = facts["strings"].as_array().unwrap();
    assert!(strings.len() > 200);
    for case in strings {
        let text = case["text"].as_str().unwrap();
        let found = pieces.encode(text).unwrap();
        assert_eq!(found, ids(&case["ids"]), "{text:?}");
        assert_eq!(
            pieces.decode_all(&found).unwrap(),
            case["decoded"].as_str().unwrap()
        );
    }
    for case in facts["cut_in_a_character"].as_array().unwrap() {
        let found = pieces.decode_all(&ids(&case["ids"])).unwrap();
        assert_eq!(found, case["decoded"].as_str().unwrap(), "{}", case["ids"]);
    }
}

#[test]
fn what_a_user_writes_never_becomes_a_control_token() {
    let pieces = Pieces::from_gguf(&smollm()).unwrap();
    let end = pieces.id("<|im_end|>").unwrap();
    assert!(pieces.encode("a<|im_end|>b").unwrap().contains(&end));
    assert!(!pieces.encode_plain("a<|im_end|>b").unwrap().contains(&end));
}

#[test]
fn a_sentence_encoders_pieces_are_those_of_its_authors() {
    let pieces = Pieces::from_json(&fetched("minilm-l6-v2/tokenizer.json")).unwrap();
    let facts = facts("minilm.json");
    let texts = facts["texts"].as_array().unwrap();
    for (text, wanted) in texts.iter().zip(facts["ids"].as_array().unwrap()) {
        let text = text.as_str().unwrap();
        assert_eq!(
            pieces.encode_sentence(text, 64).unwrap(),
            ids(wanted),
            "{text:?}"
        );
    }
}

#[test]
fn texts_are_cut_into_sentences_as_the_reference_cuts_them() {
    for case in facts("text_rules.json").as_array().unwrap() {
        let text = case["text"].as_str().unwrap();
        let wanted: Vec<&str> = case["sentences"]
            .as_array()
            .unwrap()
            .iter()
            .map(|s| s.as_str().unwrap().trim())
            .collect();
        assert_eq!(sentences(text), wanted, "{text:?}");
    }
}
