//! Any bytes as a network of Caffe.
//! What must stay true: every layer has arrays, each with as many numbers as its shape says, and all together are no more than the
//! file has room for.

use originals::formats::read_caffemodel;

use crate::file::with_file;
use crate::pickle::numbers;

/// The smallest number is a float of four bytes.
const BYTES_A_NUMBER: usize = 4;

/// Reads `bytes`.
///
/// # Panics
/// When the promise does not hold.
pub fn holds(bytes: &[u8]) {
    with_file(bytes, |path| {
        let Ok(layers) = read_caffemodel(path) else {
            return;
        };
        assert!(!layers.is_empty());
        let mut count = 0;
        for (name, arrays) in &layers {
            assert!(!arrays.is_empty(), "`{name}` has no arrays");
            count += arrays.iter().map(numbers).sum::<usize>();
        }
        assert!(count <= bytes.len() / BYTES_A_NUMBER, "{count} numbers");
        let again = read_caffemodel(path).expect("it was read");
        assert_eq!(format!("{again:?}"), format!("{layers:?}"));
    });
}
