//! Any bytes as an array of numpy.
//! What must stay true: it has as many numbers as its shape says and no more than the file has bytes, and is read the same each time.

use originals::formats::read_npy;

use crate::file::with_file;
use crate::pickle::numbers;

/// Pickled rows may be mentioned more than once.
const MOST_A_BYTE: usize = 64;
const MOST_BESIDE: usize = 1 << 20;

/// Reads `bytes`.
///
/// # Panics
/// When the promise does not hold.
pub fn holds(bytes: &[u8]) {
    with_file(bytes, |path| {
        let Ok(array) = read_npy(path) else { return };
        let count = numbers(&array);
        assert!(
            count <= bytes.len() * MOST_A_BYTE + MOST_BESIDE,
            "{count} numbers"
        );
        let again = read_npy(path).expect("it was read");
        assert_eq!(format!("{again:?}"), format!("{array:?}"));
    });
}
