//! Any bytes as a file of PyTorch before 1.6.
//! What must stay true: each tensor lies in a storage of the file, so that all of them are not much larger than the file, and is read
//! the same each time.

use originals::formats::read_pth;

use crate::file::with_file;

/// A tensor has at most as many numbers as its storage, of two bytes at least.
const BYTES_A_NUMBER: usize = 2;

/// Reads `bytes`.
///
/// # Panics
/// When the promise does not hold.
pub fn holds(bytes: &[u8]) {
    with_file(bytes, |path| {
        let Ok(weights) = read_pth(path) else { return };
        let again = read_pth(path).expect("it was read");
        for (name, tensor) in weights.iter() {
            assert!(tensor.numel() <= bytes.len() / BYTES_A_NUMBER, "`{name}`");
            let shape = tensor.size();
            assert!(again.tensor(name, &shape).is_ok(), "`{name}`");
        }
        assert_eq!(again.names().count(), weights.names().count());
    });
}
