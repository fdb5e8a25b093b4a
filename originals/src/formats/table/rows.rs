//! Finds the rows of a pickled array of arrays without reading their numbers: the form in which the published tables are.
//!
//! It builds with the pickle machine what says where rows lie, and forgets the rest. What must stay true: memory grows
//! with the number of rows, never with their bytes.

use crate::formats::array::item_size;
use crate::formats::pickle::machine::{Builder, Machine, Plain, Step};
use models::tensors::device::mapped::Mapped;
use std::rc::Rc;

/// Where the rows of a pickle lie.
pub(super) struct Places {
    pub(super) starts: Vec<usize>,
    pub(super) kind: String,
    pub(super) width: usize,
}

/// What a table is made of.
#[derive(Clone, Debug)]
enum Item {
    Other,
    Int(i64),
    /// first byte and length of bytes or a text
    Bytes(usize, usize),
    Name(Name),
    Tuple(Rc<[Item]>),
    Kind(usize),
    Array(usize),
    List(usize),
}

/// The names that a table needs.
#[derive(Clone, Copy, Debug)]
enum Name {
    Reconstruct,
    Kind,
    Class,
}

/// An array under construction.
#[derive(Clone, Copy, Debug)]
struct Row {
    start: usize,
    length: usize,
    kind: usize,
}

struct Rows<'a> {
    bytes: &'a [u8],
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
    let rows = Rows {
        bytes: file.bytes(),
        kinds: Vec::new(),
        rows: Vec::new(),
        lists: Vec::new(),
    };
    let mut machine = Machine::new(file.bytes(), start, rows);
    let (of, mut given_back) = (file.bytes().len(), 0);
    let whole = loop {
        let at = machine.at;
        let step = machine.step();
        if let Some(whole) = step.map_err(|reason| format!("pickle (byte {at}): {reason}"))? {
            break whole;
        }
        if machine.at - given_back > super::GIVE_BACK {
            given_back = machine.at;
            file.release();
            progress(machine.at, of);
        }
    };
    progress(of, of);
    machine.builder.finish(&whole)
}

impl Builder for Rows<'_> {
    type Item = Item;

    fn plain(&mut self, value: Plain) -> Step<Item> {
        Ok(match value {
            Plain::Int(number) => Item::Int(number),
            Plain::Bytes(bytes, start) => Item::Bytes(start, bytes.len()),
            Plain::Text(text, start) => Item::Bytes(start, text.len()),
            Plain::Global(module, name) => Item::Name(known(module, name)?),
            _ => Item::Other,
        })
    }

    fn list(&mut self, items: Vec<Item>) -> Step<Item> {
        self.lists.push(Vec::new());
        let list = Item::List(self.lists.len() - 1);
        self.extend_list(&list, items)?;
        Ok(list)
    }

    fn tuple(&mut self, items: Vec<Item>) -> Step<Item> {
        Ok(Item::Tuple(items.into()))
    }

    fn dict(&mut self, _: Vec<Item>) -> Step<Item> {
        Err("a table holds no dictionary".to_owned())
    }

    fn extend_list(&mut self, list: &Item, items: Vec<Item>) -> Step<()> {
        let &Item::List(list) = list else {
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

    fn extend_dict(&mut self, _: &Item, _: Vec<Item>) -> Step<()> {
        Err("a table holds no dictionary".to_owned())
    }

    fn global(&mut self, module: Item, name: Item) -> Step<Item> {
        let named = self.text(&module).zip(self.text(&name));
        let (module, name) = named.ok_or("something is named by what is no text")?;
        Ok(Item::Name(known(module, name)?))
    }

    fn call(&mut self, function: Item, args: Item) -> Step<Item> {
        let Item::Tuple(args) = args else {
            return Err("a call without arguments".to_owned());
        };
        match function {
            Item::Name(Name::Reconstruct) => {
                self.rows.push(None);
                Ok(Item::Array(self.rows.len() - 1))
            }
            Item::Name(Name::Kind) => {
                let name = args.first().and_then(|name| self.text(name));
                let name = name.ok_or("a type without a name")?;
                let kind = format!("|{}", name.chars().take(8).collect::<String>());
                self.kinds.push(kind);
                Ok(Item::Kind(self.kinds.len() - 1))
            }
            _ => Err("a call of something that a table does not hold".to_owned()),
        }
    }

    fn build(&mut self, object: Item, state: Item) -> Step<Item> {
        let Item::Tuple(state) = state else {
            return Err("a state of another form than an array has".to_owned());
        };
        match (&object, &*state) {
            (&Item::Kind(kind), [_, Item::Bytes(start, 1), ..]) => {
                let order = char::from(self.bytes[*start]);
                let name: String = self.kinds[kind].chars().skip(1).collect();
                self.kinds[kind] = format!("{order}{name}");
                Ok(object)
            }
            // the whole: what counts is its list of rows
            (Item::Array(_), [_, _, _, _, list @ Item::List(_)]) => Ok(list.clone()),
            (
                &Item::Array(row),
                [
                    _,
                    Item::Tuple(shape),
                    Item::Kind(kind),
                    _,
                    Item::Bytes(start, length),
                ],
            ) => {
                self.rows[row] = Some(self.row(shape, *kind, *start, *length)?);
                Ok(object)
            }
            _ => Err("a state of another form than an array has".to_owned()),
        }
    }

    fn persistent(&mut self, _: Item) -> Step<Item> {
        Err("a table holds nothing that is kept elsewhere".to_owned())
    }
}

impl Rows<'_> {
    fn text(&self, item: &Item) -> Option<&str> {
        match item {
            &Item::Bytes(start, length) => {
                std::str::from_utf8(&self.bytes[start..start + length]).ok()
            }
            _ => None,
        }
    }

    /// A row of shape (d,) or (1, d), whichever order: there is no difference between them.
    fn row(&self, shape: &[Item], kind: usize, start: usize, length: usize) -> Result<Row, String> {
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

    fn finish(self, whole: &Item) -> Result<Places, String> {
        let &Item::List(list) = whole else {
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
}

fn known(module: &str, name: &str) -> Result<Name, String> {
    match (module, name) {
        ("numpy.core.multiarray" | "numpy._core.multiarray", "_reconstruct") => {
            Ok(Name::Reconstruct)
        }
        ("numpy", "dtype") => Ok(Name::Kind),
        ("numpy", "ndarray") => Ok(Name::Class),
        _ => Err(format!(
            "it names {module}.{name}, which a table does not hold"
        )),
    }
}
