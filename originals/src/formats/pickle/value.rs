//! What a pickle can hold, and how to get at it.
//!
//! Readers of the original's files ask for texts, numbers, items and entries; each answer is `None`
//! for a value of another kind.

use crate::formats::array::Array;

/// A value of a pickle.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Python's `None`.
    None,
    /// A truth value.
    Bool(bool),
    /// A whole number of up to 64 bits; a longer one is cut.
    Int(i64),
    /// A number.
    Float(f64),
    /// A byte string: text of Python 2, or raw data.
    Bytes(Vec<u8>),
    /// A Unicode string.
    Text(String),
    /// A list.
    List(Vec<Value>),
    /// A tuple.
    Tuple(Vec<Value>),
    /// A dictionary in its order.
    Dict(Vec<(Value, Value)>),
    /// A numeric array.
    Array(Array),
    /// An array of objects: its shape and its values in C order.
    Objects(Vec<usize>, Vec<Value>),
    /// A name of a module.
    Global(String),
    /// An object kept outside the pickle.
    Persistent(Box<Value>),
    /// What a function would have returned: its name and its arguments.
    Call(String, Vec<Value>),
}

impl Value {
    /// The text of a string of either kind, if it is UTF-8.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// The whole number, if it is one.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            Self::Bool(truth) => Some(i64::from(*truth)),
            _ => None,
        }
    }

    /// The items of a list or a tuple.
    pub fn as_items(&self) -> Option<&[Value]> {
        match self {
            Self::List(items) | Self::Tuple(items) => Some(items),
            _ => None,
        }
    }

    /// The entry of a dictionary.
    pub fn get(&self, key: &str) -> Option<&Value> {
        match self {
            Self::Dict(pairs) => pairs
                .iter()
                .find(|(k, _)| k.as_text() == Some(key))
                .map(|p| &p.1),
            _ => None,
        }
    }
}
