//! The calls of a pickle that stand for data: ordered dictionaries and numpy's arrays.
//!
//! Nothing is called. What is not known here stays a [`Value::Call`], which the reader of the file
//! may understand (PyTorch's tensors) or refuse.

use super::value::Value;
use crate::formats::array::from_bytes;

/// What the call would have made, with the state it was given afterwards.
pub(super) fn called(name: &str, args: Vec<Value>, state: Option<Value>) -> Result<Value, String> {
    match (name, state) {
        ("collections.OrderedDict", _) => ordered(args),
        (
            "numpy.core.multiarray._reconstruct" | "numpy._core.multiarray._reconstruct",
            Some(state),
        ) => array(&state),
        ("numpy.dtype", state) => Ok(dtype(args, state.as_ref())),
        ("numpy.core.multiarray.scalar" | "numpy._core.multiarray.scalar", _) => scalar(&args),
        ("_codecs.encode", _) => encoded(&args),
        _ => Ok(Value::Call(name.to_owned(), args)),
    }
}

fn ordered(args: Vec<Value>) -> Result<Value, String> {
    let Some(list) = args.into_iter().next() else {
        return Ok(Value::Dict(Vec::new()));
    };
    let pair = |item: &Value| match item.as_items() {
        Some([key, value]) => Ok((key.clone(), value.clone())),
        _ => Err("an ordered dictionary is not made of pairs".to_owned()),
    };
    let items = list
        .as_items()
        .ok_or("an ordered dictionary is not made of a list")?;
    Ok(Value::Dict(
        items.iter().map(pair).collect::<Result<_, _>>()?,
    ))
}

/// `<f4` from the type's name and, in its state, the byte order.
fn dtype(args: Vec<Value>, state: Option<&Value>) -> Value {
    let name = args
        .first()
        .and_then(Value::as_text)
        .unwrap_or_default()
        .to_owned();
    let order = state
        .and_then(Value::as_items)
        .and_then(|items| items.get(1));
    let order = order.and_then(Value::as_text).unwrap_or("|");
    Value::Call(
        "numpy.dtype".to_owned(),
        vec![Value::Text(format!("{order}{name}"))],
    )
}

fn dtype_name(value: &Value) -> Result<&str, String> {
    match value {
        Value::Call(name, args) if name == "numpy.dtype" => args
            .first()
            .and_then(Value::as_text)
            .ok_or_else(|| "an array without a type".to_owned()),
        _ => Err("an array without a type".to_owned()),
    }
}

fn array(state: &Value) -> Result<Value, String> {
    let Some([_, shape, kind, fortran, data]) = state.as_items() else {
        return Err("an array in a form that is not known".to_owned());
    };
    let extent = |n: &Value| n.as_int().and_then(|n| usize::try_from(n).ok());
    let shape: Option<Vec<usize>> = shape
        .as_items()
        .and_then(|s| s.iter().map(extent).collect());
    let shape = shape.ok_or("an array without a shape")?;
    match data {
        Value::Bytes(bytes) => {
            let fortran = fortran.as_int() == Some(1);
            Ok(Value::Array(from_bytes(
                dtype_name(kind)?,
                shape,
                fortran,
                bytes,
            )?))
        }
        Value::List(items) => Ok(Value::Objects(shape, items.clone())),
        _ => Err("an array without data".to_owned()),
    }
}

fn scalar(args: &[Value]) -> Result<Value, String> {
    match args {
        [kind, Value::Bytes(bytes)] => {
            let array = from_bytes(dtype_name(kind)?, Vec::new(), false, bytes)?;
            Ok(Value::Float(
                array.data.first().copied().map_or(f64::NAN, f64::from),
            ))
        }
        _ => Err("a number in a form that is not known".to_owned()),
    }
}

/// How newer Pythons write bytes in old protocols: Latin-1 text to be encoded.
fn encoded(args: &[Value]) -> Result<Value, String> {
    let text = args
        .first()
        .and_then(Value::as_text)
        .ok_or("an encoding of nothing")?;
    let byte = |c: char| u8::try_from(u32::from(c)).map_err(|_| "text is not Latin-1".to_owned());
    Ok(Value::Bytes(
        text.chars().map(byte).collect::<Result<_, _>>()?,
    ))
}
