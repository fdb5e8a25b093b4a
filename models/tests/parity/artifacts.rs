//! Files as the original's Python wrote them: options, dictionaries, word tables and weights of both
//! golden sets are read to the last entry.

use super::golden::sets;
use models::Vocabulary;
use models::artifact::{Value, read_npy, read_pickle};

#[test]
fn options_are_read_from_their_pickles() {
    for golden in sets() {
        let (options, _) = read_pickle(&golden.bytes("romance.npz.pkl")).unwrap();
        assert!(
            options.get("doutput").is_none(),
            "absent, which means deep output"
        );
        for name in ["dim", "dim_word", "dimctx", "n_words"] {
            let found = options.get(name).and_then(Value::as_int).unwrap();
            assert_eq!(found as usize, golden.option("dec_options", name), "{name}");
        }
        let (plain, _) = read_pickle(&golden.bytes("romance_nodout.npz.pkl")).unwrap();
        assert_eq!(plain.get("doutput").and_then(Value::as_int), Some(0));
        assert_eq!(plain.get("decoder").and_then(Value::as_text), Some("gru"));
    }
}

#[test]
fn a_dictionary_file_with_two_pickles_yields_the_first() {
    for golden in sets() {
        let bytes = golden.bytes("romance_dictionary.pkl");
        let (_, length) = read_pickle(&bytes).unwrap();
        assert!(length < bytes.len());
        let vocabulary: Vocabulary = golden.vocabulary("romance_dictionary.pkl");
        for (id, word) in golden.json["word_idict_first"].as_object().unwrap() {
            assert_eq!(vocabulary.word(id.parse().unwrap()), word.as_str().unwrap());
        }
    }
}

#[test]
fn word_tables_of_mixed_rows_are_the_plain_tables() {
    for golden in sets() {
        for name in ["utable", "btable"] {
            let file = golden.path(&format!("{name}_object.npy"));
            if file.exists() {
                let plain = read_npy(&golden.path(&format!("{name}.npy"))).unwrap();
                assert_eq!(read_npy(&file).unwrap(), plain, "{name}");
            }
        }
    }
}

#[test]
fn a_cut_off_file_is_refused_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    for golden in sets() {
        for name in ["utable.npy", "romance.npz", "vse.npz.dictionary.pkl"] {
            let bytes = golden.bytes(name);
            let path = folder.path().join(name);
            std::fs::write(&path, &bytes[..bytes.len() * 2 / 3]).unwrap();
            let reason = match name.rsplit('.').next() {
                Some("npy") => read_npy(&path).unwrap_err().to_string(),
                Some("npz") => models::Weights::from_npz(&path).unwrap_err().to_string(),
                _ => format!(
                    "{name}: {}",
                    read_pickle(&std::fs::read(&path).unwrap()).unwrap_err()
                ),
            };
            assert!(reason.contains(name), "{reason}");
        }
    }
}
