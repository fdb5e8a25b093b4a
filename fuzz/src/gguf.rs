//! Any bytes as a GGUF file.
//! What must stay true: what the table of contents promises is in the file, every tensor has the shape that is said, and its numbers
//! are no more than its blocks can hold.

use models::tensors::gguf::Gguf;

use crate::file::with_file;

/// The densest kinds of blocks hold 256 numbers in some 80 bytes, so four a byte are never reached.
const NUMBERS_A_BYTE: usize = 4;

/// Opens `bytes`.
///
/// # Panics
/// When the promise does not hold.
pub fn holds(bytes: &[u8]) {
    with_file(bytes, |path| {
        let Ok(file) = Gguf::open(path) else { return };
        for name in file.names() {
            assert!(file.contains(name) && file.kind(name).is_some());
            for axes in 1..=4 {
                let Ok(tensor) = file.tensor(name, &vec![-1; axes]) else {
                    continue;
                };
                assert_eq!(tensor.size().len(), axes);
                assert!(tensor.numel() <= bytes.len() * NUMBERS_A_BYTE, "`{name}`");
            }
        }
        for key in ["general.alignment", "general.name", "tokenizer.ggml.tokens"] {
            if let Ok(whole) = file.whole(key) {
                assert_eq!(file.number(key).ok(), Some(whole as f64), "{key}");
            }
            let texts = file.texts(key).map_or(0, <[String]>::len);
            assert!(texts <= bytes.len() && !(texts > 0 && file.text(key).is_ok()));
        }
    });
}
