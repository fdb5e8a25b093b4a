//! The table of facts at the start of a GGUF file: names with numbers, texts or lists.
//!
//! Lists of numbers are passed over but for their length: no network here asks for one, and a vocabulary's scores would
//! only take memory.

/// A text of a file, such as one piece of a vocabulary or a chat template.
const LONGEST_TEXT: u64 = 16 << 20;
/// Entries of a list: the largest vocabularies have some 256,000.
const LONGEST_LIST: u64 = 4_000_000;

/// A fact of a file.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// A whole number or a truth value.
    Whole(i64),
    /// Any other number.
    Number(f64),
    /// A text.
    Text(String),
    /// Texts, such as the pieces of a vocabulary.
    Texts(Vec<String>),
    /// So many numbers, which nobody here reads.
    Numbers(usize),
}

impl Fact {
    pub(super) fn read(cursor: &mut Cursor) -> Result<Self, String> {
        let kind = cursor.u32()?;
        if kind != 9 {
            return Self::scalar(cursor, kind);
        }
        let (kind, count) = (cursor.u32()?, cursor.at_most("entries", LONGEST_LIST)?);
        if kind == 8 {
            // not reserved ahead: the file may promise more than it holds
            let texts = (0..count)
                .map(|_| cursor.text())
                .collect::<Result<_, _>>()?;
            return Ok(Self::Texts(texts));
        }
        for _ in 0..count {
            Self::scalar(cursor, kind)?;
        }
        Ok(Self::Numbers(count as usize))
    }

    fn scalar(cursor: &mut Cursor, kind: u32) -> Result<Self, String> {
        Ok(match kind {
            0 | 7 => Self::Whole(cursor.array::<1>()?[0].into()),
            1 => Self::Whole(i8::from_le_bytes(cursor.array()?).into()),
            2 => Self::Whole(u16::from_le_bytes(cursor.array()?).into()),
            3 => Self::Whole(i16::from_le_bytes(cursor.array()?).into()),
            4 => Self::Whole(cursor.u32()?.into()),
            5 => Self::Whole(i32::from_le_bytes(cursor.array()?).into()),
            6 => Self::Number(f32::from_le_bytes(cursor.array()?).into()),
            8 => Self::Text(cursor.text()?),
            10 => Self::Whole(
                i64::try_from(cursor.u64()?).map_err(|_| "a number is too large".to_owned())?,
            ),
            11 => Self::Whole(i64::from_le_bytes(cursor.array()?)),
            12 => Self::Number(f64::from_le_bytes(cursor.array()?)),
            other => return Err(format!("its type {other} is unknown")),
        })
    }

    /// The whole number, if it is one.
    pub fn whole(&self) -> Option<i64> {
        match self {
            Self::Whole(number) => Some(*number),
            _ => None,
        }
    }

    /// The number, if it is one.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Whole(number) => Some(*number as f64),
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }
}

/// Reads little-endian values from bytes that may end too early.
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    place: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, place: 0 }
    }

    pub(super) fn place(&self) -> usize {
        self.place
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let end = self
            .place
            .checked_add(count)
            .filter(|&end| end <= self.bytes.len());
        let end = end.ok_or("the file ends too early: the download may be incomplete")?;
        let taken = &self.bytes[self.place..end];
        self.place = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub(super) fn u32(&mut self) -> Result<u32, String> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, String> {
        self.array().map(u64::from_le_bytes)
    }

    /// A count that must be believable.
    pub(super) fn at_most(&mut self, of: &str, limit: u64) -> Result<u64, String> {
        let count = self.u64()?;
        if count > limit {
            return Err(format!(
                "it claims {count} {of}; more than {limit} are not read"
            ));
        }
        Ok(count)
    }

    pub(super) fn text(&mut self) -> Result<String, String> {
        let length = self.at_most("bytes of a text", LONGEST_TEXT)? as usize;
        Ok(String::from_utf8_lossy(self.take(length)?).into_owned())
    }
}
