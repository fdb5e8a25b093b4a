//! Any bytes as an archive of numpy.
//! What must stay true: every array is named, has as many numbers as its shape says, and a member does not unfold without end.

use originals::formats::{npz_names, read_npz, read_npz_where, read_weights};

use crate::file::with_file;
use crate::pickle::numbers;

/// What deflate can do at most is a thousand bytes of one; the reader allows two hundred, and a mebibyte for each member.
const MOST_A_BYTE: usize = 200;
const MOST_A_MEMBER: usize = 1 << 20;

/// Reads `bytes`.
///
/// # Panics
/// When the promise does not hold.
pub fn holds(bytes: &[u8]) {
    with_file(bytes, |path| {
        let names = npz_names(path);
        let Ok(arrays) = read_npz(path) else {
            assert!(read_weights(path).is_err());
            return;
        };
        let names = names.expect("an archive that is read has names");
        assert!(arrays.len() <= names.len());
        for (name, array) in &arrays {
            assert!(names.contains(name), "{name} is in no table");
            let count = numbers(array);
            assert!(
                count <= bytes.len() * MOST_A_BYTE + MOST_A_MEMBER,
                "{count} numbers"
            );
        }
        let none = read_npz_where(path, &|_| false).expect("it was read");
        assert!(none.is_empty());
        read_weights(path).expect("arrays are weights");
    });
}
