//! Any bytes as weights in a safetensors file.
//! What must stay true: each array has numbers that are in the file, and is asked for by its own shape only.

use models::Weights;

use crate::file::with_file;

/// Opens `bytes`.
///
/// # Panics
/// When the promise does not hold.
pub fn holds(bytes: &[u8]) {
    with_file(bytes, |path| {
        let Ok(weights) = Weights::from_safetensors(path) else {
            return;
        };
        let mut numbers = 0;
        for name in weights.names() {
            let (_, array) = weights.iter().find(|(known, _)| *known == name).unwrap();
            let shape = array.size();
            numbers += array.numel();
            assert!(weights.contains(name) && weights.tensor(name, &shape).is_ok());
            assert!(weights.tensor(name, &[&shape[..], &[1]].concat()).is_err());
        }
        assert!(numbers <= bytes.len(), "{numbers} numbers");
    });
}
