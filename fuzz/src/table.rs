//! Any bytes as a word table.
//! What must stay true: read row by row it has the numbers that it has read as a whole, and a block of it is those rows.

use originals::formats::{Table, read_npy};
use tch::{Kind, Tensor};

use crate::file::with_file;

/// Rows at once, so that a table of a few has several blocks.
const BLOCK: usize = 3;

/// Opens `bytes`.
///
/// # Panics
/// When the promise does not hold.
pub fn holds(bytes: &[u8]) {
    with_file(bytes, |path| {
        let Ok(table) = Table::open(path, &mut |_, _| {}) else {
            return;
        };
        let Ok(all) = table.to_tensor() else { return };
        let (count, width) = (table.count(), table.width());
        assert_eq!(all.size(), [count as i64, width as i64]);
        if let Ok(array) = read_npy(path) {
            assert_eq!(array.shape, [count, width]);
            assert!(same(&array.to_tensor(), &all), "read by rows it is another");
        }
        for first in (0..count.min(2 * BLOCK)).step_by(BLOCK) {
            let block = table.block(first, BLOCK).expect("the whole was read");
            let rows = BLOCK.min(count - first) as i64;
            assert!(
                same(&all.narrow(0, first as i64, rows), &block),
                "rows from {first}"
            );
        }
    });
}

/// Bit for bit, because not a number is not equal to itself.
fn same(one: &Tensor, other: &Tensor) -> bool {
    let bits = |tensor: &Tensor| tensor.contiguous().view_dtype(Kind::Int);
    one.size() == other.size() && (one.numel() == 0 || bits(one).equal(&bits(other)))
}
