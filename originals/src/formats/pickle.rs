//! Reads pickles as values, without executing anything.
//!
//! Objects live in an arena and are referred to by number, because a pickle may fill a list or an
//! array long after it was first mentioned. Calls are recognised by name: ordered dictionaries and
//! numpy arrays become values, any other call stays a [`Value::Call`]. Reading stops at the first
//! STOP: some files hold two pickles.

mod calls;
pub(super) mod machine;
mod spelling;
mod value;

use calls::called;
use machine::{Builder, Machine, Plain, Step};
use models::{Error, Result};
use std::cell::Cell;

pub use value::Value;

/// Reads the first pickle in `bytes`; also returns how many bytes it took.
///
/// # Errors
/// When the bytes end early, use another protocol, or describe an array that is not there.
pub fn read_pickle(bytes: &[u8]) -> Result<(Value, usize)> {
    let arena = Arena {
        nodes: Vec::new(),
        room: Cell::new(0),
    };
    let mut machine = Machine::new(bytes, 0, arena);
    let value = loop {
        match machine.step() {
            Ok(None) => {}
            Ok(Some(whole)) => {
                // by the bytes that were taken: what comes after the value does not make it another
                let room = machine.at.saturating_mul(64).saturating_add(1 << 20);
                machine.builder.room.set(room);
                break machine.builder.value(whole, 0);
            }
            Err(reason) => break Err(reason),
        }
    };
    let place = machine.at;
    match value {
        Ok(value) => Ok((value, place)),
        Err(reason) => Err(Error::format(format!("pickle (byte {place})"), reason)),
    }
}

type Id = usize;
const DEEPEST: usize = 200;

/// An object under construction; containers hold the numbers of their parts.
enum Node {
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

struct Arena {
    nodes: Vec<Node>,
    /// how much more may be copied out: a part that is mentioned often is copied each time
    room: Cell<usize>,
}

impl Builder for Arena {
    type Item = Id;

    fn plain(&mut self, value: Plain) -> Step<Id> {
        Ok(self.add(Node::Plain(match value {
            Plain::None => Value::None,
            Plain::Bool(truth) => Value::Bool(truth),
            Plain::Int(number) => Value::Int(number),
            Plain::Float(number) => Value::Float(number),
            Plain::Bytes(bytes, _) => Value::Bytes(bytes.to_vec()),
            Plain::Text(text, _) => Value::Text(text.to_owned()),
            Plain::Spelt(bytes) => Value::Bytes(bytes),
            Plain::SpeltText(text) => Value::Text(text),
            Plain::Global(module, name) => Value::Global(format!("{module}.{name}")),
        })))
    }

    fn list(&mut self, items: Vec<Id>) -> Step<Id> {
        Ok(self.add(Node::List(items)))
    }

    fn tuple(&mut self, items: Vec<Id>) -> Step<Id> {
        Ok(self.add(Node::Tuple(items)))
    }

    fn dict(&mut self, entries: Vec<Id>) -> Step<Id> {
        let entries = pairs(&entries)?;
        Ok(self.add(Node::Dict(entries)))
    }

    fn extend_list(&mut self, &list: &Id, items: Vec<Id>) -> Step<()> {
        match &mut self.nodes[list] {
            Node::List(list) => list.extend(items),
            _ => return Err("items are added to something that is no list".into()),
        }
        Ok(())
    }

    fn extend_dict(&mut self, &dict: &Id, entries: Vec<Id>) -> Step<()> {
        let entries = pairs(&entries)?;
        match &mut self.nodes[dict] {
            Node::Dict(dict) => dict.extend(entries),
            // an ordered dictionary is called into being empty, then filled
            Node::Call { name, args, .. }
                if name == "collections.OrderedDict" && args.is_empty() =>
            {
                self.nodes[dict] = Node::Dict(entries);
            }
            _ => return Err("entries are added to something that is no dictionary".into()),
        }
        Ok(())
    }

    fn global(&mut self, module: Id, name: Id) -> Step<Id> {
        let text = |id: Id| match &self.nodes[id] {
            Node::Plain(value) => value.as_text().map(str::to_owned),
            _ => None,
        };
        let named = text(module).zip(text(name));
        let (module, name) = named.ok_or("something is named by what is no text")?;
        Ok(self.add(Node::Plain(Value::Global(format!("{module}.{name}")))))
    }

    fn call(&mut self, function: Id, args: Id) -> Step<Id> {
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
        Ok(self.add(call))
    }

    fn build(&mut self, object: Id, given: Id) -> Step<Id> {
        if let Node::Call { state, .. } = &mut self.nodes[object] {
            *state = Some(given);
        }
        Ok(object)
    }

    fn persistent(&mut self, id: Id) -> Step<Id> {
        Ok(self.add(Node::Persistent(id)))
    }
}

impl Arena {
    fn add(&mut self, node: Node) -> Id {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// The finished value of a node.
    fn value(&self, id: Id, depth: usize) -> Step<Value> {
        if depth > DEEPEST {
            return Err("objects are nested too deeply".into());
        }
        let size = match &self.nodes[id] {
            Node::Plain(Value::Bytes(bytes)) => bytes.len() + 1,
            Node::Plain(Value::Text(text) | Value::Global(text)) => text.len() + 1,
            Node::Call { name, .. } => name.len() + 1,
            _ => 1,
        };
        let room = self.room.get().checked_sub(size);
        self.room.set(room.ok_or("parts are mentioned too often")?);
        let many = |ids: &[Id]| -> Step<Vec<Value>> {
            ids.iter().map(|&id| self.value(id, depth + 1)).collect()
        };
        Ok(match &self.nodes[id] {
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
