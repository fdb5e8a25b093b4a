//! Tokens against NLTK 3.1: 98 printed cases, and the texts that the original encoded.
//!
//! The cases were printed by Python 2 with the English Punkt parameters; two of them show what it
//! did with bytes instead of text, and are left out by name.

use models::tokenize::{preprocess, sentences};
use serde_json::Value;

/// Texts that the original took as bytes and treated otherwise than the same text in Unicode:
/// one failed, one kept a no-break space inside a word. Here all text is Unicode.
const BYTES_DIFFER: [&str; 2] = ["a\u{a0}nonbreaking", "naïve résumé. Next éclair."];

fn golden(name: &str) -> Value {
    let path = format!("{}/tests/golden/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn strings(list: &Value) -> Vec<String> {
    let list = list.as_array().unwrap().iter();
    list.map(|s| s.as_str().unwrap().to_owned()).collect()
}

#[test]
fn tokens_and_sentences_are_those_of_nltk() {
    let golden = golden("misc/preprocess_nltk_3.1.json");
    let cases = golden["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 98);
    for case in cases {
        let text = case["in"].as_str().unwrap();
        if case["kind"] == "bytes" && BYTES_DIFFER.contains(&text) {
            continue;
        }
        assert_eq!(sentences(text), strings(&case["sentences"]), "{text:?}");
        assert_eq!(preprocess(text), strings(&case["tokens"]), "{text:?}");
    }
}

#[test]
fn texts_are_read_as_the_original_encoder_read_them() {
    for set in ["tiny", "mid"] {
        let golden = golden(&format!("misc/encode_{set}.json"));
        let texts = strings(&golden["encode_sentences_in"]);
        let read = strings(&golden["encode_preprocessed"]);
        assert!(texts.len() > 30);
        for (text, read) in texts.iter().zip(&read) {
            assert_eq!(preprocess(text).join(" "), read.trim(), "{text:?}");
        }
    }
}
