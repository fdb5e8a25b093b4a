//! Word tables read in blocks: every form gives the same numbers.

use originals::formats::{Table, read_npy};

use super::sets::committed;

fn npy(kind: &str, order: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{kind}', 'fortran_order': {order}, 'shape': (3, 2), }}\n");
    let length = (header.len() as u16).to_le_bytes();
    [&b"\x93NUMPY\x01\x00"[..], &length, header.as_bytes(), data].concat()
}

#[test]
fn pickled_rows_of_both_shapes_equal_the_numeric_table() {
    for name in ["utable", "btable"] {
        let folder = committed().join("tiny/s0");
        let numeric = read_npy(&folder.join(format!("{name}.npy")))
            .unwrap()
            .to_tensor();
        for form in [format!("{name}.npy"), format!("{name}_object.npy")] {
            let table = Table::open(&folder.join(form), &mut |_, _| {}).unwrap();
            assert_eq!(
                [table.count() as i64, table.width() as i64],
                *numeric.size()
            );
            assert!(table.to_tensor().unwrap().equal(&numeric));
            for first in 0..table.count() {
                let wanted = numeric.narrow(0, first as i64, 1);
                assert!(table.block(first, 1).unwrap().equal(&wanted));
            }
        }
    }
}

#[test]
fn either_order_and_precision_is_read_in_blocks() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("table.npy");
    let little: Vec<u8> = (0..6).flat_map(|n| f64::from(n).to_le_bytes()).collect();
    let big: Vec<u8> = (0..6u8).flat_map(|n| f32::from(n).to_be_bytes()).collect();
    for (kind, data) in [("<f8", little), (">f4", big)] {
        for (order, wanted) in [("False", [2., 3., 4., 5.]), ("True", [1., 4., 2., 5.])] {
            std::fs::write(&file, npy(kind, order, &data)).unwrap();
            let table = Table::open(&file, &mut |_, _| {}).unwrap();
            let block = Vec::<f32>::try_from(table.block(1, 9).unwrap().view([-1])).unwrap();
            assert_eq!(block, wanted, "{kind} {order}");
        }
    }
}
