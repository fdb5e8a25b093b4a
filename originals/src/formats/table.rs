//! A word table of the original, row after row: numeric npy of either order, or a pickled array of rows (§1.5).
//!
//! The import copies tables of gigabytes with it, so nothing but a block of rows is ever in memory: the file is mapped,
//! a pickle is walked once to learn where each row's numbers lie, and pages that were read are given back. What must stay
//! true: the numbers equal those of [`super::read_npy`].

mod rows;

use crate::formats::array::{MOST_EMPTY, append_numbers, item_size};
use crate::formats::npy;
use crate::formats::npy::Header;
use models::tensors::device::mapped::Mapped;
use models::{Error, Result};
use std::path::Path;
use tch::Tensor;

/// After so many bytes the pages that were read leave the process.
const GIVE_BACK: usize = 64 << 20;
/// A pickle of another form than the published one is read as a whole, if it is no larger.
const WHOLE: usize = 256 << 20;

/// A matrix of numbers in a file of the original.
#[derive(Debug)]
pub struct Table {
    file: Mapped,
    layout: Layout,
    count: usize,
    width: usize,
}

/// Where the numbers of a row are.
#[derive(Debug)]
enum Layout {
    /// Row after row, or (Fortran) column after column, from a byte on.
    Numeric { start: usize, header: Header },
    /// Each row somewhere: its first byte.
    Pickled { starts: Vec<usize>, kind: String },
    /// In memory already.
    Held(Vec<f32>),
}

impl Table {
    /// Looks through the file; `progress` learns how many bytes of how many are seen.
    ///
    /// # Errors
    /// When the file cannot be read, is cut off, or holds no rows of numbers of one width.
    pub fn open(path: &Path, progress: &mut dyn FnMut(usize, usize)) -> Result<Self> {
        let file = Mapped::open(path)?;
        let wrong = |reason: String| Error::format(path.display().to_string(), reason);
        let (header, start) = npy::header(file.bytes()).map_err(wrong)?;
        if header.kind.contains('O') {
            return Self::pickled(file, start, progress).map_err(wrong);
        }
        let &[count, width] = header.shape.as_slice() else {
            let reason = format!(
                "its shape is {:?}; (words, numbers) is expected",
                header.shape
            );
            return Err(wrong(reason));
        };
        let size = item_size(&header.kind).map_err(wrong)?;
        let wanted = count.checked_mul(width).and_then(|n| n.checked_mul(size));
        let there = file.bytes().len() - start;
        if wanted.is_none_or(|wanted| wanted > there) || count > MOST_EMPTY || width > MOST_EMPTY {
            let reason = format!(
                "{count} rows of {width} numbers do not fit into its {there} bytes: it is cut off"
            );
            return Err(wrong(reason));
        }
        let layout = Layout::Numeric { start, header };
        Ok(Self {
            file,
            layout,
            count,
            width,
        })
    }

    fn pickled(
        file: Mapped,
        start: usize,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Self, String> {
        match rows::places(&file, start, progress) {
            Ok(places) => Ok(Self {
                count: places.starts.len(),
                width: places.width,
                layout: Layout::Pickled {
                    starts: places.starts,
                    kind: places.kind,
                },
                file,
            }),
            Err(reason) if file.bytes().len() > WHOLE => Err(reason),
            Err(_) => {
                let array = npy::member(file.bytes())?;
                let &[count, width] = array.shape.as_slice() else {
                    return Err(format!("its rows have the shape {:?}", array.shape));
                };
                let layout = Layout::Held(array.data);
                Ok(Self {
                    file,
                    layout,
                    count,
                    width,
                })
            }
        }
    }

    /// How many rows there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// How many numbers a row has.
    pub fn width(&self) -> usize {
        self.width
    }

    /// At most `count` rows from `first` on as a tensor (R, W), and their pages given back.
    ///
    /// # Errors
    /// When the numbers are of a type that is not known.
    pub fn block(&self, first: usize, count: usize) -> Result<Tensor> {
        let last = first.saturating_add(count).min(self.count);
        let rows = first.min(last)..last;
        let mut numbers = Vec::with_capacity(rows.len() * self.width);
        let wrong = |reason| Error::format(self.file.path().display().to_string(), reason);
        self.append(rows.clone(), &mut numbers).map_err(wrong)?;
        self.file.release();
        let shape = [rows.len() as i64, self.width as i64];
        Ok(Tensor::from_slice(&numbers).view(shape))
    }

    /// All rows as a tensor (N, W).
    ///
    /// # Errors
    /// As [`Table::block`].
    pub fn to_tensor(&self) -> Result<Tensor> {
        self.block(0, self.count)
    }

    fn append(&self, rows: std::ops::Range<usize>, to: &mut Vec<f32>) -> Result<(), String> {
        // rows of nothing may be told by the billion
        if self.width == 0 {
            return Ok(());
        }
        let bytes = self.file.bytes();
        match &self.layout {
            Layout::Held(numbers) => {
                to.extend_from_slice(&numbers[rows.start * self.width..rows.end * self.width]);
            }
            Layout::Pickled { starts, kind } => {
                let length = self.width * item_size(kind)?;
                for &start in &starts[rows] {
                    append_numbers(kind, &bytes[start..start + length], to)?;
                }
            }
            Layout::Numeric { start, header } if !header.fortran => {
                let length = self.width * item_size(&header.kind)?;
                let (first, last) = (start + rows.start * length, start + rows.end * length);
                append_numbers(&header.kind, &bytes[first..last], to)?;
            }
            Layout::Numeric { start, header } => {
                let size = item_size(&header.kind)?;
                let mut columns = Vec::with_capacity(rows.len() * self.width);
                for column in 0..self.width {
                    let first = start + (column * self.count + rows.start) * size;
                    let last = first + rows.len() * size;
                    append_numbers(&header.kind, &bytes[first..last], &mut columns)?;
                }
                for row in 0..rows.len() {
                    to.extend((0..self.width).map(|column| columns[column * rows.len() + row]));
                }
            }
        }
        Ok(())
    }
}
