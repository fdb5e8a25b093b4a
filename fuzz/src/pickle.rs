//! Any bytes as a pickle.
//! What must stay true: the value is in the bytes that were taken and in no others, is the same each time, can be made a tensor
//! where it is an array, and is not much larger than what it was read from.

use originals::formats::{Array, Value, read_pickle};

/// A value that is mentioned often is copied each time: so many values to a byte, and some for a small file.
const MOST_A_BYTE: usize = 64;
const MOST_BESIDE: usize = 1 << 20;

/// Reads `bytes`.
///
/// # Panics
/// When the promise does not hold.
pub fn holds(bytes: &[u8]) {
    let Ok((value, taken)) = read_pickle(bytes) else {
        return;
    };
    assert!(taken <= bytes.len());
    let (again, alone) = read_pickle(&bytes[..taken]).expect("what was taken is enough");
    assert_eq!(alone, taken);
    // not a number is not equal to itself
    assert_eq!(format!("{again:?}"), format!("{value:?}"));
    let size = size(&value);
    assert!(
        size <= bytes.len() * MOST_A_BYTE + MOST_BESIDE,
        "{size} values"
    );
}

/// How many values there are, and bytes and numbers in them.
fn size(value: &Value) -> usize {
    let all = |values: &[Value]| values.iter().map(size).sum::<usize>();
    1 + match value {
        Value::Bytes(bytes) => bytes.len(),
        Value::Text(text) => text.len(),
        Value::List(values) | Value::Tuple(values) => all(values),
        Value::Dict(pairs) => pairs.iter().map(|(k, v)| size(k) + size(v)).sum(),
        Value::Array(array) => numbers(array),
        Value::Objects(shape, values) => shape.len() + all(values),
        Value::Call(name, values) => name.len() + all(values),
        Value::Persistent(value) => size(value),
        Value::Global(name) => name.len(),
        Value::None | Value::Bool(_) | Value::Int(_) | Value::Float(_) => 0,
    }
}

/// Checks an array on the way.
pub(crate) fn numbers(array: &Array) -> usize {
    assert_eq!(array.shape.iter().product::<usize>(), array.data.len());
    let shape: Vec<i64> = array.shape.iter().map(|&extent| extent as i64).collect();
    assert_eq!(array.to_tensor().size(), shape);
    array.data.len()
}
