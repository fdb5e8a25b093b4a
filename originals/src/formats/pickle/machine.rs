//! The one machine that walks pickles, of protocols 0 to 5, without executing anything.
//!
//! It knows every opcode that data needs and keeps the stack, its marks and the memo; what comes of them is a
//! [`Builder`]'s affair: whole values (`values`), or only where the rows of a table lie (`table::rows`). What must stay
//! true: nothing in a file is ever called, and no length in it is believed before the bytes are there.

use super::spelling::{long, parse, unescape_unicode, unquote};
use std::collections::HashMap;

pub(crate) type Step<T> = Result<T, String>;

/// A value that says all about itself. Bytes and texts come with the place where they lie in the file, unless they were
/// written in another form.
pub(crate) enum Plain<'a> {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Bytes(&'a [u8], usize),
    Text(&'a str, usize),
    /// bytes spelt as Python source
    Spelt(Vec<u8>),
    /// a text spelt as Python source
    SpeltText(String),
    /// a module and a name in it
    Global(&'a str, &'a str),
}

/// What makes something of a pickle's parts; containers are filled after they were first mentioned.
pub(crate) trait Builder {
    /// A part, cheap to mention again.
    type Item: Clone;

    fn plain(&mut self, value: Plain) -> Step<Self::Item>;
    fn list(&mut self, items: Vec<Self::Item>) -> Step<Self::Item>;
    fn tuple(&mut self, items: Vec<Self::Item>) -> Step<Self::Item>;
    /// Keys and values in turn.
    fn dict(&mut self, entries: Vec<Self::Item>) -> Step<Self::Item>;
    fn extend_list(&mut self, list: &Self::Item, items: Vec<Self::Item>) -> Step<()>;
    fn extend_dict(&mut self, dict: &Self::Item, entries: Vec<Self::Item>) -> Step<()>;
    /// A global whose module and name lie on the stack.
    fn global(&mut self, module: Self::Item, name: Self::Item) -> Step<Self::Item>;
    /// A call that is only recognised.
    fn call(&mut self, function: Self::Item, args: Self::Item) -> Step<Self::Item>;
    /// What an object is once it is given its state.
    fn build(&mut self, object: Self::Item, state: Self::Item) -> Step<Self::Item>;
    /// An object kept outside.
    fn persistent(&mut self, id: Self::Item) -> Step<Self::Item>;
}

/// What lies on the stack: a part, or a mark where a container begins.
enum Slot<I> {
    Mark,
    Item(I),
}

/// A pickle being walked.
pub(crate) struct Machine<'a, B: Builder> {
    bytes: &'a [u8],
    /// the place of the next opcode
    pub(crate) at: usize,
    stack: Vec<Slot<B::Item>>,
    memo: HashMap<usize, B::Item>,
    pub(crate) builder: B,
}

impl<'a, B: Builder> Machine<'a, B> {
    pub(crate) fn new(bytes: &'a [u8], at: usize, builder: B) -> Self {
        Self {
            bytes,
            at,
            stack: Vec::new(),
            memo: HashMap::new(),
            builder,
        }
    }

    /// One opcode; after the last, what the pickle is.
    pub(crate) fn step(&mut self) -> Step<Option<B::Item>> {
        let op = self.take(1)?[0];
        if op == b'.' {
            return self.pop().map(Some);
        }
        if !self.constant(op)? && !self.container(op)? {
            self.reference(op)?;
        }
        Ok(None)
    }

    /// Pushes a plain value; false if `op` is for something else.
    fn constant(&mut self, op: u8) -> Step<bool> {
        let value = match op {
            b'N' => Plain::None,
            b'I' => match self.line()? {
                "00" => Plain::Bool(false),
                "01" => Plain::Bool(true),
                text => Plain::Int(parse(text)?),
            },
            b'L' => Plain::Int(parse(self.line()?.trim_end_matches('L'))?),
            b'F' => Plain::Float(parse(self.line()?)?),
            b'S' => Plain::Spelt(unquote(self.line()?)?),
            // Python writes letters up to ÿ as single bytes here
            b'V' => {
                let letters = self.raw_line()?.iter().map(|&byte| char::from(byte));
                Plain::SpeltText(unescape_unicode(&letters.collect::<String>())?)
            }
            b'\x88' => Plain::Bool(true),
            b'\x89' => Plain::Bool(false),
            b'J' => Plain::Int(i64::from(self.number(4)? as u32 as i32)),
            b'K' => Plain::Int(self.number(1)? as i64),
            b'M' => Plain::Int(self.number(2)? as i64),
            b'G' => {
                let bits = self.number(8)?;
                Plain::Float(f64::from_bits((bits as u64).swap_bytes()))
            }
            b'\x8a' | b'\x8b' => {
                let length = self.number(if op == b'\x8a' { 1 } else { 4 })?;
                Plain::Int(long(self.take(length)?))
            }
            b'U' | b'C' => self.bytes_of(1)?,
            b'T' | b'B' => self.bytes_of(4)?,
            b'\x8e' | b'\x96' => self.bytes_of(8)?,
            b'\x8c' => self.text_of(1)?,
            b'X' => self.text_of(4)?,
            b'\x8d' => self.text_of(8)?,
            b'c' => {
                let module = self.line()?;
                Plain::Global(module, self.line()?)
            }
            _ => return Ok(false),
        };
        let item = self.builder.plain(value)?;
        self.push(item);
        Ok(true)
    }

    fn bytes_of(&mut self, size: usize) -> Step<Plain<'a>> {
        let length = self.number(size)?;
        let start = self.at;
        Ok(Plain::Bytes(self.take(length)?, start))
    }

    fn text_of(&mut self, size: usize) -> Step<Plain<'a>> {
        let length = self.number(size)?;
        let start = self.at;
        let text = std::str::from_utf8(self.take(length)?).map_err(|e| e.to_string())?;
        Ok(Plain::Text(text, start))
    }

    /// Builds lists, tuples and dictionaries; false if `op` is for something else.
    fn container(&mut self, op: u8) -> Step<bool> {
        let made = match op {
            b'(' => {
                self.stack.push(Slot::Mark);
                return Ok(true);
            }
            b']' => self.builder.list(Vec::new())?,
            b'}' => self.builder.dict(Vec::new())?,
            b')' => self.builder.tuple(Vec::new())?,
            b'l' => {
                let items = self.since_mark()?;
                self.builder.list(items)?
            }
            b't' => {
                let items = self.since_mark()?;
                self.builder.tuple(items)?
            }
            b'd' => {
                let items = self.since_mark()?;
                self.builder.dict(items)?
            }
            b'\x85'..=b'\x87' => {
                let count = usize::from(op - b'\x84');
                let mut items = (0..count).map(|_| self.pop()).collect::<Step<Vec<_>>>()?;
                items.reverse();
                self.builder.tuple(items)?
            }
            b'a' | b'e' => {
                let items = match op {
                    b'a' => vec![self.pop()?],
                    _ => self.since_mark()?,
                };
                let list = self.top()?;
                self.builder.extend_list(&list, items)?;
                return Ok(true);
            }
            b's' | b'u' => {
                let items = match op {
                    b's' => {
                        let (value, key) = (self.pop()?, self.pop()?);
                        vec![key, value]
                    }
                    _ => self.since_mark()?,
                };
                let dict = self.top()?;
                self.builder.extend_dict(&dict, items)?;
                return Ok(true);
            }
            _ => return Ok(false),
        };
        self.push(made);
        Ok(true)
    }

    /// Memo, calls and the rest.
    fn reference(&mut self, op: u8) -> Step<()> {
        match op {
            b'\x80' => match self.take(1)?[0] {
                0..=5 => {}
                other => return Err(format!("protocol {other} is not supported, only 0 to 5")),
            },
            // frames only help to read ahead
            b'\x95' => drop(self.take(8)?),
            b'0' => drop(self.stack.pop().ok_or("the stack is empty")?),
            b'2' => {
                let top = self.top()?;
                self.push(top);
            }
            b'p' | b'q' | b'r' | b'\x94' => {
                let key = match op {
                    b'\x94' => self.memo.len(),
                    _ => self.memo_key(op - b'p')?,
                };
                let top = self.top()?;
                self.memo.insert(key, top);
            }
            b'g' | b'h' | b'j' => {
                let key = self.memo_key(if op == b'j' { 2 } else { op - b'g' })?;
                let known = self.memo.get(&key).cloned();
                let known = known.ok_or_else(|| format!("nothing was remembered as {key}"))?;
                self.push(known);
            }
            b'\x93' => {
                let (name, module) = (self.pop()?, self.pop()?);
                let global = self.builder.global(module, name)?;
                self.push(global);
            }
            b'R' | b'\x81' => {
                let (args, function) = (self.pop()?, self.pop()?);
                let called = self.builder.call(function, args)?;
                self.push(called);
            }
            b'b' => {
                let (state, object) = (self.pop()?, self.pop()?);
                let built = self.builder.build(object, state)?;
                self.push(built);
            }
            b'Q' => {
                let id = self.pop()?;
                let kept = self.builder.persistent(id)?;
                self.push(kept);
            }
            other => return Err(format!("opcode {:?} is not supported", char::from(other))),
        }
        Ok(())
    }

    fn push(&mut self, item: B::Item) {
        self.stack.push(Slot::Item(item));
    }

    fn pop(&mut self) -> Step<B::Item> {
        match self.stack.pop() {
            Some(Slot::Item(item)) => Ok(item),
            Some(Slot::Mark) => Err("a mark stands where a value should".to_owned()),
            None => Err("the stack is empty".to_owned()),
        }
    }

    fn top(&self) -> Step<B::Item> {
        match self.stack.last() {
            Some(Slot::Item(item)) => Ok(item.clone()),
            Some(Slot::Mark) => Err("a mark stands where a value should".to_owned()),
            None => Err("the stack is empty".to_owned()),
        }
    }

    fn since_mark(&mut self) -> Step<Vec<B::Item>> {
        let mark = self
            .stack
            .iter()
            .rposition(|slot| matches!(slot, Slot::Mark))
            .ok_or("there is no mark")?;
        let slots = self.stack.split_off(mark).into_iter();
        let items = slots.filter_map(|slot| match slot {
            Slot::Item(item) => Some(item),
            Slot::Mark => None,
        });
        Ok(items.collect())
    }

    fn memo_key(&mut self, form: u8) -> Step<usize> {
        match form {
            0 => parse(self.line()?),
            1 => self.number(1),
            _ => self.number(4),
        }
    }

    fn take(&mut self, count: usize) -> Step<&'a [u8]> {
        let end = self
            .at
            .checked_add(count)
            .filter(|&end| end <= self.bytes.len());
        let end = end.ok_or("the file ends too early")?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    /// A whole number of so many bytes, the lowest first.
    fn number(&mut self, size: usize) -> Step<usize> {
        let mut all = [0u8; 8];
        all[..size].copy_from_slice(self.take(size)?);
        Ok(u64::from_le_bytes(all) as usize)
    }

    fn line(&mut self) -> Step<&'a str> {
        std::str::from_utf8(self.raw_line()?).map_err(|e| e.to_string())
    }

    fn raw_line(&mut self) -> Step<&'a [u8]> {
        let rest = &self.bytes[self.at..];
        let length = rest
            .iter()
            .position(|&byte| byte == b'\n')
            .ok_or("a line does not end")?;
        self.at += length + 1;
        Ok(&rest[..length])
    }
}
