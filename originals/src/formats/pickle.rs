//! Reads pickles of protocols 0 to 2 without executing anything.
//!
//! Objects live in an arena and are referred to by number, because a pickle may fill a list or an
//! array long after it was first mentioned. Calls are recognised by name: ordered dictionaries and
//! numpy arrays become values, any other call stays a [`Value::Call`]. Reading stops at the first
//! STOP: some files hold two pickles.

mod calls;
mod spelling;
mod value;

use calls::called;
use models::{Error, Result};
use spelling::{long, parse, unescape_unicode, unquote};
use std::cell::Cell;
use std::collections::HashMap;

pub use value::Value;

/// Reads the first pickle in `bytes`; also returns how many bytes it took.
///
/// # Errors
/// When the bytes end early, use another protocol, or describe an array that is not there.
pub fn read_pickle(bytes: &[u8]) -> Result<(Value, usize)> {
    let mut machine = Machine {
        bytes,
        at: 0,
        nodes: Vec::new(),
        stack: Vec::new(),
        memo: HashMap::new(),
        room: Cell::new(bytes.len().saturating_mul(64).saturating_add(1 << 20)),
    };
    match machine.run() {
        Ok(value) => Ok((value, machine.at)),
        Err(reason) => Err(Error::format(
            format!("pickle (byte {})", machine.at),
            reason,
        )),
    }
}

type Step<T> = std::result::Result<T, String>;
type Id = usize;
const DEEPEST: usize = 200;

/// An object under construction; containers hold the numbers of their parts.
enum Node {
    Mark,
    Plain(Value),
    List(Vec<Id>),
    Tuple(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Call {
        name: String,
        args: Vec<Id>,
        state: Option<Id>,
    },
    Persistent(Id),
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    nodes: Vec<Node>,
    stack: Vec<Id>,
    memo: HashMap<usize, Id>,
    /// how much more may be copied out: a part that is mentioned often is copied each time
    room: Cell<usize>,
}

impl Machine<'_> {
    fn run(&mut self) -> Step<Value> {
        loop {
            let op = self.take(1)?[0];
            if op == b'.' {
                let top = self.pop()?;
                return self.value(top, 0);
            }
            if !self.constant(op)? && !self.container(op)? {
                self.reference(op)?;
            }
        }
    }

    /// Pushes a plain value; false if `op` is for something else.
    fn constant(&mut self, op: u8) -> Step<bool> {
        let value = match op {
            b'N' => Value::None,
            b'I' => match self.line()? {
                "00" => Value::Bool(false),
                "01" => Value::Bool(true),
                text => Value::Int(parse(text)?),
            },
            b'L' => Value::Int(parse(self.line()?.trim_end_matches('L'))?),
            b'F' => Value::Float(parse(self.line()?)?),
            b'S' => Value::Bytes(unquote(self.line()?)?),
            // Python writes letters up to ÿ as single bytes here
            b'V' => {
                let text: String = self
                    .raw_line()?
                    .iter()
                    .map(|&byte| char::from(byte))
                    .collect();
                Value::Text(unescape_unicode(&text)?)
            }
            b'\x88' => Value::Bool(true),
            b'\x89' => Value::Bool(false),
            b'J' => Value::Int(i64::from(i32::from_le_bytes(self.array()?))),
            b'K' => Value::Int(i64::from(self.take(1)?[0])),
            b'M' => Value::Int(i64::from(u16::from_le_bytes(self.array()?))),
            b'G' => Value::Float(f64::from_be_bytes(self.array()?)),
            b'\x8a' => {
                let length = usize::from(self.take(1)?[0]);
                Value::Int(long(self.take(length)?))
            }
            b'U' | b'C' => {
                let length = usize::from(self.take(1)?[0]);
                Value::Bytes(self.take(length)?.to_vec())
            }
            b'T' | b'B' => {
                let length = u32::from_le_bytes(self.array()?) as usize;
                Value::Bytes(self.take(length)?.to_vec())
            }
            b'X' => {
                let length = u32::from_le_bytes(self.array()?) as usize;
                let text = self.take(length)?.to_vec();
                Value::Text(String::from_utf8(text).map_err(|e| e.to_string())?)
            }
            b'c' => {
                let module = self.line()?.to_owned();
                Value::Global(format!("{module}.{}", self.line()?))
            }
            _ => return Ok(false),
        };
        self.push(Node::Plain(value));
        Ok(true)
    }

    /// Builds lists, tuples and dictionaries; false if `op` is for something else.
    fn container(&mut self, op: u8) -> Step<bool> {
        match op {
            b'(' => self.push(Node::Mark),
            b']' => self.push(Node::List(Vec::new())),
            b'}' => self.push(Node::Dict(Vec::new())),
            b')' => self.push(Node::Tuple(Vec::new())),
            b'l' => {
                let items = self.since_mark()?;
                self.push(Node::List(items));
            }
            b't' => {
                let items = self.since_mark()?;
                self.push(Node::Tuple(items));
            }
            b'd' => {
                let items = self.since_mark()?;
                self.push(Node::Dict(pairs(&items)?));
            }
            b'\x85'..=b'\x87' => {
                let count = usize::from(op - b'\x84');
                let first = self
                    .stack
                    .len()
                    .checked_sub(count)
                    .ok_or("a tuple lacks items")?;
                let items = self.stack.split_off(first);
                self.push(Node::Tuple(items));
            }
            b'a' => {
                let item = self.pop()?;
                self.extend_list(&[item])?;
            }
            b'e' => {
                let items = self.since_mark()?;
                self.extend_list(&items)?;
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.extend_dict(&[key, value])?;
            }
            b'u' => {
                let items = self.since_mark()?;
                self.extend_dict(&items)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Memo, calls and the rest.
    fn reference(&mut self, op: u8) -> Step<()> {
        match op {
            b'\x80' => match self.take(1)?[0] {
                0..=2 => {}
                other => return Err(format!("protocol {other} is not supported, only 0 to 2")),
            },
            b'0' => drop(self.pop()?),
            b'2' => {
                let top = *self.stack.last().ok_or("the stack is empty")?;
                self.stack.push(top);
            }
            b'p' | b'q' | b'r' => {
                let key = self.memo_key(op - b'p')?;
                let top = *self.stack.last().ok_or("nothing to remember")?;
                self.memo.insert(key, top);
            }
            b'g' | b'h' | b'j' => {
                let key = self.memo_key(if op == b'j' { 2 } else { op - b'g' })?;
                let known = self.memo.get(&key).copied();
                self.stack
                    .push(known.ok_or_else(|| format!("nothing was remembered as {key}"))?);
            }
            b'R' | b'\x81' => {
                let (args, function) = (self.pop()?, self.pop()?);
                let Node::Tuple(args) = &self.nodes[args] else {
                    return Err("a call without arguments".into());
                };
                let Node::Plain(Value::Global(name)) = &self.nodes[function] else {
                    return Err("a call of something without a name".into());
                };
                let call = Node::Call {
                    name: name.clone(),
                    args: args.clone(),
                    state: None,
                };
                self.push(call);
            }
            b'b' => {
                let (given, object) = (self.pop()?, *self.stack.last().ok_or("nothing to build")?);
                if let Node::Call { state, .. } = &mut self.nodes[object] {
                    *state = Some(given);
                }
            }
            b'Q' => {
                let id = self.pop()?;
                self.push(Node::Persistent(id));
            }
            other => return Err(format!("opcode {:?} is not supported", char::from(other))),
        }
        Ok(())
    }

    /// The finished value of a node.
    fn value(&self, id: Id, depth: usize) -> Step<Value> {
        if depth > DEEPEST {
            return Err("objects are nested too deeply".into());
        }
        let size = match &self.nodes[id] {
            Node::Plain(Value::Bytes(bytes)) => bytes.len() + 1,
            Node::Plain(Value::Text(text)) => text.len() + 1,
            _ => 1,
        };
        let room = self.room.get().checked_sub(size);
        self.room.set(room.ok_or("parts are mentioned too often")?);
        let many = |ids: &[Id]| -> Step<Vec<Value>> {
            ids.iter().map(|&id| self.value(id, depth + 1)).collect()
        };
        Ok(match &self.nodes[id] {
            Node::Mark => return Err("a mark stands where a value should".into()),
            Node::Plain(value) => value.clone(),
            Node::List(items) => Value::List(many(items)?),
            Node::Tuple(items) => Value::Tuple(many(items)?),
            Node::Dict(pairs) => {
                let pair =
                    |&(k, v): &(Id, Id)| Ok((self.value(k, depth + 1)?, self.value(v, depth + 1)?));
                Value::Dict(pairs.iter().map(pair).collect::<Step<_>>()?)
            }
            Node::Persistent(id) => Value::Persistent(Box::new(self.value(*id, depth + 1)?)),
            Node::Call { name, args, state } => {
                let state = state
                    .map(|state| self.value(state, depth + 1))
                    .transpose()?;
                called(name, many(args)?, state)?
            }
        })
    }

    fn push(&mut self, node: Node) {
        self.nodes.push(node);
        self.stack.push(self.nodes.len() - 1);
    }

    fn pop(&mut self) -> Step<Id> {
        self.stack.pop().ok_or_else(|| "the stack is empty".into())
    }

    fn since_mark(&mut self) -> Step<Vec<Id>> {
        let is_mark = |&id: &Id| matches!(self.nodes[id], Node::Mark);
        let mark = self
            .stack
            .iter()
            .rposition(is_mark)
            .ok_or("there is no mark")?;
        let items = self.stack.split_off(mark + 1);
        self.stack.pop();
        Ok(items)
    }

    fn extend_list(&mut self, items: &[Id]) -> Step<()> {
        let top = *self.stack.last().ok_or("the stack is empty")?;
        match &mut self.nodes[top] {
            Node::List(list) => list.extend_from_slice(items),
            _ => return Err("items are added to something that is no list".into()),
        }
        Ok(())
    }

    fn extend_dict(&mut self, items: &[Id]) -> Step<()> {
        let top = *self.stack.last().ok_or("the stack is empty")?;
        let entries = pairs(items)?;
        match &mut self.nodes[top] {
            Node::Dict(dict) => dict.extend(entries),
            // an ordered dictionary is called into being empty, then filled
            Node::Call { name, args, .. }
                if name == "collections.OrderedDict" && args.is_empty() =>
            {
                self.nodes[top] = Node::Dict(entries);
            }
            _ => return Err("entries are added to something that is no dictionary".into()),
        }
        Ok(())
    }

    fn memo_key(&mut self, form: u8) -> Step<usize> {
        Ok(match form {
            0 => parse(self.line()?)?,
            1 => usize::from(self.take(1)?[0]),
            _ => u32::from_le_bytes(self.array()?) as usize,
        })
    }

    fn take(&mut self, count: usize) -> Step<&[u8]> {
        let end = self
            .at
            .checked_add(count)
            .filter(|&end| end <= self.bytes.len());
        let end = end.ok_or("the file ends too early")?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Step<[u8; N]> {
        self.take(N)?
            .try_into()
            .map_err(|_| "the file ends too early".into())
    }

    fn line(&mut self) -> Step<&str> {
        std::str::from_utf8(self.raw_line()?).map_err(|e| e.to_string())
    }

    fn raw_line(&mut self) -> Step<&[u8]> {
        let rest = &self.bytes[self.at..];
        let length = rest
            .iter()
            .position(|&byte| byte == b'\n')
            .ok_or("a line does not end")?;
        self.at += length + 1;
        Ok(&rest[..length])
    }
}

fn pairs(items: &[Id]) -> Step<Vec<(Id, Id)>> {
    if items.len() % 2 == 1 {
        return Err("a key has no value".into());
    }
    Ok(items.chunks(2).map(|pair| (pair[0], pair[1])).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
