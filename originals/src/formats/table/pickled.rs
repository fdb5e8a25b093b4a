//! Finds the rows of a pickled array of arrays without reading their numbers: the form in which the published tables are.
//!
//! A small machine for the opcodes of such a file; values that say nothing about rows are forgotten. Nothing is executed.
//! What must stay true: memory grows with the number of rows, never with their bytes.

use crate::formats::npy::item_size;
use models::tensors::device::mapped::Mapped;
use std::collections::HashMap;
use std::rc::Rc;

/// Where the rows of a pickle lie.
pub(super) struct Places {
    pub(super) starts: Vec<usize>,
    pub(super) kind: String,
    pub(super) width: usize,
}

/// What may lie on the stack.
#[derive(Clone, Debug)]
enum Item {
    Mark,
    Other,
    Int(i64),
    Bytes(usize, usize),
    Name(&'static str),
    Tuple(Rc<[Item]>),
    Kind(usize),
    Array(usize),
    List(usize),
}

/// An array under construction.
#[derive(Clone, Copy, Debug)]
struct Row {
    start: usize,
    length: usize,
    kind: usize,
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    stack: Vec<Item>,
    memo: HashMap<usize, Item>,
    /// type names, byte order first
    kinds: Vec<String>,
    rows: Vec<Option<Row>>,
    lists: Vec<Vec<u32>>,
}

/// Walks the pickle that begins at byte `start`.
///
/// # Errors
/// When the file is cut off, or holds something else than one array of arrays of one width and type.
pub(super) fn places(
    file: &Mapped,
    start: usize,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Places, String> {
    let mut machine = Machine {
        bytes: file.bytes(),
        at: start,
        stack: Vec::new(),
        memo: HashMap::new(),
        kinds: Vec::new(),
        rows: Vec::new(),
        lists: Vec::new(),
    };
    let (of, mut given_back) = (file.bytes().len(), 0);
    while machine
        .step()
        .map_err(|reason| format!("pickle (byte {}): {reason}", machine.at))?
    {
        if machine.at - given_back > super::GIVE_BACK {
            given_back = machine.at;
            file.release();
            progress(machine.at, of);
        }
    }
    progress(of, of);
    machine.finish()
}

impl Machine<'_> {
    /// One opcode; false after the last.
    fn step(&mut self) -> Result<bool, String> {
        let op = self.take(1)?[0];
        match op {
            b'.' => return Ok(false),
            b'\x80' => drop(self.take(1)?),
            b'(' => self.stack.push(Item::Mark),
            b'N' | b'\x88' | b'\x89' => self.stack.push(Item::Other),
            b'K' => self.int(1)?,
            b'M' => self.int(2)?,
            b'J' => self.int(4)?,
            b'U' | b'C' => self.text(1)?,
            b'T' | b'B' => self.text(4)?,
            b'c' => self.name()?,
            b'q' => self.remember(1)?,
            b'r' => self.remember(4)?,
            b'h' => self.recall(1)?,
            b'j' => self.recall(4)?,
            b']' => {
                self.lists.push(Vec::new());
                self.stack.push(Item::List(self.lists.len() - 1));
            }
            b')' => self.stack.push(Item::Tuple(Rc::from([]))),
            b'\x85'..=b'\x87' => {
                let count = usize::from(op - b'\x84');
                let first = self
                    .stack
                    .len()
                    .checked_sub(count)
                    .ok_or("a tuple lacks items")?;
                let items = self.stack.split_off(first);
                self.stack.push(Item::Tuple(items.into()));
            }
            b't' => {
                let items = self.since_mark()?;
                self.stack.push(Item::Tuple(items.into()));
            }
            b'a' => {
                let item = self.pop()?;
                self.extend(vec![item])?;
            }
            b'e' => {
                let items = self.since_mark()?;
                self.extend(items)?;
            }
            b'R' => self.call()?,
            b'b' => self.build()?,
            other => {
                return Err(format!(
                    "opcode {:?} is not expected in a table",
                    char::from(other)
                ));
            }
        }
        Ok(true)
    }

    fn int(&mut self, size: usize) -> Result<(), String> {
        let number = self.number(size)?;
        let number = if size == 4 {
            i64::from(number as u32 as i32)
        } else {
            number as i64
        };
        self.stack.push(Item::Int(number));
        Ok(())
    }

    fn text(&mut self, size: usize) -> Result<(), String> {
        let length = self.number(size)?;
        let start = self.at;
        self.take(length)?;
        self.stack.push(Item::Bytes(start, length));
        Ok(())
    }

    fn name(&mut self) -> Result<(), String> {
        let module = self.line()?;
        let name = self.line()?;
        let known = match (module, name) {
            (b"numpy.core.multiarray" | b"numpy._core.multiarray", b"_reconstruct") => "array",
            (b"numpy", b"dtype") => "kind",
            (b"numpy", b"ndarray") => "class",
            _ => return Err("it names something that a table does not hold".to_owned()),
        };
        self.stack.push(Item::Name(known));
        Ok(())
    }

    fn remember(&mut self, size: usize) -> Result<(), String> {
        let key = self.number(size)?;
        let top = self.stack.last().ok_or("nothing to remember")?;
        self.memo.insert(key, top.clone());
        Ok(())
    }

    fn recall(&mut self, size: usize) -> Result<(), String> {
        let key = self.number(size)?;
        let known = self.memo.get(&key).cloned();
        self.stack
            .push(known.ok_or("nothing was remembered under this number")?);
        Ok(())
    }

    fn extend(&mut self, items: Vec<Item>) -> Result<(), String> {
        let Some(&Item::List(list)) = self.stack.last() else {
            return Err("items are added to something that is no list".to_owned());
        };
        for item in items {
            let Item::Array(row) = item else {
                return Err("a row is no array".to_owned());
            };
            self.lists[list].push(u32::try_from(row).map_err(|_| "too many rows")?);
        }
        Ok(())
    }

    fn call(&mut self) -> Result<(), String> {
        let (args, function) = (self.pop()?, self.pop()?);
        let Item::Tuple(args) = args else {
            return Err("a call without arguments".to_owned());
        };
        let made = match function {
            Item::Name("array") => {
                self.rows.push(None);
                Item::Array(self.rows.len() - 1)
            }
            Item::Name("kind") => {
                let Some(&Item::Bytes(start, length)) = args.first() else {
                    return Err("a type without a name".to_owned());
                };
                let name = String::from_utf8_lossy(&self.bytes[start..start + length.min(8)]);
                self.kinds.push(format!("|{name}"));
                Item::Kind(self.kinds.len() - 1)
            }
            _ => return Err("a call of something that a table does not hold".to_owned()),
        };
        self.stack.push(made);
        Ok(())
    }

    fn build(&mut self) -> Result<(), String> {
        let (state, object) = (
            self.pop()?,
            self.stack.last().cloned().ok_or("nothing to build")?,
        );
        let Item::Tuple(state) = state else {
            return Err("a state of another form than an array has".to_owned());
        };
        match (object, &*state) {
            (Item::Kind(kind), [_, Item::Bytes(start, 1), ..]) => {
                let order = char::from(self.bytes[*start]);
                let name: String = self.kinds[kind].chars().skip(1).collect();
                self.kinds[kind] = format!("{order}{name}");
                Ok(())
            }
            // the whole: its list of rows stays on the stack
            (Item::Array(_), [_, _, _, _, list @ Item::List(_)]) => {
                self.stack.pop();
                self.stack.push(list.clone());
                Ok(())
            }
            (
                Item::Array(row),
                [
                    _,
                    Item::Tuple(shape),
                    Item::Kind(kind),
                    _,
                    Item::Bytes(start, length),
                ],
            ) => {
                self.rows[row] = Some(self.row(shape, *kind, (*start, *length))?);
                Ok(())
            }
            _ => Err("a state of another form than an array has".to_owned()),
        }
    }

    /// A row of shape (d,) or (1, d), whichever order: there is no difference between them.
    fn row(
        &self,
        shape: &[Item],
        kind: usize,
        (start, length): (usize, usize),
    ) -> Result<Row, String> {
        let extents = shape.iter().map(|extent| match extent {
            Item::Int(extent) => usize::try_from(*extent).ok(),
            _ => None,
        });
        let extents: Vec<usize> = extents
            .collect::<Option<_>>()
            .ok_or("a row without a shape")?;
        let width = match extents.as_slice() {
            &[width] | &[1, width] => width,
            other => {
                return Err(format!(
                    "a row has the shape {other:?}; (d,) or (1, d) is expected"
                ));
            }
        };
        let size = item_size(&self.kinds[kind])?;
        if width.checked_mul(size) != Some(length) {
            return Err(format!("a row of {width} numbers has {length} bytes"));
        }
        Ok(Row {
            start,
            length,
            kind,
        })
    }

    fn finish(self) -> Result<Places, String> {
        let Some(&Item::List(list)) = self.stack.last() else {
            return Err("it does not hold rows of numbers".to_owned());
        };
        let mut rows = Vec::with_capacity(self.lists[list].len());
        for &row in &self.lists[list] {
            rows.push(self.rows[row as usize].ok_or("a row without numbers")?);
        }
        let first = *rows.first().ok_or("it has no rows")?;
        let kind = self.kinds[first.kind].clone();
        for (number, row) in rows.iter().enumerate() {
            if row.length != first.length || self.kinds[row.kind] != kind {
                return Err(format!(
                    "row {number} has {} bytes of type {}, row 0 has {} of {kind}",
                    row.length, self.kinds[row.kind], first.length
                ));
            }
        }
        let width = first.length / item_size(&kind)?;
        let starts = rows.iter().map(|row| row.start).collect();
        Ok(Places {
            starts,
            kind,
            width,
        })
    }

    fn since_mark(&mut self) -> Result<Vec<Item>, String> {
        let mark = self
            .stack
            .iter()
            .rposition(|item| matches!(item, Item::Mark));
        let items = self.stack.split_off(mark.ok_or("there is no mark")? + 1);
        self.stack.pop();
        Ok(items)
    }

    fn pop(&mut self) -> Result<Item, String> {
        self.stack
            .pop()
            .ok_or_else(|| "the stack is empty".to_owned())
    }

    fn number(&mut self, size: usize) -> Result<usize, String> {
        let mut all = [0u8; 8];
        all[..size].copy_from_slice(self.take(size)?);
        Ok(u64::from_le_bytes(all) as usize)
    }

    fn take(&mut self, count: usize) -> Result<&[u8], String> {
        let end = self
            .at
            .checked_add(count)
            .filter(|&end| end <= self.bytes.len());
        let end = end.ok_or("the file ends too early")?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn line(&mut self) -> Result<&'static [u8], String> {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().take(64).position(|&byte| byte == b'\n');
        let length = length.ok_or("a name does not end")?;
        self.at += length + 1;
        KNOWN
            .into_iter()
            .find(|known| *known == &rest[..length])
            .ok_or_else(|| "it names something that a table does not hold".to_owned())
    }
}

const KNOWN: [&[u8]; 6] = [
    b"numpy.core.multiarray",
    b"numpy._core.multiarray",
    b"_reconstruct",
    b"numpy",
    b"dtype",
    b"ndarray",
];
